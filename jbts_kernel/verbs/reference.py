"""The reference of every verb, written from the registry.

``python -m jbts_kernel.verbs.reference`` rewrites ``docs/verbs.md`` and the table in ``README.md``;
a test compares both with what it would write.
"""

from __future__ import annotations

from pathlib import Path

from ..grammar import COMMON_ABOUT, Signature, common_options
from . import VERBS

BEGIN, END = "<!-- verbs: made by python -m jbts_kernel.verbs.reference -->", "<!-- /verbs -->"

CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Going somewhere", ("navigate", "back", "forward", "reload", "frame", "tab", "tabs", "window")),
    ("Acting", ("click", "type", "clear", "press", "select", "deselect", "tick", "untick", "hover", "drag", "mouse")),
    ("More acting", ("scroll", "focus", "blur", "upload", "download", "dialog")),
    ("Waiting and expecting", ("wait", "expect", "accept")),
    ("Reading", ("text", "value", "attribute", "count", "table", "options", "screenshot", "evaluate")),
    ("Looking, explaining, writing", ("analyze", "triage", "generate")),
    ("The site's memory, and HTTP", ("cookie", "storage", "request")),
    ("What the page meets", ("mock", "network")),
    ("Coming back", ("checkpoint", "restore")),
    ("Tests and steps", ("test", "endtest", "steps", "group", "secret")),
    ("Browsers", ("browser", "use", "browsers", "health")),
    ("Results and events", ("query", "results", "usage", "dashboard", "workbench", "events", "jbts")),
)  # fmt: skip


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def table() -> str:
    """The short table: a line for each verb."""
    lines = ["| verb | does |", "| --- | --- |"]
    for _, verbs in CHAPTERS:
        lines += [f"| {_code('%' + v)} | {VERBS[v].summary} |" for v in verbs]
    return "\n".join(lines)


def _entry(signature: Signature) -> str:
    lines = [f"### {signature.verb}", "", signature.summary, "", f"    %{signature.form}"]
    if signature.body:
        lines += ["", f"As `%%{signature.verb}`, the text below the first line is its {signature.body}."]
    prose = (signature.function.__doc__ or "").partition("\n")[2].partition("Args:")[0].strip()
    if prose:
        lines += ["", "\n".join(line.strip() for line in prose.splitlines())]
    about = [
        (p.metavar if p.positional else p.option, signature.about[p.name])
        for p in signature.parameters
        if p.name in signature.about
    ]
    if about:
        lines += ["", *[f"- {_code(name)}: {sentence}" for name, sentence in about]]
    return "\n".join(lines)


def document() -> str:
    """The whole of ``docs/verbs.md``."""
    parts = [
        "# Verbs",
        'The same words everywhere: `%click "#go"` in a cell, `click "#go"` as a line of `%%steps`,',
        '`page.click("#go")` in Python. `%verb --help` shows what is written here. How elements are named is in',
        "[locators.md](locators.md).\n",
        "Every step takes:\n",
    ]
    parts += [f"- {_code(p.option)}: {COMMON_ABOUT[p.name]}" for p in common_options(VERBS["click"])]
    for chapter, verbs in CHAPTERS:
        parts += ["", f"## {chapter}"]
        for verb in verbs:
            parts += ["", _entry(VERBS[verb])]
    return "\n".join(parts) + "\n"


def with_table(text: str) -> str:
    """A document with the table between its marks made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main(root: Path) -> None:
    (root / "docs" / "verbs.md").write_text(document(), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[2])
