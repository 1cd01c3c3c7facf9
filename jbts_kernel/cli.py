"""The ``jbts`` command: thin skins over the package, each importing what it needs when it runs.

``jbts --help`` must answer at once, so this module imports Click and nothing heavy; commands that live
elsewhere are named with their one-line help and loaded when they are called.

Exit codes, the same for every command: 0 done (all passed), 1 failures, 2 the command was not understood or
there was nothing to run, 3 something needed is not there (no browser, no grid, no hub), 130 interrupted.
An error is one line on stderr that says what to do next; where there is more worth reading it follows, indented.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from . import __version__
from .errors import INFRASTRUCTURE as NOT_THERE
from .errors import (
    BrowserUnavailable,
    ClusterUnavailable,
    ConfigProblem,
    HubProblem,
    JBTSError,
    StepFailed,
    UsageProblem,
)
from .grammar import nearest, printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

FAILURES, USAGE, INFRASTRUCTURE, INTERRUPTED = 1, 2, 3, 130
_PIPE_WIDTH = 160  # what is kept in a file is not folded at eighty columns

# name -> (module, attribute, help); the modules are heavy, so they are loaded when the command is called
_ELSEWHERE: Mapping[str, tuple[str, str, str]] = {
    "run": ("jbts_kernel.suite.commands", "run_command", "Run notebooks as a suite."),
    "generate": ("jbts_kernel.generating", "generate_command", "Write a test from a sentence into a notebook."),
    "report": ("jbts_kernel.suite.commands", "report_command", "Write the HTML report of a run."),
    "export-test": ("jbts_kernel.suite.commands", "export_command", "Write a notebook as a plain pytest file."),
    "query": ("jbts_kernel.store.commands", "query", "Ask the results a question in SQL."),
    "publish": ("jbts_kernel.store.commands", "publish", "Move what has been recorded into results.duckdb."),
    "export": ("jbts_kernel.store.commands", "export", "Write results as one database, Parquet, Allure or JUnit."),
    "import": ("jbts_kernel.store.commands", "import_", "Take over the results of another machine."),
    "ship": ("jbts_kernel.store.commands", "ship", "Send results to a central place, each once."),
    "prune": ("jbts_kernel.store.commands", "prune", "Delete what is old."),
}
_ORDER = (
    "demo", "run", "report", "accept", "generate", "export-test", "query", "events", "hub", "publish", "export",
    "import", "ship", "prune", "lab", "doctor",
)  # fmt: skip


class _Commands(click.Group):
    """A group whose heavy members are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _ORDER if name in self.commands or name in _ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = _ELSEWHERE[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            near = nearest(args[0], self.list_commands(ctx))
            meant = f" (did you mean {near}?)" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.commands.get(name)
            rows.append((name, command.get_short_help_str(limit=70) if command else _ELSEWHERE[name][2]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="jbts")
def commands() -> None:
    """Browser tests written the way people explore: one step, one cell, one picture.

    Everything is recorded in the project's .jbts folder (JBTS_HOME names another).
    """


def home() -> Path:
    """The project's data folder."""
    from .config import find_home

    return find_home()


def console(out: TextIO | None = None) -> Console:
    """Where tables go (standard output). Rich leaves colours out for NO_COLOR and for what is no terminal."""
    from rich.console import Console

    made = Console(highlight=False, file=out)
    if not made.is_terminal:
        made.width = max(made.width, _PIPE_WIDTH)
    return made


@commands.command()
@click.argument("name", required=False)
def accept(name: str | None) -> int:
    """Make snapshots that differed the baseline: the one of this NAME (or glob), or all that wait."""
    from .baselines import accept as take

    taken = take(home(), name)
    for one in taken:
        click.echo(f"accepted {one.name}: {one.baseline}")
    if not taken:
        click.echo("no snapshot waits to be accepted")
    return 0


@commands.command()
@click.option("--serve", is_flag=True, help="Only serve the shop, until Ctrl-C, to try steps on by hand.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where the shop listens; 0 is any free port.")
@click.option("-n", "--workers", type=click.IntRange(1), default=2, show_default=True, help="Notebooks at a time.")
def demo(serve: bool, port: int, workers: int) -> int:
    """Run the example notebooks against a shop on this machine."""
    from . import tour

    if serve:
        tour.serve(port, click.echo)
        return 0
    return tour.run(home(), console(), port=port, workers=workers)


@commands.group(invoke_without_command=True)
@click.pass_context
def events(context: click.Context) -> None:
    """Follow the broadcast (tail), or tell where it is (url)."""
    if context.invoked_subcommand is None:
        context.invoke(tail)


@events.command()
@click.option("--room", default="test_events", show_default=True, help="test_events or test_execution:ID.")
@click.option("--history/--no-history", default=True, show_default=True, help="Begin with what the hub has kept.")
@click.option("-n", "--count", type=click.IntRange(1), default=None, help="End after so many.")
@click.option("--format", "shape", type=click.Choice(["auto", "text", "json"]), default="auto", show_default=True,
              help="auto is text on a terminal and one JSON object a line elsewhere.")  # fmt: skip
def tail(room: str = "test_events", history: bool = True, count: int | None = None, shape: str = "auto") -> None:
    """Print events as they come, until Ctrl-C."""
    import asyncio
    import json

    from .broadcast import discovery
    from .broadcast.client import subscribe
    from .tables import event_line

    as_text = shape == "text" or (shape == "auto" and sys.stdout.isatty())
    names: dict[str, str] = {}

    async def follow() -> None:
        seen = 0
        async with subscribe(place, room, history=history) as stream:
            async for event in stream:
                click.echo(event_line(event, names) if as_text else json.dumps(event, ensure_ascii=False))
                seen += 1
                if seen == count:
                    return

    place = home()
    discovery.ensure(place)
    asyncio.run(follow())


@events.command()
def url() -> None:
    """Print the address of the live page and the one for clients, with their token; starts the hub."""
    from .broadcast import discovery

    info = discovery.ensure(home())
    click.echo(f"live page  {info.page}\nclients    {info.url}")


@commands.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; 0 is the last one, or any free one.")
@click.option("--idle", type=float, default=None, metavar="SECONDS", help="End after so long without use.")
@click.option("--origin", multiple=True, metavar="ORIGIN", help="A page's origin that may connect.")
@click.option("--no-metrics", is_flag=True, help="Do not serve /metrics.")
def hub(host: str, port: int, idle: float | None, origin: tuple[str, ...], no_metrics: bool) -> int:
    """Run the broadcast hub in the foreground."""
    from .broadcast import hub as broadcast_hub

    words = [str(home()), "--foreground", "--host", host]
    words += ["--port", str(port)] if port else []
    words += ["--idle", str(idle)] if idle is not None else []
    words += [word for one in origin for word in ("--origin", one)]
    words += ["--no-metrics"] if no_metrics else []
    return broadcast_hub.main(words)


@commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Start JupyterLab with the JBTS kernel (further arguments are its own)."""
    words = [sys.executable, "-m", "jupyterlab", *arguments]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and not any(word.startswith("--allow-root") for word in arguments):
        click.echo("jbts: running as root, so JupyterLab is started with --allow-root", err=True)
        words.append("--allow-root")
    os.execv(sys.executable, words)  # JupyterLab takes this process over, with its terminal and its signals


@commands.command()
@click.option("--install", is_flag=True, help="First install a browser where there is none.")
def doctor(install: bool) -> int:
    """Say what is installed, set and running here."""
    from . import doctor as surroundings

    if install:
        from .installation import ensure_browser

        ensure_browser(lambda line: click.echo(line, err=True))
    examination = surroundings.examine()
    surroundings.show(examination, console())
    return 0 if examination.usable else INFRASTRUCTURE


def exit_code(error: JBTSError) -> int:
    """What the process ends with for an error nobody handled."""
    if isinstance(error, (UsageProblem, ConfigProblem)):
        return USAGE
    cause = error.result.error_type if isinstance(error, StepFailed) else None
    if isinstance(error, (BrowserUnavailable, ClusterUnavailable, HubProblem)) or cause in NOT_THERE:
        return INFRASTRUCTURE
    return FAILURES


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point. Ends the process with the command's exit code."""
    try:
        code = commands.main(arguments, prog_name="jbts", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(USAGE)
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "jbts"
        message = " ".join(error.format_message().split())
        click.echo(f"jbts: {message.rstrip('.')}; see {path} --help", err=True)
        sys.exit(error.exit_code)
    except JBTSError as error:
        for line in (*f"jbts: {error}".splitlines(), *(f"  {hint}" for hint in error.hints)):
            click.echo(printable(line), err=True)
        sys.exit(exit_code(error))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
