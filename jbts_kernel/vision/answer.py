"""A model's answer as values: read leniently, believed strictly.

The schema is flat, every field required and nullable, because that is what strict structured output takes. What
comes back is checked field by field, whether or not the server kept to the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..models import Box
from .rules import CATEGORIES, SEVERITIES

LONGEST = 2_000


class BadAnswer(ValueError):
    """An answer that is not what was asked for; the text says where."""


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


_NUMBER = {"type": ["number", "null"]}
FINDINGS_SCHEMA = _object(
    summary={"type": "string"},
    claim={"type": ["string", "null"], "enum": ["true", "false", "not_checked", None]},
    claim_evidence={"type": ["string", "null"]},
    findings={
        "type": "array",
        "items": _object(
            category={"type": "string", "enum": list(CATEGORIES)},
            severity={"type": "string", "enum": list(SEVERITIES)},
            message={"type": "string"},
            evidence={"type": ["string", "null"]},
            x=_NUMBER, y=_NUMBER, width=_NUMBER, height=_NUMBER,
        ),
    },
)  # fmt: skip


def loads(text: str) -> Any:
    """The JSON in an answer, also between fences or after a sentence. Raises :class:`BadAnswer`."""
    candidates = [text, *re.findall(r"```(?:json)?\s*\n(.*?)```", text, re.DOTALL)]
    first, last = text.find("{"), text.rfind("}")
    if 0 <= first < last:
        candidates.append(text[first : last + 1])
    for candidate in candidates:
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    raise BadAnswer("the model answered in prose, not in JSON")


def text_of(found: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    """A text field, bounded; a number is taken as its text. Raises :class:`BadAnswer`."""
    value = found.get(name)
    if value is None and not needed:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadAnswer(f"the model's answer has no text in {name!r}")
    return value[:LONGEST]


def choice_of(found: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """A field that is one of a few words. Raises :class:`BadAnswer`."""
    value = found.get(name)
    if value not in choices:
        raise BadAnswer(f"the model's answer has {str(value)[:40]!r} in {name!r}")
    return str(value)


def findings_of(text: str) -> dict[str, Any]:
    """The answer to an analysis: summary, claim, claim_evidence, findings as dicts with their box in the picture.
    Raises :class:`BadAnswer`."""
    found = loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("findings"), list):
        raise BadAnswer("the model's answer has no findings")
    claim = found.get("claim")
    rows = []
    for one in found["findings"][:100]:
        if not isinstance(one, dict):
            raise BadAnswer("a finding in the model's answer is no object")
        rows.append(
            {
                "category": "other" if _unlisted(one.get("category")) else choice_of(one, "category", CATEGORIES),
                "severity": choice_of(one, "severity", SEVERITIES),
                "message": text_of(one, "message"),
                "evidence": text_of(one, "evidence", needed=False),
                "box": box_of(one),
            }
        )
    return {
        "summary": text_of(found, "summary"),
        "claim": claim if claim in ("true", "false") else "not_checked",
        "claim_evidence": text_of(found, "claim_evidence", needed=False),
        "findings": rows,
    }


def _unlisted(category: object) -> bool:
    """Whether it is a word of the model's own: a server without strict schemas may answer with one."""
    return isinstance(category, str) and category not in CATEGORIES


def box_of(found: Mapping[str, Any]) -> Box | None:
    """The box of a finding, None where it has none that can be."""
    values = [found.get(name) for name in ("x", "y", "width", "height")]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e6 for v in values):
        return None
    x, y, width, height = (float(v) for v in values if v is not None)
    return Box(x, y, width, height) if width > 0 and height > 0 else None
