"""Who runs this process: a person, papermill, or a suite, and which notebook it is.

A suite says so in the environment (``JBTS_MODE`` and its fellows). JupyterLab names the notebook in
``JPY_SESSION_NAME``. Papermill says nothing, so its own command line is read: it is the kernel's parent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .recorder import Origin


def find_origin(environ: Mapping[str, str] | None = None, parent_command: Sequence[str] | None = None) -> Origin:
    """Where this process stands. ``parent_command`` stands in for the parent's command line in tests."""
    environ = os.environ if environ is None else environ
    names = tuple(t for t in environ.get("JBTS_TAGS", "").split(",") if t)
    if environ.get("JBTS_MODE"):
        return Origin(
            kind=environ["JBTS_MODE"],
            notebook=environ.get("JBTS_NOTEBOOK") or None,
            parameters=json.loads(environ.get("JBTS_PARAMETERS") or "{}"),
            run_id=environ.get("JBTS_RUN_ID") or None,
            attempt=int(environ.get("JBTS_ATTEMPT") or 1),
            tags=names,
            category=environ.get("JBTS_CATEGORY") or None,
            priority=environ.get("JBTS_PRIORITY") or None,
        )
    if environ.get("JPY_SESSION_NAME"):
        return Origin("interactive", Path(environ["JPY_SESSION_NAME"]).name, tags=names)
    if "JPY_PARENT_PID" in environ or parent_command is not None:
        command = list(parent_command) if parent_command is not None else _parent_command()
        notebook = papermill_notebook(command)
        if notebook is not None:
            return Origin("papermill", notebook, tags=names)
        if any(
            Path(word).name.startswith(("papermill", "pytest", "nbclient")) or word in ("papermill", "nbclient")
            for word in command[:4]
        ):
            return Origin("papermill", None, tags=names)
    return Origin("interactive", environ.get("JBTS_NOTEBOOK") or None, tags=names)


def _parent_command() -> list[str]:
    import psutil

    try:
        return list(psutil.Process(os.getppid()).cmdline())
    except psutil.Error:
        return []


def papermill_notebook(command: Sequence[str]) -> str | None:
    """The input notebook in a papermill command line, or None if it is none."""
    path = _papermill_path(command)
    return Path(path).name if path else None


def _papermill_path(command: Sequence[str]) -> str | None:
    for i, word in enumerate(command[:4]):
        if Path(word).stem == "papermill" or (word == "papermill" and i and command[i - 1] == "-m"):
            return next((w for w in command[i + 1 :] if w.endswith(".ipynb")), None)
    return None


def notebook_folder(origin: Origin) -> Path | None:
    """The folder of the notebook that plain papermill runs, which need not be the kernel's working folder;
    None where the working folder is the notebook's own."""
    import psutil

    if origin.kind != "papermill":
        return None
    try:
        parent = psutil.Process(os.getppid())
        path = _papermill_path(parent.cmdline())
        folder = (Path(parent.cwd()) / path).parent if path else None
    except psutil.Error:
        return None
    return folder if folder is not None and folder.is_dir() else None


def interactive(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a person reads what is printed: then bad syntax is a UsageError, else an ordinary failure."""
    environ = os.environ if environ is None else environ
    if environ.get("JBTS_MODE"):
        return False
    return "JPY_PARENT_PID" not in environ or bool(environ.get("JPY_SESSION_NAME")) or "VSCODE_PID" in environ


def assigned_parameters(source: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What papermill's injected cell set, by name; empty for any other cell."""
    import ast

    if not source.lstrip().startswith("# Parameters"):
        return {}
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    names = [
        t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    ]
    return {name: namespace[name] for name in names if name in namespace}
