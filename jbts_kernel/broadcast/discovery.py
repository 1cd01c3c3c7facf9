"""Finding the hub of a project, and electing it.

The hub holds ``run/hub.lock`` for as long as it lives. The kernel drops the lock of a process that died in
whatever way, so the lock alone says whether there is a hub; ``run/hub.json`` says where, and is believed
only while the lock is held. Looking at the lock means taking it for a moment, which must not make a hub
that is just starting believe it has lost: both happen inside ``run/hub.gate``, held for microseconds.
A starting hub removes the old ``hub.json`` in there too, so nobody reads its predecessor's address.

Token and port outlive the hub (``run/token``, ``run/port``): a client that knew the last hub reaches the
next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from ..errors import HubProblem

RUN = "run"
MAX_LOG = 256 << 10
"""Bytes of ``run/hub.log``."""

_starting_lock = threading.Lock()
_starting: dict[tuple[int, Path], subprocess.Popen[bytes]] = {}
"""The hubs this process started last, by its own id: a forked child cannot wait for its parent's."""


@dataclass(frozen=True, slots=True)
class HubInfo:
    """Where a hub is: what ``hub.json`` holds."""

    host: str
    port: int
    token: str = field(repr=False)
    pid: int

    @property
    def address(self) -> str:
        """``host:port``, for people and for HTTP."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """What to connect to, token included."""
        return f"ws://{self.address}/ws?token={quote(self.token, safe='')}"

    @property
    def page(self) -> str:
        """The live page, token included."""
        return f"http://{self.address}/?token={quote(self.token, safe='')}"


def find(home: Path) -> HubInfo | None:
    """The project's running hub; None when there is none, or it has not opened its port yet."""
    run = Path(home) / RUN
    try:
        with _gate(run):
            if _free(run / "hub.lock"):
                return None
            found = json.loads((run / "hub.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    try:
        return HubInfo(str(found["host"]), int(found["port"]), str(found["token"]), int(found["pid"]))
    except (KeyError, TypeError, ValueError):
        return None


def ensure_started(home: Path, *words: str) -> HubInfo | None:
    """Start a hub if there is none, without waiting for it; the running one, if there is one already.
    ``words`` are its options on the command line."""
    home = Path(home).absolute()
    info = find(home)
    if info is None:
        with _starting_lock:
            process = _starting.get((os.getpid(), home))
            if process is None or process.poll() is not None:
                _starting[os.getpid(), home] = _spawn(home, words)
    return info


def ensure(home: Path, timeout: float = 10, *words: str) -> HubInfo:
    """The project's hub, started if there is none. Raises HubProblem when none is there after ``timeout``
    seconds or when it cannot start; the message ends with what the hub said last."""
    home = Path(home).absolute()
    deadline = time.monotonic() + timeout
    failed: set[int] = set()
    while True:
        info = find(home)
        if info is not None:
            return info
        process = _starting.get((os.getpid(), home))
        if process is not None and process.poll():
            failed.add(process.pid)
        # One that ended well lost the election to a hub that is not to be found yet, or not any more.
        if len(failed) > 1 or time.monotonic() > deadline:
            raise HubProblem(
                f"the broadcast hub did not start; see {home / RUN / 'hub.log'}{_last_words(home)}",
                hints=("try it in the foreground: jbts hub",),
            )
        ensure_started(home, *words)
        # A process that starts gives nothing to wait on but its file; the deadline is above.
        _pause.wait(0.02)


def stop(home: Path, timeout: float = 5) -> bool:
    """End the project's hub, if it is a process of its own; also one that this process has just started.
    True when one was ended.

    Raises HubProblem when the hub lives inside another process, or does not end within ``timeout``.
    """
    home = Path(home).absolute()
    run = home / RUN
    info = find(home)
    with _starting_lock:
        process = _starting.pop((os.getpid(), home), None)
    if process is not None and (info is None or process.pid != info.pid) and process.poll() is None:
        process.terminate()
    if info is None:
        return process is not None and _wait(lambda: process.poll() is not None, timeout)
    if not (run / "hub.lock").read_text("utf-8").startswith("process"):
        raise HubProblem(f"the hub is part of process {info.pid}; stop it there")
    os.kill(info.pid, signal.SIGTERM)

    def gone() -> bool:
        with _gate(run):
            return _free(run / "hub.lock")

    if not _wait(gone, timeout):
        raise HubProblem(f"the hub (process {info.pid}) did not end within {timeout:g} s")
    return True


def _wait(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether ``condition`` came true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        _pause.wait(0.02)
    return True


class Seat:
    """The right to be a project's hub: ``hub.lock``, held until :meth:`release` or death."""

    def __init__(self, run: Path, fd: int) -> None:
        self.run = run
        self._fd = fd
        self._identity = (os.fstat(fd).st_dev, os.fstat(fd).st_ino)

    @classmethod
    def take(cls, home: Path, *, inside: bool) -> Seat | None:
        """Take the seat, or None when another hub has it. ``inside`` says that the hub is a thread of a
        process that does other things too, and so must not be ended with a signal."""
        run = Path(home).absolute() / RUN
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _gate(run):
            fd = os.open(run / "hub.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
            os.ftruncate(fd, 0)
            os.write(fd, f"{'thread' if inside else 'process'} {os.getpid()}\n".encode())
            (run / "hub.json").unlink(missing_ok=True)
        seat = cls(run, fd)
        _seats.add(seat)
        return seat

    def token(self) -> str:
        """The project's token, made on first use."""
        path = self.run / "token"
        if path.exists():
            kept = path.read_text("ascii", "replace").strip()
            if len(kept) >= 20 and kept.isprintable() and kept.isascii():
                return kept
        made = secrets.token_urlsafe(24)
        _write(path, made)
        return made

    def last_port(self) -> int:
        """The port the last hub had; 0 when there was none."""
        try:
            port = int((self.run / "port").read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0
        return port if 0 < port < 1 << 16 else 0

    def announce(self, info: HubInfo) -> None:
        """Tell where the hub is. Call it when the hub answers, not before."""
        _write(self.run / "port", str(info.port))
        _write(self.run / "hub.json", json.dumps(asdict(info)))

    def lost(self) -> bool:
        """Whether the folder was removed or replaced: a hub nobody can find any more should end."""
        try:
            found = os.stat(self.run / "hub.lock")
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._identity

    def leave(self) -> None:
        """Take the address down; the seat stays taken, so that no other hub wants the port already."""
        if self._fd >= 0 and not self.lost():
            (self.run / "hub.json").unlink(missing_ok=True)

    def release(self) -> None:
        """Give the seat up. Idempotent."""
        self.leave()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_UN)  # a child forked this very moment may still hold a copy
            os.close(fd)

    def _after_fork(self) -> None:
        """In the child: drop the copy of the lock, which the parent goes on holding."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextmanager
def _gate(run: Path) -> Iterator[None]:
    """Alone with the lock for a moment. Raises FileNotFoundError where there is no such folder."""
    fd = os.open(run / "hub.gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _free(lock: Path) -> bool:
    """Whether nobody holds ``lock``. Only inside the gate."""
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _write(path: Path, text: str) -> None:
    """Write a private file so that a reader sees the old text or the new one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
    os.replace(fresh, path)


def _spawn(home: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a hub that outlives this process, quiet, its words in ``run/hub.log``."""
    run = home / RUN
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = os.open(run / "hub.log", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(log).st_size > MAX_LOG:
            os.ftruncate(log, 0)
        process = subprocess.Popen(
            [sys.executable, "-m", "jbts_kernel.broadcast.hub", str(home), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
    finally:
        os.close(log)
    # Somebody has to collect the hub when it ends before this process does; waiting costs nothing.
    threading.Thread(target=process.wait, name="jbts-hub-wait", daemon=True).start()
    return process


def _environment() -> dict[str, str]:
    """This environment, with this very package importable also when it is a checkout."""
    root = Path(__file__).resolve().parents[2]
    environment = dict(os.environ)
    if root.name not in ("site-packages", "dist-packages"):
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{before}" if before else str(root)
    return environment


def _last_words(home: Path) -> str:
    """The last line of the hub's log, for an error message."""
    try:
        lines = (home / RUN / "hub.log").read_text("utf-8", "replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return f" (it said: {lines[-1][:300]})" if lines else ""


def _after_fork_in_child() -> None:
    global _starting_lock
    _starting_lock = threading.Lock()
    for seat in list(_seats):
        seat._after_fork()


_seats: weakref.WeakSet[Seat] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork_in_child)

_pause = threading.Event()  # never set: an interruptible way to look again a little later
