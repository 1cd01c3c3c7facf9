"""What ``--help`` and ``%jbts`` show: a verb, or all of them, as HTML for a notebook of any width and as text for a
terminal of 80 columns. Made from the signatures, like everything that is said about verbs.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from .display import STYLE, Bundle, folded_text, text
from .grammar import COMMON_ABOUT, Parameter, Signature, common_options

_KIND_ABOUT = {
    "locator": 'an element: CSS, //xpath, text=Save, label=Email, role=button[name="Go"], testid=..., A >> B'
}
_WIDEST = 24
Entry = tuple[str, str]


def _described(signature: Signature) -> list[Entry]:
    """What each word and option is called, and what it does."""

    def called(p: Parameter) -> str:
        return p.metavar if p.positional else f"{p.option} {'' if p.kind == 'flag' else p.metavar}".strip()

    own = [(called(p), signature.about.get(p.name) or _KIND_ABOUT.get(p.kind, "")) for p in signature.parameters]
    return own + [(called(p), COMMON_ABOUT[p.name]) for p in common_options(signature)]


def _prose(signature: Signature) -> list[str]:
    """The paragraphs between the summary and the arguments, and how it is written as a cell of its own."""
    rest = (signature.function.__doc__ or "").partition("\n")[2].partition("Args:")[0]
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", rest) if part.strip()]
    if signature.body:
        paragraphs.append(f"In a cell of its own: %%{signature.verb} ..., with {signature.body} below.")
    return paragraphs


def help_text(signature: Signature) -> str:
    """A verb's help for a terminal, and for ``%verb?``."""
    described = _described(signature)
    lines = [folded_text(f"%{signature.form}", indent="    "), "", folded_text(signature.summary)]
    for paragraph in _prose(signature):
        lines += ["", folded_text(paragraph)]
    if described:
        lines += ["", *_listed(described)]
    return "\n".join(lines)


def _listed(entries: Sequence[Entry]) -> list[str]:
    width = max((len(name) for name, _ in entries if len(name) <= _WIDEST), default=_WIDEST)
    indent = " " * (width + 4)
    lines = []
    for name, sentence in entries:
        head = f"  {name.ljust(width)}  "
        if len(name) > width:
            lines.append(f"  {name}")
            head = indent
        lines.append(folded_text(sentence, head, indent) or head.rstrip())
    return lines


def help_bundle(signature: Signature) -> Bundle:
    """A verb's help for the notebook."""
    verb, *words = re.findall(r"\[[^\]]*\](?:\.\.\.)?|\S+", f"%{signature.form}")
    form = " ".join(f"<span>{_breakable(word)}</span>" for word in words)
    parts = [f'<div class="jbts-form"><b>{text(verb)}</b> {form}</div>', f"<p>{text(signature.summary)}</p>"]
    parts += [f"<p>{_marked(paragraph)}</p>" for paragraph in _prose(signature)]
    parts.append(_entries(_described(signature)))
    return {
        "text/plain": help_text(signature),
        "text/html": f'{STYLE}<div class="jbts jbts-help">{"".join(parts)}</div>',
    }


def overview(chapters: Iterable[tuple[str, Sequence[Signature]]]) -> Bundle:
    """Every verb with what it does, by chapters."""
    shown, lines = [], []
    for title, signatures in chapters:
        entries = [(f"%{s.verb}", s.summary) for s in signatures]
        shown.append(f'<div class="jbts-verb jbts-chapter">{text(title)}</div>{_entries(entries)}')
        lines += ["", title, *_listed(entries)]
    shown.append('<p class="jbts-soft">%verb --help says what each of them takes.</p>')
    lines += ["", "%verb --help says what each of them takes."]
    return {
        "text/plain": "\n".join(lines[1:]),
        "text/html": f'{STYLE}<div class="jbts jbts-help">{"".join(shown)}</div>',
    }


def _entries(entries: Iterable[Entry]) -> str:
    rows = "".join(
        f"<div><code>{_breakable(name)}</code><span>{_marked(sentence)}</span></div>" for name, sentence in entries
    )
    return f'<div class="jbts-entries">{rows}</div>' if rows else ""


def _breakable(word: str) -> str:
    """A word of a usage line, which may be broken between its choices."""
    return re.sub(r"([|,])", r"\1<wbr>", html.escape(word))


def _marked(sentence: str) -> str:
    """A sentence of a docstring, what it has in double back quotes as code."""
    return re.sub(
        r"``(.+?)``", lambda found: f"<code>{_breakable(html.unescape(found[1]))}</code>", html.escape(sentence)
    )
