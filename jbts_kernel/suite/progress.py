"""What a run looks like while it runs: a live display in a terminal, one line a notebook elsewhere.

A progress is told things from several threads. It only shows; nothing waits for it and nothing depends on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .expectation import left_ms
from .outcome import Attempt, CaseResult, SuiteResult
from .selection import Case

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

NARROW = 60
"""Columns below which a notebook that runs has two lines."""
MARKS = {
    "passed": ("✓", "green"),
    "flaky": ("≈", "yellow"),
    "failed": ("✗", "red"),
    "error": ("!", "red"),
    "aborted": ("■", "magenta"),
    "skipped": ("–", "yellow"),
    "not_run": ("·", "magenta"),
}


class Progress(Protocol):
    """What :func:`.runner.run` tells of."""

    def begin(self, run_id: str, cases: Sequence[Case], workers: int) -> None: ...
    def started(self, case: Case, attempt: int) -> None: ...
    def cell(self, case: Case, index: int, count: int) -> None: ...
    def step(self, case: Case, name: str) -> None: ...
    def ended(self, case: Case, attempt: Attempt, again: bool) -> None: ...
    def done(self, result: CaseResult) -> None: ...
    def finish(self, result: SuiteResult) -> None: ...


class Silent:
    """Shows nothing."""

    def begin(self, run_id: str, cases: Sequence[Case], workers: int) -> None: ...
    def started(self, case: Case, attempt: int) -> None: ...
    def cell(self, case: Case, index: int, count: int) -> None: ...
    def step(self, case: Case, name: str) -> None: ...
    def ended(self, case: Case, attempt: Attempt, again: bool) -> None: ...
    def done(self, result: CaseResult) -> None: ...
    def finish(self, result: SuiteResult) -> None: ...


def duration(ms: float) -> str:
    """Milliseconds as a person reads them."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 60_000 else f"{ms // 60_000:.0f} min {ms % 60_000 / 1000:.0f} s"


def counted(counts: dict[str, int]) -> str:
    """``3 passed, 1 flaky``, worst last."""
    order = ("passed", "flaky", "skipped", "failed", "error", "aborted", "not_run")
    return ", ".join(f"{counts[s]} {s.replace('_', ' ')}" for s in order if counts.get(s)) or "nothing ran"


class Lines(Silent):
    """One line for every notebook that is done, and the failures again at the end. ``write`` prints a line;
    ``quiet`` leaves the lines of those that passed out."""

    def __init__(self, write: Callable[[str], object], *, quiet: bool = False) -> None:
        self._write = write
        self._quiet = quiet
        self._lock = threading.Lock()

    def ended(self, case: Case, attempt: Attempt, again: bool) -> None:
        if again and not attempt.verdict.ok:
            with self._lock:
                self._write(f"{'retry':8} {case.name}: {attempt.verdict.message}")

    def done(self, result: CaseResult) -> None:
        if self._quiet and result.status in ("passed", "skipped"):
            return
        tries = f", {len(result.attempts)} attempts" if len(result.attempts) > 1 else ""
        message = f": {result.verdict.message}" if result.verdict.message else ""
        with self._lock:
            name = f"{result.status.replace('_', ' '):8} {result.case.name}"
            self._write(f"{name} ({duration(result.duration_ms)}{tries}){message}")

    def finish(self, result: SuiteResult) -> None:
        with self._lock:
            for line in closing(result):
                self._write(line)


def closing(result: SuiteResult) -> list[str]:
    """The last lines: what it came to and where everything is."""
    lines = [f"{counted(result.counts)} in {duration(result.duration_ms)}"]
    if result.interrupted:
        lines[0] = f"interrupted: {lines[0]}"
    lines += [f"note: {note}" for note in result.notes]
    for one in result.results:
        if one.quarantined:
            lines.append(f"quarantined, fails nothing: {one.case.name} ({one.case.quarantine})")
        if one.status == "flaky":
            lines += [f"flaky: {one.case.name}: {line}" for line in one.differences]
    if result.report:
        lines.append(f"report     {result.report}")
    if result.junit:
        lines.append(f"junit      {result.junit}")
    if result.allure:
        lines.append(f"allure     {result.allure}")
    lines.append(f"notebooks  {result.home / 'runs' / result.run_id}")
    return lines


@dataclass(slots=True)
class _Going:
    """A notebook that runs now."""

    attempt: int
    began: float
    what: str = "starting a kernel"
    place: str = ""


@dataclass(slots=True)
class _State:
    total: int = 0
    workers: int = 1
    waiting: list[str] = field(default_factory=list)
    known: Mapping[str, float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    going: dict[str, _Going] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Live(Silent):
    """A display that moves: what runs now and on which step, what passed, what is left. Finished notebooks
    scroll by above it, as lines that stay. ``expected`` knows how long cases take, by name, in milliseconds; it is
    asked beside the run."""

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        expected: Callable[[Sequence[Case]], Mapping[str, float]] | None = None,
    ) -> None:
        from rich.live import Live as Display

        self._console = console
        self._clock = clock
        self._expected = expected
        self._lock = threading.Lock()
        self._state = _State()
        self._began = clock()
        self._display = Display(
            console=console,
            get_renderable=self._render,
            refresh_per_second=8,
            transient=True,
            redirect_stderr=False,
        )

    def begin(self, run_id: str, cases: Sequence[Case], workers: int) -> None:
        self._state = _State(len(cases), workers, [case.name for case in cases])
        threading.Thread(target=self._guess, args=(cases,), name="jbts-guess", daemon=True).start()
        self._began = self._clock()
        self._display.start()

    def _guess(self, cases: Sequence[Case]) -> None:
        known = self._expected(cases) if self._expected is not None else {}
        with self._lock:
            self._state.known = known

    def started(self, case: Case, attempt: int) -> None:
        with self._lock:
            self._state.going[case.name] = _Going(attempt, self._clock())
            if case.name in self._state.waiting:
                self._state.waiting.remove(case.name)

    def cell(self, case: Case, index: int, count: int) -> None:
        with self._lock:
            if going := self._state.going.get(case.name):
                going.place, going.what = f"cell {index + 1}/{count}", ""

    def step(self, case: Case, name: str) -> None:
        with self._lock:
            if going := self._state.going.get(case.name):
                going.what = name

    def ended(self, case: Case, attempt: Attempt, again: bool) -> None:
        with self._lock:
            self._state.going.pop(case.name, None)
        if again and not attempt.verdict.ok:
            self._print("retry", "yellow", "↻", case.name, attempt.duration_ms, attempt.verdict.message)

    def done(self, result: CaseResult) -> None:
        with self._lock:
            self._state.took.append(result.duration_ms)
            self._state.counts[result.status] = self._state.counts.get(result.status, 0) + 1
        mark, colour = MARKS[result.status]
        self._print(result.status, colour, mark, result.case.name, result.duration_ms, result.verdict.message)

    def finish(self, result: SuiteResult) -> None:
        from rich.text import Text

        self._display.stop()
        first, *rest = closing(result)
        colour = "red" if result.exit_code else "yellow" if result.counts.get("flaky") else "green"
        self._console.print()
        self._console.print(Text(first, style=f"bold {colour}"))
        for line in rest:
            self._console.print(Text(line, style="dim"), soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        self._display.stop()

    def _print(self, status: str, colour: str, mark: str, name: str, ms: float, message: str) -> None:
        from rich.text import Text

        line = Text.assemble((f"{mark} ", f"bold {colour}"), name, (f"  {duration(ms)}", "dim"))
        if status == "flaky":
            line.append("  flaky: passed on a retry, after", style="yellow")
        if message:
            line.append(f"\n    {message}", style=colour)
        self._console.print(line, soft_wrap=True)

    def _render(self) -> RenderableType:
        from rich.console import Group

        with self._lock:
            now = self._clock()
            state = self._state
            rows = [
                _Row(f"{name} #{g.attempt}" if g.attempt > 1 else name, f"{now - g.began:.1f} s", g.place, g.what)
                for name, g in state.going.items()
            ]
            taken = {name: (now - g.began) * 1000 for name, g in state.going.items()}
            left = left_ms(state.waiting, taken, state.known, state.took, state.workers)
            counts, total = dict(state.counts), state.total
        finished = sum(counts.values())
        width = self._console.width
        doing = [] if rows else ["writing results" if finished == total else "starting kernels"]
        if waiting := total - finished - len(rows):
            doing.append(f"{waiting} left")
        doing.append(duration((now - self._began) * 1000))
        if left is not None and finished < total:
            doing.append(f"about {duration(max(left, 1000))} to go")
        return Group(*_going(rows, width), _summary(counts, finished, total, doing, width))


class _Row(NamedTuple):
    """What the display says of a notebook that runs."""

    name: str
    took: str
    place: str
    what: str


def _going(rows: Sequence[_Row], width: int) -> list[Text]:
    """A line for each notebook that runs, two where there is little room: its time and its cell are never cut, of its
    name the end is what tells."""
    from rich.text import Text

    if width < NARROW:
        lines = []
        for row in rows:
            name = _end(row.name, width - len(row.took) - 3)
            lines.append(Text.assemble((f"▸ {name} ", "cyan"), (row.took, "dim")))
            lines.append(Text.assemble((f"  {row.place} " if row.place else "  ", "dim"), row.what, no_wrap=True))
            lines[-1].truncate(width, overflow="ellipsis")
        return lines
    widest = _Row(*(max((row[n] for row in rows), key=len, default="") for n in range(4)))
    took, place = len(widest.took), len(widest.place)
    longest = min(len(widest.name), (width - took - place - 5) // 2)
    lines = []
    for row in rows:
        about = f"{row.took:>{took}} {row.place:{place}} "
        line = Text.assemble(
            (f"▸ {_end(row.name, longest):{longest}} ", "cyan"), (about, "dim"), row.what, no_wrap=True
        )
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines


def _end(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[len(text) - max(width, 2) + 1 :]


def _summary(counts: Mapping[str, int], finished: int, total: int, doing: Sequence[str], width: int) -> RenderableType:
    """How far the run is, with a bar where there is room for one."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    text = Text(f"{finished}/{total}", style="bold")
    for status, number in counts.items():
        text.append(f"  {number} {status.replace('_', ' ')}", style=MARKS[status][1])
    text.append(f"  {', '.join(doing)}", style="dim")
    room = min(width - len(text) - 1, 28)
    if room < 8:
        return text
    bar = Table.grid(padding=(0, 1, 0, 0))
    bar.add_row(ProgressBar(total=max(total, 1), completed=finished, width=room), text)
    return bar
