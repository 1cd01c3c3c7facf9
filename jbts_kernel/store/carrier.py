"""Runs statements of a central database: requests as lines of JSON come in, answers as lines of JSON go out.

An extension of DuckDB belongs to one version of DuckDB, and those for the version this package runs on may not be
there yet. So whatever talks to a DuckLake or to a Quack server is a process whose Python has a DuckDB that has
them; :mod:`.extensions` finds one. It runs this file by its path, so nothing of the package is imported here, and
what it is told, passwords among it, comes through a pipe that no other process can read.

Nothing is downloaded here: an extension is there, or the answer says that it is not. DuckDB itself checks the
signature of each file it loads.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load the extension ``name`` from where DuckDB keeps what was installed, or from the package that carries it."""
    import duckdb

    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}"
        file = folder / f"{name}.duckdb_extension"
        if file.exists():
            connection.execute("LOAD '{}'".format(str(file).replace("'", "''")))
            return
    connection.execute(f"LOAD {name}")


def main() -> None:
    """Answer each request: {"load": [names]} or {"run": [statements]} with {"rows": [...]} of the last statement,
    or {"error": text}."""
    import duckdb

    connection = duckdb.connect()
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions", "enable_progress_bar"):
        connection.execute(f"SET {setting} = false")
    for line in sys.stdin:
        request: dict[str, list[str]] = json.loads(line)
        answer: dict[str, Any] = {"rows": []}
        try:
            for name in request.get("load", ()):
                load(connection, name)
            for statement in request.get("run", ()):
                answer["rows"] = connection.execute(statement).fetchall()
        except duckdb.Error as problem:
            answer = {"error": str(problem)}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
