"""The Python whose DuckDB has the extensions a central database is reached with.

In this order: the one ``JBTS_SHIP_PYTHON`` names, this one, the one that ``jbts ship --prepare`` made. The last is a
virtual environment with the newest DuckDB whose extensions are on the package index; the log is lines of JSON, so it
does not matter to them which DuckDB reads them. Only ``--prepare`` downloads anything.

    python -m jbts_kernel.store.extensions [FOLDER]      makes that environment, in FOLDER where one is given
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ..errors import StoreProblem
from . import carrier

PYTHON_VARIABLE = "JBTS_SHIP_PYTHON"
VERSION = "1.5.5"
PACKAGES = (
    f"duckdb=={VERSION}",
    *(f"duckdb-extension-{name}=={VERSION}" for name in ("ducklake", "postgres-scanner", "quack", "httpfs")),
)


def prepared_folder() -> Path:
    """Where ``jbts ship --prepare`` puts its environment: one for all projects of a user."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "jbts" / f"ship-{VERSION}"


def prepare(folder: Path | None = None) -> Path:
    """Make the environment, unless it is there; its Python. Downloads some 60 MB. Raises StoreProblem."""
    folder = (folder or prepared_folder()).absolute()
    python, made = folder / "bin" / "python", folder / "made"
    wanted = "\n".join(PACKAGES)
    if python.exists() and made.exists() and made.read_text(encoding="utf-8") == wanted:
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise StoreProblem(
                f"DuckDB {VERSION} and its extensions could not be put into {folder}: {said[-1] if said else '?'}"
            )
    made.write_text(wanted, encoding="utf-8")
    return python


class Carrier:
    """A process that runs statements, with ``extensions`` loaded. ``keep`` is a descriptor it holds as long as it
    lives. Raises StoreProblem where no DuckDB here has them."""

    def __init__(self, extensions: Sequence[str], keep: int) -> None:
        named = os.environ.get(PYTHON_VARIABLE)
        prepared = prepared_folder() / "bin" / "python"
        pythons = [named] if named else [sys.executable, *([str(prepared)] if prepared.exists() else [])]
        reasons = []
        for python in pythons:
            try:
                self._process = subprocess.Popen(
                    [python, "-I", carrier.__file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(keep,),
                )
            except OSError as problem:
                raise StoreProblem(f"{python} cannot be started ({PYTHON_VARIABLE}): {problem.strerror}") from problem
            reason = self._ask({"load": list(extensions)}).get("error")
            if reason is None:
                return
            self.close()
            reasons.append(str(reason).partition("\n")[0])
        raise StoreProblem(
            f"the DuckDB of {named or 'this installation'} has no extension {' and '.join(extensions)}: jbts ship"
            f" --prepare puts DuckDB {VERSION}, which has them, beside it (60 MB from the package index), or name a"
            f" Python that has them with {PYTHON_VARIABLE} ({reasons[0]})"
        )

    def run(self, *statements: str) -> list[list[object]]:
        """The rows of the last of ``statements``. Raises StatementRefused with the database's own words."""
        answer = self._ask({"run": list(statements)})
        if "error" in answer:
            raise StatementRefused(str(answer["error"]))
        rows: list[list[object]] = answer["rows"]  # type: ignore[assignment]
        return rows

    def _ask(self, request: dict[str, list[str]]) -> dict[str, object]:
        told, said = self._process.stdin, self._process.stdout
        assert told is not None and said is not None
        try:
            told.write(json.dumps(request).encode() + b"\n")
            told.flush()
            line = said.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            return {"error": f"its process ended with {self._process.wait()}"}
        answer: dict[str, object] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process; what was not committed is not done."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def __enter__(self) -> Carrier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StatementRefused(Exception):
    """The central database said no. Its words may hold what the target was given as, a password too."""


if __name__ == "__main__":
    print(prepare(Path(sys.argv[1]) if len(sys.argv) > 1 else None))  # noqa: T201
