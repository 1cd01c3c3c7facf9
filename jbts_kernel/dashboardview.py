"""The dashboard for a person: the same picture, over as many days as are chosen, and anew when asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .dashboard import MOST_DAYS, dashboard
from .display import STYLE
from .view import View, bar, button, number

if TYPE_CHECKING:
    from .store.queries import Results

CHOICES = (7, 14, 30, MOST_DAYS)


class DashboardView(View):
    """The dashboard over ``days``."""

    def __init__(self, results: Results, days: int) -> None:
        super().__init__()
        self._results, self._days = results, days

    def do_days(self, said: Mapping[str, Any]) -> None:
        """Another number of days."""
        self._days = max(1, number(said, "days", MOST_DAYS))
        self.draw()

    def do_refresh(self, said: Mapping[str, Any]) -> None:
        """The results as they are now."""
        self.draw()

    def body(self) -> str:
        chosen = [
            button(f"{days} days", "days", key=f"days{days}", days=days, pressed=days == self._days)
            for days in sorted({*CHOICES, self._days})
        ]
        drawn = str(dashboard(self._results, days=self._days)["text/html"]).removeprefix(STYLE)
        return bar(*chosen, button("refresh", "refresh")) + drawn
