"""A live view: HTML the kernel draws, and what is pressed in it comes back as a message.

The same HTML without its controls is the plain twin that the cell keeps, so the two cannot say different things, and
what a page said is escaped in one place for both. A view is an output of its own, before its twin: a reader that
runs nothing (nbconvert, GitHub, a notebook opened without its kernel) shows the twin, and where the view lives the
style that comes with every card hides it. Nothing is synced state, so nothing of a page is saved as a widget.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import anywidget

from . import display
from .assets import asset
from .errors import JBTSError
from .grammar import clip

VIEW_MIME = "application/vnd.jupyter.widget-view+json"


class View(anywidget.AnyWidget):
    """One view, wherever it is shown. A press on a button with ``data-do="turn"`` calls ``do_turn`` with the button's
    data; so does what is typed or chosen in a field with one. It comes from a front end: it is checked where it is
    used."""

    _esm = asset("view.js")
    _css = asset("view.css")
    most_live: ClassVar[int] = 8
    """Views of a kind that live at once. A cell that runs again makes a new one, and nobody says that the one
    before is gone: the oldest ends, and its plain twin is seen again."""
    _living: ClassVar[dict[type, deque[View]]] = {}

    def __init__(self) -> None:
        living = self._living.setdefault(type(self), deque())  # asked now: traits give a widget a class of its own
        super().__init__()
        living.append(self)
        while len(living) > self.most_live:
            living.popleft().close()
        heard_where_it_was_sent(self.comm)
        self.on_msg(self._hear)

    def body(self) -> str:
        """The whole view as HTML."""
        raise NotImplementedError

    def do_hello(self, said: Mapping[str, Any]) -> None:
        """A front end shows this view."""
        self.draw()

    def draw(self) -> None:
        """Show everything anew."""
        self.send({"is": "show", "html": f'{display.STYLE}<div class="jbts">{self.body()}</div>'})

    def draw_part(self, part: str, html: str) -> None:
        """Show one part anew, the element with this ``data-part``."""
        self.send({"is": "show", "part": part, "html": html})

    def add_lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """Put rows, oldest first, on top of the part ``lines``; each with its ``data-line``, of which there is one."""
        self.send({"is": "lines", "lines": list(lines)})

    def tell(self, message: str) -> None:
        """A line in the part ``told``, which a screen reader speaks."""
        self.draw_part("told", display.text(message, 400))

    def _hear(self, _: Any, said: Any, buffers: Any) -> None:
        word = said.get("do") if isinstance(said, dict) else None
        handler = getattr(self, f"do_{word}", None)
        if handler is None:
            return
        try:
            handler(said)
        except JBTSError as problem:
            self.tell(problem.message)

    def bundle(self) -> display.Bundle:
        """The view as an output."""
        return output_of(self)


def output_of(widget: anywidget.AnyWidget) -> display.Bundle:
    """A widget as an output; it says nothing where it cannot live, since its twin stands below."""
    made = widget._repr_mimebundle_()
    live = made[0] if isinstance(made, tuple) else made
    assert live is not None
    return {VIEW_MIME: live[VIEW_MIME], "text/plain": ""}


def heard_where_it_was_sent(comm: Any) -> None:
    """ipykernel passes what a front end says to the loop that spoke last on its comm. That is the main one whenever
    a cell has told of itself, and a running cell keeps it busy; a view is heard while one runs. A front end may
    name a loop of the kernel before this one: that is the main one's to hear."""
    if not hasattr(comm, "_reply_subshell_for"):
        return

    def route(data: Any, sent_to: str | None) -> str | None:
        known = comm.kernel.shell_channel_thread.manager.list_subshell() if comm.kernel is not None else []
        return sent_to if sent_to in known else None

    comm._reply_subshell_for = route


def number(said: Mapping[str, Any], name: str, most: int) -> int:
    """A number that a front end sent, from 0 to ``most``; the nearest there is."""
    try:
        return min(max(int(str(said.get(name, 0))[:12]), 0), most)
    except ValueError:
        return 0


def button(label: str, do: str, *, key: str = "", about: str = "", off: bool = False, **data: object) -> str:
    """A button that says ``do`` and its data. One that is off keeps the focus it has. What is in ``data`` by the name
    ``pressed`` or ``expanded`` is its state."""
    states = {name: data.pop(name) for name in ("pressed", "expanded") if name in data}
    said = "".join(f' data-{name}="{display.text(value)}"' for name, value in {**data, "key": key or do}.items())
    told = "".join(f' aria-{name}="{"true" if value else "false"}"' for name, value in states.items())
    named = f' title="{display.text(about)}" aria-label="{display.text(about)}"' if about else ""
    disabled = ' aria-disabled="true"' if off else ""
    return f'<button type="button" data-do="{do}"{said}{named}{told}{disabled}>{display.text(label)}</button>'


def bar(*parts: str, told: str = "") -> str:
    """A row of controls and, behind them, the line that :meth:`View.tell` speaks."""
    said = f'<span data-part="told" role="status">{display.text(clip(told, 400))}</span>'
    return f'<div class="jbts-tools" role="group" aria-label="controls">{"".join(parts)}{said}</div>'


Emit = Callable[[display.Bundle], None]


def with_twin(view: View, twin: display.Bundle, emit: Emit) -> display.Bundle:
    """Show a view; its twin, to be shown after it."""
    emit(view.bundle())
    return as_twin(twin)


def as_twin(bundle: display.Bundle) -> display.Bundle:
    """An output that is hidden as long as the view before it lives."""
    return {**bundle, "text/html": f'<div class="jbts-twin"></div>{bundle["text/html"]}'}
