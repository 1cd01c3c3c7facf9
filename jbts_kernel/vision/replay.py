"""Kept answers: a question with the same pixels, words, schema and model has been answered before.

An answer is a JSON file named by the hash of its question. The question's parts are hashed one by one, so that
a miss can say which of them changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .wire import Question, Reply

_PORT = re.compile(r"(https?://(?:127\.0\.0\.1|localhost|\[::1\])):\d+")
_WORDS = {
    "picture": "the picture",
    "text": "the page's text or the question",
    "instructions": "the instructions",
    "schema": "the answer's schema",
    "model": "the model",
}


def parts(question: Question, model: str) -> dict[str, str]:
    """The hash of each part of a question. Ports of this machine are left out: they are others every time."""
    return {
        "picture": _hash("".join(t.digest for t in question.tiles)),
        "text": _hash(_PORT.sub(r"\1", question.text)),
        "instructions": _hash(question.instructions),
        "schema": _hash(json.dumps(question.schema, sort_keys=True)),
        "model": _hash(f"{model} high"),
    }


def keep(folder: Path, question: Question, model: str, reply: Reply) -> Path:
    """Keep a good answer."""
    hashes = parts(question, model)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{_key(hashes)}.json"
    part = place.with_suffix(f".{os.getpid()}.part")
    part.write_text(
        json.dumps({"name": question.name, "parts": hashes, "reply": asdict(reply)}, indent=1), encoding="utf-8"
    )
    part.replace(place)
    return place


def recall(folder: Path, question: Question, model: str) -> Reply:
    """The kept answer; one with the status ``replay_miss`` that says what changed, where there is none."""
    hashes = parts(question, model)
    found = _read(folder / f"{_key(hashes)}.json")
    if found is not None:
        kept = found["reply"]
        known = {
            k: kept.get(k)
            for k in (
                "status",
                "text",
                "detail",
                "error_type",
                "model",
                "input_tokens",
                "cached_tokens",
                "output_tokens",
            )
        }
        return Reply(**{**known, "cache_hit": True, "attempts": 0})
    return Reply("replay_miss", detail=_why(folder, question.name, hashes), error_type="ReplayMiss")


def _why(folder: Path, name: str, hashes: Mapping[str, str]) -> str:
    kept = [f["parts"] for p in sorted(folder.glob("*.json")) if (f := _read(p)) is not None and f.get("name") == name]
    if not kept:
        return f"no answer is kept in {folder}; record them with JBTS.vision_mode = 'record'"
    nearest = max(kept, key=lambda other: sum(other.get(k) == v for k, v in hashes.items()))
    changed = [_WORDS[k] for k, v in hashes.items() if nearest.get(k) != v]
    return f"no kept answer fits: {' and '.join(changed)} changed; record anew with JBTS.vision_mode = 'record'"


def _read(place: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    good = isinstance(found, dict) and isinstance(found.get("parts"), dict) and isinstance(found.get("reply"), dict)
    return found if good else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _key(hashes: Mapping[str, str]) -> str:
    return _hash(json.dumps(hashes, sort_keys=True))
