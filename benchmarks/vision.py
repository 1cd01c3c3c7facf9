"""What looking costs and what it finds: the offline rules on an ordinary page, pictures made ready for upload, an
interrupt while a model is asked, and, with ``--pages``, every page of ``tests/vision/pages`` and the pages of
``tests/site`` with a defect, next to what axe alone says of them.

An analysis is timed from the settled page and its picture on: the half second in which nothing may change before,
and taking the picture, are the page's time and are told apart. Times of this machine mean little; the parts' shares
and the ratio to Pillow's optimized PNG, measured in turns, do.

    python benchmarks/vision.py [--rounds N] [--pages]
"""

from __future__ import annotations

import argparse
import http.server
import io
import re
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from jbts_kernel.config import JBTS
from jbts_kernel.demo import Shop
from jbts_kernel.verbs.writing import OpenPage
from jbts_kernel.vision import axe, images
from jbts_kernel.vision.looking import Picture, ask, settle
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


GRADIENTS = (
    '<body style="height:760px;background:linear-gradient(120deg,rgb(20,30,70),rgb(160,180,200),rgb(220,230,255))">'
    "<h1 style=color:white;padding:150px>Gradients everywhere</h1>"
)


def _packing(name: str, png: bytes, rounds: int) -> None:
    ways: dict[str, Callable[[], bytes]] = {
        "Pillow optimize=True": lambda: optimized(png),
        "WebP": lambda: images.prepare(png)[0].data,
        "PNG for other servers": lambda: images.prepare(png, webp=False)[0].data,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, pack in ways.items():
            times[way].append(timed(pack))
    plain = "Pillow optimize=True"
    for way, pack in ways.items():
        ratio = statistics.median(t / b for t, b in zip(times[way], times[plain], strict=True))
        part = f"{ratio:.2f} of the time, {len(pack()) / len(ways[plain]()):.2f} of the bytes"
        print(f"{name + ', ' + way:40} {statistics.median(times[way]):5.0f} ms, {part}")


# ---- what is found, next to axe alone ---------------------------------------------------------------
TESTS = Path(__file__).resolve().parents[1] / "tests"
BADGE = re.compile(r'<meta name="seeded" content="([^"]+)">')


class _Pages(http.server.SimpleHTTPRequestHandler):
    """The pages, and the two addresses of the tests' site that they ask for."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args, directory=str(TESTS))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if "/status/" in self.path:
            self.send_error(int(re.search(r"/status/(\d+)", self.path)[1]))  # type: ignore[index]
        elif "/slow" in self.path:
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def side_by_side(bench: Workbench, base: str) -> None:
    """Every page with a defect or something like one: what axe alone finds (its violations), and what we find."""
    sets: dict[str, list[tuple[str, str, bool]]] = {"site": [], "pages": []}
    for path in sorted(TESTS.glob("site/vision-*.html")):
        sets["site"].append((path.stem, f"{base}/site/{path.name}", not path.stem.endswith("-almost")))
    for path in sorted(TESTS.glob("vision/pages/*.html")):
        sets["pages"].append((path.stem, f"{base}/vision/pages/{path.name}", path.stem.startswith("seeded")))
    for name, pages in sets.items():
        hits, alarms = {"axe alone": 0, "looking": 0}, {"axe alone": 0, "looking": 0}
        defects = sum(defect for _, _, defect in pages)
        for page, url, defect in pages:
            bench.line(f"navigate {url}")
            found = bench.line("analyze").findings
            html = (TESTS / url.removeprefix(f"{base}/")).read_text(encoding="utf-8")
            wanted = BADGE.search(html)
            right = [f for f in found if not wanted or f.category in wanted[1].split(",")]
            violations = axe.run(OpenPage(bench.session, "data-testid"))["violations"]
            about = {f.category for f in axe.findings({"violations": violations, "incomplete": []})}
            by_axe = bool(about & set(wanted[1].split(","))) if wanted else False
            hits["axe alone"] += defect and by_axe
            hits["looking"] += defect and bool(right)
            alarms["axe alone"] += not defect and bool(violations)
            alarms["looking"] += not defect and bool(found)
            ours = ", ".join(sorted({f.rule for f in found})) or "-"
            print(f"{page:40} axe: {', '.join(sorted(v['id'] for v in violations)) or '-':40} looking: {ours}")
        for who in hits:
            print(
                f"{name}: {who} names {hits[who]} of {defects} defects, and speaks up on {alarms[who]} of "
                f"{len(pages) - defects} pages without one"
            )


# ---- an interrupt while a model is asked --------------------------------------------------------------
def interrupted(rounds: int) -> list[float]:
    """Milliseconds from an interrupt to the end of the cell, in a real kernel whose model never answers."""
    from jupyter_client.manager import start_new_kernel

    silent = socket.create_server(("127.0.0.1", 0))
    lines = f"""
    %load_ext jbts_kernel
    %config JBTS.vision_base_url = "http://127.0.0.1:{silent.getsockname()[1]}/v1"
    %config JBTS.broadcaster = "off"
    %navigate data:text/html,<h1>Page</h1>
    """
    manager, client = start_new_kernel(kernel_name="python3")
    took = []
    try:
        client.execute_interactive("\n".join(line.strip() for line in lines.splitlines()), timeout=120)
        for _ in range(rounds):
            asked = threading.Event()

            def wait(asked: threading.Event = asked) -> None:
                connection, _ = silent.accept()
                connection.recv(100)
                asked.set()
                connection.recv(10**7)

            threading.Thread(target=wait, daemon=True).start()
            message = client.execute("%analyze error")
            if not asked.wait(60):
                raise SystemExit("the model was never asked")
            begun = time.perf_counter()
            manager.interrupt_kernel()
            while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != message:
                pass
            took.append((time.perf_counter() - begun) * 1000)
        client.execute_interactive("%browsers", timeout=60, output_hook=lambda _: None)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
        silent.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pages", action="store_true", help="what is found, page by page, next to axe alone")
    options = parser.parse_args()
    rounds = options.rounds
    shop = Shop().start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the store may still be publishing
        settings = JBTS(environ={}, broadcaster="off", screenshots="never", base_url=shop.url)
        bench = Workbench(settings, home=Path(folder) / ".jbts", environ={})
        if options.pages:
            with served() as base:
                side_by_side(bench, base)
        bench.line("navigate /")
        png = bench.session.picture(10)
        page = OpenPage(bench.session, "data-testid")
        picture = Picture(png, 0, 0, 1280, 800)
        looks = {
            "rules": lambda: analyze(page, picture, with_axe=False),
            "rules and axe": lambda: analyze(page, picture),
            "the page script alone": lambda: ask(page, "look"),
            "axe alone": lambda: axe.run(page),
            "settling": lambda: settle(page),
            "the whole step": lambda: bench.line("analyze"),
        }
        spent: dict[str, list[float]] = {name: [] for name in looks}
        for _ in range(rounds):
            for name, look in looks.items():
                spent[name].append(timed(look))
        pictures = {"the shop": png}
        for name in ("tools", "tools/status"):
            bench.line(f"navigate /{name}")
            pictures[name] = bench.session.picture(10)
        bench.line(f"navigate 'data:text/html,{GRADIENTS}'")
        pictures["gradients"] = bench.session.picture(10)
        bench.close()
    shop.stop()
    for name, times in spent.items():
        print(f"{name:24} {statistics.median(times):7.0f} ms, best {min(times):.0f}")
    for name, picture in pictures.items():
        _packing(name, picture, rounds)
    times = interrupted(max(3, rounds // 2))
    print(f"{'interrupt during a call':24} {statistics.median(times):7.0f} ms, worst {max(times):.0f}")
    for shape, model, published in PUBLISHED:
        tile = images.Tile(b"", "image/png", *shape, 0, "")
        print(f"{model:24} {images.tokens([tile], model):7} tokens, published {published}")


if __name__ == "__main__":
    main()
