"""Text to Step: tokens, signatures and values. Pure; nothing here touches a page or a file.

A verb's grammar is its Python signature: positional parameters are the words of a line, keyword-only
parameters are its ``--options``. So the cell ``%type "#name" Ada --delay 20``, the line
``type "#name" Ada --delay 20`` of ``%%steps`` and ``page.type("#name", "Ada", delay=20)`` are one
thing, and help, completion and the reference table are made from the same place.

Quotes are shell quotes, with one mercy: a locator that does not begin with a quote is taken as it is
written, since ``[name="q"]`` and ``role=button[name="Sign in"]`` need their own quotes. A line may
also nest locators without quoting the whole: ``#form >> text=Go`` is one locator.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, Any, Literal

from .errors import UsageProblem
from .models import Step, StepOptions

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


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line. ``raw`` keeps its quotes; ``start`` and ``end`` are offsets in the line."""

    value: str
    raw: str
    start: int
    end: int

    @property
    def locator(self) -> str:
        """The word read as a locator: inner quotes stay, a pair around the whole goes."""
        return self.value if self.raw[:1] in "'\"" else self.raw


def tokenize(line: str) -> list[Token]:
    """Split like a POSIX shell does, without comments (``#`` begins an id) and without expansion.

    Raises :class:`UsageProblem` for a quote that is never closed, naming the word.
    """
    found: list[Token] = []
    i, n = 0, len(line)
    while i < n:
        if line[i].isspace():
            i += 1
            continue
        start, value, quote = i, "", ""
        while i < n:
            c = line[i]
            if quote:
                if c == quote:
                    quote = ""
                elif c == "\\" and quote == '"' and i + 1 < n and line[i + 1] in '"\\':
                    i += 1
                    value += line[i]
                else:
                    value += c
            elif c in "'\"":
                quote = c
            elif c.isspace():
                break
            elif c == "\\" and i + 1 < n:
                i += 1
                value += line[i]
            else:
                value += c
            i += 1
        if quote:
            word = line[start:]
            raise UsageProblem(
                f"the quote {quote} in {clip(word)} is never closed; close it, or put a \\ before it",
                word=word,
            )
        found.append(Token(value, line[start:i], start, i))
    return found


def join_nesting(tokens: Sequence[Token]) -> list[Token]:
    """Words around a free-standing ``>>`` become one word, so a nested locator needs no quotes."""
    joined: list[Token] = []
    for token in tokens:
        nested = token.raw == ">>" or (joined and joined[-1].raw.endswith(">>"))
        if nested and joined:
            last = joined.pop()
            text = f"{last.locator} {token.locator}"
            joined.append(Token(text, text, last.start, token.end))
        else:
            joined.append(token)
    return joined


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
    """What a verb takes and where that is written. ``summary`` is the first line of its docstring;
    ``about`` holds one sentence a parameter, read from the docstring's ``Args:``."""

    verb: str
    function: Callable[..., Any]
    step_type: str = "custom"
    command: bool = False
    body: str | None = None

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


LARGEST = 10_000_000
"""Numbers are times, counts and statuses; what is larger (or infinite, or not a number) is a slip."""

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
        )


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


def common_options(signature: Signature) -> tuple[Parameter, ...]:
    """The options every step takes, but for those the verb defines itself; none for a command."""
    if signature.command:
        return ()
    own = {p.name for p in signature.parameters}
    located = any(p.kind == "locator" for p in signature.parameters)
    return tuple(p for p in (*_COMMON, *((_FIRST,) if located else ())) if p.name not in own)


class HelpWanted(Exception):
    """``--help`` was among the words: the caller shows ``signature`` and runs nothing."""

    def __init__(self, signature: Signature) -> None:
        super().__init__(signature.verb)
        self.signature = signature


