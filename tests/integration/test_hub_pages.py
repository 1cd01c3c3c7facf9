"""What the hub serves over plain HTTP, and to whom: pages, artifacts by their hash, and nothing else."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jbts_kernel.broadcast import discovery, pages
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.broadcast.events import Events
from jbts_kernel.broadcast.server import Options
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.log import Log
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


@pytest.fixture
def info(home: Path) -> Iterator[HubInfo]:
    """A running hub that also serves the pages of https://lab.example, a proxy's name."""
    hub = HubThread.start(home, Options(origins=("https://lab.example:8443",)))
    assert hub is not None
    found = discovery.find(home)
    assert found is not None
    yield found
    hub.stop()


def get(info: HubInfo, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request; ``path`` is sent as it is."""
    connection = http.client.HTTPConnection(info.host, info.port, timeout=PATIENCE)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": info.address, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def keep(home: Path, data: bytes, ending: str) -> str:
    """An artifact in its place; its hash."""
    digest = hashlib.sha256(data).hexdigest()
    folder = home / "artifacts" / digest[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{digest}.{ending}").write_bytes(data)
    return digest


def test_artifacts_are_served_by_their_hash_alone(info: HubInfo, home: Path) -> None:
    """A picture as a picture, a kept page source as plain text that cannot run, both only with the token."""
    picture = keep(home, b"\x89PNG" + bytes(3 << 20), "png")
    source = keep(home, b"<script>alert(1)</script>", "html")
    token = f"?token={info.token}"
    status, headers, body = get(info, f"/artifact/{picture}{token}")
    assert (status, headers["content-type"], len(body)) == (200, "image/png", 4 + (3 << 20))
    assert hashlib.sha256(body).hexdigest() == picture and "immutable" in headers["cache-control"]
    status, headers, body = get(info, f"/artifact/{source}", Authorization=f"Bearer {info.token}")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert headers["x-content-type-options"] == "nosniff" and "sandbox" in headers["content-security-policy"]
    assert get(info, f"/artifact/{picture}")[0] == 401
    assert get(info, f"/artifact/{picture}?token=wrong")[0] == 401


def test_there_is_no_way_to_a_file_by_its_path(info: HubInfo, home: Path) -> None:
    """Paths, links, other endings, what is too large and what is no file are not served, and not told apart
    from what is not there where that would say something about the disk."""
    token = f"?token={info.token}"
    secret = home / "run" / "token"
    for path in (
        "../run/token", "..%2frun%2ftoken", "%2e%2e/run/token", str(secret), "a" * 63, "A" * 64, "", f"{'a' * 64}/..",
        f"{'a' * 64}.png", "a" * 3_000, "%00", "%C3%A9",
    ):  # fmt: skip
        assert get(info, f"/artifact/{path}{token}")[0] == 404, path
    name = "b" * 64
    folder = home / "artifacts" / name[:2]
    folder.mkdir(parents=True)
    (folder / f"{name}.png").symlink_to(secret)
    assert get(info, f"/artifact/{name}{token}")[0] == 403
    (folder / f"{name}.png").unlink()
    os.mkfifo(folder / f"{name}.png")
    assert get(info, f"/artifact/{name}{token}")[0] == 403
    (folder / f"{name}.png").unlink()
    with (folder / f"{name}.png").open("wb") as file:
        file.truncate(pages.MAX_ARTIFACT + 1)
    assert get(info, f"/artifact/{name}{token}")[0] == 403
    program = keep(home, b"MZ", "exe")
    assert get(info, f"/artifact/{program}{token}")[0] == 404


def test_who_may_see_the_live_page(info: HubInfo) -> None:
    """The page wants the token and this machine's name; its own script and style are no secret. It may
    run nothing but them and tells no other site where it came from."""
    assert get(info, "/")[0] == 401 and get(info, "/?token=x")[0] == 401
    assert get(info, f"/?token={info.token}", Host="evil.example")[0] == 403
    status, headers, body = get(info, f"/?token={info.token}")
    assert status == 200 and b"live.js" in body and info.token.encode() not in body
    assert "script-src 'self'" in headers["content-security-policy"]
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
    for name in ("live.js", "live-state.js", "client.js", "live.css"):
        status, headers, body = get(info, f"/{name}")
        assert status == 200 and body and headers["content-type"].startswith("text/")
        assert get(info, f"/{name}", Host="evil.example")[0] == 403
    assert get(info, f"/widgets/live.js?token={info.token}")[0] == 404


def test_behind_a_proxy_the_token_still_counts(info: HubInfo) -> None:
    """A proxy that keeps the name it was asked for (JupyterLab's does) is let in where its origin was
    allowed; the token is wanted all the same, and another name or origin is not."""
    lab = {"Host": "lab.example:8443", "Origin": "https://lab.example:8443"}
    assert get(info, f"/?token={info.token}", **lab)[0] == 200
    assert get(info, "/", **lab)[0] == 401
    assert get(info, f"/?token={info.token}", **lab | {"Origin": "https://evil.example"})[0] == 403
    assert get(info, f"/?token={info.token}", Host="evil.example:8443")[0] == 403
    assert get(info, f"/?token={info.token}", Host="localhost:8888", Origin="http://localhost:8888")[0] == 200


def test_figures_for_prometheus(info: HubInfo, home: Path) -> None:
    """/metrics wants the token and is read by the official parser; a step that ended is in it, once."""
    log = Log(home)
    about = {"status": "passed", "step_type": "click", "duration_ms": 12.0}
    log.emit(Event("step.finished", about, "r1", "x1", "s1"), Event("execution.finished", about, "r1", "x1"))
    log.close()
    assert get(info, "/metrics")[0] == 401
    deadline = time.monotonic() + PATIENCE
    values: dict[tuple[str, ...], float] = {}
    while not values.get(("jbts_executions_total", "passed")):
        assert time.monotonic() < deadline, "it was never counted"
        status, headers, body = get(info, "/metrics", Authorization=f"Bearer {info.token}")
        assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(body.decode())
        values = {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}
    assert values["jbts_steps_total", "click", "passed"] == values["jbts_step_duration_seconds_count",] == 1
    assert values["jbts_hub_events_total",] == 2


def test_figures_can_be_left_out(tmp_path: Path) -> None:
    """Where JBTS.metrics is False there is no such page."""
    log = Log(tmp_path / "other")
    events = Events(tmp_path / "other", log, mode="thread", metrics=False)
    try:
        events.start()
        info = discovery.find(tmp_path / "other")
        assert info is not None and get(info, f"/metrics?token={info.token}")[0] == 404
        assert events.page() == info.page
    finally:
        events.close()
        log.close()


def test_the_broadcast_in_a_terminal(info: HubInfo, home: Path) -> None:
    """jbts events tail prints JSON for a program and lines for a person, in which nothing reaches the terminal."""
    log = Log(home)
    log.emit(
        Event("execution.started", {"test_name": "Pay\x1b[2J"}, "r1", "x1"),
        Event("step.finished", {"name": "click #go", "status": "error", "error_message": "no\x07"}, "r1", "x1", "s1"),
        Event("execution.started", {"test_name": "Other"}, "r1", "x2"),
    )
    log.close()

    def tail(*words: str) -> list[str]:
        command = [sys.executable, "-c", "from jbts_kernel.cli import main; main()", "events", "tail", *words]
        environ = os.environ | {"JBTS_HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout.splitlines()

    assert [json.loads(line)["offset"] for line in tail("-n", "2", "--room", "test_execution:x1")] == [1, 2]
    lines = tail("-n", "3", "--format", "text")
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "started    Pay\\x1b[2J",
        "error      click #go  [Pay\\x1b[2J]  no\\x07",
        "started    Other",
    ]
