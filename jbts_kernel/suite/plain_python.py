"""A cell as plain Python: every magic becomes the call it stands for, every other character stays.

IPython itself says where the magics of a cell are; each is parsed by the grammar, written as a Python call, and
the call is bound again: only where it comes to the same step is it used. So the exported test does what the
notebook did, or says that it cannot.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageProblem
from ..grammar import HelpWanted, Signature, bind, parse
from ..models import Step, StepOptions
from ..verbs import VERBS

LOOKING = frozenset({"results", "dashboard", "usage", "workbench", "jbts", "health", "browsers", "events", "triage"})
"""Commands that show something to a person: a test has nobody to look."""

_LOADS = re.compile(r"%(?:re)?load_ext\s+jbts_kernel\s*$")
_REFERENCE = re.compile(r"\$\{\s*([A-Za-z_]\w*)")
_INDENT = "    "


class NotExported(Exception):
    """Why a cell cannot be written as Python."""


@dataclass(slots=True)
class Piece:
    """Lines of Python that belong together. ``begins`` is the test that begins before them, ``ends`` says that
    one that is open ends there. ``assigned`` and ``used`` are names of variables, ``filled_in`` those in ``${...}``;
    ``left_out`` are the magics that are only a comment now."""

    code: str = ""
    begins: Step | None = None
    ends: bool = False
    assigned: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    filled_in: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)


def pieces(source: str) -> list[Piece]:
    """A cell's source as Python, divided where tests begin and end.

    Raises:
        NotExported: something in it has no counterpart in plain Python.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    first = source.lstrip().split("\n", 1)[0]
    if first.startswith("%%") and first[2:].split(" ")[0] not in VERBS:
        raise NotExported(f"{first.split(' ')[0]} is a magic of IPython's; write it in Python")
    try:
        python = TransformerManager().transform_cell(source)
        tree = ast.parse(python)
    except SyntaxError as problem:
        raise NotExported(f"it is not Python: {problem.msg} (line {problem.lineno})") from None
    _check(tree)
    found = [Piece()]
    lines = _Lines(python)
    position = 0
    for statement in tree.body:
        magic = _magic(statement.value) if isinstance(statement, ast.Expr) else None
        if magic is not None and magic[0] in ("test", "endtest"):
            found[-1].code += lines.between(position, statement.lineno - 1)
            position = statement.end_lineno or statement.lineno
            step = _step(magic[0], magic[1], None)
            found.append(Piece(begins=step if magic[0] == "test" else None, ends=True))
            continue
        start = statement.lineno - 1
        end = statement.end_lineno or statement.lineno
        # a decorator stands above its statement
        start = min([start, *(d.lineno - 1 for d in getattr(statement, "decorator_list", ()))])
        if start < position:  # two statements on one line, which is written already
            found[-1].code += lines.between(position, end)
        else:
            found[-1].code += lines.between(position, start) + _rewritten(statement, start, end, lines, found[-1])
        position = max(position, end)
        found[-1].assigned |= _assigned(statement)
        found[-1].used |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} - {"get_ipython"}
        found[-1].filled_in |= set(_REFERENCE.findall(lines.between(start, end)))
    found[-1].code += lines.between(position, len(lines))
    return found


class _Lines:
    """The lines of a source, by number from 0."""

    def __init__(self, source: str) -> None:
        self.lines = source.splitlines(keepends=True)

    def __len__(self) -> int:
        return len(self.lines)

    def between(self, start: int, end: int) -> str:
        return "".join(self.lines[start:end])


