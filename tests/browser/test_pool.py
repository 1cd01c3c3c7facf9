"""The pool: who gets which browser, who waits, what is replaced, and that nothing of one lease reaches the next."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from selenium.common.exceptions import NoSuchElementException

from jbts_kernel.broadcast import discovery
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.browser.chromium import ChromiumBrowser
from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.browser.ports import held_port
from jbts_kernel.browser.session import Session
from jbts_kernel.errors import BrowserUnavailable, PoolFull

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Trial

SPEC = LaunchSpec()
PAGE = "data:text/html,<title>here</title>"
OTHER = LaunchSpec(args=("--user-agent=another",))


@pytest.fixture(scope="module")
def small() -> Iterator[BrowserPool]:
    """A pool with room for one browser."""
    with BrowserPool(1) as pool:
        yield pool


def run(session: Session, script: str) -> Any:
    """What an asynchronous function's body returns in the session's page."""
    return session.driver.execute_script(f"return (async () => {{ {script} }})()")


# ---- who gets what ------------------------------------------------------------------------------
def test_a_warm_browser_is_leased_again(small: BrowserPool) -> None:
    """One lease after another with an equal spec shares the browser, and each has a context of its own."""
    with small.lease(SPEC) as one:
        assert (small.health()["in_use"], small.health()["pool_size"]) == (1, 1)
    with small.lease(SPEC) as two:
        assert two.browser is one.browser
        assert two.context_id != one.context_id
    assert one.closed
    assert two.closed
    assert small.health(SPEC)["in_use"] == 0


def test_a_full_pool_waits_and_then_says_so(small: BrowserPool) -> None:
    """With every browser in use, a lease waits until one comes free, and no longer than its deadline."""
    with small.lease(SPEC) as held:
        with pytest.raises(PoolFull, match=r"all 1 browsers of the pool are in use.*0\.1 s") as caught:
            small.acquire(SPEC, timeout=0.1)
        assert isinstance(caught.value, BrowserUnavailable)
        got: list[Session] = []
        waiting = threading.Thread(target=lambda: got.append(small.acquire(SPEC, timeout=60)))
        waiting.start()
        held.close()
        waiting.join(60)
    assert len(got) == 1
    got[0].close()


def test_an_idle_browser_of_another_spec_makes_room(small: BrowserPool) -> None:
    """A browser made with other options is never handed out; where there is no room it is ended."""
    with small.lease(SPEC) as one:
        process = one.browser.process
    with small.lease(OTHER) as other:
        assert other.browser.spec == OTHER
        assert other.driver.execute_script("return navigator.userAgent") == "another"
    assert process is not None
    assert not process.alive
    assert [b.spec for b in small.browsers] == [OTHER]


@pytest.mark.parametrize("victim", ["driver", "browser"])
def test_what_died_while_idle_is_replaced(small: BrowserPool, victim: str) -> None:
    """A lease is checked before it is handed out: a dead browser is replaced, for a dead driver its driver."""
    with small.lease(SPEC) as before:
        browser = before.browser
    process = browser.driver_process if victim == "driver" else browser.process
    assert process is not None
    psutil.Process(process.pid).kill()
    with small.lease(SPEC) as after:
        after.driver.get("data:text/html,<title>here</title>")
        assert after.driver.title == "here"
        assert (after.browser is browser) == (victim == "driver")


def test_an_error_is_pictured_before_the_page_is_gone(tmp_path: Path) -> None:
    """What goes wrong inside a lease leaves a picture in the data folder, and the error says where."""
    with BrowserPool(1, home=tmp_path) as pool:
        lease = pool.lease(SPEC)
        with pytest.raises(NoSuchElementException) as caught, lease as session:  # noqa: PT012 - opened, then not found
            session.driver.get("data:text/html,<h1>here</h1>")
            session.driver.find_element("css selector", "h2")
        assert lease.artifact is not None
        assert (tmp_path / lease.artifact.path).read_bytes() == lease.picture
        assert lease.artifact.path in caught.value.__notes__[0]
        assert pool.health()["in_use"] == 0
        assert list((tmp_path / "run").glob("browser-*.json"))
    assert not list((tmp_path / "run").glob("*-*.json"))


def test_the_picture_of_a_lease_shows_no_secret() -> None:
    """What went wrong is pictured with the secrets of that moment painted over."""
    with BrowserPool(1, secrets=lambda: ("open-sesame",)) as pool:
        lease = pool.lease(SPEC)
        with pytest.raises(NoSuchElementException), lease as session:  # noqa: PT012 - opened, then not found
            session.driver.get("data:text/html,<body style='margin:0;background:white;font-size:60px'>open-sesame")
            session.driver.find_element("css selector", "h2")
        assert lease.picture is not None
        with Image.open(io.BytesIO(lease.picture)) as opened:
            image = opened.convert("RGB")
        assert (image.getpixel((60, 30)), image.getpixel((900, 500))) == ((60, 60, 67), (255, 255, 255))


def test_a_driver_that_stops_while_a_lease_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that stops answering before a lease, or in the middle of it, costs seconds and is replaced."""
    with BrowserPool(1) as pool:

        def stop_driver() -> psutil.Process:
            driver = psutil.Process(pool.browsers[0].driver_process.pid)  # type: ignore[union-attr]
            driver.suspend()
            return driver

        def stopped_midway(browser: ChromiumBrowser, *arguments: Any) -> Session:
            monkeypatch.undo()
            stopped.append(stop_driver())
            return browser.lease(*arguments)

        with pool.lease(SPEC) as session:
            session.driver.get(PAGE)
        stopped = [stop_driver()]
        begun = time.monotonic()
        with pool.lease(SPEC) as session:
            session.driver.get(PAGE)
        monkeypatch.setattr(ChromiumBrowser, "lease", stopped_midway)
        monkeypatch.setattr("jbts_kernel.browser.pool.LEASE_SECONDS", 2.0)
        with pool.lease(SPEC) as session:
            session.driver.get(PAGE)
            assert session.driver.title == "here"
        assert time.monotonic() - begun < 60
        _, alive = psutil.wait_procs(stopped, timeout=30)
        assert not alive