def parse(line: str, registry: Mapping[str, Signature], body: str | None = None) -> Step:
    """Parse one line, verb first. ``body`` is the text below a cell magic's first line.

    Raises:
        UsageProblem: unknown verb or option, a missing or surplus word, a value of the wrong kind.
        HelpWanted: the line asks for the verb's help.
    """
    line = line.strip()
    verb, _, rest = line.removeprefix("%").partition(" ")
    if "\t" in verb:
        verb, _, rest = line.removeprefix("%").partition("\t")
    signature = registry.get(verb)
    if signature is None:
        near = nearest(verb, registry)
        raise UsageProblem(
            f"unknown verb {clip(verb)!r}" + (f"; did you mean {near}?" if near else "; %jbts lists every verb"),
            word=verb,
        )
    arguments, options = parse_arguments(signature, rest, skip=None if body is None else signature.body)
    if body is not None:
        if signature.body is None:
            raise UsageProblem(f"%%{verb} takes no text below it; write it on one line with %{verb}", word=verb)
        arguments[signature.body] = body
    check_required(signature, arguments)
    return Step(verb, arguments, options, source=line.removeprefix("%"))


def parse_arguments(signature: Signature, text: str, skip: str | None = None) -> tuple[dict[str, Any], StepOptions]:
    """The words after the verb, as values by parameter name, and the common options. ``skip`` is the
    parameter that the text below a cell magic fills."""
    rest = next((p for p in signature.parameters if p.kind == "rest" and p.name != skip), None)
    if rest is not None:
        text, remainder = _split_rest(signature, text)
    named = {p.option: p for p in (*signature.parameters, *common_options(signature)) if not p.positional}
    values: dict[str, Any] = {}
    words: list[Token] = []
    tokens = tokenize(text)
    i, literal = 0, False
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if literal or not token.raw.startswith("--"):
            words.append(token)
            continue
        if token.raw == "--":
            literal = True
            continue
        option, equals, inline = token.value.partition("=")
        if option == "--help":
            raise HelpWanted(signature)
        parameter = named.get(option)
        if parameter is None:
            near = nearest(option, named)
            hint = f"did you mean {near}?" if near else f"%{signature.verb} --help lists them"
            raise UsageProblem(f"%{signature.verb} has no option {clip(option)}; {hint}", word=option)
        if parameter.kind == "flag":
            if equals:
                raise UsageProblem(f"{option} takes no value; write it alone", word=token.value)
            value: Any = True
        elif equals:
            value = token.raw.partition("=")[2] if parameter.kind == "cover" else inline
            if parameter.kind == "chart":
                raise UsageProblem(f"{option} needs three words: {option} {parameter.metavar}", word=option)
        elif parameter.kind == "chart":
            value = tuple(word.value for word in tokens[i : i + 3])
            i += 3
            if len(value) < 3 or any(word.startswith("--") for word in value):
                raise UsageProblem(f"{option} needs three words: {option} {parameter.metavar}", word=option)
        elif i < len(tokens) and tokens[i].raw.partition("=")[0] not in (*named, "--help", "--"):
            value = _word(parameter, tokens[i])
            i += 1
        else:
            raise UsageProblem(f"{option} needs a value: {option} {parameter.metavar}", word=option)
        value = convert(parameter, value)
        values[parameter.name] = (*values.get(parameter.name, ()), value) if parameter.repeated else value
    values.update(_place(signature, join_nesting(words), skip))
    if rest is not None and remainder:
        values[rest.name] = remainder
    return _split_common(signature, values)


def _split_rest(signature: Signature, text: str) -> tuple[str, str]:
    """Divide a line into its options and the text between them, which is not ours to tokenize."""
    known = [p for p in (*signature.parameters, *common_options(signature)) if not p.positional]
    flags = "|".join(re.escape(p.option) for p in known if p.kind == "flag")
    valued = "|".join(re.escape(p.option) for p in known if p.kind not in ("flag", "chart"))
    charts = "|".join(re.escape(p.option) for p in known if p.kind == "chart")
    value = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s'"]+)"""
    three = rf"(?:{charts or '(?!)'})(?:\s+{value}){{3}}"
    option = rf"(?:--help|{flags or '(?!)'}|{three}|(?:{valued or '(?!)'})(?:=|\s+){value})"
    lead = re.match(rf"(?:{option}(?:\s+|$))*", text)
    before = lead.group() if lead else ""
    middle = text[len(before) :]
    tail = re.search(rf"(?:(?:^|\s+){option})+\s*$", middle)
    after = tail.group() if tail else ""
    middle = middle[: len(middle) - len(after)].strip()
    if left := re.search(rf"(?:^|\s)({charts or '(?!)'})(?=[\s=]|$)", middle):  # SQL would take it for a comment
        metavar = next(p.metavar for p in known if p.option == left[1])
        raise UsageProblem(f"{left[1]} needs three words: {left[1]} {metavar}", word=left[1])
    if middle and middle[0] in "'\"" and middle[-1] == middle[0] and middle.count(middle[0]) == 2:
        middle = middle[1:-1]
    return f"{before} {after}", middle


