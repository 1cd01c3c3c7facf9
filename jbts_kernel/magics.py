"""The IPython side: a magic for each verb, cards under cells, and leaving without a trace.

Each magic is the same thin skin over the workbench; what it takes comes from the registry.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import analysis_card, asynchrony, display, grammar, verb_help
from .config import JBTS
from .current import Page, set_current
from .display import Bundle
from .errors import StepFailed, UsageProblem
from .grammar import HelpWanted, Signature
from .models import Status, StepResult
from .only_ci import SAID, OnlyCI
from .origin import assigned_parameters, interactive
from .printed import Printed
from .recorder import status_of
from .verbs import VERBS
from .workbench import Workbench, source_hash

NAMES = ("jbts", "page", "step")
SHOWN_TYPES = (
    "read",
    "analyze",
    "evaluate",
    "request",
    "cookie",
    "storage",
    "tab",
    "dialog",
    "screenshot",
    "custom",
)


class Extension:
    """What one shell was given, so that all of it can be taken away again."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.settings = JBTS(parent=shell)
        self.bench = Workbench(self.settings, namespace=shell.user_ns, show=self.show)
        self.bench.emit_bundle = _publish
        self.bench.gather = self.gather
        self.bench.names = self.names_pictures
        self.bench.leaving = self.restarting
        self.bench.left = self.exited
        if interactive(self.bench.environ) and hasattr(shell, "set_next_input"):
            self.bench.next_cell = lambda text: shell.set_next_input(text, replace=False)
        self.only_ci = OnlyCI(shell, self.bench.environ)
        self.printed = Printed(shell, self.bench.secrets)
        if interactive(self.bench.environ) and hasattr(shell, "kernel"):
            self.bench.watch = self.watch
        # Of this kernel's notebook alone: one that it runs itself has nobody who puts pictures in.
        self._named = os.environ.pop("JBTS_PICTURES", "") == "named"
        self._waiting: Any = None
        self.strips: list[_Strip] = []
        self._before: dict[str, Any] = {}
        self._magics: dict[tuple[str, str], Any] = {}
        self._ours: dict[tuple[str, str], Any] = {}
        self._matcher: Any = None
        self._verdict = self.bench.recorder.verdict()
        self._exceptions: tuple[Any, Any] = ((), None)
        self._exited = False

    # ---- coming and going -----------------------------------------------------------------------
    def load(self) -> None:
        from IPython.core.error import UsageError

        shell = self.shell
        set_current(self.bench)
        given = {"jbts": self.bench, "page": Page(lambda: self.bench), "step": self.bench.group}
        self._before = {name: shell.user_ns[name] for name in NAMES if name in shell.user_ns}
        shell.push(given, interactive=False)
        registered = shell.magics_manager.magics
        for signature in VERBS.values():
            kinds = {"line": self.magic(signature)}
            if signature.body is not None:
                kinds["cell"] = kinds["line"]
            for kind, function in kinds.items():
                self._magics[kind, signature.verb] = registered[kind].get(signature.verb)
                self._ours[kind, signature.verb] = registered[kind][signature.verb] = function
        shell.events.register("pre_run_cell", self.before_cell)
        shell.events.register("post_run_cell", self.after_cell)
        self.only_ci.load()
        self.printed.load()
        shell.input_transformers_cleanup.append(_asks_for_help)
        self._exceptions = (shell.custom_exceptions, shell.CustomTB)
        shell.set_custom_exc((UsageError,), self.usage)
        if self.settings not in shell.configurables:
            shell.configurables.append(self.settings)
        if getattr(shell, "Completer", None) is not None:
            from .completion import matcher

            self._matcher = matcher(shell)
            shell.Completer.custom_matchers.append(self._matcher)
        for source in shell.user_ns.get("In", ()):  # a parameters cell may have run before
            self._take_parameters(source)
        if self.settings.nest_asyncio == "load":
            asynchrony.apply()
        elif self.settings.nest_asyncio == "need":
            asynchrony.install()

    def unload(self) -> None:
        shell = self.shell
        registered = shell.magics_manager.magics
        for (kind, name), before in self._magics.items():
            if registered[kind].get(name) is self._ours[kind, name]:
                if before is None:
                    del registered[kind][name]
                else:
                    registered[kind][name] = before
        for event, function in (("pre_run_cell", self.before_cell), ("post_run_cell", self.after_cell)):
            if function in shell.events.callbacks[event]:
                shell.events.unregister(event, function)
        self.only_ci.unload()
        self.printed.unload()
        if _asks_for_help in shell.input_transformers_cleanup:
            shell.input_transformers_cleanup.remove(_asks_for_help)
        shell.custom_exceptions, shell.CustomTB = self._exceptions
        if self.settings in shell.configurables:
            shell.configurables.remove(self.settings)
        if self._matcher is not None and self._matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(self._matcher)
        for name in NAMES:
            shell.user_ns.pop(name, None)
            shell.user_ns_hidden.pop(name, None)
        shell.user_ns.update(self._before)
        asynchrony.remove()
        set_current(None)
        self.bench.close()

    def restarting(self) -> bool:
        """Whether the kernel ends because somebody restarts it. ipykernel says so nowhere else."""
        message = getattr(getattr(self.shell, "kernel", None), "_shutdown_message", None)
        return bool(message and message["content"].get("restart"))

    def exited(self) -> bool:
        """Whether a cell ended the kernel, and nobody outside: a runner asks for the same without a cell."""
        return self._exited and getattr(getattr(self.shell, "kernel", None), "_shutdown_message", None) is None

    # ---- magics ---------------------------------------------------------------------------------
    def magic(self, signature: Signature) -> Callable[..., Any]:
        """The function IPython calls for ``%verb`` and ``%%verb``."""

        def run(line: str, cell: str | None = None) -> Any:
            text = f"{signature.verb} {line}"
            try:
                if signature.verb == "steps" and cell is not None:
                    with self.gather(""):
                        self.bench.line(text, cell)
                    return None
                value = self.bench.line(text, cell)
            except HelpWanted as wanted:
                _publish(verb_help.help_bundle(wanted.signature))
                return None
            except UsageProblem as problem:
                from IPython.core.error import UsageError

                raise UsageError("\n".join([problem.message, *(f"  {hint}" for hint in problem.hints)])) from None
            return value if signature.command or signature.step_type in SHOWN_TYPES else None

        run.__name__ = signature.verb
        run.__qualname__ = signature.verb
        run.__doc__ = signature.summary
        run.getdoc = lambda: verb_help.help_text(signature)  # type: ignore[attr-defined]  # what %verb? shows
        run._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]
        return run

    def usage(
        self, shell: Any, kind: type[Exception], error: Exception, trace: Any, tb_offset: Any = None
    ) -> list[str]:
        """Bad syntax, ours or IPython's own: a line for a person; a failure for whoever runs notebooks
        unattended, since a UsageError leaves no error output and the cell would pass."""
        message = str(error)
        unknown = re.search(r"magic function `%{1,2}(\w+)` not found", message)
        near = grammar.nearest_verb(unknown.group(1), VERBS) if unknown else ""
        if near:
            message = f"there is no %{unknown.group(1)}; did you mean %{near}? (%jbts lists every verb)"  # type: ignore[union-attr]
        if interactive(self.bench.environ):
            shell.show_usage_error(message)
        else:
            shell._showtraceback(kind, kind(message), [f"UsageError: {message}"])
        return []

    @contextlib.contextmanager
    def gather(self, title: str) -> Iterator[None]:
        """Many steps under one heading: rows that grow as they run, then a film strip. A group in a group says in
        which."""
        outer = self.strips[-1].title if self.strips else ""
        strip = _Strip(" \u203a ".join(filter(None, (outer, title))), live=hasattr(self.shell, "kernel"))
        self.strips.append(strip)
        status: Status = "passed"
        try:
            yield
        except BaseException as error:
            status = status_of(error)
            raise
        finally:
            self.strips.pop()
            strip.finish(status)

    # ---- cells ----------------------------------------------------------------------------------
    def before_cell(self, info: Any) -> None:
        source = info.raw_cell or ""
        parent = getattr(self.shell, "parent_header", None) or {}
        cell_id = (parent.get("metadata") or {}).get("cellId") if isinstance(parent, dict) else None
        self._waiting = None
        self._verdict = self.bench.recorder.verdict()
        if self.only_ci.leaves_out():
            _publish(display.note(SAID, tone="skipped"))
        self.bench.cell = (getattr(info, "cell_id", None) or cell_id, source_hash(source))

    def after_cell(self, result: Any) -> None:
        self._exited = bool(getattr(self.shell, "exit_now", False))
        if self.bench.panel is not None:
            self.bench.panel.settle()
        source = result.info.raw_cell if result.info is not None else ""
        if self.bench.recorder.origin.parameters is None or self.bench.recorder.origin.kind == "papermill":
            self._take_parameters(source or "")
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return
        if self._errors_allowed():
            self.bench.recorder.restore(self._verdict)
        else:
            self.bench.fault(error)

    def _take_parameters(self, source: str) -> None:
        from dataclasses import replace

        found = assigned_parameters(source, self.shell.user_ns)
        if found:
            origin = self.bench.recorder.origin
            self.bench.recorder.origin = replace(origin, parameters={**(origin.parameters or {}), **found})

    def _errors_allowed(self) -> bool:
        """Whether the cell is tagged raises-exception: its front end then asked not to stop on an error."""
        kernel = getattr(self.shell, "kernel", None)
        parent = kernel.get_parent("shell") if kernel is not None and hasattr(kernel, "get_parent") else {}
        return (parent.get("content") or {}).get("stop_on_error") is False

    def show(self, result: StepResult) -> None:
        """Show a finished step: as a row where many run together, else as a card."""
        waiting, self._waiting = self._waiting, None
        if self.strips:
            self.strips[-1].add(result)
            return
        card = analysis_card.card(result, named=self.names_pictures())
        if waiting is not None:
            waiting.update(card, raw=True)
        else:
            _publish(card)

    def names_pictures(self) -> bool:
        """Whether the next card names its picture: whoever runs the notebook in a suite puts it in, as nobody looks at
        it before. Where steps are shown in another way, their pictures are wanted here."""
        return self._named and not self.strips and self.bench.panel is None

    def watch(self, line: str) -> None:
        """Say that a step waits, where its card is going to be."""
        if self.bench.show != self.show:  # it is shown elsewhere
            return
        if self.strips:
            self.strips[-1].wait(line)
        else:
            self._waiting = _shown(self._waiting, display.waiting(line))