def test_nobody_is_given_a_driver_s_port_while_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's port stays taken until it listens there, the first driver's and one's that replaces it; Selenium
    would give it back first, to whoever asks."""

    def given_back() -> int:
        raise AssertionError("a port was chosen and given back")

    monkeypatch.setattr("selenium.webdriver.common.utils.free_port", given_back)
    with held_port() as port, socket.socket() as other, socket.socket() as driver:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        driver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        driver.bind(("127.0.0.1", port))
        driver.listen()
        socket.create_connection(("127.0.0.1", port)).close()
    with BrowserPool(1) as pool:
        with pool.lease(SPEC) as before:
            browser = before.browser
        assert browser.driver_process is not None
        psutil.Process(browser.driver_process.pid).kill()
        with pool.lease(SPEC) as after:
            assert after.browser is browser
            after.driver.get(PAGE)


def test_leases_of_an_asynchronous_program(small: BrowserPool) -> None:
    """``async with`` waits without holding up the loop, and a lease nobody waits for any more is given back."""

    async def program() -> list[str]:
        seen = []

        async def visit(name: str) -> None:
            async with small.lease(SPEC, timeout=60) as session:
                await asyncio.to_thread(session.driver.get, f"data:text/html,<title>{name}</title>")
                seen.append(session.driver.title)

        async with small.lease(SPEC):
            waiting = asyncio.create_task(visit("late"))
            given_up = asyncio.create_task(visit("never"))
            await asyncio.sleep(0.05)
            given_up.cancel()
        await waiting
        await asyncio.gather(given_up, return_exceptions=True)
        return seen

    assert asyncio.run(program()) == ["late"]
    small.acquire(SPEC, timeout=30).close()


def test_health_tells_what_is_wrong(small: BrowserPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Healthy with a page opened for real; degraded where that was slow or all are in use; unhealthy where none can
    be started."""
    monkeypatch.setattr("jbts_kernel.browser.pool.SLOW_MS", 0.0)
    assert small.health(SPEC)["status"] == "degraded"
    monkeypatch.setattr("jbts_kernel.browser.pool.SLOW_MS", 60_000.0)  # on a loaded machine it is
    well = small.health(SPEC)
    assert (well["status"], well["grid_url"], well["max_size"], well["navigation"]["ok"]) == ("healthy", None, 1, True)
    assert well["navigation"]["ms"] > 0
    with small.lease(SPEC):
        busy = small.health(OTHER)
        assert (busy["status"], busy["in_use"], busy["navigation"]["ok"]) == ("degraded", 1, False)
        assert small.health(SPEC)["status"] == "degraded"
    with BrowserPool() as pool:
        broken = pool.health(LaunchSpec(binary="/nonexistent/chrome"))
    assert (broken["status"], broken["pool_size"], broken["navigation"]["ok"]) == ("unhealthy", 0, False)
    assert "chrome did not start" in broken["navigation"]["error"]


