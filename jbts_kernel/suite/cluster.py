"""Notebooks on a Dask cluster: each attempt is a task, and what it recorded comes home with its result.

A task runs one attempt exactly as this machine would, in a data folder of its own, and returns the folder's segments,
pictures and executed notebook as bytes. They are taken over here as ``jbts import`` takes them over: a segment is
applied once, by its name. A worker that dies in the middle takes what it had recorded with it, and the scheduler runs
the task on another; the run says so. Ctrl-C reaches the notebooks on their workers: their teardown cells run, and what
they recorded comes home.

Workers need this package, and either see the notebooks under the same paths or are sent them (then without the files
beside them). What is set by ``JBTS_`` variables here holds there, too: ``JBTS_GRID_URL`` for the browsers, above all.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ClusterUnavailable, JBTSError, UsageProblem
from ..store.transfer import FOLDERS
from .interruption import Interruption
from .outcome import Attempt
from .residence import interrupt, leave, residence
from .selection import Case
from .turns import NotBegun
from .verdict import Verdict, one_line

CONNECT_SECONDS = 15.0
LOOK_AGAIN = 0.5
_SENT = ("JBTS_", "SELENIUM_HUB_URL")
_OWN = frozenset({"JBTS_HOME", "JBTS_LENDER", "JBTS_WARM", "JBTS_BROADCASTER", "JBTS_NOTIFY"})
"""Variables that mean something of this machine."""
_BROUGHT = ("spool", "artifacts", "runs", *FOLDERS)


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt to be made elsewhere. ``notebook`` is the file, for a worker that cannot see it."""

    run_id: str
    case: Case
    number: int
    parameters: Mapping[str, Any]
    timeout: float | None
    cell_timeout: float | None
    environ: Mapping[str, str]
    notebook: bytes


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an attempt made elsewhere came to: files by their path below a data folder. ``executed`` is one of them."""

    attempt: Attempt
    executed: str | None
    files: Mapping[str, bytes]


def _resolve(address: str) -> None:
    """Look a host up once: Dask asks for an unknown one again and again until its time is up. Raises ValueError,
    OSError."""
    from distributed.comm.addressing import parse_address, parse_host_port

    parse: Any = parse_address  # which has no types
    locate: Any = parse_host_port
    scheme, location = parse(address)
    if scheme in ("tcp", "tls"):
        socket.getaddrinfo(*locate(location))


class Cluster:
    """A Dask cluster that makes the attempts of one run; a context manager.

    Raises:
        UsageProblem: the address is none, or ``dask.distributed`` is missing.
        ClusterUnavailable: there is no scheduler at the address, or it has no workers.
    """

    def __init__(self, address: str, home: Path, run_id: str, environ: Mapping[str, str], *, warm: bool) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UsageProblem(
                "--dask needs dask.distributed: pip install 'jbts-kernel[dask]'", word="--dask"
            ) from None
        try:
            _resolve(address)
            connect: Any = Client  # which has no types
            self._client: Any = connect(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except ValueError as problem:
            raise UsageProblem(
                f"--dask {address} is no address ({one_line(problem, 160)}); write tcp://HOST:8786", word=address
            ) from None
        except OSError as problem:
            raise ClusterUnavailable(
                f"--dask {address}: no scheduler answers there ({one_line(problem, 160)}); start one: dask scheduler"
            ) from None
        self.size = sum(self._client.nthreads().values())
        if not self.size:
            self._client.close()
            raise ClusterUnavailable(f"--dask {address}: it has no workers; start some: dask worker {address}")
        self._home = home
        self._run_id = run_id
        self._environ = {k: v for k, v in environ.items() if k.startswith(_SENT) and k not in _OWN}
        if not warm:
            self._environ["JBTS_WARM"] = "0"
        self._lock = threading.Lock()
        self._telling = threading.Lock()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *about: object) -> None:
        self._tell(leave)
        self._client.close()

    def _tell(self, what: Callable[..., Coroutine[Any, Any, None]], *about: object) -> None:
        """Have every worker do something for this run, without waiting until it is done. One that cannot be reached
        is lost, which is noticed elsewhere."""
        if self._telling.acquire(blocking=False):
            try:
                self._client.run(what, self._run_id, *about, wait=False, on_error="ignore")
            finally:
                self._telling.release()

    def attempt(
        self,
        case: Case,
        number: int,
        parameters: Mapping[str, Any],
        timeout: float | None,
        cell_timeout: float | None,
        interruption: Interruption,
    ) -> Attempt | Verdict:
        """Make an attempt on some worker and bring home what it recorded; the verdict alone where nothing comes.

        Raises:
            NotBegun: the run was asked to end before it began.
        """
        try:
            notebook = case.path.read_bytes()
        except OSError:
            notebook = b""  # which is said where it is run
        order = Order(self._run_id, case, number, parameters, timeout, cell_timeout, self._environ, notebook)
        key = f"jbts-{self._run_id}-{case.slug}-{number}"
        future = self._client.submit(perform, order, key=key, pure=False)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(LOOK_AGAIN):
            if interruption.level:
                self._tell(interrupt, interruption.level)  # again and again: it may be on its way to another worker
            if interruption.level > 1:
                future.cancel()
                return Verdict("aborted", "interrupted, and not waited for on its worker", None, "KeyboardInterrupt")
        if future.status != "finished":
            reason = one_line(future.exception())
            return Verdict("error", f"no worker finished it: {reason}", None, "WorkerLost", infrastructure=True)
        parcel: Parcel | None = future.result()
        if parcel is None:
            raise NotBegun("the run ended before it began")
        return self._unpack(parcel)

    def _unpack(self, parcel: Parcel) -> Attempt:
        from ..store.transfer import transfer

        (self._home / "run").mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=self._home / "run"))
        try:
            for name, data in parcel.files.items():
                place = (incoming / name).resolve()
                if not place.is_relative_to(incoming.resolve()):
                    raise JBTSError(f"a worker sent a file that does not belong into a data folder: {name!r}")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            with self._lock:  # one publication at a time
                transfer(incoming, self._home)
            executed = None
            if parcel.executed is not None:
                executed = self._home / "runs" / self._run_id / Path(parcel.executed).name
                shutil.copyfile(incoming / parcel.executed, executed)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return replace(parcel.attempt, executed=executed)

    def moved(self) -> list[str]:
        """What to say of notebooks whose worker died in the middle of them."""
        begun: dict[str, list[str]] = {}
        for _, event in self._client.get_events(f"jbts-{self._run_id}"):
            begun.setdefault(f"{event['case']}, attempt {event['number']}", []).append(event["worker"])
        return [
            f"{what}: its worker {workers[0]} was lost while it ran; it was run again on {workers[-1]}"
            for what, workers in begun.items()
            if len(workers) > 1
        ]


def perform(order: Order) -> Parcel | None:
    """On a worker: make the attempt in a data folder of its own, and pack what it left there. None where the run was
    asked to end before."""
    from distributed import get_worker

    from .runner import one_by_one

    worker: Any = get_worker()
    told = {"case": order.case.name, "number": order.number, "worker": worker.address}
    worker.log_event(f"jbts-{order.run_id}", told)
    temporary = tempfile.TemporaryDirectory(prefix="jbts-", dir=worker.local_directory, ignore_cleanup_errors=True)
    with residence(order.run_id) as here, temporary as place:
        if here.interruption.level:
            return None
        home, case = Path(place) / ".jbts", order.case
        if not (case.path.is_file() and case.path.read_bytes() == order.notebook):
            path = Path(place) / case.path.name
            path.write_bytes(order.notebook)
            case = replace(case, path=path)
        environ = {**os.environ, **order.environ, "JBTS_BROADCASTER": "off"}
        with one_by_one(
            home,
            order.run_id,
            folder=Path(place),
            parameters=order.parameters,
            timeout=order.timeout,
            cell_timeout=order.cell_timeout,
            environ=environ,
            interruption=here.interruption,
            warmth=here.warmth(worker.local_directory, environ, worker.state.nthreads),
        ) as attempt:
            made = attempt(case, order.number)
        files = {
            path.relative_to(home).as_posix(): path.read_bytes()
            for name in _BROUGHT
            for path in sorted((home / name).rglob("*"))
            if path.is_file()
        }
        executed = made.executed.relative_to(home).as_posix() if made.executed else None
        return Parcel(replace(made, executed=None), executed, files)
