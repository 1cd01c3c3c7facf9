"""A word as the value its parameter takes. What cannot be one is named, with what would do."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import UsageProblem
from ..models import StepOptions
from .signature import Parameter, Signature
from .texts import clip, nearest

LARGEST = 10_000_000
"""Numbers are times, counts and statuses; what is larger (or infinite, or not a number) is a slip."""


POINTS = ("text", "input", "locator")
"""Kinds that may be a point of two numbers, or a size; in Python that is a pair."""


def convert(parameter: Parameter, value: Any) -> Any:
    """A word as the parameter's kind. A word that still holds ``${...}`` passes: it is converted
    again after it has been filled in."""
    name = parameter.name if parameter.positional else parameter.option
    if parameter.kind in POINTS and isinstance(value, (list, tuple)) and _is_point(value):
        value = ",".join(str(number) for number in value)
    if isinstance(value, str):
        _check_characters(name, value)
        if "${" in value:
            return value
    elif not isinstance(value, (int, float, os.PathLike)) and not (
        parameter.kind in ("json", "chart") or (parameter.kind == "names" and isinstance(value, (list, tuple)))
    ):
        raise UsageProblem(f"{name} takes a text, a number or a path, not {type(value).__name__}", word=name)
    if parameter.kind == "choice" and value not in parameter.choices:
        near = nearest(str(value), parameter.choices)
        listed = f"did you mean {near}?" if near else "use " + ", ".join(parameter.choices)
        raise UsageProblem(f"{parameter.metavar} cannot be {clip(str(value))!r}; {listed}", word=str(value))
    if parameter.kind == "json" and not isinstance(value, str):
        try:
            return json.dumps(value)
        except (TypeError, ValueError) as error:
            raise UsageProblem(f"{parameter.option} cannot be written as JSON: {error}") from None
    if parameter.kind == "flag":
        if not isinstance(value, bool):
            raise UsageProblem(f"{name} is True or False, not {clip(repr(value))}", word=str(value))
        return value
    if parameter.kind in ("number", "integer"):
        try:
            number = float(value) if parameter.kind == "number" else int(value)
            if not 0 <= number < LARGEST or (isinstance(value, float) and value != number):
                raise ValueError
            return number
        except (TypeError, ValueError, OverflowError):
            what = "a number from 0" if parameter.kind == "number" else "a whole number from 0"
            raise UsageProblem(f"{name} must be {what}, not {clip(str(value))!r}", word=str(value)) from None
    if parameter.kind == "names":
        if not isinstance(value, (str, list, tuple)):
            raise UsageProblem(f"{name} takes names, like A,B, not {clip(repr(value))}", word=name)
        names = value.split(",") if isinstance(value, str) else value
        return tuple(str(name).strip() for name in names if str(name).strip())
    if parameter.kind == "chart":
        return value if isinstance(value, str) else tuple(str(word) for word in value)
    return value if isinstance(value, str) else str(value)


def _is_point(value: Sequence[Any]) -> bool:
    return len(value) == 2 and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)


def _check_characters(name: str, value: str) -> None:
    """Raise for what no page, file name or log can hold."""
    if "\0" in value:
        raise UsageProblem(f"{name} holds a NUL character; leave it out", word=name)
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise UsageProblem(f"{name} holds half of a character (a lone surrogate); decode the text as UTF-8", word=name)


def check_required(signature: Signature, values: Mapping[str, Any]) -> None:
    """Raise :class:`UsageProblem` naming the first missing value and showing the usage line."""
    for parameter in signature.parameters:
        if parameter.required and parameter.name not in values:
            where = "the text below it" if parameter.name == signature.body else parameter.metavar
            raise UsageProblem(
                f"%{signature.verb} needs {where}: {signature.form}",
                word=signature.verb,
                hints=(f"%{signature.verb} --help says more",),
            )


def split_common(signature: Signature, values: dict[str, Any]) -> tuple[dict[str, Any], StepOptions]:
    own = {p.name for p in signature.parameters}
    common = {k: v for k, v in values.items() if k not in own}
    if common.pop("no_screenshot", False):
        common["screenshot"] = False
    for shared in {f.name for f in fields(StepOptions)} & own & set(values):
        if shared != "screenshot":
            common[shared] = values[shared]
    return {k: v for k, v in values.items() if k in own}, StepOptions(**common)
