"""Completion for our lines, made from the registry: verbs, options, choices, names, locator prefixes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .browser.locators import ENGINES
from .grammar import Parameter, Signature, common_options
from .verbs import VERBS
from .verbs.expecting import NAMED, PAGE, STATES, VALUES

PREFIXES = tuple(f"{engine}=" for engine in ENGINES if engine != "css")
KEYS = (
    "Enter",
    "Escape",
    "Tab",
    "Shift+Tab",
    "Control+A",
    "Control+C",
    "Control+V",
    "Backspace",
    "Delete",
    "ArrowDown",
    "ArrowUp",
)


def complete(line: str, names: Iterable[str], *, in_steps: bool = False) -> tuple[str, list[str]] | None:
    """The fragment under the cursor and what could stand there, or None where the line is none of ours.

    ``line`` is the text up to the cursor; ``in_steps`` says that it is a line of ``%%steps``.
    """
    match = re.match(r"^(\s*(?:[\w, ]+=\s*)?%{1,2})(\w*)$", line)
    if match:
        word = match.group(2)
        found = [f"%{v}" for v in VERBS if v.startswith(word)]
        return "%" + word, found
    if in_steps and re.match(r"^\s*\w*$", line):
        word = line.strip()
        return word, [v for v, s in VERBS.items() if v.startswith(word) and not s.body]
    head = re.match(r"^\s*(?:[\w, ]+=\s*)?%{1,2}(\w+)\s+(.*)$", line, re.DOTALL) or (
        re.match(r"^\s*(\w+)\s+(.*)$", line) if in_steps else None
    )
    if head is None or head.group(1) not in VERBS:
        return None
    return _words(VERBS[head.group(1)], head.group(2), names)


def _words(signature: Signature, rest: str, names: Iterable[str]) -> tuple[str, list[str]]:
    reference = re.search(r"\$\{(\w*)$", rest)
    if reference:
        return "${" + reference.group(1), sorted(
            f"${{{n}}}" for n in names if n.startswith(reference.group(1)) and not n.startswith("_")
        )
    fragment = re.search(r"\S*$", rest)
    word = fragment.group() if fragment else ""
    before = rest[: len(rest) - len(word)].split()
    options: Mapping[str, Parameter] = {
        p.option: p for p in (*signature.parameters, *common_options(signature)) if not p.positional
    }
    if before and before[-1] in options and options[before[-1]].kind != "flag":
        return word, _of(options[before[-1]], word)
    if word.startswith("-"):
        return word, [o for o in (*options, "--help") if o.startswith(word)]
    placed = [
        w
        for i, w in enumerate(before)
        if not w.startswith("--") and not (i and before[i - 1] in options and options[before[i - 1]].kind != "flag")
    ]
    if signature.verb == "expect":
        words: tuple[str, ...] = (*PAGE, *PREFIXES) if not placed else ("not", *STATES, *VALUES, *NAMED)
        return word, [w for w in words if w.startswith(word)]
    if signature.verb == "press" and not placed:
        return word, [k for k in KEYS if k.lower().startswith(word.lower())]
    positional = [p for p in signature.parameters if p.positional]
    if not positional:
        return word, []
    parameter = (
        positional[min(len(placed), len(positional) - 1)]
        if len(placed) < len(positional) or positional[-1].variadic
        else None
    )
    return word, _of(parameter, word) if parameter else []


def _of(parameter: Parameter, word: str) -> list[str]:
    if parameter.choices:
        return [c for c in parameter.choices if c.startswith(word)]
    if parameter.kind in ("locator", "cover"):
        return [p for p in PREFIXES if p.startswith(word)]
    if parameter.name == "browser_name":
        from .browser.launch import BROWSERS

        return [b for b in BROWSERS if b.startswith(word)]
    return []


def matcher(shell: Any) -> Any:
    """A completer for IPython that answers for our lines only."""
    from IPython.core.completer import SimpleCompletion, SimpleMatcherResult, context_matcher

    @context_matcher(identifier="jbts")  # type: ignore[untyped-decorator]
    def jbts_matcher(context: Any) -> Any:
        nothing = SimpleMatcherResult(completions=[], suppress=False)
        lines = context.full_text.split("\n")
        line = (
            lines[context.cursor_line][: context.cursor_position]
            if context.cursor_line < len(lines)
            else context.line_with_cursor
        )
        first = lines[0].split() if lines else []
        in_steps = context.cursor_line > 0 and bool(first) and first[0] in ("%%steps", "%%group")
        names = (
            [*shell.user_ns, *shell.user_ns["jbts"].secrets.names] if "jbts" in shell.user_ns else list(shell.user_ns)
        )
        found = complete(line, names, in_steps=in_steps)
        if found is None or found == ("", []):
            return nothing
        fragment, words = found
        # A word of ours that nothing is known about stays as it is: IPython takes over from a matcher with no
        # answer, offers Python names for a locator, and looks for them for seconds.
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text=w, type="jbts") for w in words or [fragment]],
            suppress=True,
            matched_fragment=fragment,
        )

    return jbts_matcher
