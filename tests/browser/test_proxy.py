"""The hub behind a real Jupyter server with jupyter-server-proxy: what is asked for twice, and what works."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from jbts_kernel.broadcast import discovery
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.broadcast.server import Options
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.log import Log
from jbts_kernel.models import Event

from .conftest import Trial

PATIENCE = 90.0
LAB = {"Host": "lab.example:8443", "Origin": "https://lab.example:8443"}
SIGN_IN = "of-the-lab"


@dataclass(frozen=True)
class Lab:
    """A Jupyter server at ``port`` whose users sign in with a token of its own, and the hub behind it."""

    port: int
    hub: HubInfo
    home: Path

    @property
    def path(self) -> str:
        """Where the hub is in it."""
        return f"/proxy/{self.hub.port}/"

    def get(self, query: str = "", **headers: str) -> tuple[int, str]:
        """Status and text of the live page, asked for by somebody who has signed in."""
        host = headers.get("Host", f"localhost:{self.port}")
        sign_in = {"Host": host, "Authorization": f"token {SIGN_IN}"}
        _, cookies, _ = request(self.port, "/api/me", sign_in)
        sent = {"Host": host, "Cookie": "; ".join(cookies), **headers}
        status, _, text = request(self.port, self.path + query, sent)
        return status, text


def request(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, list[str], str]:
    """Status, cookies and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        cookies = [value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie", [])]
        return answer.status, cookies, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Reached as localhost, and from outside as lab.example, whose pages the hub was told of, and as
    other.example, whose it was not."""
    folder = tmp_path_factory.mktemp("lab")
    hub = HubThread.start(folder / ".jbts", Options(origins=(LAB["Origin"],)))
    info = discovery.find(folder / ".jbts")
    assert hub is not None and info is not None
    names = ("localhost", "lab.example", "other.example")
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={SIGN_IN}", f"--ServerApp.root_dir={folder}"),
        *("--ServerApp.jpserver_extensions", "jupyter_server_proxy=True"),
        *(f"--ServerApp.local_hostnames={name}" for name in names),
    ]
    places = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | places, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + PATIENCE
        port = 0
        while not port:
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
            for found in (folder / "runtime").glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, ConnectionRefusedError):  # half written; said before it listens
                    told = json.loads(found.read_text())["port"]
                    socket.create_connection(("127.0.0.1", told), PATIENCE).close()
                    port = told
        yield Lab(port, info, folder / ".jbts")
    finally:
        server.terminate()
        server.wait(PATIENCE)
        hub.stop()


def test_both_doors_are_asked(lab: Lab) -> None:
    """Who has signed in to Jupyter still needs the hub's token; who has the hub's token still has to sign in.
    Another name or origin than those the hub was told of stays out."""
    good = f"?token={lab.hub.token}"
    assert lab.get()[0] == 401
    assert lab.get("?token=wrong")[0] == 401
    assert lab.get(good, Cookie="")[0] in (302, 403)
    status, text = lab.get(good)
    assert status == 200 and "live.js" in text
    assert lab.get(good, **LAB)[0] == 200
    assert lab.get(**LAB)[0] == 401
    assert lab.get(good, Host="other.example:8443") == (403, "this Host is not served here\n")
    foreign = lab.get(good, **LAB | {"Origin": "https://evil.example"})
    assert foreign == (403, "this Origin may not connect; allow it with --origin\n")


def test_the_live_page_works_through_it(lab: Lab, trial: Trial) -> None:
    """Signed in, a browser sees the live page with its token at /proxy/PORT/, and steps come as they happen."""
    trial(f'navigate "http://localhost:{lab.port}/api/me?token={SIGN_IN}"')  # and is known by its cookie now
    trial(f'navigate "http://localhost:{lab.port}{lab.path}" --expect-status 401')
    trial(f'navigate "http://localhost:{lab.port}{lab.path}?token={lab.hub.token}"')
    trial.until("document.getElementById('link').textContent === 'live'", PATIENCE)
    log = Log(lab.home)
    log.emit(Event("execution.started", {"test_name": "Through the proxy", "attempt": 1}, "r1", "x1"))
    trial.until("document.querySelector('.test.running b')?.textContent === 'Through the proxy'", PATIENCE)
    log.close()
