"""One question to a model over HTTP: two dialects, one deadline, and an answer for every way it can end.

The request runs on a thread of its own and the caller waits for it, so Ctrl-C ends the waiting at once. Retries
are the SDK's; a quota that is used up is not retried, and nothing is sent again once the caller has gone. What
comes back is read as text and taken apart here, so that a broken answer still says what it was billed.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .images import Tile
from .server import Server

RETRIES = 2
LOOK = 0.05
TEXT_LIMIT = 200_000
_chat_only: set[str] = set()
"""The base_urls found to have no Responses."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: instructions, a text, pictures, and the schema of the answer."""

    name: str
    instructions: str
    text: str
    schema: Mapping[str, Any]
    tiles: tuple[Tile, ...] = ()
    longest: int = 8_000


@dataclass(slots=True)
class Reply:
    """How it ended. ``status`` is one of the store's; ``detail`` one line for a person."""

    status: str
    text: str = ""
    detail: str = ""
    error_type: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    attempts: int = 0
    latency_ms: float = 0.0
    cache_hit: bool = False


@dataclass(slots=True)
class _Call:
    """What the two threads share."""

    done: threading.Event = field(default_factory=threading.Event)
    gone: bool = False
    attempts: int = 0
    last_status: int | None = None
    body: str = ""
    error: BaseException | None = None


_UNKNOWN_PATH = re.compile(r"\b(unknown|unexpected|invalid|unsupported) (endpoint|url|route|path)\b", re.IGNORECASE)
"""How a server says that it has no such path, with whatever status (LM Studio: "Returning 200 anyway")."""


def send(server: Server, question: Question, clock: Callable[[], float] = time.monotonic) -> Reply:
    """Ask, and say how it ended. Raises KeyboardInterrupt, with the reply so far as its ``reply``."""
    begun, call = clock(), _Call()
    try:
        reply = _either(server, question, call, begun + server.deadline, clock)
    except KeyboardInterrupt as interrupt:
        call.gone = True
        interrupt.reply = Reply(  # type: ignore[attr-defined]
            "cancelled", detail="interrupted", error_type="KeyboardInterrupt", attempts=call.attempts,
            latency_ms=(clock() - begun) * 1000,
        )  # fmt: skip
        raise
    reply.attempts = call.attempts
    reply.latency_ms = (clock() - begun) * 1000
    return reply


def _either(server: Server, question: Question, call: _Call, end: float, clock: Callable[[], float]) -> Reply:
    """Ask by Responses, and where the server does not have it, by Chat Completions."""
    if server.base_url not in _chat_only:
        reply = _ask(server, "/responses", _responses_body(server, question), call, end, clock)
        if not _lacks_responses(reply, call):
            return reply
        _chat_only.add(server.base_url)
    return _ask(server, "/chat/completions", _chat_body(server, question), call, end, clock)


def _lacks_responses(reply: Reply, call: _Call) -> bool:
    absent = reply.status == "not_found" and call.last_status in (404, 405) and "model_not_found" not in call.body
    unknown = call.last_status in (200, 400) and _UNKNOWN_PATH.search(_error_of(call.body)) is not None
    return absent or unknown or call.last_status == 501  # not implemented


def _ask(server: Server, path: str, body: dict[str, Any], call: _Call, end: float, clock: Callable[[], float]) -> Reply:
    call.done.clear()
    call.error, call.body, call.last_status = None, "", None
    thread = threading.Thread(
        target=_work, args=(server, path, body, call, end - clock()), name="jbts-model", daemon=True
    )
    thread.start()
    while not call.done.wait(LOOK) and clock() < end:
        pass  # in short turns, so that an interrupt gets through on every system
    if not call.done.is_set():
        call.gone = True
        status = {429: "rate_limited"}.get(call.last_status or 0) or (
            "server_error" if (call.last_status or 0) >= 500 else "timeout"
        )
        said = f" (the last answer was HTTP {call.last_status})" if call.last_status else ""
        return Reply(
            status,
            detail=f"no answer within {server.deadline:g} s{said}; raise JBTS.vision_deadline",
            error_type="APITimeoutError",
        )
    if call.error is not None:
        return _failed(server, call, call.error)
    return _answered(call.body)


