"""A site of tiny pages, one Chromium for each worker, and a workbench of its own for each test.

A test gets a data folder, secrets and a browser context nobody has used; the browser under them is
shared, because starting one costs more than most tests do.
"""

from __future__ import annotations

import base64
import functools
import http.server
import importlib.util
import itertools
import json
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from jbts_kernel import display
from jbts_kernel.browser.launch import find_binary, find_driver
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.config import JBTS
from jbts_kernel.current import Page
from jbts_kernel.errors import StepFailed, UsageProblem
from jbts_kernel.log import Record, Tail
from jbts_kernel.models import StepResult
from jbts_kernel.workbench import Workbench

PAGES = Path(__file__).parent.parent / "site"
BROWSER_FOLDER = Path(__file__).parent
HEAD = '<!doctype html><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,">'


# Whose tests run one after another in one process: starting a grid twice costs more than it saves.
ENGINES = {"chromium": "chromium", "grid": "grid", "webkitgtk": "webkitgtk", "firefox": "webkitgtk", "edge": "chromium"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a real browser; what needs one that is not here is skipped by its name."""
    for item in items:
        if BROWSER_FOLDER in item.path.parents:
            item.add_marker(pytest.mark.browser)
            engine = getattr(item, "callspec", None) and item.callspec.params.get("engine")  # type: ignore[attr-defined]
            if engine in ENGINES:
                item.add_marker(pytest.mark.xdist_group(ENGINES[engine]))
                item.add_marker(pytest.mark.skipif(bool(_absent(engine)), reason=_absent(engine)))


@functools.cache
def _absent(engine: str) -> str:
    """Why an engine cannot be tested here; empty where it can."""
    if engine == "webkitgtk":
        for program in ("WebKitWebDriver", "Xvfb"):
            if shutil.which(program) is None:
                return f"{program} is not installed (scripts/ensure-engines)"
    elif engine in ("firefox", "edge") and (find_binary(engine) is None or find_driver(engine) is None):
        return f"{engine} and its driver are not on PATH"
    return ""


# ---- the site -----------------------------------------------------------------------------------
class Site(http.server.ThreadingHTTPServer):
    """The pages of tests/site and pages made up by a test, on loopback, with endpoints that misbehave:
    /status/N, /slow?ms=N, /hang, /gate, /redirect?to=URL, /circle, /echo, /download/NAME, /drop, /cached."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.stopping = threading.Event()
        self.gate = threading.Event()
        self.made: dict[str, tuple[bytes, str, dict[str, str]]] = {}
        self.seen: list[str] = []
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def other_url(self) -> str:
        """The same server as another site, so that its frames live in another process."""
        return f"http://localhost:{self.server_port}"

    def page(self, body: str, title: str = "a page", **headers: str) -> str:
        """Keep a page for this run; its path."""
        return self.document((HEAD.format(title=title) + body).encode(), "text/html; charset=utf-8", **headers)

    def document(self, content: bytes, mime: str, **headers: str) -> str:
        """Keep a document of any kind for this run; its path."""
        path = f"/made/{next(self._numbers)}.html"
        self.made[path] = content, mime, headers
        return path

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is nothing to talk about."""


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.seen.append(f"{self.command} {self.path}")
        name, _, rest = parts.path.lstrip("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        endpoint = getattr(self, f"_{name}", None)
        if parts.path in self.server.made:
            content, mime, headers = self.server.made[parts.path]
            self._send(200, content, mime, **headers)
        elif endpoint is not None and name.isalpha():
            endpoint(unquote(rest), query)
        elif re.fullmatch(r"[\w-]+\.html", name) and (PAGES / name).is_file():
            self._send(200, (PAGES / name).read_bytes())
        else:
            self._send(404, HEAD.format(title="not here").encode() + b"<h1>not here</h1>")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def _send(self, status: int, body: bytes, mime: str = "text/html; charset=utf-8", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", mime)
        self.send_header("Content-Length", str(len(body)))
        if "Cache_Control" not in headers:
            self.send_header("Cache-Control", "no-store")
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _status(self, rest: str, query: dict[str, str]) -> None:
        body = HEAD.format(title=f"status {rest}") + f"<h1>status {rest}</h1>"
        self._send(int(rest), body.encode() if int(rest) != 204 else b"")

    def _slow(self, rest: str, query: dict[str, str]) -> None:
        self.server.stopping.wait(int(query.get("ms", "300")) / 1000)
        self._send(200, (HEAD.format(title="slow") + "<h1>slow</h1>").encode())

    def _hang(self, rest: str, query: dict[str, str]) -> None:
        self.server.stopping.wait()
        self.close_connection = True

    def _gate(self, rest: str, query: dict[str, str]) -> None:
        self.server.gate.wait(60)
        self._send(200, (HEAD.format(title="gate") + "<h1>through</h1>").encode())

    def _cached(self, rest: str, query: dict[str, str]) -> None:
        self._send(200, HEAD.format(title="cached").encode(), Cache_Control="max-age=3600")

    def _drop(self, rest: str, query: dict[str, str]) -> None:
        self.close_connection = True

    def _circle(self, rest: str, query: dict[str, str]) -> None:
        self._send(302, b"", Location=self.path)

    def _redirect(self, rest: str, query: dict[str, str]) -> None:
        self._send(302, b"", Location=query["to"])

    def _echo(self, rest: str, query: dict[str, str]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {key.lower(): value for key, value in self.headers.items()}
        said = {"method": self.command, "path": self.path, "query": query, "headers": headers, "body": body}
        self._send(200, json.dumps(said).encode(), "application/json")

    def _cookie(self, rest: str, query: dict[str, str]) -> None:
        self._send(200, HEAD.format(title="cookie").encode(), Set_Cookie=f"{rest}={query['value']}; Path=/")

    def _download(self, rest: str, query: dict[str, str]) -> None:
        size = int(query.get("size", "10"))
        disposition = f'attachment; filename="{query.get("as", rest)}"'
        self._send(200, b"x" * size, "application/octet-stream", Content_Disposition=disposition)

    def log_message(self, format: str, *args: Any) -> None:
        """The tests say what they need to know."""


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="site")
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join(10)
    server.server_close()
    assert not thread.is_alive()


# ---- the workbench ------------------------------------------------------------------------------
class Bench(Workbench):
    """A workbench over a browser pool that others share; publishing is tested elsewhere."""

    def __init__(self, home: Path, pool: BrowserPool | None = None, **settings: Any) -> None:
        traits = {"broadcaster": "off", "timeout": 5.0, "navigation_timeout": 10.0} | settings
        super().__init__(JBTS(environ={}, **traits), home=home, environ={})
        self.shares_pool = pool is not None
        self._pool = pool

    def _publish(self) -> None:
        self._published_at = time.monotonic()

    def close(self) -> None:
        self.end_test()
        if self.shares_pool:
            self._pool = None
        super().close()


@dataclass
class Trial:
    """A workbench in a test's hand. ``trial("click #go")`` runs a line, ``trial.page.click("#go")`` a call."""

    bench: Bench
    site: Site
    shown: list[StepResult] = field(default_factory=list)

    def __call__(self, line: str, body: str | None = None) -> Any:
        return self.bench.line(line, body)

    @property
    def page(self) -> Page:
        return Page(lambda: self.bench)

    @property
    def last(self) -> StepResult:
        """The newest step's result."""
        assert self.bench.last is not None
        return self.bench.last

    def open(self, what: str, title: str = "a page") -> None:
        """Go to a page of tests/site by name, or to one made of this HTML."""
        self(f'navigate "{self.site.page(what, title) if "<" in what else "/" + what}" --no-screenshot')

    def js(self, expression: str) -> Any:
        """What the page says, past every verb: the tests' own eye."""
        return self.bench.session.evaluate(expression)

    def until(self, expression: str, seconds: float = 5) -> Any:
        """Look at the page until the expression is true there."""
        deadline = time.monotonic() + seconds
        while not (value := self.js(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}"
        return value

    def dialog(self, seconds: float = 20) -> None:
        """Look until a dialog is open."""
        session = self.bench.session
        assert session.browser.wait_for(lambda: session.dialog is not None, seconds), "no dialog opened"

    def fails(self, line: str, error: str, *words: str, status: str = "error", body: str | None = None) -> StepFailed:
        """The line fails with this error and these words, a row says so, and the browser goes on."""
        with pytest.raises(StepFailed) as caught:
            self(line, body)
        row = self.row()
        assert (row["error_type"], row["status"]) == (error, status), str(caught.value)
        assert (self.last.error_type, self.last.status) == (error, status)
        assert "\n" not in caught.value.message
        for word in words:
            assert word in "\n".join([caught.value.message, *caught.value.hints])
        if self.bench.session.dialog is None:
            assert self.js("1 + 1") == 2
        return caught.value

    def refuses(self, line: str, *words: str) -> UsageProblem:
        """The line is no sentence, as these words say: nothing runs, and there is no row."""
        before = len(self.rows())
        with pytest.raises(UsageProblem) as caught:
            self(line)
        assert len(self.rows()) == before
        assert "\n" not in caught.value.message
        for word in words:
            assert word in caught.value.message
        return caught.value

    def records(self) -> list[Record]:
        """Every line this test has logged."""
        tail = Tail(self.bench.home / "spool")
        found: list[Record] = []
        while fresh := tail.poll():
            found += fresh
        return found

    def rows(self, kind: str = "step.finished") -> list[dict[str, Any]]:
        """The data of the lines of a kind, with their step's id."""
        return [{**r.data, "step_id": r.step_id} for r in self.records() if r.kind == kind]

    def row(self) -> dict[str, Any]:
        """The newest step's row."""
        return self.rows()[-1]

    def artifact(self, role: str) -> bytes:
        """The newest step's file of this role."""
        (found,) = (a for a in self.last.artifacts if a.role == role)
        return (self.bench.home / found.path).read_bytes()

    def card(self) -> Card:
        """The newest step's card, as a browser would read it."""
        return self.read(display.card(self.last))

    @staticmethod
    def read(bundle: dict[str, Any]) -> Card:
        """What a cell shows, as a browser would read it."""
        card = Card(bundle["text/html"], bundle["text/plain"], json.dumps(bundle.get(display.STEP_MIME)))
        card.feed(card.html)
        return card


class Card(HTMLParser):
    """A card's parts: its tags with their attributes, and the text between them."""

    def __init__(self, html: str, plain: str, data: str) -> None:
        super().__init__()
        self.html, self.plain, self.data = html, plain, data
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def pictures(self) -> list[bytes]:
        sources = [a["src"] or "" for tag, a in self.tags if tag == "img"]
        return [base64.b64decode(s.partition(",")[2]) for s in sources]

    def assert_harmless(self) -> None:
        """No tag runs anything, no attribute is a handler, and pictures are data of ours."""
        for tag, attributes in self.tags:
            assert tag not in ("script", "iframe", "object", "embed", "link", "base", "svg", "form"), tag
            assert not [name for name in attributes if name.startswith("on")], attributes
            for name in ("href", "src", "action"):
                assert (attributes.get(name) or "data:image/webp").startswith("data:image/webp"), attributes


@pytest.fixture(scope="session")
def pool() -> Iterator[BrowserPool]:
    pool = BrowserPool()
    yield pool
    pool.close()


@pytest.fixture
def trial(tmp_path: Path, pool: BrowserPool, site: Site) -> Iterator[Trial]:
    """A workbench at the site, in a fresh context. Pictures are taken of failures only."""
    bench = Bench(tmp_path / ".jbts", pool, screenshots="failure", base_url=site.url)
    bench.folder = tmp_path
    yield Trial(bench, site)
    bench.close()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, pool: BrowserPool, site: Site) -> Iterator[Trial]:
    """One trial for all tests of a module that only look at a page."""
    bench = Bench(tmp_path_factory.mktemp("reader") / ".jbts", pool, screenshots="never", base_url=site.url)
    yield Trial(bench, site)
    bench.close()


@pytest.fixture(scope="session")
def make_trial(site: Site) -> Callable[..., Trial]:
    """Trials in a folder, with a browser of their own; whoever makes one closes its workbench."""

    def make(folder: Path, **settings: Any) -> Trial:
        folder.mkdir(exist_ok=True)
        bench = Bench(folder / ".jbts", None, **{"screenshots": "failure", "base_url": site.url} | settings)
        return Trial(bench, site)

    return make


@pytest.fixture(scope="session")
def grids() -> Any:
    """The module that starts grids."""
    path = BROWSER_FOLDER / "grids.py"
    spec = importlib.util.spec_from_file_location("grids", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["grids"] = module
    spec.loader.exec_module(module)
    if module.missing():
        pytest.skip(module.missing())
    return module


@pytest.fixture(scope="session")
def standalone_grid(grids: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A grid in one process, with three slots."""
    grid = grids.standalone(tmp_path_factory.mktemp("standalone"))
    yield grid
    grid.close()


@pytest.fixture(scope="session")
def hub_grid(grids: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A hub with two nodes of one slot each."""
    grid = grids.hub_with_nodes(tmp_path_factory.mktemp("hub"))
    yield grid
    grid.close()


@pytest.fixture
def own_browser(tmp_path: Path, site: Site) -> Iterator[Callable[..., Trial]]:
    """Trials with a browser nobody else uses, for tests that break it."""
    made: list[Bench] = []

    def make(**settings: Any) -> Trial:
        bench = Bench(tmp_path / f"own{len(made)}", None, **{"screenshots": "failure", "base_url": site.url} | settings)
        made.append(bench)
        return Trial(bench, site)

    yield make
    for bench in made:
        bench.close()


# ---- engines ------------------------------------------------------------------------------------
@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def settings(engine: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the engine is asked for with."""
    if engine == "grid":
        return {"browser": "chrome", "grid": request.getfixturevalue("standalone_grid").url}
    return {"browser": engine}


@pytest.fixture(scope="module")
def anywhere(settings: dict[str, Any], make_trial: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One workbench for all tests of an engine."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "u.txt").write_text("hello")
    (folder / "v.bin").write_bytes(b"123456789")
    trial: Trial = make_trial(folder, **settings)
    trial.bench.folder = folder
    yield trial
    trial.bench.close()
