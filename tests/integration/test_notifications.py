"""Notifications, delivered by a real hub through apprise to real receivers on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.broadcast.events import Events
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.errors import ConfigProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.notify import courier, rules
from jbts_kernel.notify.courier import Courier, Parcel
from jbts_kernel.suite.notices import Notices

from .written import notebook

PATIENCE = 30.0


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook: what was posted to it, by path. ``/refuse`` answers 500, ``/hang`` not until the end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Webhook)
        self.got: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.over = threading.Event()

    def entry(self, when: str, path: str) -> str:
        return f"{when}=json://127.0.0.1:{self.server_port}/{path}"

    def next(self) -> tuple[str, dict[str, Any]]:
        return self.got.get(timeout=PATIENCE)


class _Webhook(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.put((self.path.strip("/"), body))
        if self.path.startswith("/hang"):
            self.server.over.wait(PATIENCE)
        self.send_response(500 if self.path.startswith("/refuse") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    made = Log(home)
    yield made
    made.close()


@pytest.fixture
def hub(home: Path) -> Iterator[list[HubThread]]:
    """The hubs a test starts."""
    made: list[HubThread] = []
    yield made
    for one in made:
        one.stop()


def start(home: Path, hubs: list[HubThread]) -> HubThread:
    hub = HubThread.start(home)
    assert hub is not None
    hubs.append(hub)
    return hub


def ended(name: str, status: str, ident: str, attempt: int = 1, **more: Any) -> Event:
    about = {"test_name": name, "history_id": name, "status": status, "attempt": attempt, "notebook": "shop.ipynb"}
    return Event("execution.finished", about | more, "r1", ident)


def settled(home: Path, run_id: str = "r1") -> None:
    deadline = time.monotonic() + PATIENCE
    while not rules.all_told(home, run_id):
        assert time.monotonic() < deadline, "not everything was told"
        time.sleep(0.01)


def test_everybody_is_told_what_they_asked_for(home: Path, log: Log, receiver: Receiver, hub: list[HubThread]) -> None:
    """A failure with its step, error, page, picture and report; a flaky pass; the end with its counts."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    digest = hashlib.sha256(picture).hexdigest()
    (home / "artifacts" / digest[:2]).mkdir(parents=True)
    (home / "artifacts" / digest[:2] / f"{digest}.png").write_bytes(picture)
    entries = [receiver.entry("failed,flaky", "team"), receiver.entry("finished", "boss")]
    Events(home, log).announce("r1", entries, home / "report" / "index.html")
    Events(home, log).announce("r1", entries)  # as each kernel of the run does
    start(home, hub)
    step = {"name": 'click "#pay"', "status": "error", "error_type": "ElementNotFound", "url": "http://shop/basket"}
    log.emit(
        Event(
            "step.finished", step | {"error_message": "nothing matches #pay", "screenshot": digest}, "r1", "x1", "s1"
        ),
        ended("Paying", "error", "x1"),
        ended("Paying", "passed", "x2", attempt=2),
        ended("Other", "passed", "x3"),
        Event("step.finished", {"name": "look", "status": "passed", "screenshot": digest}, "r1", "x5", "s2"),
        ended("Asserting", "failed", "x5", error_type="AssertionError", error_message="assert 1 == 2"),
        Event("run.finished", {"status": "failed", "git_branch": "main"}, "r1"),
        Event("execution.finished", {"test_name": "Somebody else's", "status": "failed"}, "r2", "x4"),
    )
    got = [receiver.next() for _ in range(4)]
    to_team = [body for path, body in got if path == "team"]
    (to_boss,) = [body for path, body in got if path == "boss"]
    assert [body["title"] for body in to_team] == [
        "✗ Paying failed", "↻ Paying passed on attempt 2", "✗ Asserting failed",
    ]  # fmt: skip
    said = to_team[0]["message"]
    for words in (
        'step: click "#pay"',
        "ElementNotFound: nothing matches #pay",
        "http://shop/basket",
        f"report: {home}/report/index.html",
    ):
        assert words in said
    assert to_team[0]["type"] == "failure" and len(to_team[0]["attachments"]) == 1
    assert to_team[1]["type"] == "warning"
    assert "last step: look\nerror: AssertionError: assert 1 == 2" in to_team[2]["message"]
    assert len(to_team[2]["attachments"]) == 1  # what was seen last, where no step is to blame
    assert to_boss["title"] == "✗ run finished: 1 failed, 1 flaky, 1 passed" and "branch: main" in to_boss["message"]
    settled(home)
    assert receiver.got.empty()


def test_a_hub_that_starts_anew_tells_nobody_twice(
    home: Path, log: Log, receiver: Receiver, hub: list[HubThread]
) -> None:
    """What one hub told, the next does not; what happened between them it does."""
    Events(home, log).announce("r1", [receiver.entry("failed", "team")])
    first = start(home, hub)
    log.emit(ended("One", "failed", "x1"))
    assert receiver.next()[1]["title"] == "✗ One failed"
    first.stop()
    log.emit(ended("Two", "failed", "x2"))
    start(home, hub)
    assert receiver.next()[1]["title"] == "✗ Two failed"
    log.emit(ended("Three", "failed", "x3"), Event("run.finished", {"status": "failed"}, "r1"))
    assert receiver.next()[1]["title"] == "✗ Three failed"
    settled(home)
    assert receiver.got.empty()


