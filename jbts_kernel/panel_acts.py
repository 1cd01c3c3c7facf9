"""What is done in the panel becomes a step: a cell that is written, and run if asked, or a line that runs here.

Each public function answers one thing that the panel's front end may ask for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import JBTSError
from .grammar import clip, literal
from .models import StepResult
from .panel_looks import hit
from .pointing import PRESSES, Offer, act, drag, secret_name

if TYPE_CHECKING:
    from .widgets import LivePanel


def write(panel: LivePanel, content: dict[str, Any]) -> None:
    """Write the line that was chosen, and run it if asked."""
    given, asks = str(content.get("given", "")), str(content.get("asks", ""))
    offer = Offer("", str(content.get("head", "")), str(content.get("tail", "")), asks)
    locator = str(content.get("locator", ""))
    if asks == "password":
        name = _keep_secret(panel, content, given)
        line = Offer("", offer.head, f"${{{name}}}").line(locator)
    else:
        line = offer.line(locator, given)
    if content.get("enter"):
        line += " --enter"
    _perform(panel, line, record=bool(content.get("record", True)), run=bool(content.get("run")), content=content)


def _keep_secret(panel: LivePanel, content: Mapping[str, Any], value: str) -> str:
    """Know what was typed into a password field; its name. The notebook gets the line that names it, never
    the value."""
    secrets = panel.bench.secrets
    known = next((name for name in secrets.names if secrets.get(name) == value), None)
    if known is not None:
        return known
    name = secret_name(content, secrets.names)
    secrets.add(name, value)
    if content.get("record", True):
        panel.lab.write(f"%secret {name}", run=False, here=bool(content.get("here")))
    return name


def drive(panel: LivePanel, content: dict[str, Any]) -> None:
    """A press on the picture, as a hand would press the page."""
    found, typed, to = hit(panel, content, deep=True), str(content.get("typed", "")), content.get("to")
    how = content.get("how") if content.get("how") in PRESSES else ""
    target = hit(panel, to, deep=True) if isinstance(to, dict) else None
    nothing = "no field of the page has the focus; press one first" if typed else "nothing to press there"
    busy = found is None or (to is not None and target is None)
    if found is None or busy or found["state"] != "ready" or not found["locators"]:
        panel.note("a step is running, or no browser is" if busy else nothing, "error")
        return
    offer = act(found, str(how)) if target is None else drag(found, target)
    locator = found["locators"][0]["locator"]
    if typed and offer.asks not in ("text", "password"):
        panel.note(nothing, "error")
    elif offer.asks:
        kept = ("box", "options", "password", "value", "name", "kind")
        fields = {**{key: panel.masked(found.get(key)) for key in kept}, "typed": typed}
        panel.send({"is": "fill", "locator": locator, "head": offer.head, "asks": offer.asks, **fields})
    else:
        _perform(panel, offer.line(locator), record=bool(content.get("record")), run=True, content=content)


def lines(panel: LivePanel, content: dict[str, Any]) -> None:
    """A control of the panel: a line, or those that lead into a frame."""
    asked = str(content.get("line", "")).split("\n")
    _perform(panel, *asked, record=bool(content.get("record")), run=True, content=content)


def go(panel: LivePanel, content: dict[str, Any]) -> None:
    """An address was typed."""
    line = f"navigate {literal(str(content.get('url', '')))}"
    _perform(panel, line, record=bool(content.get("record")), run=True, content=content)


def expect(panel: LivePanel, content: dict[str, Any]) -> None:
    """A suggestion was taken."""
    line = str(content.get("line", "")).removeprefix("%")
    _perform(panel, line, record=True, run=bool(content.get("run")), content=content)


def _perform(panel: LivePanel, *lines: str, record: bool, run: bool, content: Mapping[str, Any]) -> None:
    """Lines as a cell, where they are recorded and a front end writes cells; else as steps of the panel's own."""
    here = bool(content.get("here")) and content.get("asks") != "password"
    text = "\n".join(f"%{line}" for line in lines)
    written = record and panel.lab.write(text, run=run, here=here)
    if run and not written:
        _between_cells(panel, lambda: _run(panel, lines))
    if record:
        panel.send({"is": "wrote", "line": text, "written": written})


def _run(panel: LivePanel, lines: Sequence[str]) -> None:
    for line in lines:
        value = panel.bench.line(line)
        if value is not None:
            panel.note(f"{line}: {clip(str(value), 300)}")


def again(panel: LivePanel, content: dict[str, Any]) -> None:
    """The page as it was before a step, then that step and those after it once more."""
    ordinal, bench = int(content.get("ordinal", 0)), panel.bench
    execution = bench.recorder.execution
    if execution is None:
        panel.note("that test has ended; run its cells again", "error")
        return
    same = [r for r in bench.history if r.execution_id == execution.execution_id and r.ordinal >= ordinal]
    steps = [r.step for r in same if r.step.verb not in ("restore", "checkpoint")]

    def run() -> None:
        bench.line(f"restore before:{ordinal}")
        for step in steps:
            bench.run(step)

    _between_cells(panel, run)


def _between_cells(panel: LivePanel, work: Callable[[], None]) -> None:
    """Do it on the main thread, when no cell runs there: a step is a step, whoever asks for it."""
    if threading.current_thread() is threading.main_thread():
        _attended(panel, work)
    elif panel.loop is not None:
        panel.loop.call_soon_threadsafe(_attended, panel, work)
    else:
        panel.note("this kernel cannot run steps for the panel; run the line in a cell", "error")


def _attended(panel: LivePanel, work: Callable[[], None]) -> None:
    """Run steps with their cards in the panel, and ended by an interrupt as those of a cell are."""
    bench = panel.bench
    shown, cell, emitted = bench.show, bench.cell, bench.emit_bundle
    bench.show, bench.cell = _in_the_panel, (None, None)
    bench.emit_bundle = lambda bundle: panel.note(str(bundle.get("text/plain", "")))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        work()
    except KeyboardInterrupt as stopped:
        panel.note(str(stopped) or "stopped", "aborted")
    except JBTSError as problem:
        panel.note(problem.message, "failed")
    finally:
        signal.signal(signal.SIGINT, handler)
        bench.show, bench.cell, bench.emit_bundle = shown, cell, emitted


def _in_the_panel(result: StepResult) -> None:
    """The panel has shown it already."""
