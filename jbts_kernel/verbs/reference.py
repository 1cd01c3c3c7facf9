"""The reference of every verb, written from the registry.

``python -m jbts_kernel.verbs.reference`` rewrites ``docs/verbs.md`` and the tables in ``README.md`` and
``docs/waiting.md``; a test compares them with what it would write.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..grammar import COMMON_ABOUT, Signature, common_options
from . import VERBS

BEGIN, END = "<!-- verbs: made by python -m jbts_kernel.verbs.reference -->", "<!-- /verbs -->"
_STATES = {
    "present": "visible or not",
    "visible": "visible",
    "enabled": "enabled",
    "editable": "editable",
    "focus": "able to take the keyboard focus",
    "point": "at rest, in view, and not covered where the pointer goes",
}

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


def needs_table() -> str:
    """What each verb's element must be, a line for the verbs that need the same."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for _, verbs in CHAPTERS:
        for verb in verbs:
            alike.setdefault(VERBS[verb].needs, []).append(_code(verb))
    lines = ["| step | waits until its element is |", "| --- | --- |"]
    for needs, names in alike.items():
        if needs:
            states = [_STATES[need] for need in needs]
            if len(states) > 1:  # the page script asks for it wherever something is done to an element
                states.insert(1, "not inert")
            lines.append(f"| {', '.join(names)} | {', '.join(('there', 'alone', *states))} |")
    return "\n".join(lines)


def with_table(text: str, made: Callable[[], str] = table) -> str:
    """A document with the table between its marks made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{made()}\n{END}{tail}"


def main(root: Path) -> None:
    (root / "docs" / "verbs.md").write_text(document(), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    waiting = root / "docs" / "waiting.md"
    waiting.write_text(with_table(waiting.read_text(encoding="utf-8"), needs_table), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[2])
