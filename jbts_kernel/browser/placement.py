"""Where a frame lies in its tab: as a matrix, since pages scale, turn and zoom their frames."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Box


@dataclass(frozen=True, slots=True)
class Placement:
    """From a frame's own viewport to the tab's, in CSS pixels: the six numbers of a CSS ``matrix()``."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the frame as a point of the tab."""
        return self.a * x + self.c * y + self.x, self.b * x + self.d * y + self.y

    def inside(self, x: float, y: float) -> tuple[float, float]:
        """A point of the tab as a point of the frame."""
        scale = self.a * self.d - self.b * self.c or 1.0
        dx, dy = x - self.x, y - self.y
        return (self.d * dx - self.c * dy) / scale, (self.a * dy - self.b * dx) / scale

    def box(self, box: Box) -> Box:
        """A box of the frame as the smallest box around it in the tab."""
        corners = [self.point(x, y) for x in (box.x, box.x + box.width) for y in (box.y, box.y + box.height)]
        left, top = min(x for x, _ in corners), min(y for _, y in corners)
        return Box(left, top, max(x for x, _ in corners) - left, max(y for _, y in corners) - top)

    def holding(self, inner: Placement) -> Placement:
        """The placement of a frame that lies at ``inner`` in this one."""
        x, y = self.point(inner.x, inner.y)
        return Placement(
            self.a * inner.a + self.c * inner.b,
            self.b * inner.a + self.d * inner.b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            x,
            y,
        )


TAB = Placement()
"""The tab's own viewport."""