def _check(tree: ast.Module) -> None:
    """Raise for what a function cannot hold, or what is there in a notebook only."""
    shell = {id(node.func.value.func) for node in ast.walk(tree) if _is_shell(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names):
            raise NotExported(f"from {node.module} import * cannot stand in a function; import what is used by name")
        if isinstance(node, ast.Name) and node.id == "get_ipython" and id(node) not in shell:
            raise NotExported("get_ipython() is there in a notebook only")
        if isinstance(node, ast.Call) and _is_shell(node) and _magic(node) is None:
            raise NotExported("a line that begins with ! runs a shell; use subprocess.run")
    scopes = (ast.AsyncFunctionDef,)
    inside = {id(child) for node in ast.walk(tree) if isinstance(node, scopes) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) and id(node) not in inside:
            raise NotExported("it waits with await outside a function; wrap it in asyncio.run(...)")


def _is_shell(node: ast.AST) -> bool:
    """Whether this is ``get_ipython().something(...)``, as IPython writes what is no Python."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    inner = node.func.value
    return isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "get_ipython"


def _magic(node: ast.AST) -> tuple[str, str, str | None] | None:
    """Name, line and body of a magic; None where this is none."""
    if not isinstance(node, ast.Call) or not _is_shell(node) or not isinstance(node.func, ast.Attribute):
        return None
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if node.func.attr == "run_line_magic" and len(texts) == 2:
        return texts[0], texts[1], None
    if node.func.attr == "run_cell_magic" and len(texts) == 3:
        return texts[0], texts[1], texts[2]
    return None


def _rewritten(statement: ast.stmt, start: int, end: int, lines: _Lines, piece: Piece) -> str:
    """A statement's lines with its magics written as calls."""
    source = lines.between(start, end)
    magic = _magic(statement.value) if isinstance(statement, ast.Expr) else None
    if magic is not None:
        name, line, body = magic
        if _LOADS.match(f"%{name} {line}"):
            return ""
        if name in LOOKING:
            piece.left_out.append(f"%{name} {line}".strip())
            return f"# left out, since nobody is there to look: %{name} {line}".rstrip() + "\n"
        if body is not None and name in ("steps", "group"):
            return _block(name, line, body)
        return _call(name, line, body) + "\n"
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        # a name that other functions share cannot have an annotation
        value = "" if statement.value is None else ast.get_source_segment(lines.between(0, end), statement.value)
        return f"{statement.target.id} = {value}\n" if value else ""
    calls = [(node, found) for node in ast.walk(statement) if (found := _magic(node)) is not None]
    raw = source.encode()
    offsets = [0]
    for text in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(text.encode()))
    # from the end, so that what stands before keeps its place
    for node, (name, line, body) in sorted(calls, key=lambda c: (c[0].lineno, c[0].col_offset), reverse=True):  # type: ignore[attr-defined]
        if name in ("test", "endtest"):
            raise NotExported(f"%{name} stands inside a block; begin and end tests at the left margin")
        first = offsets[node.lineno - 1 - start] + node.col_offset  # type: ignore[attr-defined]
        last = offsets[node.end_lineno - 1 - start] + node.end_col_offset  # type: ignore[attr-defined]
        raw = raw[:first] + _call(name, line, body).encode() + raw[last:]
    return raw.decode()


def _block(name: str, line: str, body: str) -> str:
    """Many steps, under one name where they have one."""
    calls = []
    for text in body.splitlines():
        if not text.strip():
            continue
        verb, _, rest = text.strip().partition(" ")
        calls.append(text.strip() if text.strip().startswith("#") else _call(verb.removeprefix("%"), rest, None))
    if name == "steps":
        return "".join(f"{call}\n" for call in calls)
    step = _step(name, line, body)
    title = literal(str(step.arguments["title"]))
    shown = f"jbts.interpolate({title})" if "${" in title else title
    if all(call.startswith("#") for call in calls):
        calls.append("pass")
    return f"with step({shown}):\n" + "".join(f"{_INDENT}{call}\n" for call in calls)