def _asks_for_help(lines: list[str]) -> list[str]:
    """``%%steps --help`` with nothing below it, which IPython refuses before it asks the magic."""
    (first, *rest) = lines or [""]
    asked = re.match(r"%%(\w+)\s(?:.*\s)?--help(?=\s|$)", first)
    return [first[1:], *rest] if asked and asked[1] in VERBS and not "".join(rest).strip() else lines


class _Strip:
    """One display that grows with each step; a failed step gets its whole card below."""

    def __init__(self, title: str, *, live: bool) -> None:
        self.title = title
        self.live = live  # a terminal cannot change what it has printed
        self.results: list[StepResult] = []
        self.pictures: list[bytes] = []
        self._handle: Any = None

    def add(self, result: StepResult) -> None:
        self.results.append(result)
        if not self.live:
            heading = f"{self.title}\n" if self.title and len(self.results) == 1 else ""
            _publish({"text/plain": heading + display.card_text(result)})
            return
        if result.thumbnail and result.thumbnail not in self.pictures[-1:] and len(self.pictures) < 24:
            self.pictures.append(result.thumbnail)
        self._update(display.strip(self.title, self.results, status="running"))

    def wait(self, line: str) -> None:
        self._update(display.strip(self.title, self.results, status="running", under_way=line))

    def _update(self, bundle: Bundle) -> None:
        self._handle = _shown(self._handle, bundle)

    def finish(self, status: Status) -> None:
        if not self.results or not self.live:
            return
        from .browser.capture import thumbnail

        small = [thumbnail(p, width=320, limit=8_000) for p in self.pictures]
        self._update(display.strip(self.title, self.results, small, status=status))
        last = self.results[-1]
        if last.status != "passed":
            _publish(analysis_card.card(last))


def _shown(handle: Any, bundle: Bundle) -> Any:
    """Show a bundle in the place of the one before; the handle of that place."""
    from IPython.display import display as show

    if handle is None:
        return show(bundle, raw=True, display_id=True)
    handle.update(bundle, raw=True)
    return handle


def _publish(bundle: Mapping[str, Any]) -> None:
    from IPython.display import publish_display_data

    publish_display_data(dict(bundle))


_loaded: dict[int, Extension] = {}


def load(shell: Any) -> None:
    """Give a shell the extension. Loading twice changes nothing."""
    if id(shell) not in _loaded:
        extension = _loaded[id(shell)] = Extension(shell)
        extension.load()


def unload(shell: Any) -> None:
    """Take everything away again; ends what the extension started."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()


__all__: Sequence[str] = ("Extension", "StepFailed", "load", "unload")