# ---- nothing reaches the next -------------------------------------------------------------------
KEPT: dict[str, tuple[str, str]] = {
    "cookie": ("document.cookie = 'left=1; path=/'", "return document.cookie"),
    "local storage": ("localStorage.left = 1", "return Object.keys(localStorage).join()"),
    "session storage": ("sessionStorage.left = 1", "return Object.keys(sessionStorage).join()"),
    "database": (
        "await new Promise(done => { indexedDB.open('left').onsuccess = done })",
        "return (await indexedDB.databases()).map(d => d.name).join()",
    ),
    "cache storage": ("await caches.open('left')", "return (await caches.keys()).join()"),
    "service worker": (
        "await navigator.serviceWorker.register('/made/worker.js')",
        "return (await navigator.serviceWorker.getRegistrations()).map(r => r.scope).join()",
    ),
    "window name": ("window.name = 'left'", "return window.name"),
}


@pytest.fixture
def page(site: Site) -> str:
    """A page beside a service worker."""
    site.made["/made/worker.js"] = b"self.addEventListener('fetch', () => {})", "text/javascript", {}
    return site.page("<p>clean</p>")


@pytest.mark.parametrize("kind", KEPT)
def test_nothing_a_page_keeps_reaches_the_next_lease(small: BrowserPool, site: Site, page: str, kind: str) -> None:
    """Kept on two origins and seen there by the lease that did it; the next one, of the same browser, sees nothing."""
    leave, look = KEPT[kind]
    with small.lease(SPEC) as one:
        for origin in (site.url, site.other_url):
            one.driver.get(origin + page)
            run(one, leave)
            assert run(one, look)
    with small.lease(SPEC) as two:
        assert two.browser is one.browser
        for origin in (site.url, site.other_url):
            two.driver.get(origin + page)
            assert not run(two, look)


def test_the_first_lease_of_a_browser_is_no_exception(site: Site, page: str) -> None:
    """It has the browser's own context, which cannot be dropped: its pages end, and what they kept stays theirs."""
    beating = site.page("<script>setInterval(() => fetch('/echo/beat'), 20)</script>")
    with BrowserPool(1) as pool:
        with pool.lease(SPEC) as one:
            one.driver.get(site.url + page)
            for leave, _ in KEPT.values():
                run(one, leave)
            one.driver.get(site.url + beating)
            run(one, "await fetch('/echo/begun')")
        with pool.lease(SPEC) as two:
            two.driver.get(site.url + page)
            assert [run(two, look) for _, look in KEPT.values()] == [""] * len(KEPT)
            beats = site.seen.count("GET /echo/beat")
            run(two, "await new Promise(done => setTimeout(done, 300))")
            # six may have been on their way, which is what a browser asks at once; of a page that goes on come 15
            assert site.seen.count("GET /echo/beat") <= beats + 6


def test_the_cache_does_not_reach_the_next_lease(small: BrowserPool, site: Site) -> None:
    """What the server allowed to be cached is asked for anew."""
    for _ in range(2):
        site.seen.clear()
        with small.lease(SPEC) as session:
            for path in ("/cached/1", "/cached/2", "/cached/1"):
                session.driver.get(site.url + path)
        assert site.seen.count("GET /cached/1") == 1


