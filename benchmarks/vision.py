"""What looking costs: the offline rules on an ordinary page, and a picture made ready for upload.

Times of this machine mean little; the parts' shares and the ratio to Pillow's optimized PNG, measured in turns, do.

    python benchmarks/vision.py [--rounds N]
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from jbts_kernel.config import JBTS
from jbts_kernel.demo import Shop
from jbts_kernel.verbs.writing import OpenPage
from jbts_kernel.vision import axe, images
from jbts_kernel.vision.looking import Picture, ask
from jbts_kernel.vision.offline import analyze
from jbts_kernel.workbench import Workbench

PUBLISHED = (((1024, 1024), "gpt-4o", 765), ((2048, 4096), "gpt-4o", 1105), ((1024, 1024), "gpt-4.1-mini", 1659))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def optimized(png: bytes) -> bytes:
    """The picture as most programs would send it."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    shop = Shop().start()
    with tempfile.TemporaryDirectory() as folder:
        settings = JBTS(environ={}, broadcaster="off", screenshots="never", base_url=shop.url)
        bench = Workbench(settings, home=Path(folder) / ".jbts", environ={})
        bench.line("navigate /")
        png = bench.session.picture(10)
        page = OpenPage(bench.session, "data-testid")
        picture = Picture(png, 0, 0, 1280, 800)
        looks = {
            "rules": lambda: analyze(page, picture, with_axe=False),
            "rules and axe": lambda: analyze(page, picture),
            "the page script alone": lambda: ask(page, "look"),
            "axe alone": lambda: axe.run(page),
        }
        spent: dict[str, list[float]] = {name: [] for name in looks}
        packed: dict[str, list[float]] = {"Pillow optimize=True": [], "lossless WebP": [], "PNG for other servers": []}
        for _ in range(rounds):
            for name, look in looks.items():
                spent[name].append(timed(look))
            packed["Pillow optimize=True"].append(timed(lambda: optimized(png)))
            packed["lossless WebP"].append(timed(lambda: images.prepare(png)))
            packed["PNG for other servers"].append(timed(lambda: images.prepare(png, webp=False)))
        bench.close()
    shop.stop()
    for name, times in spent.items():
        print(f"{name:24} {statistics.median(times):7.0f} ms, best {min(times):.0f}")
    size = {"Pillow optimize=True": len(optimized(png)), "lossless WebP": len(images.prepare(png)[0].data)}
    size["PNG for other servers"] = len(images.prepare(png, webp=False)[0].data)
    base = "Pillow optimize=True"
    for name, times in packed.items():
        ratio = statistics.median(t / b for t, b in zip(times, packed[base], strict=True))
        part = f"{ratio:.2f} of the time, {size[name] / size[base]:.2f} of the bytes"
        print(f"{name:24} {statistics.median(times):7.0f} ms, {part}")
    for shape, model, published in PUBLISHED:
        tile = images.Tile(b"", "image/png", *shape, 0, "")
        print(f"{model:24} {images.tokens([tile], model):7} tokens, published {published}")


if __name__ == "__main__":
    main()
