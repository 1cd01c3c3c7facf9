"""The values that cross layers. All are frozen: a layer that wants another value makes a new one.

A cell's text becomes a :class:`Step`; running it gives a :class:`StepResult`; recording it appends
:class:`Event` values to the log, and everything else (tables, rooms, reports) is read from those.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .ids import new_id

Status = Literal["running", "passed", "failed", "error", "skipped", "aborted"]
"""Of an execution and of a step: ``failed`` is an expectation, ``error`` anything else, ``aborted``
an interrupt or a process that died."""

StepType = Literal[
    "navigate", "click", "type", "wait", "assert", "screenshot", "custom",
    "select", "hover", "press", "drag", "scroll", "upload", "dialog", "frame", "tab", "cookie",
    "storage", "evaluate", "request", "read", "analyze",
]  # fmt: skip

EVENT_SCHEMA = 1
"""Version of the log's line format, written as ``v``; readers skip what they do not know."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What every step takes, whatever its verb. ``timeout`` is in seconds; None means the default."""

    timeout: float | None = None
    name: str | None = None
    optional: bool = False
    continue_on_failure: bool = False
    retries: int = 0
    screenshot: bool = True
    first: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a verb of the registry with its arguments, parsed and not yet run.

    ``arguments`` are the verb's parameters by name, as typed (``${name}`` not yet filled in);
    ``source`` is the line as written, for the card and for replay.
    """

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: StepOptions = StepOptions()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in CSS pixels, from the top left corner of the picture it belongs to."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file. ``artifact`` is the SHA-256 of its bytes, ``path`` is relative to the project's
    data folder, ``role`` one of before, after, failure, full_page, source, accessibility, download,
    expected, actual, diff (a snapshot's), evidence.
    ``width`` and ``height`` are pixels, None where the file is no picture."""

    artifact: str
    role: str
    mime: str
    path: str
    bytes: int
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class ConsoleMessage:
    """A console line or an uncaught JavaScript error (level ``error``), at ``ts`` seconds since the epoch."""

    level: str
    text: str
    url: str = ""
    ts: float = 0.0


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A finished request. ``status`` is None where no answer came; ``text`` then says why."""

    method: str
    url: str
    status: int | None = None
    duration_ms: float | None = None
    text: str = ""
    ts: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= 400


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step did. ``source`` is its line, secrets masked; ``value`` is what a reading verb read;
    times are milliseconds, ``browser_ms`` those that starting a browser took; ``screenshot``
    is the picture after the step (or at the failure); ``box`` is the element acted on, on that
    picture; ``analyses`` are the looks it took, a row each, and ``analysis`` what they came to;
    ``note`` is the one line the card adds ("replaced a dead browser"); ``pictures`` (small, by name)
    and ``difference`` are what a snapshot shows; ``tried`` is what a failed step waited for and saw, a line
    each; ``evidence`` is the path of the failure's one HTML file."""

    step: Step
    step_id: str
    execution_id: str
    ordinal: int
    status: Status
    source: str = ""
    step_type: StepType = "custom"
    locator: str | None = None
    input: str | None = None
    expected: str | None = None
    value: Any = None
    started_at: float = 0.0
    duration_ms: float = 0.0
    wait_ms: float = 0.0
    browser_ms: float = 0.0
    picture_ms: float = 0.0
    retries: int = 0
    url: str = ""
    title: str = ""
    http_status: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_fingerprint: str | None = None
    hints: tuple[str, ...] = ()
    screenshot: Artifact | None = None
    thumbnail: bytes | None = field(default=None, repr=False)
    viewport: tuple[int, int] | None = None
    box: Box | None = None
    artifacts: tuple[Artifact, ...] = ()
    console: tuple[ConsoleMessage, ...] = ()
    requests: tuple[NetworkRequest, ...] = ()
    analyses: tuple[Analysis, ...] = ()
    analysis: Analysis | None = None
    note: str = ""
    pictures: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    difference: str = ""
    tried: tuple[str, ...] = ()
    evidence: str | None = None

    @property
    def ok(self) -> bool:
        return self.status == "passed"


@dataclass(frozen=True, slots=True)
class Execution:
    """One attempt at one test. ``history_id`` joins the attempts and runs of the same test with the
    same parameters; ``attempt`` starts at 1."""

    execution_id: str
    run_id: str
    test_name: str
    history_id: str
    started_at: float
    notebook: str | None = None
    category: str | None = None
    priority: str | None = None
    tags: tuple[str, ...] = ()
    browser: str | None = None
    browser_version: str | None = None
    base_url: str | None = None
    attempt: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen on a page. ``source`` is dom, axe, console, network, pixels or ai; ``grounded``
    says whether the page itself bears it out, ``rule`` which offline rule found it."""

    category: str
    severity: Literal["critical", "serious", "moderate", "minor"]
    message: str
    source: str
    locator: str | None = None
    box: Box | None = None
    evidence: str = ""
    grounded: bool = True
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What looking at a page found; one for every call, also one that failed (``status`` says how).

    ``expected`` is a claim that was to be checked and ``verdict`` the answer (true, false or not_checked) with
    its ``reason``. ``layers`` are the analyses this one was put together from, ``warnings`` what a reader must
    know of it, ``size`` the width and height of its picture in CSS pixels.
    """

    analysis_id: str
    kind: str
    provider: str
    status: str
    summary: str = ""
    findings: tuple[Finding, ...] = ()
    model: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    cache_hit: bool = False
    attempts: int = 0
    error_type: str | None = None
    expected: str | None = None
    verdict: Literal["true", "false", "not_checked"] | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    layers: tuple[Analysis, ...] = ()
    size: tuple[int, int] | None = None

    def __repr__(self) -> str:
        worst = f", worst {self.findings[0].severity}" if self.findings else ""
        return f"<Analysis {self.kind} by {self.provider}: {self.status}, {len(self.findings)} findings{worst}>"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. ``ts`` is seconds since the epoch (UTC), ``data`` holds the fields of its
    ``kind`` and must be plain JSON values. The log adds ``source`` (its writer) and ``seq``."""

    kind: str
    data: Mapping[str, Any]
    run_id: str | None = None
    execution_id: str | None = None
    step_id: str | None = None
    id: str = field(default_factory=new_id)
    ts: float = field(default_factory=time.time)
