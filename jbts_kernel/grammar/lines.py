"""A line, or a call in Python, as a Step; and a step as the line that parses to it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import UsageProblem
from ..models import Step, StepOptions
from .signature import Parameter, Signature, common_options, nearest_verb
from .texts import clip, nearest
from .values import check_required, convert, split_common
from .words import Token, join_nesting, quote, tokenize

QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""


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
        near = nearest_verb(verb, registry)
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
            raise _no_option(signature, option, named)
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
        if parameter.kind == "names" and parameter.name in values:  # --tags a --tags b is --tags a,b
            before = values[parameter.name]
            value = ",".join([before] if isinstance(before, str) else before) + f",{value}"
        value = convert(parameter, value)
        values[parameter.name] = (*values.get(parameter.name, ()), value) if parameter.repeated else value
    values.update(_place(signature, join_nesting(words), skip))
    if rest is not None and remainder:
        values[rest.name] = remainder
    return split_common(signature, values)


def _no_option(signature: Signature, option: str, known: Iterable[str]) -> UsageProblem:
    near = nearest(option, known)
    hint = f"did you mean {near}?" if near else f"%{signature.verb} --help lists them"
    return UsageProblem(f"%{signature.verb} has no option {clip(option)}; {hint}", word=option)


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
    if re.fullmatch(QUOTED, middle):
        return f"{before} {after}", tokenize(middle)[0].value
    stray = re.search(r"(?:^|\s)(--[a-zA-Z][\w-]*)", re.sub(QUOTED, "", middle))
    if stray and any(p.prose for p in signature.parameters):
        raise _no_option(signature, stray[1], [p.option for p in known])
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
            given = rest[0] if len(rest) == 1 and isinstance(rest[0], (list, tuple)) else rest  # a list is several
            values[parameter.name] = tuple(convert(parameter, v) for v in given)
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
        if (named.repeated or named.variadic) and isinstance(value, (list, tuple)):
            values[named.name] = tuple(convert(named, v) for v in value)
        else:
            converted = convert(named, value)
            values[named.name] = (converted,) if named.repeated or named.variadic else converted
    check_required(signature, values)
    arguments, options = split_common(signature, values)
    return Step(signature.verb, arguments, options, source=render(signature, arguments))


def render(signature: Signature, arguments: Mapping[str, Any]) -> str:
    """The line that parses to these arguments again."""
    words = [signature.verb]
    for parameter in signature.parameters:
        value = arguments.get(parameter.name)
        if value is None or value == parameter.default:
            continue
        if parameter.kind == "rest" or parameter.name == signature.body:
            line = str(value).strip().split("\n", 1)[0]
            words.append(quote(line) if parameter.prose and "--" in line else line)
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
