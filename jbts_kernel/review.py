"""Reviewing snapshots that differ: expected, actual and what is different, and the button that accepts.

Accepting copies and records as ``%accept`` does, so there is one way for a picture to become a baseline. Texts are
shown as their difference. The pictures here are small copies; the files are named.
"""

from __future__ import annotations

import base64
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import display
from .baselines import Pending, pending, take
from .browser import comparison
from .errors import UsageProblem
from .grammar import quote
from .view import View, bar, button

if TYPE_CHECKING:
    from .workbench import Workbench

MOST = 20
WIDTH, LIMIT = 720, 120_000
MOST_BYTES = 20_000_000
PICTURES = (".png",)


class ReviewView(View):
    """Snapshots that wait, one under the other."""

    def __init__(self, bench: Workbench, wanted: str | None = None) -> None:
        super().__init__()
        self._bench, self._wanted = bench, wanted
        self._slides: set[str] = set()

    def do_accept(self, said: Mapping[str, Any]) -> None:
        """One snapshot is right as it is now."""
        one = self._one(said)
        accepted(self._bench, take([one]))
        self.draw()
        self.tell(f"accepted: {one.baseline.name}")

    def do_slide(self, said: Mapping[str, Any]) -> None:
        """Lay the two pictures over each other, or put them side by side again."""
        self._slides ^= {self._one(said).record.stem}
        self.draw()

    def _one(self, said: Mapping[str, Any]) -> Pending:
        found = next((p for p in waiting(self._bench.home, self._wanted) if p.record.stem == said.get("which")), None)
        if found is None:
            raise UsageProblem("that one does not wait any more")
        return found

    def body(self) -> str:
        found = waiting(self._bench.home, self._wanted)
        shown = [self._shown(one) for one in found[:MOST]]
        return bar(display.text(told(found))) + "".join(shown)

    def _shown(self, one: Pending) -> str:
        which = one.record.stem
        slides = which in self._slides
        controls = [button("accept", "accept", key=f"accept{which}", about=f"accept {one.name}", which=which)]
        if one.baseline.suffix in PICTURES and one.baseline.is_file():
            about = f"lay expected and actual of {one.name} over each other"
            controls.append(button("slider", "slide", key=f"slide{which}", about=about, which=which, pressed=slides))
        return entry(self._bench, one, slides=slides, controls="".join(controls))


def accepted(bench: Workbench, taken: Sequence[Pending]) -> None:
    """Record what became a baseline, and from which file."""
    for one in taken:
        bench.recorder.emit("baseline", {"name": one.name, "baseline": str(one.baseline), "artifact": one.actual.stem})


def waiting(home: Path, wanted: str | None) -> list[Pending]:
    """What waits to be accepted, by this name or all."""
    return [one for one in pending(home) if wanted is None or one.name == wanted]


def told(found: list[Pending]) -> str:
    """How many wait, in a sentence."""
    if not found:
        return "no snapshot waits to be accepted"
    more = f"; the first {MOST} are here" if len(found) > MOST else ""
    return f"{len(found)} snapshot{'' if len(found) == 1 else 's'} differ{'s' if len(found) == 1 else ''}{more}"


def twin(bench: Workbench, wanted: str | None = None) -> display.Bundle:
    """The same without controls, and the command that accepts each."""
    found = waiting(bench.home, wanted)
    shown = [
        entry(bench, one, controls=f"<code>%accept {display.text(quote(one.name))}</code>") for one in found[:MOST]
    ]
    body = f'<div class="jbts-soft">{told(found)}</div>{"".join(shown)}'
    plain = "\n".join([told(found), *(f"  %accept {quote(one.name)}   {one.baseline}" for one in found[:MOST])])
    return {"text/html": f'{display.STYLE}<div class="jbts">{body}</div>', "text/plain": plain}


def entry(bench: Workbench, one: Pending, *, controls: str, slides: bool = False) -> str:
    """One snapshot: its name, its controls, and how it differs."""
    file = f'<span class="jbts-soft"><code>{display.text(bench.baselines.told(one.baseline), 200)}</code></span>'
    name = f'<div><span class="jbts-verb">{display.text(one.name)}</span> {file} {controls}</div>'
    try:
        sizes = [path.stat().st_size for path in (one.baseline, one.actual) if path.exists()]
        if max(sizes, default=0) > MOST_BYTES:
            shown = '<div class="jbts-soft">too large to be shown; compare the files</div>'
        elif one.baseline.suffix in PICTURES:
            shown = _pictures(one, slides)
        else:
            shown = _texts(one)
    except (OSError, UnicodeDecodeError):
        shown = f'<div class="jbts-soft">{display.text(one.actual)} cannot be read; run the step again</div>'
    return f"<section>{name}{shown}</section>"


def _texts(one: Pending) -> str:
    before = one.baseline.read_text(encoding="utf-8").splitlines() if one.baseline.is_file() else []
    after = one.actual.read_text(encoding="utf-8").splitlines()
    return display.difference("\n".join(difflib.unified_diff(before, after, "expected", "actual", lineterm="")))


def _pictures(one: Pending, slides: bool) -> str:
    actual = one.actual.read_bytes()
    if not one.baseline.is_file():
        return _figures({"actual": actual})
    expected = one.baseline.read_bytes()
    compared = comparison.compare(expected, actual)
    if slides:
        images = "".join(
            f'<img alt="{label}" src="{_source(data, compared.sizes)}">'
            for label, data in (("expected", expected), ("actual", actual))
        )
        named = f"{display.text(one.name)}: how much is expected"
        field = f'<input type="range" min="0" max="100" value="50" aria-label="{named}">'
        return f'<div class="jbts-slide"><div>{images}</div>{field}</div>'
    figures = {"expected": expected, "actual": actual}
    return _figures(figures | ({"different": compared.diff} if compared.diff else {}))


def _figures(pictures: Mapping[str, bytes]) -> str:
    shown = "".join(
        f'<figure><img alt="{label}" src="{_source(data)}"><figcaption>{label}</figcaption></figure>'
        for label, data in pictures.items()
    )
    return f'<div class="jbts-compared">{shown}</div>'


def _source(png: bytes, sizes: tuple[tuple[int, int], ...] = ()) -> str:
    """A small copy as an address; on a ground that holds all ``sizes``, so that two lie over each other."""
    from PIL import Image

    from .browser.capture import thumbnail

    if len(set(sizes)) > 1:
        ground = Image.new("RGB", (max(w for w, _ in sizes), max(h for _, h in sizes)), (128, 128, 128))
        with Image.open(io.BytesIO(png)) as image:
            ground.paste(image.convert("RGB"), (0, 0))
        buffer = io.BytesIO()
        ground.save(buffer, "PNG", compress_level=1)
        png = buffer.getvalue()
    return "data:image/webp;base64," + base64.b64encode(thumbnail(png, WIDTH, LIMIT)).decode("ascii")