def test_a_receiver_that_never_answers_delays_nobody(
    home: Path, log: Log, receiver: Receiver, hub: list[HubThread]
) -> None:
    """While one hangs, another is told at once, events go on, and the hub ends in time."""
    Events(home, log).announce("r1", [receiver.entry("failed", "hang"), receiver.entry("failed", "team")])
    running = start(home, hub)
    for number in range(3):
        assert log.emit(ended(f"T{number}", "failed", f"x{number}"))
    found = [receiver.next() for _ in range(4)]
    assert [path for path, _ in found].count("hang") == 1
    assert [body["title"] for path, body in found if path == "team"] == [f"✗ T{n} failed" for n in range(3)]
    began = time.monotonic()
    running.stop(timeout=PATIENCE)
    assert time.monotonic() - began < PATIENCE
    assert not rules.all_told(home, "r1"), "the next hub has to try again"


def test_what_is_refused_is_tried_again_and_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three attempts, each a line in the log that does not hold the URL, then it is settled."""
    monkeypatch.setattr(courier, "PAUSES_S", (0.01, 0.02))
    (rule,) = rules.parse([receiver.entry("failed", "refuse-s3cret")])
    one = Courier(rule, logging.getLogger("test"))
    settled = threading.Event()
    with caplog.at_level("WARNING"):
        one.post(Parcel("title", "body", "failure", None, settled.set))
        assert settled.wait(PATIENCE)
    one.close(PATIENCE)
    assert receiver.got.qsize() == 3
    assert [record.message.partition(" failed")[0] for record in caplog.records if record.name == "test"] == [
        "a notification to json"
    ] * 3
    assert "given up" in caplog.records[-1].message
    assert "s3cret" not in caplog.text and "s3cret" not in repr(rule)


def test_a_service_that_breaks_does_not_stop_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the code of a service itself fails, that is a traceback, that one is settled, and those behind it
    are delivered."""
    raised: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", raised.put)
    (rule,) = rules.parse(["json://h"])
    settled: queue.Queue[str] = queue.Queue()
    taken: list[str] = []

    def send(rule: rules.Rule, parcel: Parcel) -> bool:
        if parcel.title == "bad":
            raise ZeroDivisionError
        taken.append(parcel.title)
        return True

    one = Courier(rule, logging.getLogger("test"), send)
    for title in ("bad", "good", "better"):
        one.post(Parcel(title, "", "success", None, functools.partial(settled.put, title)))
    assert [settled.get(timeout=PATIENCE) for _ in range(3)] == ["bad", "good", "better"]
    assert taken == ["good", "better"]
    assert raised.get(timeout=PATIENCE).exc_type is ZeroDivisionError
    one.close(PATIENCE)


def test_a_suite_waits_until_all_is_told(home: Path, log: Log, receiver: Receiver, hub: list[HubThread]) -> None:
    """The end of a run is told before the run is over; without a hub that can, it says so and goes on."""
    environ = {"JBTS_NOTIFY": receiver.entry("finished", "team"), "JBTS_BROADCASTER": "thread"}
    notices = Notices(home, "r1", log, environ)
    notices.begin()
    log.emit(Event("run.finished", {"status": "passed"}, "r1"))
    assert notices.end(PATIENCE) is None
    assert receiver.next()[1]["title"] == "✓ run finished: no test ran"
    notices = Notices(home, "r2", log, environ)
    notices.begin()
    said = notices.end(patience=0.05)
    assert said is not None and "run/hub.log" in said
    assert Notices(home, "r3", log, {}).end() is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("failed=nothing", "entry 1"),
        ("broken=json://x", "no rule 'broken'"),
        ("json://user:s3cret@h with blank", "entry 1"),
        ("nosuch://user:s3cret@h", "knows no receiver for this nosuch:// URL"),
    ],
)
def test_an_entry_that_cannot_work_is_said_at_once(home: Path, log: Log, entry: str, words: str) -> None:
    """The entry is named by its number, and its URL, which may be a password, is not repeated."""
    with pytest.raises(ConfigProblem, match=words) as caught:
        Events(home, log).announce("r1", [entry])
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigProblem, match="needs the broadcast"):
        Events(home, log, mode="off").announce("r1", ["json://h"])
    with pytest.raises(ConfigProblem, match="JBTS_RUN_ID"):
        Events(home, log).announce("../../x", ["json://h"])


def test_the_entries_are_private(home: Path, log: Log) -> None:
    """They are in a file of the project that nobody else can read."""
    Events(home, log).announce("r1", ["failed=json://h/s3cret"])
    path = home / rules.FOLDER / "r1.json"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0


def test_the_lines_of_the_document_are_true(home: Path, receiver: Receiver, hub: list[HubThread]) -> None:
    """What docs/events.md tells to type, with a receiver where it has one: a run that ended, and a failure by hand."""
    start(home, hub)
    document = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
    chapter = (
        document.partition("## Notifications")[2].partition("\n## ")[0].replace(":8000/", f":{receiver.server_port}/")
    )
    run, configure = re.findall(r"^```\w*\n(.*?)^```$", chapter, re.M | re.S)
    folder = home.parent
    notebook(folder / "notebooks" / "red.ipynb", "%load_ext jbts_kernel", "%expect title red --timeout 0.1")
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environ |= {"JBTS_HOME": str(home), "IPYTHONDIR": str(folder / "ipython")}
    done = subprocess.run(run, shell=True, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert {receiver.next()[0], receiver.next()[0]} == {"team", "runs"}
    (folder / "by_hand.ipy").write_text(
        f"%load_ext jbts_kernel\n{configure}%test by hand\n%expect title red --timeout 0.1\n"
    )
    subprocess.run([sys.executable, "-m", "IPython", "by_hand.ipy"], cwd=folder, env=environ, capture_output=True)
    path, told = receiver.next()
    assert path == "hook" and "by hand" in told["title"], told
