"""HTTP beside the browser: a request is a step, recorded like one.

A request to the origin of the current page carries the page's cookies, so a test can sign in by hand
and ask the API as the same user.
"""

from __future__ import annotations

import json as jsonlib
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..browser.faults import first_line
from ..errors import ExpectationFailed, NavigationFailed, StepProblem, StepTimeout, UsageProblem
from ..grammar import Input, clip
from ..models import NetworkRequest
from ..stage import Stage
from .navigation import address
from .registry import verb

BODY_LIMIT = 10_000_000
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Answer:
    """What the server answered. ``text`` is at most 10 MB of it; ``json`` the parsed body, or an error."""

    status: int
    url: str
    headers: dict[str, str] = field(repr=False)
    text: str = field(repr=False)
    duration_ms: float

    @property
    def json(self) -> Any:
        try:
            return jsonlib.loads(self.text)
        except ValueError as error:
            raise StepProblem(
                f"the answer of {self.url} is no JSON ({error}); it begins {clip(self.text, 60)!r}"
            ) from None


def _check_request(method: str, **_: Any) -> None:
    if method.upper() not in METHODS:
        raise UsageProblem(f"{clip(method)!r} is no HTTP method; use one of {', '.join(METHODS)}", word=method)


@verb("request", "request", also="http api fetch", body="body", check=_check_request)
def request(
    stage: Stage,
    method: str,
    url: Input,
    *,
    expect_status: int | None = None,
    json: tuple[str, ...] = (),
    header: tuple[str, ...] = (),
    body: Input | None = None,
) -> Answer:
    """Send an HTTP request and return the answer (status, headers, text, json).

    Args:
        method: GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS
        url: the address, relative to base_url
        expect_status: fail unless the answer has this status
        json: fail unless the JSON answer has this value, like items[0].name=Ada
        header: a header, like 'Accept: text/csv'
        body: what to send; in a cell of its own below %%request
    """
    import urllib3
    from urllib3.exceptions import HTTPError, MaxRetryError
    from urllib3.exceptions import TimeoutError as HTTPTimeout

    verb_name = method.upper()
    full = address(
        url,
        stage.base_url or stage.session.evaluate("location.origin === 'null' ? '' : location.origin") or "",
    )
    headers = {"Accept": "application/json, */*", "User-Agent": "jbts-kernel"}
    payload = body.strip() if body else None
    if payload and payload[:1] in "{[":
        headers["Content-Type"] = "application/json"
    elif payload:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    cookies = _cookies(stage, full)
    if cookies:
        headers["Cookie"] = cookies
    for line in header:
        key, colon, value = line.partition(":")
        if not colon or not key.strip() or "\n" in line:
            raise StepProblem(f"a header is 'Name: value', not {clip(line)!r}")
        headers = {k: v for k, v in headers.items() if k.lower() != key.strip().lower()} | {key.strip(): value.strip()}
    started, clock = time.time(), time.monotonic()
    pool = urllib3.PoolManager(
        retries=urllib3.Retry(None, connect=0, read=0, other=0, redirect=10), timeout=max(0.05, stage.deadline.left)
    )
    try:
        reply = pool.request(
            verb_name,
            full,
            body=payload.encode() if payload else None,
            headers=headers,
            preload_content=False,
        )
        content = reply.read(BODY_LIMIT, decode_content=True)
    except (HTTPTimeout, MaxRetryError) as error:
        reason = error.reason if isinstance(error, MaxRetryError) else error
        stage.requests.append(
            NetworkRequest(
                verb_name, full, None, (time.monotonic() - clock) * 1000, first_line(reason or error), started
            )
        )
        if isinstance(reason, HTTPTimeout) and "onnection" not in type(reason).__name__:
            raise StepTimeout(f"{clip(full)} did not answer within {stage.deadline.seconds:g} s") from None
        raise NavigationFailed(f"cannot reach {clip(full)}: {_reason(reason or error)}") from None
    except HTTPError as error:
        raise NavigationFailed(f"cannot reach {clip(full)}: {clip(first_line(error), 160)}") from None
    finally:
        pool.clear()
    duration = (time.monotonic() - clock) * 1000
    charset = re.search(r"charset=([\w-]+)", reply.headers.get("Content-Type", ""))
    try:
        text = content.decode(charset.group(1) if charset else "utf-8", "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    answer = Answer(reply.status, full, dict(reply.headers), text, duration)
    stage.http_status = answer.status
    stage.requests.append(NetworkRequest(verb_name, full, answer.status, duration, "", started))
    stage.note = f"HTTP {answer.status}, {len(content)} bytes, {duration:.0f} ms"
    if expect_status is not None and answer.status != expect_status:
        raise ExpectationFailed(
            f"expected HTTP status {expect_status} from {clip(full)}; it answered {answer.status}: {clip(text, 200)}"
        )
    for check in json:
        _check_json(answer, check)
    return answer


def _reason(error: BaseException) -> str:
    text = first_line(error)
    if "refused" in text:
        return "nothing answers there (connection refused); is the server running?"
    if "resolve" in text or "Name or service" in text:
        return "that host name is not known; check the spelling or the network"
    return clip(text, 160)


def _cookies(stage: Stage, url: str) -> str:
    """The current page's cookies, if the request goes to its origin."""
    if stage.session.dialog is not None:
        return ""
    here, there = urlsplit(str(stage.session.evaluate("location.href") or "")), urlsplit(url)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        return ""
    return "; ".join(f"{name}={value}" for name, value in stage.session.cookies(url).items())


def _check_json(answer: Answer, check: str) -> None:
    path, equals, expected = check.partition("=")
    if not equals:
        raise StepProblem(f"--json takes PATH=VALUE, like items[0].name=Ada, not {clip(check)!r}")
    value: Any = answer.json
    for key in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ExpectationFailed(
                f"expected {path} = {expected} in the answer; there is no {key} in {clip(jsonlib.dumps(value), 160)}"
            ) from None
    shown = value if isinstance(value, str) else jsonlib.dumps(value)
    try:
        same = value == jsonlib.loads(expected)
    except ValueError:
        same = False
    if shown != expected and not same:
        raise ExpectationFailed(f"expected {path} = {expected} in the answer; it is {clip(shown, 200)}")
