"""What a verb takes: its Python signature, read once.

A verb's grammar is its Python signature: positional parameters are the words of a line, keyword-only
parameters are its ``--options``. So the cell ``%type "#name" Ada --delay 20``, the line
``type "#name" Ada --delay 20`` of ``%%steps`` and ``page.type("#name", "Ada", delay=20)`` are one
thing, and help, completion and the reference table are made from the same place.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from .texts import nearest

Locator = Annotated[str, "locator"]
"""A parameter that names an element; recorded in the step's ``locator`` column."""
Cover = Annotated[str, "cover"]
"""A locator too, of what must not be seen in a picture; recorded in no column."""
Input = Annotated[str, "input"]
"""A parameter whose value goes into the page; recorded (masked) in the ``input`` column."""
Expected = Annotated[str, "expected"]
"""A parameter that says what should be; recorded in the ``expected`` column."""
Json = Annotated[str, "json"]
"""A JSON value as text; in Python any plain value will do."""
Names = Annotated[str, "names"]
"""A comma-separated list, ``--tags smoke,cart``."""
Chart = Annotated[str, "chart"]
"""An option of three words, ``--chart bar X Y``: what to draw, and of which columns."""
Path = Annotated[str, "path"]
"""A file or folder name; completed from the disk."""
Rest = Annotated[str, "rest"]
"""The rest of the line as it stands (JavaScript, SQL); options may come before or after it."""
Prose = Annotated[str, "rest", "prose"]
"""The rest of the line as words for a person (a title): a ``--word`` in it that is not quoted is a mistyped option."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb. ``kind`` is text, flag, number, integer, choice, locator, input,
    expected, names or path; ``positional`` ones are words, the others ``--options``."""

    name: str
    kind: str
    positional: bool
    required: bool
    variadic: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    repeated: bool = False
    prose: bool = False

    @property
    def option(self) -> str:
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def metavar(self) -> str:
        if self.choices:
            return "|".join(self.choices)
        if self.kind == "chart":
            return "bar|line|heat X Y"
        names = {"locator": "LOC", "cover": "LOC", "number": "N", "integer": "N", "path": "PATH", "names": "A,B"}
        return names.get(self.kind) or self.name.rstrip("_").upper()


@dataclass(frozen=True)
class Signature:
    """What a verb takes and where that is written. ``summary`` is the first line of its docstring; ``about`` holds
    one sentence a parameter, read from the docstring's ``Args:``; ``needs`` the states an element must be in before
    the verb takes it (present, or visible and more), none where the verb waits for none; ``also`` what other tools
    call it; ``check`` refuses arguments that are no sentence, by their names, before anything runs (UsageProblem)."""

    verb: str
    function: Callable[..., Any]
    step_type: str = "custom"
    command: bool = False
    body: str | None = None
    needs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    check: Callable[..., None] | None = None

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(_parameters(self.function))

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @cached_property
    def about(self) -> Mapping[str, str]:
        text = (inspect.getdoc(self.function) or "").partition("Args:")[2]
        entries = re.findall(r"^    (\w+): (.+(?:\n {8,}.+)*)", text, re.MULTILINE)
        return {name: re.sub(r"\s+", " ", value) for name, value in entries}

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def form(self) -> str:
        """The usage line, ``click LOC [--double] ...``."""
        words = [self.verb]
        for p in self.parameters:
            if p.positional:
                word = p.metavar + ("..." if p.variadic else "")
                words.append(word if p.required else f"[{word}]")
            else:
                value = "" if p.kind == "flag" else f" {p.metavar}"
                words.append(f"[{p.option}{value}]" + ("..." if p.repeated else ""))
        return " ".join(words)


_KINDS: dict[Any, str] = {str: "text", bool: "flag", float: "number", int: "integer", Any: "text"}


def _parameters(function: Callable[..., Any]) -> Iterable[Parameter]:
    given = list(inspect.signature(function).parameters.values())[1:]  # the first is the stage or the workbench
    own = types.SimpleNamespace(__annotations__={p.name: p.annotation for p in given})
    hints = typing.get_type_hints(own, globalns=function.__globals__, include_extras=True)
    for p in given:
        hint, repeated = hints.get(p.name, str), False
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(a for a in typing.get_args(hint) if a is not type(None))
        if typing.get_origin(hint) is tuple:
            hint, repeated = typing.get_args(hint)[0], True
        choices: tuple[str, ...] = ()
        if typing.get_origin(hint) is Literal:
            kind, choices = "choice", tuple(typing.get_args(hint))
        elif typing.get_origin(hint) is Annotated:
            kind = hint.__metadata__[0]
        else:
            kind = _KINDS[hint]
        variadic = p.kind is p.VAR_POSITIONAL
        yield Parameter(
            name=p.name,
            kind=kind,
            positional=p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY, p.VAR_POSITIONAL),
            required=p.default is p.empty and not variadic,
            variadic=variadic,
            default=None if p.default is p.empty else p.default,
            choices=choices,
            repeated=repeated and not variadic,
            prose=getattr(hint, "__metadata__", ())[1:] == ("prose",),
        )


def nearest_verb(word: str, registry: Mapping[str, Signature]) -> str:
    """The verb that a word may have meant: what another tool calls it, else the one spelled most alike; empty where
    there is none."""
    return next((name for name, s in registry.items() if word in s.also), "") or nearest(word, registry)


_COMMON: tuple[Parameter, ...] = (
    Parameter("timeout", "number", False, False),
    Parameter("name", "text", False, False),
    Parameter("optional", "flag", False, False, default=False),
    Parameter("continue_on_failure", "flag", False, False, default=False),
    Parameter("retries", "integer", False, False, default=0),
    Parameter("no_screenshot", "flag", False, False, default=False),
)
_FIRST = Parameter("first", "flag", False, False, default=False)
COMMON_ABOUT: Mapping[str, str] = {
    "timeout": "seconds to try before giving up",
    "name": "a name for the step, in the card and in the rows",
    "optional": "a failure is recorded as skipped and the cell goes on",
    "continue_on_failure": "a failure is recorded and the cell goes on; the execution still fails",
    "retries": "run the step again this often if it fails",
    "no_screenshot": "take no picture after this step",
    "first": "take the first where several elements match",
}


def python_signature(signature: Signature) -> inspect.Signature:
    """How a verb is called from Python: its own parameters, without the stage, and every step's options."""
    own = list(inspect.signature(signature.function).parameters.values())[1:]
    word = inspect.Parameter.KEYWORD_ONLY
    common = [inspect.Parameter(p.name, word, default=p.default) for p in common_options(signature)]
    return inspect.Signature([*own, *common])


def common_options(signature: Signature) -> tuple[Parameter, ...]:
    """The options every step takes, but for those the verb defines itself; none for a command."""
    if signature.command:
        return ()
    own = {p.name for p in signature.parameters}
    located = any(p.kind == "locator" for p in signature.parameters)
    return tuple(p for p in (*_COMMON, *((_FIRST,) if located else ())) if p.name not in own)