def _work(server: Server, path: str, body: dict[str, Any], call: _Call, seconds: float) -> None:
    """On the thread: the SDK's request with its retries."""
    import openai

    class Gone(openai.OpenAIError):
        """The caller does not wait any more."""

    def before(request: Any) -> None:
        if call.gone:
            raise Gone
        call.attempts += 1
        call.body = ""

    def after(response: Any) -> None:
        response.read()
        said = response.text.replace(server.key, "***") if server.key else response.text  # some servers repeat it
        call.last_status, call.body = response.status_code, said[:TEXT_LIMIT]
        if response.status_code == 429 and "insufficient_quota" in call.body:
            response.headers["x-should-retry"] = "false"

    try:
        transport = openai.DefaultHttpx2Client(
            event_hooks={"request": [before], "response": [after]}, follow_redirects=False, timeout=max(0.1, seconds)
        )
        with openai.OpenAI(
            api_key=server.key or "none",
            base_url=server.base_url,
            max_retries=RETRIES,
            timeout=max(0.1, seconds),
            http_client=transport,
        ) as client:
            client.post(path, cast_to=object, body=body)
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        if call.last_status != 200 or not call.body:  # what the SDK cannot read is taken apart here all the same
            call.error = error
    finally:
        call.done.set()


def _failed(server: Server, call: _Call, error: BaseException) -> Reply:
    """The reply for what the SDK raised."""
    import openai

    kind = type(error).__name__
    quota = isinstance(error, openai.RateLimitError) and "insufficient_quota" in call.body
    host, model = server.host, server.model
    limited = "the account has no credit left" if quota else "too many requests; try again later"
    known: tuple[tuple[type[BaseException], str, str], ...] = (
        (openai.APITimeoutError, "timeout", f"no answer within {server.deadline:g} s; raise JBTS.vision_deadline"),
        (openai.APIConnectionError, "connection_error", f"{host} cannot be reached; check JBTS.vision_base_url"),
        (openai.AuthenticationError, "unauthorized", f"{host} did not accept the key; check OPENAI_API_KEY"),
        (openai.PermissionDeniedError, "unauthorized", f"the key may not use {model}; check JBTS.vision_model"),
        (
            openai.NotFoundError, "not_found",
            f"{host} has no model {model}, or is no such API; check JBTS.vision_model and JBTS.vision_base_url",
        ),
        (openai.RateLimitError, "quota" if quota else "rate_limited", limited),
        (openai.InternalServerError, "server_error", f"{host} answered HTTP {call.last_status}"),
    )  # fmt: skip
    for wanted, status, detail in known:
        if isinstance(error, wanted):
            return Reply(status, detail=detail, error_type=kind)
    if call.last_status == 405:
        return Reply("not_found", detail=f"{server.host} is no such API", error_type=kind)
    if isinstance(error, openai.APIStatusError):
        said = _error_of(call.body)
        return Reply(
            "refused",
            detail=f"{server.host} answered HTTP {call.last_status}{f': {said}' if said else ''}",
            error_type=kind,
        )
    if isinstance(error, openai.OpenAIError):
        return Reply("connection_error", detail=f"the question could not be sent: {kind}", error_type=kind)
    raise error


def _error_of(body: str) -> str:
    try:
        error = json.loads(body).get("error")
    except (ValueError, AttributeError):
        return ""
    message = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(message or "").split())[:200]


# ---- the two dialects -------------------------------------------------------------------------------
def _responses_body(server: Server, q: Question) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "input_text", "text": q.text}]
    content += [{"type": "input_image", "image_url": t.url, "detail": "high"} for t in q.tiles]
    return {
        "model": server.model,
        "instructions": q.instructions,
        "input": [{"role": "user", "content": content}],
        "text": {"format": {"type": "json_schema", "name": q.name, "strict": True, "schema": dict(q.schema)}},
        "max_output_tokens": q.longest,
        "store": False,
    }


