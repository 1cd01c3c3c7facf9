"""What a command shows: a table or a picture that needs nothing, and where a person looks on, a view before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import display, healthview, review
from .answers import Shown
from .dashboard import dashboard
from .view import with_twin

if TYPE_CHECKING:
    from .workbench import Workbench


def show_dashboard(bench: Workbench, days: int) -> None:
    """How the tests are doing; for a person over as many days as they choose."""
    twin = dashboard(bench.results, days=days)
    if bench.attended:
        from .dashboardview import DashboardView

        twin = with_twin(DashboardView(bench.results, days), twin, bench.emit)
    bench.emit(twin)


def show_events(bench: Workbench, number: int) -> Shown:
    """The last events; for a person the list goes on."""
    found = bench.events.tail(number)
    rows = [_event(event) for event in found]
    bundle = display.table(_EVENT, rows, empty="no events yet")

    def live(twin: display.Bundle) -> display.Bundle:
        from .eventview import EventsView

        return with_twin(EventsView(found, bench.events.follow), twin, bench.emit)

    return Shown(bundle, _EVENT, rows, live if bench.attended else None)


def show_health(bench: Workbench) -> Shown:
    """Whether everything is well, and what runs; a person can check again."""
    rows = bench.health()
    body = healthview.parts(rows) + healthview.pool(bench)
    bundle = {
        "text/html": f'{display.STYLE}<div class="jbts">{body}</div>',
        "text/plain": str(display.table(_HEALTH, rows)["text/plain"]),
    }

    def live(twin: display.Bundle) -> display.Bundle:
        return with_twin(healthview.HealthView(bench, rows), twin, bench.emit)

    return Shown(bundle, _HEALTH, list(rows), live if bench.attended else None)


def show_review(bench: Workbench, name: str | None) -> Shown:
    """The snapshots that wait to be accepted; a person accepts them one by one."""
    found = review.waiting(bench.home, name)

    def live(twin: display.Bundle) -> display.Bundle:
        return with_twin(review.ReviewView(bench, name), twin, bench.emit)

    rows = [(one.name, str(one.baseline), str(one.actual)) for one in found]
    return Shown(
        review.twin(bench, name), ("name", "baseline", "actual"), rows, live if bench.attended and rows else None
    )


_EVENT, _HEALTH = ("time", "event", "of", "status"), ("part", "state", "detail")


def _event(event: dict[str, object]) -> tuple[object, ...]:
    found = event.get("data")
    data = found if isinstance(found, dict) else {}
    what = data.get("name") or data.get("test_name")
    return event.get("timestamp"), event.get("event_type"), what, data.get("status")
