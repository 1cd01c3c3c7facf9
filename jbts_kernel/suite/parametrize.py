"""One notebook, several sets of values: what ``parametrize`` says in its metadata, or in ``suite.toml``.

Either a value list for each parameter, which gives every combination, or the sets themselves::

    "jbts": {"parametrize": {"user": ["ada", "sam"], "currency": ["EUR", "USD"]}}
    "jbts": {"parametrize": [{"user": "ada", "orders": 0}, {"user": "sam", "orders": 12}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from ..errors import UsageProblem
from ..grammar import clip
from .settings import parameter_sets

Values = tuple[tuple[str, Any], ...]
"""One set: names with their values."""

LONGEST_LABEL = 60
MOST = 1000
"""Cases one notebook may make; a longer product is a slip."""


def parameter(text: str) -> tuple[str, Any]:
    """A parameter from ``name=value``, as ``-p`` takes it. Raises UsageProblem."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise UsageProblem(f"{text!r} is not of the form name=value", word=text)
    return name, parameter_value(value)


def parameter_value(text: str) -> Any:
    """A parameter's value from its text: a number, true, false, null (Python's words too), a JSON list or
    object, else the text itself. ``yes``, ``no`` and ``on`` are texts."""
    words: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.\d*|\.?\d+)([eE][-+]?\d+)?", text):
        return float(text)
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def value_sets(told: Any, notebook: str, given: Collection[str] = ()) -> list[Values]:
    """The sets of values a notebook is run with; one empty set where nothing is told.

    ``told`` is what :func:`.settings.parameter_sets` reads. A parameter in ``given`` has its value from elsewhere,
    for the whole run, and is none of the sets' any more.
    Raises UsageProblem, naming the notebook.
    """
    if not told:
        return [()]
    sets = parameter_sets(told)
    if not sets:
        raise _misunderstood(notebook, "it is neither lists of values by name nor a list of sets")
    if len(sets) > MOST:
        raise _misunderstood(notebook, f"{len(sets)} sets of values are more than {MOST}")
    for name in (name for one in sets for name in one):
        if not str(name).isidentifier():
            raise _misunderstood(notebook, f"{name!r} is no name of a parameter")
    left = [tuple((name, value) for name, value in one.items() if name not in given) for one in sets]
    return [one for number, one in enumerate(left) if one not in left[:number]]


def labels(sets: Sequence[Values]) -> list[str]:
    """How each set is told in the name of its case: its values, and a number where that is not enough."""
    found = [clip("-".join(_shown(value) for _, value in values), LONGEST_LABEL) for values in sets]
    return [f"{label}-{number}" if found.count(label) > 1 else label for number, label in enumerate(found)]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.replace("[", "(").replace("]", ")").replace("::", ":") or "empty"


def _misunderstood(notebook: str, why: str) -> UsageProblem:
    return UsageProblem(
        f'{notebook}: parametrize cannot be understood: {why}; write {{"user": ["ada", "sam"]}}', word="parametrize"
    )