def _step(name: str, line: str, body: str | None) -> Step:
    try:
        return parse(f"{name} {line}".strip(), VERBS, body)
    except HelpWanted:
        raise NotExported(f"%{name} --help shows help; it is no step") from None
    except UsageProblem as problem:
        if name not in VERBS:
            raise NotExported(f"%{name} is a magic of IPython's; write it in Python") from None
        raise NotExported(str(problem)) from None


def _call(name: str, line: str, body: str | None) -> str:
    """A step or a command as a Python expression."""
    step = _step(name, line, body)
    signature = VERBS[step.verb]
    if name == "secret":
        if step.arguments.get("prompt"):
            raise NotExported("%secret --prompt asks a person; take the secret from the environment with --env")
        about = {"env": step.arguments.get("env"), "keyring": step.arguments.get("keyring")}
        words = [literal(step.arguments["secret_name"]), *(f"{k}={literal(v)}" for k, v in about.items() if v)]
        return f"jbts.secret({', '.join(words)})"
    whole = f"{name} {line}".strip()
    if signature.command:
        return f"jbts.line({literal(whole)})" if body is None else f"jbts.line({literal(whole)}, {literal(body)})"
    for words in _ways(signature, step):
        call = f"page.{step.verb}({', '.join(words)})"
        if _same(signature, call, step):
            return call
    return f"jbts.line({literal(whole)})" if body is None else f"jbts.line({literal(whole)}, {literal(body)})"


def _ways(signature: Signature, step: Step) -> Sequence[list[str]]:
    """How a step could be written: as people write it, and with every name told."""
    given = {p.name: step.arguments[p.name] for p in signature.parameters if p.name in step.arguments}
    options = {
        name: value
        for name in StepOptions.__dataclass_fields__
        if (value := getattr(step.options, name)) != getattr(StepOptions(), name) and name not in given
    }
    placed: list[str] = []
    named: dict[str, Any] = {}
    gap = False
    for parameter in signature.parameters:
        if parameter.name not in given:
            gap = gap or parameter.positional
        elif parameter.positional and not gap:
            value = given[parameter.name]
            placed += [literal(v) for v in value] if parameter.variadic else [literal(value)]
        else:
            named[parameter.name] = given[parameter.name]
    tail = [f"{name}={literal(value)}" for name, value in (named | options).items()]
    return [[*placed, *tail], [f"{name}={literal(value)}" for name, value in (given | options).items()]]


def _same(signature: Signature, call: str, step: Step) -> bool:
    """Whether a call comes to this step: it is bound here, not run."""
    tree = ast.parse(call, mode="eval").body
    assert isinstance(tree, ast.Call)
    args = [ast.literal_eval(word) for word in tree.args]
    kwargs: Mapping[str, Any] = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
    try:
        bound = bind(signature, args, kwargs)
    except UsageProblem:
        return False
    return (bound.arguments, bound.options) == (step.arguments, step.options)


def literal(value: Any) -> str:
    """A value as Python source, as people write it: double quotes, long texts as they stand."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str) and "\n" in value.strip() and '"""' not in value and "\\" not in value:
        text = value if not value.endswith('"') else value + "\n"
        if ast.literal_eval(f'"""{text}"""') == value:
            return f'"""{text}"""'
    if isinstance(value, str) and '"' not in value and "\\" not in value and value.isprintable():
        return f'"{value}"'
    return repr(value)


def _assigned(statement: ast.stmt) -> set[str]:
    """Names a statement gives a value to, in the scope it stands in."""
    import symtable

    table = symtable.symtable(ast.unparse(ast.Module([statement], [])), "cell", "exec")
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


def indented(code: str, depth: int) -> str:
    """Code moved to the right, except inside texts of several lines."""
    try:
        tree = ast.parse(textwrap.dedent(code))
    except SyntaxError:
        return textwrap.indent(code, _INDENT * depth)
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))):
            inside |= set(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    lines = code.splitlines(keepends=True)
    return "".join(
        line if number in inside or not line.strip() else _INDENT * depth + line for number, line in enumerate(lines, 1)
    )
