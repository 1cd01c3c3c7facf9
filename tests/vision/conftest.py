"""The site, the browser and the workbench of the browser's tests, and a server that speaks a model's API."""

from __future__ import annotations

import http.server
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_PLACE = Path(__file__).parent.parent / "browser" / "conftest.py"
_spec = importlib.util.spec_from_file_location("jbts_browser_fixtures", _PLACE)
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _fixtures
_spec.loader.exec_module(_fixtures)

site, pool, trial, reader = _fixtures.site, _fixtures.pool, _fixtures.trial, _fixtures.reader


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the pool needs a real browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "pool" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


# ---- a server that speaks a model's API -------------------------------------------------------------
def answer(**fields: Any) -> str:
    """A good answer to an analysis, as the schema has it."""
    return json.dumps({"summary": "A page.", "claim": None, "claim_evidence": None, "findings": [], **fields})


def finding(**fields: Any) -> dict[str, Any]:
    """A finding as the schema has it."""
    return {
        "category": "content", "severity": "serious", "message": "wrong", "evidence": None,
        "x": None, "y": None, "width": None, "height": None, **fields,
    }  # fmt: skip


@dataclass
class Say:
    """One answer of the server. ``text`` is what the model says; ``body`` replaces the whole answer."""

    text: str = field(default_factory=answer)
    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    usage: tuple[int, int, int] = (5_000, 200, 1_000)
    ending: str = "completed"
    refusal: str | None = None
    hang: bool = False
    drop: bool = False


class ModelServer(http.server.ThreadingHTTPServer):
    """OpenAI's API on loopback, in both dialects. ``says`` is what it answers, the last one for ever;
    ``responses`` whether it has that endpoint; ``seen`` what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Model)
        self.says: list[Say] = [Say()]
        self.responses = True
        self.seen: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.stopping = threading.Event()
        self.asked = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next(self) -> Say:
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is part of the tests."""


class _Model(http.server.BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.server.seen.append((self.path, asked, headers))
        self.server.asked.set()
        chat = self.path.endswith("/chat/completions")
        if not chat and not self.server.responses:
            return self._send(404, json.dumps({"detail": "Not Found"}))
        say = self.server.next()
        if say.hang:
            self.server.stopping.wait()
        if say.drop or say.hang:
            self.close_connection = True
            return None
        if say.body is not None:
            return self._send(say.status, say.body, say.headers)
        return self._send(
            say.status, json.dumps(self._chat(asked, say) if chat else self._responses(asked, say)), say.headers
        )

    @staticmethod
    def _responses(asked: dict[str, Any], say: Say) -> dict[str, Any]:
        given, out, cached = say.usage
        part: dict[str, Any] = {"type": "output_text", "text": say.text, "annotations": []}
        if say.refusal:
            part = {"type": "refusal", "refusal": say.refusal}
        cut = say.ending == "length"
        message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
        return {
            "id": "r1", "object": "response", "created_at": 0, "model": f"{asked['model']}-2026-01-01",
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [{"type": "reasoning", "id": "x", "summary": []}, message],
            "usage": {
                "input_tokens": given, "output_tokens": out, "total_tokens": given + out,
                "input_tokens_details": {"cached_tokens": cached},
            },
        }  # fmt: skip

    @staticmethod
    def _chat(asked: dict[str, Any], say: Say) -> dict[str, Any]:
        given, out, cached = say.usage
        ended = "length" if say.ending == "length" else "stop"
        message = {"role": "assistant", "content": None if say.refusal else say.text, "refusal": say.refusal}
        return {
            "id": "c1", "object": "chat.completion", "created": 0, "model": f"{asked['model']}-2026-01-01",
            "choices": [{"index": 0, "finish_reason": ended, "message": message}],
            "usage": {
                "prompt_tokens": given, "completion_tokens": out, "total_tokens": given + out,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }  # fmt: skip

    def _send(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body[:1] in "{[" else "text/html")
        self.send_header("Content-Length", str(len(body.encode())))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """The tests say what they need to know."""


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A model's server of its own for each test, known to nobody yet."""
    from jbts_kernel.vision.wire import forget_dialects

    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="model")
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join(10)
    server.server_close()
    forget_dialects()


@pytest.fixture
def say() -> type[Say]:
    return Say


@pytest.fixture
def answers() -> Any:
    """How answers of the model are made: ``answers(findings=[answers.finding(...)])``."""
    answer.finding = finding  # type: ignore[attr-defined]
    return answer
