"""The demo shop as a server: practice routes, hostile requests, late answers, and a clean start and stop."""

from __future__ import annotations

import http.client
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from jbts_kernel.demo import Shop
from jbts_kernel.demo.exchange import Refused, Request, parse_uploads


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(latency_ms=60) as running:
        yield running


def connect(shop: Shop) -> http.client.HTTPConnection:
    place = urlsplit(shop.url)
    return http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)


def ask(
    shop: Shop, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers by lower-case name, body."""
    connection = connect(shop)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def raw(shop: Shop, request: bytes) -> bytes:
    """Bytes in, everything that comes back until the server closes."""
    place = urlsplit(shop.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Poll a condition until it is true; fail after `seconds`."""
    ends = time.monotonic() + seconds
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "the condition did not come true"
        tick.wait(0.005)


def shop_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("shop-")}


def multipart(*files: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b"".join(
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for name, content in files
    )
    return body + b"--frontier--\r\n", {"Content-Type": "multipart/form-data; boundary=frontier"}


def test_uploads_are_counted_by_the_server(shop: Shop) -> None:
    """Every uploaded file is listed by its bare name, escaped, and its size in bytes."""
    tricky = b"\x00\r\n--frontie\r\n\r\n"
    body, headers = multipart(("a <b>.txt", b"12345"), ("C:\\docs\\tray.png", tricky), ("empty", b""))
    status, _, page = ask(shop, "POST", "/tools/files", body, headers)
    listed = page.decode()
    assert status == 200 and listed.count('data-testid="uploaded-file"') == 3
    for shown in ("a &lt;b&gt;.txt", ">5 bytes<", ">tray.png<", f">{len(tricky)} bytes<", ">0 bytes<"):
        assert shown in listed


def test_bad_uploads_say_what_is_wrong(shop: Shop) -> None:
    """No file is 422, a torn body or no boundary 400, too many parts 400, too many bytes 413."""
    body, headers = multipart(("", b""))
    assert ask(shop, "POST", "/tools/files", body, headers)[0] == 422
    assert ask(shop, "POST", "/tools/files", body[:-10], headers)[0] == 400
    assert ask(shop, "POST", "/tools/files", body)[0] == 400
    with pytest.raises(Refused, match="At most 50 files"):
        parse_uploads(multipart(*[("f", b"")] * 51)[0], b"frontier")
    body, headers = multipart(("big", bytes(9 * 1024 * 1024)))
    status, answered, message = ask(shop, "POST", "/tools/files", body, headers)
    assert (status, answered["connection"]) == (413, "close") and b"8388608 bytes" in message


@pytest.mark.parametrize(("name", "least_s"), [("catalogue.csv", 0.0), ("catalogue-slow.csv", 0.24)])
def test_downloads_are_attachments(shop: Shop, name: str, least_s: float) -> None:
    """Both catalogues arrive as named CSV attachments, the slow one four latencies late."""
    began = time.monotonic()
    status, headers, body = ask(shop, "GET", f"/files/{name}")
    assert time.monotonic() - began >= least_s
    assert status == 200 and headers["content-disposition"] == f'attachment; filename="{name}"'
    assert len(body.splitlines()) == 13 and b"walnut-tray,Walnut Tray,$24.00,yes" in body


def test_fields_are_echoed_as_json(shop: Shop) -> None:
    """The echo keeps lists as lists and never repeats the password."""
    status, _, body = ask(shop, "POST", "/tools/fields", b"text=%3Cb%3E&password=secret&extras=engraving&size=m")
    assert status == 200 and json.loads(body) == {
        "text": "<b>",
        "password": "(6 characters)",
        "extras": ["engraving"],
        "size": "m",
    }


def test_late_answers_are_late(shop: Shop) -> None:
    """The product list takes the shop's latency, a slow page what was asked for, and nonsense is 422."""
    for path, least_s in (
        ("/api/products", 0.06),
        ("/api/feed?after=180", 0.06),
        ("/tools/slow?ms=120", 0.12),
    ):
        began = time.monotonic()
        assert ask(shop, "GET", path)[0] == 200
        assert time.monotonic() - began >= least_s
    for path in ("/tools/slow?ms=30001", "/tools/slow?ms=-1", "/api/feed?after=201", "/api/feed?after=x"):
        assert ask(shop, "GET", path)[0] == 422


def test_unknown_addresses_and_methods(shop: Shop) -> None:
    """404 and 405 are pages, or JSON under /api; 404 starts no session and 405 names what is allowed."""
    status, headers, body = ask(shop, "GET", "/nothing")
    assert status == 404 and b"Page not found" in body and "set-cookie" not in headers
    status, _, body = ask(shop, "GET", "/api/nothing")
    assert status == 404 and json.loads(body)["error"] == "not_found"
    status, headers, _ = ask(shop, "DELETE", "/signin")
    assert (status, headers["allow"]) == (405, "GET, POST")
    assert json.loads(ask(shop, "GET", "/api/broken")[2])["error"] == "broken"
    assert ask(shop, "GET", "/api/health")[0] == 200
    for path in (
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/frame.html",
        "/pictures/%2e%2e.svg",
    ):
        assert ask(shop, "GET", path)[0] == 404


def test_head_has_headers_only(shop: Shop) -> None:
    """HEAD tells the length GET would have, and the connection stays usable."""
    connection = connect(shop)
    connection.request("HEAD", "/size-guide")
    reply = connection.getresponse()
    length = int(reply.headers["Content-Length"])
    assert reply.read() == b""
    connection.request("GET", "/size-guide")
    assert len(connection.getresponse().read()) == length
    connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /api/cart HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 411 "),
        (b"POST /api/cart HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b" 400 "),
        (b"POST /api/cart HTTP/1.1\r\nHost: x\r\nContent-Length: \xc2\xb2\r\n\r\n", b" 400 "),
        (b"POST /api/cart HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n" + bytes(65537), b" 413 "),
        (b"POST /api/cart HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{]", b" 400 "),
        (b"GET //[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b" 404 "),
        (b"GET /?" + b"a=1&" * 300 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b" 200 "),
        (
            b"POST /signin HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1200\r\n\r\n" + b"a=1&" * 300,
            b" 400 ",
        ),
    ],
)
def test_hostile_requests_get_an_answer(shop: Shop, head: bytes, status: bytes) -> None:
    """Malformed, oversized and nonsensical requests get the fitting status, and the shop lives on."""
    assert status in raw(shop, head).partition(b"\r\n")[0]
    assert ask(shop, "GET", "/api/health")[0] == 200


def test_searched_text_is_escaped(shop: Shop) -> None:
    """What was searched for comes back in the page as text, never as markup."""
    body = ask(shop, "GET", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")[2]
    assert b"<script>alert" not in body and b"&quot;&gt;&lt;script&gt;" in body


def test_deeply_nested_json_is_refused() -> None:
    """JSON nested past the parser's depth is a refusal, not a crash."""
    with pytest.raises(Refused, match="not JSON"):
        Request("POST", "/api/cart", {}, {}, b"[" * 60_000).json()


def test_a_hanging_page_holds_until_the_client_goes() -> None:
    """Part of the page arrives, then nothing; at most sixteen are held; leaving frees the place."""
    before = shop_threads()
    with Shop() as shop:
        place = urlsplit(shop.url)

        def hold() -> socket.socket:
            connection = socket.create_connection((place.hostname, place.port), timeout=10)
            connection.sendall(b"GET /tools/hang HTTP/1.1\r\nHost: x\r\n\r\n")
            page = b""
            while b"holds the last byte back" not in page:
                received = connection.recv(65536)
                assert received, f"the page was not held: {page!r}"
                page += received
            return connection

        held = [hold() for _ in range(16)]
        assert ask(shop, "GET", "/tools/hang")[0] == 503
        for connection in held[1:]:
            connection.close()
        until(lambda: len(shop_threads() - before) == 2)  # the accepting thread and the one still held
        assert not select.select([held[0]], [], [], 0)[0]
        held[1] = hold()
        began = time.monotonic()
    assert time.monotonic() - began < 20  # a held page is held for good
    held[0].close()
    held[1].close()


def test_stopping_leaves_nothing() -> None:
    """Stopping ends idle, late and held connections at once and closes the port; again is harmless."""
    before = shop_threads()
    shop = Shop(latency_ms=30_000).start()
    address = urlsplit(shop.url)
    idle, late, hung = connect(shop), connect(shop), connect(shop)
    for connection, path in ((idle, "/"), (late, "/api/products"), (hung, "/tools/hang")):
        connection.request("GET", path)
    assert idle.getresponse().status == 200
    until(lambda: len(shop_threads() - before) == 4)
    began = time.monotonic()
    shop.stop()
    assert time.monotonic() - began < 20 and shop_threads() <= before  # the late one was to come after 30 s
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)
    shop.stop()
    for connection in (idle, late, hung):
        connection.close()


def test_a_shop_can_be_started_again() -> None:
    """Start, stop, start works; a taken port, a second start and a stopped shop's url say what to do."""
    shop = Shop()
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        _ = shop.url
    with shop:
        port = urlsplit(shop.url).port or 0
        with pytest.raises(RuntimeError, match="running already"):
            shop.start()
        with pytest.raises(OSError, match="port=0 takes any free port"):
            Shop(port=port).start()
    with shop:
        assert ask(shop, "GET", "/api/health")[0] == 200
    with pytest.raises(ValueError, match="latency_ms"):
        Shop(latency_ms=-1)


def test_serving_in_the_foreground_ends_with_stop() -> None:
    """`serve_forever` blocks its caller until another thread stops the shop."""
    shop = Shop().start()
    foreground = threading.Thread(target=shop.serve_forever)
    foreground.start()
    assert ask(shop, "GET", "/api/health")[0] == 200 and foreground.is_alive()
    shop.stop()
    foreground.join(30)
    assert not foreground.is_alive()


def test_importing_the_shop_is_light() -> None:
    """Importing the shop loads neither the HTTP server nor anything that is not in the standard library."""
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
import jbts_kernel
before = set(sys.modules)
from jbts_kernel.demo import Shop
print(Shop.__name__, *sorted(set(sys.modules) - before))"""
    command = [sys.executable, "-I", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert loaded[0] == "Shop" and not {"http.server", "socketserver", "urllib.request"} & set(loaded)
    roots = {name.partition(".")[0] for name in loaded[1:]}
    assert roots - set(sys.stdlib_module_names) <= {"jbts_kernel"}