def _chat_body(server: Server, q: Question) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": q.text}]
    content += [{"type": "image_url", "image_url": {"url": t.url, "detail": "high"}} for t in q.tiles]
    limit = "max_completion_tokens" if server.official else "max_tokens"
    return {
        "model": server.model,
        "messages": [{"role": "system", "content": q.instructions}, {"role": "user", "content": content}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": q.name, "strict": True, "schema": dict(q.schema)},
        },
        limit: q.longest,
        "store": False,
    }


def _answered(body: str) -> Reply:
    """The reply in an answer of either dialect; its tokens are read before anything else of it."""
    try:
        answer = json.loads(body)
    except ValueError:
        return Reply("bad_json", detail="the server's answer is no JSON; is it OpenAI's API?", error_type="BadAnswer")
    if not isinstance(answer, dict):
        return Reply("bad_json", detail="the server's answer is no JSON object", error_type="BadAnswer")
    reply = Reply("ok", model=_text(answer.get("model")))
    usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    assert isinstance(usage, dict)
    reply.input_tokens = _number(usage, "input_tokens", "prompt_tokens")
    reply.output_tokens = _number(usage, "output_tokens", "completion_tokens")
    details = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
    reply.cached_tokens = _number(details, "cached_tokens") if isinstance(details, dict) else None
    choices = answer.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        _read_chat(choices[0], reply)
    else:
        _read_responses(answer, reply)
    return reply


def _read_responses(answer: dict[str, Any], reply: Reply) -> None:
    parts = [
        part
        for item in answer.get("output") or () if isinstance(item, dict) and item.get("type") == "message"
        for part in item.get("content") or () if isinstance(part, dict)
    ]  # fmt: skip
    reply.text = "".join(str(p.get("text") or "") for p in parts if p.get("type") == "output_text")
    refusal = next((str(p.get("refusal")) for p in parts if p.get("type") == "refusal"), "")
    reason = answer.get("incomplete_details")
    reason = reason.get("reason") if isinstance(reason, dict) else None
    failed = answer.get("error")
    if refusal or reason == "content_filter":
        _refused(reply, refusal or "its filter stopped the answer")
    elif answer.get("status") == "failed" or failed:
        message = failed.get("message") if isinstance(failed, dict) else ""
        reply.status, reply.error_type, reply.detail = "server_error", "Failed", f"the model failed: {message}"[:200]
    elif answer.get("status") == "incomplete" or reason:
        _incomplete(reply)


def _read_chat(choice: dict[str, Any], reply: Reply) -> None:
    message = choice.get("message") if isinstance(choice.get("message"), dict) else {}
    assert isinstance(message, dict)
    content = message.get("content")
    reply.text = (
        "".join(str(p.get("text") or "") for p in content if isinstance(p, dict))
        if isinstance(content, list)
        else _text(content) or ""
    )
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        _refused(reply, str(message.get("refusal") or "its filter stopped the answer"))
    elif choice.get("finish_reason") == "length":
        _incomplete(reply)


def _refused(reply: Reply, why: str) -> None:
    reply.status, reply.error_type, reply.detail = (
        "refused",
        "Refusal",
        f"the model refused: {' '.join(why.split())[:200]}",
    )


def _incomplete(reply: Reply) -> None:
    reply.status, reply.error_type = "incomplete", "Truncated"
    reply.detail = "the model's answer was cut off; ask for less, or take a model with more room"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(usage: Mapping[str, Any], *names: str) -> int | None:
    return next(
        (int(v) for name in names if isinstance(v := usage.get(name), (int, float)) and not isinstance(v, bool)), None
    )


def forget_dialects() -> None:
    """Ask every server for Responses again."""
    _chat_only.clear()


__all__: Sequence[str] = ("Question", "Reply", "forget_dialects", "send")
