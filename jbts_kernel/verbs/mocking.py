"""What the page meets on the network: answers in a server's stead, and a network that is slow or away."""

from __future__ import annotations

import json
import mimetypes
import re
from concurrent.futures import Future, wait
from typing import Any, Literal

from ..browser.interception import Mock
from ..errors import StepProblem, StepTimeout
from ..grammar import Input, Json, clip
from ..grammar import Path as PathWord
from ..stage import Stage
from .expecting import url_pattern
from .registry import verb

LARGEST = 20_000_000
_INSTEAD = "use chrome, chromium or edge, or let the test's own server answer"


@verb("mock", "custom", also="route intercept")
def mock(
    stage: Stage,
    glob: Input | None = None,
    *,
    status: int | None = None,
    json_: Json | None = None,
    body: str | None = None,
    file: PathWord | None = None,
    header: tuple[str, ...] = (),
    method: str | None = None,
    abort: bool = False,
    delay: float = 0,
    times: int | None = None,
    clear: bool = False,
) -> list[dict[str, object]] | None:
    """Answer the page's requests that fit a glob yourself, until the test ends.

    It holds for documents, scripts, pictures and whatever scripts fetch, in every tab and frame of this user.
    The rule made last is asked first. ``%mock`` alone lists the rules and how often each was hit, ``--clear``
    drops them all. With nothing but ``--delay`` the server answers, later.

    Args:
        glob: an address; * stays within a path segment, ** crosses /; /path is below base_url, path below any folder
        status: the HTTP status, 200 if left out
        json_: a JSON value to answer with
        body: a text to answer with
        file: a file to answer with, relative to the notebook
        header: one more header, as --header "X-Trace: 7"
        method: only requests of this method
        abort: let the request fail, as if the server were not there
        delay: milliseconds before the answer
        times: how many requests to answer; the ones after go to the server
        clear: drop every rule
    """
    interception, tabs = stage.session.intercept("%mock", _INSTEAD)
    context = stage.session.context_id
    if glob is None:
        if clear:
            _settle(stage, interception.clear(context, tabs))
            return None
        rules = interception.mocks(context)
        return [{"glob": m.glob, "method": m.method or "any", "does": m.does, "hits": m.hits} for m in rules]
    if clear:
        raise StepProblem("--clear drops every rule and takes no glob: %mock --clear")
    given = [n for n, v in (("--json", json_), ("--body", body), ("--file", file)) if v is not None]
    if len(given) > 1 or (abort and (given or status is not None or header)):
        raise StepProblem(f"{' and '.join([*given, *(['--abort'] if abort else [])])} exclude each other; give one")
    if status is not None and not 200 <= status <= 599:
        raise StepProblem(f"--status {status} is no HTTP status of an answer; use 200 to 599")
    if not 0 <= delay <= 600_000:
        raise StepProblem(f"--delay is milliseconds from 0 to 600000, not {delay:g}")
    if times is not None and times < 1:
        raise StepProblem(f"--times counts requests from 1, not {times}")
    answers = bool(given) or status is not None or bool(header)
    if not (answers or abort or delay):
        raise StepProblem(f"%mock {clip(glob)} needs an answer: --json V, --body T, --file F, --status N or --abort")
    data, mime = _content(stage, json_, body, file)
    headers = [_header(line) for line in header]
    if mime and "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(("Content-Type", mime))
    if "://" not in glob and not glob.startswith(("*", "/")):
        glob = f"**/{glob}"
    rule = Mock(
        glob=glob,
        pattern=re.compile(url_pattern(glob, stage.base_url)),
        method=method.upper() if method else None,
        status=(status or 200) if answers else None,
        headers=tuple(headers),
        body=data,
        abort=abort,
        delay_ms=delay,
        times=times,
    )
    _settle(stage, interception.add(context, rule, tabs))
    stage.note = rule.does
    return None


def _content(stage: Stage, value: str | None, body: str | None, file: str | None) -> tuple[bytes, str]:
    """What to answer with, and its media type."""
    if value is not None:
        try:
            json.loads(value)
        except ValueError as error:
            raise StepProblem(f"--json {clip(value)} is no JSON ({error}); quote it: --json '{{\"a\": 1}}'") from None
        return value.encode(), "application/json"
    if body is not None:
        return body.encode(), "text/plain; charset=utf-8"
    if file is None:
        return b"", ""
    path = stage.file(file)
    if not path.is_file():
        raise StepProblem(f"there is no file {path}")
    if path.stat().st_size > LARGEST:
        raise StepProblem(f"{path} is larger than {LARGEST // 1_000_000} MB; serve it instead of mocking it")
    return path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name.strip()) or re.search(r"[\r\n\0]", value):
        raise StepProblem(f'{clip(line)!r} is no header; write --header "Name: value"')
    return name.strip(), value.strip()


def _settle(stage: Stage, changes: list[Future[dict[str, Any]]]) -> None:
    """Return once the browser has taken the changes in."""
    if wait(changes, max(0.1, stage.deadline.left)).not_done:
        raise StepTimeout(f"the browser did not take the rule in within {stage.deadline.seconds:g} s")


@verb("network", "custom")
def network(stage: Stage, state: Literal["online", "offline", "slow-3g"]) -> None:
    """Take this user's network away, make it slow, or give it back; for all tabs, also new ones.

    Args:
        state: online, offline, or slow-3g (400 kbit/s, two seconds to each answer)
    """
    interception, tabs = stage.session.intercept("%network", "use chrome, chromium or edge, or slow the server down")
    _settle(stage, interception.network(stage.session.context_id, state, tabs))
