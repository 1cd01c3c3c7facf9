"""docs/ci.md: what people copy from it is run here, in a project like theirs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import nbformat
import pytest
import yaml

from jbts_kernel.store.queries import Results

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
NAMES = {"login[ada]", "login[sam]"}
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240), pytest.mark.xdist_group("ci-recipes")]


def blocks(language: str, heading: str | None = None) -> list[str]:
    """The code on the page in a language, in one section of it or in all."""
    sections = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    wanted = PAGE if heading is None else sections[sections.index(heading) + 1]
    return re.findall(rf"^```{language}\n(.*?)^```$", wanted, re.MULTILINE | re.DOTALL)


def ours(lines: list[str]) -> list[str]:
    """Without the lines that install something: it is installed here."""
    return [line for line in lines if not re.match(r"pip install|apt-get ", line)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A suite of one notebook with two users, as suite.toml of the page has it."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (tmp_path / "suite").mkdir()
    cells = [nbformat.v4.new_code_cell("user = base_url = None", id="a", metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell("assert user in ('ada', 'sam')", id="b"))
    about = {**kernel, "jbts": {"tags": ["smoke"]}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), tmp_path / "suite" / "login.ipynb")
    (text,) = blocks("toml")
    assert tomllib.loads(text)["run"] == {"retries": 1, "timeout": 300}
    (tmp_path / "suite" / "suite.toml").write_text(
        text.partition("[quarantine]")[0] + text[text.index("[parametrize") :]
    )
    return tmp_path


Shell = Callable[..., str]


@pytest.fixture
def shell(project: Path) -> Shell:
    """Run lines as a shell in CI does: the first that fails ends it. What it printed."""
    binaries = project / ".bin"
    binaries.mkdir()
    for name, module in (("jbts", "jbts_kernel.cli"), ("pytest", "pytest")):
        entry = (
            "from jbts_kernel.cli import main; main()" if name == "jbts" else f"import {module}; exit({module}.main())"
        )
        (binaries / name).write_text(f"#!{sys.executable}\n{entry}\n")
        (binaries / name).chmod(0o755)

    def run(script: str, folder: Path = project, status: int = 0, **environ: str) -> str:
        path = os.pathsep.join([str(binaries), os.environ.get("PATH", "")])
        told = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "JBTS_BROADCASTER": "off", "CI": "true", **environ}
        done = subprocess.run(["sh", "-e", "-c", script], cwd=folder, env=told, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


def cases(path: Path) -> Counter[str]:
    return Counter(str(case.get("name")) for case in Xml.parse(path).iter("testcase"))


def test_plain_shell(project: Path, shell: Shell) -> None:
    """Each command of the section and the one that exports, in one folder: results, files, exit codes."""
    run, some, judge, follow = blocks("sh", "Plain shell")
    shell(run)
    assert set(cases(project / "junit.xml")) == NAMES
    assert (project / "report" / "index.html").is_file()
    assert "2 passed" in shell(some)
    assert shell(follow.replace("| python ", f"| {shlex.quote(sys.executable)} ")) == "{'passed': 2}\n"
    (project / "suite" / "login.ipynb").write_text("{")
    assert shell(judge).rstrip().endswith("see the report")


def test_pytest_and_the_exported_file(project: Path, shell: Shell) -> None:
    """The pytest line selects by marker and splits between two processes; the exported file passes without us."""
    (line,) = blocks("sh", "pytest")
    assert "2 passed" in shell(line)
    (export,) = blocks("sh", "Without notebooks")
    notebook = json.loads((project / "suite" / "login.ipynb").read_text())
    notebook["metadata"]["jbts"]["parametrize"] = {"user": ["ada", "sam"]}
    (project / "suite" / "login.ipynb").write_text(json.dumps(notebook))
    assert "2 passed" in shell(export)


def test_github_actions(project: Path, shell: Shell) -> None:
    """Both jobs of the matrix: everything runs once, and both machines' results become one project's."""
    (text,) = blocks("yaml", "GitHub Actions")
    job = yaml.safe_load(text)["jobs"]["suite"]
    lines = ours([step["run"] for step in job["steps"] if "run" in step])
    assert len(lines) == 1 and job["strategy"]["matrix"] == {"shard": [1, 2]}
    (upload,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")]
    found: Counter[str] = Counter()
    for shard in (1, 2):
        machine = project / f"shard-{shard}"
        shutil.copytree(project / "suite", machine / "suite")
        (machine / ".jbts").mkdir()

        def filled_in(told: str, number: int = shard) -> str:
            return re.sub(r"\$\{\{ matrix\.shard \}\}", str(number), told)

        shell(filled_in(lines[0]), machine)
        found += cases(machine / f"junit-{shard}.xml")
        for kept in filled_in(upload["with"]["path"]).split():
            assert (machine / kept).exists(), kept
    assert found == Counter(dict.fromkeys(NAMES, 1))
    (together,) = blocks("sh", "GitHub Actions")
    (project / ".jbts").mkdir()
    said = shell(together)
    assert len(Results(project / ".jbts").rows("select * from executions").rows) == 2
    assert said.count("passed") == 2


def test_gitlab(project: Path, shell: Shell) -> None:
    """The script of the first of two parallel jobs, and what it keeps."""
    (text,) = blocks("yaml", "GitLab")
    job: Mapping[str, Any] = yaml.safe_load(text)["notebooks"]
    assert ours(job["before_script"]) == []
    total = str(job["parallel"])
    shell("\n".join(job["script"]), CI_NODE_INDEX="1", CI_NODE_TOTAL=total)
    assert set(cases(project / job["artifacts"]["reports"]["junit"])) < NAMES
    assert all((project / path).exists() for path in job["artifacts"]["paths"])


def test_jenkins_and_docker_say_the_same(project: Path, shell: Shell) -> None:
    """Jenkins' line and the image's command are the plain shell's; the image installs what the others install."""
    (jenkins,), (docker,) = blocks("groovy"), blocks("dockerfile")
    (line,) = re.findall(r"sh '(.+)'", jenkins)
    instructions = [line.split(" ", 1) for line in docker.splitlines() if line and not line.startswith("#")]
    assert [word for word, _ in instructions] == ["FROM", "RUN", "RUN", "RUN", "USER", "WORKDIR", "COPY", "CMD"]
    installs = " ".join(rest for word, rest in instructions if word == "RUN")
    assert "chromium chromium-driver" in installs and "pip install --no-cache-dir jbts-kernel" in installs
    command = json.loads(instructions[-1][1])
    assert shlex.split(line)[: len(command)] == command
    shell(shlex.join(command))
    assert set(cases(project / "junit.xml")) == NAMES
    assert re.findall(r"junit '(.+)'", jenkins) == ["junit.xml"]
