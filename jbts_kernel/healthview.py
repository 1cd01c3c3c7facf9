"""What runs for this notebook: the parts and their state, the pool's figures, and each browser with its age.

The same picture is the table of ``%health`` and the view of it; a person can ask again, which opens a page for real.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import display
from .browser.grid import shown
from .grammar import clip
from .view import View, bar, button

if TYPE_CHECKING:
    from .browser.engine import Browser
    from .workbench import Workbench

Rows = Sequence[tuple[str, str, str]]
BUSY_SECONDS = 0.25
_WELL = ("healthy", "ok", "running", "passed", "published", "none", "empty", "off", "not running")


class HealthView(View):
    """The live form of ``%health``."""

    def __init__(self, bench: Workbench, rows: Rows) -> None:
        super().__init__()
        self._bench, self._rows = bench, rows

    def do_check(self, said: Mapping[str, Any]) -> None:
        """Look at everything again; a browser opens a page for it."""
        if not self._bench.turn.acquire(timeout=BUSY_SECONDS):
            self.tell("a step is running; check when it has ended")
            return
        try:
            self._rows = self._bench.health()
        finally:
            self._bench.turn.release()
        self.draw()
        self.tell(f"checked at {time.strftime('%H:%M:%S')}")

    def do_refresh(self, said: Mapping[str, Any]) -> None:
        """The pool as it is now, asking no browser."""
        self.draw()

    def body(self) -> str:
        controls = (button("check now", "check", about="open a page and see"), button("refresh", "refresh"))
        return bar(*controls) + parts(self._rows) + pool(self._bench)


def parts(rows: Rows) -> str:
    """Each part with its state, what is not well marked."""
    lines = "".join(
        f"<tr><td>{display.text(part)}</td><td>{display.mark('passed' if state in _WELL else 'error')} "
        f"{display.text(state)}</td><td>{display.text(detail)}</td></tr>"
        for part, state, detail in rows
    )
    head = "".join(f"<th>{name}</th>" for name in ("part", "state", "detail"))
    return (
        f'<div class="jbts-wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def pool(bench: Workbench) -> str:
    """The pool's figures, which are those of ``/metrics``, and its browsers."""
    figures = bench.pool_figures
    told = ", ".join(f"{figures[name]} {label}" for name, label in _FIGURES.items() if name in figures)
    head = f'<div class="jbts-verb">Browsers</div><div class="jbts-soft">{told or "none was started yet"}</div>'
    rows = [_browser(browser, bench) for browser in bench.pool.browsers]
    if not rows:
        return head
    columns = ("browser", "version", "viewport", "where", "age", "users", "state")
    return head + str(display.table(columns, rows)["text/html"]).removeprefix(display.STYLE)


_FIGURES = {
    "size": "running", "in_use": "in use", "waiting": "waiting", "max_size": "at the most", "leased": "leases",
    "replaced": "replaced",
}  # fmt: skip


def _browser(browser: Browser, bench: Workbench) -> tuple[str, ...]:
    spec = browser.spec
    users = [name for name, session in bench.sessions.items() if session.browser is browser]
    window = spec.device or "x".join(map(str, spec.viewport))
    where = shown(spec.grid) if spec.grid else ("headless" if spec.headless else "with a window")
    age = display.duration((time.perf_counter() - browser.started_at) * 1000)
    state = "alive" if browser.alive else "dead"
    return (
        browser.name, browser.version, window, clip(where, 80), age, ", ".join(users),
        f"{state}; {browser.untold}" if browser.untold else state,
    )  # fmt: skip