def test_permissions_do_not_reach_the_next_lease(small: BrowserPool, site: Site, page: str) -> None:
    """What one test may do the next may not."""
    look = "return (await navigator.permissions.query({name: 'geolocation'})).state"
    with small.lease(SPEC) as one:
        one.driver.get(site.url + page)
        given = {"permissions": ["geolocation"], "origin": site.url, "browserContextId": one.context_id}
        one.browser.channel.call("Browser.grantPermissions", given)
        assert run(one, look) == "granted"
    with small.lease(SPEC) as two:
        two.driver.get(site.url + page)
        assert run(two, look) != "granted"


def test_downloads_do_not_reach_the_next_lease(small: BrowserPool, site: Site, tmp_path: Path) -> None:
    """Each lease has its own folder, and each file arrives in that of the lease that asked for it."""
    for name in ("one", "two"):
        with small.lease(SPEC, downloads=tmp_path / name) as session:
            session.driver.get(site.url + site.page(f"<a href=/download/{name}.bin>file</a>"))
            session.driver.execute_script("document.querySelector('a').click()")
            # Until the browser says so: with all its bytes there, a file is still taken away with its context.
            assert session.browser.wait_for(
                lambda files=session.files, name=name: any(
                    (f.name, f.state) == (f"{name}.bin", "completed") for f in files().values()
                ),
                20,
            )
    assert [len(list((tmp_path / name).iterdir())) for name in ("one", "two")] == [1, 1]


def test_tabs_and_dialogs_do_not_reach_the_next_lease(small: BrowserPool, site: Site, page: str) -> None:
    """A lease that ends with tabs and an alert open leaves neither."""
    with small.lease(SPEC) as one:
        one.driver.get(site.url + page)
        one.driver.execute_script("window.open('/made/1.html'); setTimeout(() => alert('left'))")
        assert one.browser.wait_for(lambda: one.dialog is not None and len(one.handles_now()) == 2, 20)
    with small.lease(SPEC) as two:
        two.driver.get(site.url + page)
        assert two.dialog is None
        assert two.tabs == [two.handle]
        assert two.driver.current_url == site.url + page


# ---- what is told of it ---------------------------------------------------------------------------
def test_the_figures_of_a_pool_are_in_metrics(own_browser: Callable[..., Trial]) -> None:
    """What a kernel leases, waits for, gives back and replaces is in its log, and so in the hub's /metrics."""
    trial = own_browser(pool_size=1)
    bench = trial.bench
    trial("navigate /buttons.html")
    hub = HubThread.start(bench.home)
    info = discovery.find(bench.home)
    assert hub is not None and info is not None

    def figures(**wanted: int) -> None:
        """Wait until /metrics says so."""
        deadline = time.monotonic() + 60
        while True:
            request = urllib.request.Request(f"http://{info.address}/metrics")
            request.add_header("Authorization", f"Bearer {info.token}")
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
            values = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
            found = {name: values[f"jbts_pool_{name}"] for name in wanted}
            if found == wanted:
                return
            assert time.monotonic() < deadline, found

    figures(max_size=1, browsers=1, in_use=1, waiting=0, leases_total=1, replaced_total=0)
    waiting = threading.Thread(target=lambda: bench.pool.acquire(OTHER, timeout=60).close())
    waiting.start()
    figures(in_use=1, waiting=1, leases_total=1)
    bench.end_test()
    waiting.join(60)
    figures(browsers=1, in_use=0, waiting=0, leases_total=2)
    trial("navigate /buttons.html")
    (browser,) = bench.pool.browsers
    assert browser.process is not None
    psutil.Process(browser.process.pid).kill()
    deadline = time.monotonic() + 60
    while browser.alive:
        assert time.monotonic() < deadline, "killed, and there"
        time.sleep(0.01)
    trial("navigate /buttons.html")
    figures(browsers=1, in_use=1, leases_total=4, replaced_total=1)
    bench.close()
    figures(max_size=0, browsers=0, in_use=0, leases_total=4, replaced_total=1)
    hub.stop()
