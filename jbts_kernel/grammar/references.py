"""``${name}`` in a step's words, filled in from variables and secrets. Nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import UsageProblem
from .texts import nearest

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")  # the first kind stands for ${ itself
_ACCESS = re.compile(r"\.([A-Za-z_]\w*)|\[(-?\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")


def references(text: str) -> list[str]:
    """The names inside ``${...}``, in order."""
    return [found.group(1) for found in _REFERENCE.finditer(text) if found.group(1) is not None]


def interpolate(text: str, lookup: Callable[[str], Any], known: Callable[[], Iterable[str]]) -> str:
    """Fill in every ``${name}``, ``${user.email}``, ``${rows[0]['id']}``; ``$${`` stands for ``${``.

    ``lookup`` returns a name's value or raises KeyError; ``known`` gives the names to choose near
    ones from. Nothing is evaluated: only attributes, indexes and quoted keys are followed.
    """

    def fill(match: re.Match[str]) -> str:
        return "${" if match.group(1) is None else str(value_of(match.group(1).strip(), lookup, known))

    return _REFERENCE.sub(fill, text)


def value_of(expression: str, lookup: Callable[[str], Any], known: Callable[[], Iterable[str]]) -> Any:
    """What the text inside one ``${...}`` means, as it is. Like :func:`interpolate`."""
    name = re.match(r"[A-Za-z_]\w*", expression)
    if name is None:
        raise UsageProblem(f"${{{expression}}} is no name; write ${{name}}, or $${{ for a literal ${{", word=expression)
    try:
        value = lookup(name.group())
    except KeyError:
        near = nearest(name.group(), known(), count=3)
        hint = f"near names: {near}" if near else f"set it first, or use %secret {name.group()}"
        raise UsageProblem(f"${{{expression}}} is not defined; {hint}", word=expression) from None
    position = name.end()
    while position < len(expression):
        access = _ACCESS.match(expression, position)
        if access is None:
            raise UsageProblem(f"${{{expression}}} can hold a name, .attribute, [0] and ['key'] only", word=expression)
        attribute, index, single, double = access.groups()
        try:
            if attribute is not None:
                value = value[attribute] if isinstance(value, Mapping) else getattr(value, attribute)
            else:
                value = value[int(index) if index is not None else single if single is not None else double]
        except (AttributeError, KeyError, IndexError, TypeError):
            raise UsageProblem(f"${{{expression}}}: there is no {access.group()} there", word=expression) from None
        position = access.end()
    return value
