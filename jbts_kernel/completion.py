"""Completion for our lines, made from the registry: verbs, options, choices, names, locator prefixes; and locators
of what is on the page now, outlined in the panel while they are offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .browser.locators import ENGINES
from .grammar import Parameter, Signature, common_options, locator_word
from .verbs import VERBS
from .verbs.expecting import NAMED, PAGE, STATES, VALUES

if TYPE_CHECKING:
    from .workbench import Workbench

Live = Callable[[str], list[str]]
"""The locators on the page now that begin like a word."""
MOST_LIVE = 40
TURN_SECONDS = 0.2
"""How long a completion waits for a look of the panel's to end."""
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


def _nothing_live(word: str) -> list[str]:
    """There is no page."""
    return []


def complete(
    line: str, names: Iterable[str], *, in_steps: bool = False, live: Live = _nothing_live
) -> tuple[str, list[str]] | None:
    """The fragment under the cursor and what could stand there, or None where the line is none of ours.

    ``line`` is the text up to the cursor; ``in_steps`` says that it is a line of ``%%steps``; ``live`` knows the page.
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
    return _words(VERBS[head.group(1)], head.group(2), names, live)


def _words(signature: Signature, rest: str, names: Iterable[str], live: Live) -> tuple[str, list[str]]:
    reference = re.search(r"\$\{(\w*)$", rest)
    if reference:
        return "${" + reference.group(1), sorted(
            f"${{{n}}}" for n in names if n.startswith(reference.group(1)) and not n.startswith("_")
        )
    word = _unfinished(rest)
    before = rest[: len(rest) - len(word)].split()
    options: Mapping[str, Parameter] = {
        p.option: p for p in (*signature.parameters, *common_options(signature)) if not p.positional
    }
    if before and before[-1] in options and options[before[-1]].kind != "flag":
        return word, _of(options[before[-1]], word, live)
    if word.startswith("-"):
        return word, [o for o in (*options, "--help") if o.startswith(word)]
    placed = [
        w
        for i, w in enumerate(before)
        if not w.startswith("--") and not (i and before[i - 1] in options and options[before[i - 1]].kind != "flag")
    ]
    if signature.verb == "expect":
        words: tuple[str, ...] = (*PAGE, *PREFIXES) if not placed else ("not", *STATES, *VALUES, *NAMED)
        there = [] if placed else _on_page(word, live)
        return word, [*there, *(w for w in words if w.startswith(word))]
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
    return word, _of(parameter, word, live) if parameter else []


def _unfinished(rest: str) -> str:
    """The word at the end of a line, with the spaces of a quote or a bracket that is open still."""
    start, quote, depth = 0, "", 0
    for i, c in enumerate(rest):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "[]":
            depth = max(0, depth + (1 if c == "[" else -1))
        elif c.isspace() and not depth:
            start = i + 1
    return rest[start:]


def _on_page(word: str, live: Live) -> list[str]:
    """Locators on the page as they must be typed after this beginning, which may be an opened quote."""
    if word.startswith("-"):
        return []
    if word[:1] in ("'", '"'):
        sign = word[0]
        return [f"{sign}{locator}{sign}" for locator in live(word[1:]) if sign not in locator and "${" not in locator]
    typed = [locator_word(locator) for locator in live(word)]
    return [one for one in typed if one.lower().startswith(word.lower())]


def live_locators(bench: Workbench) -> Live:
    """What the page of a workbench offers; it is outlined in the panel. Nothing while a step runs."""
    from .browser import pointing
    from .browser.engine import driver_errors
    from .errors import StepProblem

    passing: tuple[type[BaseException], ...] = (StepProblem, *driver_errors())

    def live(word: str) -> list[str]:
        engine, equals, _ = word.partition("=")
        kind = engine if equals and engine in ENGINES else "css" if re.match(r"[#.\[]", word) else ""
        if word and not kind and any(prefix.startswith(word) for prefix in PREFIXES):
            kind = next(prefix for prefix in PREFIXES if prefix.startswith(word)).rstrip("=")
        try:
            with bench.looking(TURN_SECONDS) as session:
                if session is None:
                    return []
                testid = bench.settings.testid_attribute
                found = pointing.offers(session, testid, word=word, engine=kind, limit=MOST_LIVE)
        except passing:
            return []
        if bench.panel is not None:
            bench.panel.light([one["box"] for one in found])
        locators = [str(one["locator"]) for one in found]
        return [locator for locator in locators if bench.secrets.mask(locator) == locator]

    return live


def _of(parameter: Parameter, word: str, live: Live) -> list[str]:
    if parameter.choices:
        return [c for c in parameter.choices if c.startswith(word)]
    if parameter.kind in ("locator", "cover"):
        return [*_on_page(word, live), *(p for p in PREFIXES if p.startswith(word))]
    if parameter.name == "browser_name":
        from .browser.launch import BROWSERS

        return [b for b in BROWSERS if b.startswith(word)]
    return []


def matcher(shell: Any) -> Any:
    """A completer for IPython that answers for our lines only."""
    from IPython.core.completer import SimpleCompletion, SimpleMatcherResult, context_matcher

    from .workbench import Workbench

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
        bench = shell.user_ns.get("jbts")
        ours = isinstance(bench, Workbench)
        names = [*shell.user_ns, *bench.secrets.names] if ours else list(shell.user_ns)
        found = complete(line, names, in_steps=in_steps, live=live_locators(bench) if ours else _nothing_live)
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
