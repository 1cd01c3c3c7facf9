"""Which model is asked, where it is, and what it may cost and see. Read from the settings at each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks OpenAI's API. The key is in no repr, so no message and no card can hold it.

    ``mode`` is live, record, replay or offline; ``upload`` lists the hosts that may be sent pictures; ``kept`` is
    the folder of kept answers. Budgets are for a run and for a day.
    """

    key: str
    base_url: str
    model: str
    mode: str = "live"
    deadline: float = 60.0
    budget_usd: float | None = None
    budget_tokens: int | None = None
    upload: tuple[str, ...] = ()
    kept: Path = Path("vision-cache")
    configured: bool = False

    def __repr__(self) -> str:
        return f"Server({self.model} at {self.host})"

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def official(self) -> bool:
        """OpenAI's own service or Azure's: it takes WebP."""
        return self.host == "api.openai.com" or self.host.endswith(
            (".openai.azure.com", ".cognitiveservices.azure.com")
        )

    @property
    def may_see(self) -> bool:
        """Whether pictures may be sent there."""
        parts = urlsplit(self.base_url)
        port = f"{self.host}:{parts.port}" if parts.port else self.host
        return any(name.lower() in (self.host, port) for name in self.upload)

    @property
    def asks(self) -> bool:
        """Whether a model takes part at all: one is configured, or its kept answers are read."""
        return self.mode == "replay" or (self.configured and self.mode != "offline")

    def with_model(self, model: str | None) -> Server:
        return replace(self, model=model) if model else self


def server(settings: Any, environ: Mapping[str, str], home: Path) -> Server:
    """The server of a workbench: its traits, and the variables OpenAI and Azure are known by."""
    key, base_url = environ.get("OPENAI_API_KEY", ""), settings.vision_base_url
    azure = environ.get("AZURE_OPENAI_ENDPOINT", "")
    if azure and not base_url and not key:
        key, base_url = environ.get("AZURE_OPENAI_API_KEY", ""), f"{azure.rstrip('/')}/openai/v1"
    return Server(
        key=key,
        base_url=base_url.rstrip("/") or OPENAI,
        model=settings.vision_model,
        mode=settings.vision_mode,
        deadline=settings.vision_deadline,
        budget_usd=settings.vision_budget_usd,
        budget_tokens=settings.vision_budget_tokens,
        upload=tuple(settings.vision_upload),
        kept=home / "vision-cache",
        configured=bool(key or base_url),
    )