def _place(signature: Signature, words: Sequence[Token], skip: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    rest = list(words)
    for parameter in signature.parameters:
        if not parameter.positional or parameter.kind == "rest" or parameter.name == skip:
            continue
        if rest and _left_out(signature, parameter, rest[0].value):
            continue
        if parameter.variadic:
            values[parameter.name] = tuple(convert(parameter, _word(parameter, t)) for t in rest)
            rest = []
        elif rest:
            values[parameter.name] = convert(parameter, _word(parameter, rest.pop(0)))
    if rest:
        shown = clip(rest[0].raw)
        raise UsageProblem(
            f"{shown} is one word too many for %{signature.verb}; quote a value that holds spaces",
            word=rest[0].raw,
            hints=(f"usage: {signature.form}",),
        )
    return values


def _left_out(signature: Signature, parameter: Parameter, word: object) -> bool:
    """Whether a choice before a locator was not given: ``analyze "#form"`` means the element."""
    positional = [p for p in signature.parameters if p.positional]
    following = positional[positional.index(parameter) + 1 :][:1]
    optional = parameter.kind == "choice" and not parameter.required
    return optional and word not in parameter.choices and [p.kind for p in following] == ["locator"]


def _word(parameter: Parameter, token: Token) -> str:
    return token.locator if parameter.kind in ("locator", "cover") else token.value


def bind(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Step:
    """The Step of a Python call ``page.verb(*args, **kwargs)``; same errors as :func:`parse`."""
    known = {p.name: p for p in (*signature.parameters, *common_options(signature))}
    if "screenshot" in kwargs and "no_screenshot" in known:
        kwargs = {**kwargs, "no_screenshot": not kwargs["screenshot"]}
        kwargs.pop("screenshot")
    values: dict[str, Any] = {}
    rest = list(args)
    for parameter in signature.parameters:
        if not parameter.positional or (rest and _left_out(signature, parameter, rest[0])):
            continue
        if parameter.variadic:
            values[parameter.name] = tuple(convert(parameter, v) for v in rest)
            rest = []
        elif rest and not (rest[0] is None and not parameter.required):
            values[parameter.name] = convert(parameter, rest.pop(0))
        elif rest:
            rest.pop(0)
    if rest:
        raise UsageProblem(f"page.{signature.verb} was given {len(rest)} value(s) too many: {clip(repr(rest[0]))}")
    for name, value in kwargs.items():
        named = known.get(name) or known.get(name + "_")
        if named is None:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"it takes {', '.join(known)}"
            raise UsageProblem(f"page.{signature.verb} has no argument {name!r}; {hint}", word=name)
        if value is None:
            continue
        if named.repeated and isinstance(value, (list, tuple)):
            values[named.name] = tuple(convert(named, v) for v in value)
        else:
            converted = convert(named, value)
            values[named.name] = (converted,) if named.repeated else converted
    check_required(signature, values)
    arguments, options = _split_common(signature, values)
    return Step(signature.verb, arguments, options, source=render(signature, arguments))


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


def _split_common(signature: Signature, values: dict[str, Any]) -> tuple[dict[str, Any], StepOptions]:
    own = {p.name for p in signature.parameters}
    common = {k: v for k, v in values.items() if k not in own}
    if common.pop("no_screenshot", False):
        common["screenshot"] = False
    for shared in {f.name for f in fields(StepOptions)} & own & set(values):
        if shared != "screenshot":
            common[shared] = values[shared]
    return {k: v for k, v in values.items() if k in own}, StepOptions(**common)


def convert(parameter: Parameter, value: Any) -> Any:
    """A word as the parameter's kind. A word that still holds ``${...}`` passes: it is converted
    again after it has been filled in."""
    name = parameter.name if parameter.positional else parameter.option
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


def _check_characters(name: str, value: str) -> None:
    """Raise for what no page, file name or log can hold."""
    if "\0" in value:
        raise UsageProblem(f"{name} holds a NUL character; leave it out", word=name)
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise UsageProblem(f"{name} holds half of a character (a lone surrogate); decode the text as UTF-8", word=name)


def render(signature: Signature, arguments: Mapping[str, Any]) -> str:
    """The line that parses to these arguments again."""
    words = [signature.verb]
    for parameter in signature.parameters:
        value = arguments.get(parameter.name)
        if value is None or value == parameter.default:
            continue
        if parameter.kind == "rest" or parameter.name == signature.body:
            words.append(str(value).strip().split("\n", 1)[0])
        elif parameter.positional:
            values = value if parameter.variadic else (value,)
            words += [quote(str(v)) for v in values]
        elif parameter.kind == "flag":
            words.append(parameter.option)
        elif parameter.kind == "names":
            words += [parameter.option, quote(",".join(value))]
        else:
            for one in value if parameter.repeated else (value,):
                words += [parameter.option, quote(repr(one).removesuffix(".0") if isinstance(one, float) else str(one))]
    return " ".join(words)


def quote(word: str) -> str:
    """The word as it must be typed so that it stays one word."""
    if word and re.fullmatch(r"[\w#.,:/@%+=\[\]()*$^~|!?&;-]+", word) and not word.startswith("--"):
        return word
    if '"' not in word and "\\" not in word:
        return f'"{word}"'
    if "'" not in word:
        return f"'{word}'"
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A text that nobody of the notebook wrote, quoted so that it is one word and names no variable or secret."""
    return quote(" ".join(text.split()).replace("${", "$${"))


def locator_word(locator: str) -> str:
    """A locator as it must be typed: as it is where that is read back the same, else quoted as a whole."""
    try:
        words = join_nesting(tokenize(locator))
    except UsageProblem:
        words = []
    alike = len(words) == 1 and words[0].locator == locator and not locator.startswith(("--", "#!"))
    return (locator if alike else quote(locator)).replace("${", "$${")


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
        if match.group(1) is None:
            return "${"
        expression = match.group(1).strip()
        name = re.match(r"[A-Za-z_]\w*", expression)
        if name is None:
            raise UsageProblem(
                f"${{{expression}}} is no name; write ${{name}}, or $${{ for a literal ${{", word=expression
            )
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
                raise UsageProblem(
                    f"${{{expression}}} can hold a name, .attribute, [0] and ['key'] only", word=expression
                )
            attribute, index, single, double = access.groups()
            try:
                if attribute is not None:
                    value = value[attribute] if isinstance(value, Mapping) else getattr(value, attribute)
                else:
                    value = value[int(index) if index is not None else single if single is not None else double]
            except (AttributeError, KeyError, IndexError, TypeError):
                raise UsageProblem(f"${{{expression}}}: there is no {access.group()} there", word=expression) from None
            position = access.end()
        return str(value)

    return _REFERENCE.sub(fill, text)


def nearest(word: str, names: Iterable[str], count: int = 1) -> str:
    """The closest names, comma separated; empty where none is close."""
    listed = [n for n in names if not n.startswith("_")]
    return ", ".join(difflib.get_close_matches(word, listed, n=count, cutoff=0.6))


# C0 and C1 control characters, and the marks that turn the direction of writing around
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters written out (``\\x1b``), so that a terminal only shows them."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def clip(text: str, limit: int = 80) -> str:
    """The text on one line, cut in the middle to ``limit`` characters, for messages and cards."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= limit else f"{text[: limit - 20]}...{text[-17:]}"
