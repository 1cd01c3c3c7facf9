"""Commands: what a tester says to the workbench rather than to the page. No steps, no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigProblem, JBTSError, StepProblem, UsageProblem
from ..grammar import Chart, Names, Prose, Rest, clip
from .registry import VERBS, command

if TYPE_CHECKING:
    from ..workbench import Workbench


@command("steps", body="script")
def steps(bench: Workbench, script: Rest) -> Any:
    """Run many steps, one a line, stopping at the first that fails.

    Args:
        script: one step a line; lines that begin with # are left out
    """
    return bench.lines(script)


@command("group", body="script")
def group(bench: Workbench, title: Prose, script: Rest) -> Any:
    """Run many steps as one named step.

    Args:
        title: the group's name
        script: one step a line
    """
    with bench.group(bench.interpolate(title)):
        return bench.lines(script)


@command("test")
def test_(
    bench: Workbench,
    title: Prose,
    *,
    tags: Names = "",
    priority: Literal["critical", "high", "medium", "low"] | None = None,
    category: str | None = None,
    retries: int = 0,
) -> Any:
    """Begin a test: a new execution, in a fresh browser context.

    Args:
        title: the test's name
        tags: labels, comma separated
        priority: how much it matters
        category: what it is about
        retries: how often a suite may run its notebook again where that fails
    """
    execution = bench.test(
        bench.interpolate(title), tags=tuple(tags) or bench.recorder.origin.tags, priority=priority, category=category
    )
    about = ", ".join([*execution.tags, *([priority] if priority else []), *([category] if category else [])])
    return bench.tell(f"test {execution.test_name!r} begins", detail=about)


@command("endtest")
def endtest(bench: Workbench) -> Any:
    """End the current test; what follows belongs to a new one."""
    name = bench.recorder.execution.test_name if bench.recorder.execution else None
    status = bench.end_test()
    if status is None:
        raise UsageProblem("no test is open; begin one with %test NAME")
    return bench.tell(f"test {name!r} {status}", tone=status)


@command("browser", also="chrome firefox driver")
def browser(
    bench: Workbench,
    browser_name: str | None = None,
    *,
    headless: bool | None = None,
    headed: bool | None = None,
    viewport: str | None = None,
    grid: str | None = None,
    arg: tuple[str, ...] = (),
    device: str | None = None,
    as_: str | None = None,
    attach: bool = False,
) -> Any:
    """Start a browser, or a second user in it (--as NAME); each user is an isolated context.

    Args:
        browser_name: chrome, chromium, edge, firefox, webkitgtk or safari
        headless: without a window
        headed: with a window
        viewport: WIDTHxHEIGHT in CSS pixels
        grid: the address of a Selenium Grid
        arg: one more argument for the browser, as --arg=--lang=de
        device: an emulated device, like iphone or pixel
        as_: the user's name; %use NAME comes back to it
        attach: go on in the browser that a killed or restarted kernel left
    """
    from dataclasses import replace

    from ..browser.launch import DEVICES, check_browser, parse_viewport
    from ..grammar import nearest

    if headless and headed:
        raise UsageProblem("--headless and --headed exclude each other; give one")
    hidden = headless if headed is None else not headed  # headless=False is what a call says for --headed
    if attach:
        if any((browser_name, headless, headed, viewport, grid, arg, device, as_)):
            raise UsageProblem("--attach takes over a browser as it is; leave the other options out")
        return _attach(bench)
    user = as_ or "main"
    spec = bench.specs.get(user, bench.spec)  # a new user is given what the one before has
    if browser_name:
        spec = replace(spec, browser=check_browser(browser_name, grid or spec.grid))
    if hidden is not None:
        spec = replace(spec, headless=hidden)
    if viewport:
        try:
            spec = replace(spec, viewport=parse_viewport(viewport))
        except ConfigProblem as problem:
            raise UsageProblem(problem.message, word=viewport) from None
    if grid:
        spec = replace(spec, grid=grid)
    if arg:
        spec = replace(spec, args=tuple(arg))
    if device:
        if device.lower() not in DEVICES:
            near = nearest(device.lower(), DEVICES)
            raise UsageProblem(
                f"unknown device {device!r}; " + (f"did you mean {near}?" if near else "use " + ", ".join(DEVICES))
            )
        spec = replace(spec, device=device.lower())
    try:
        session = bench.open_browser(user, spec)
    except StepProblem as problem:  # it was no step: its class is kept, which tells a suite that no browser came up
        raise type(problem)(problem.message, hints=problem.hints) from None
    screen = DEVICES.get(spec.device or "")
    size = f"{screen.width}x{screen.height}" if screen else f"{spec.viewport[0]}x{spec.viewport[1]}"
    window = spec.device or ("headless" if spec.headless else "with a window")
    who = f", user {user}" if user != "main" else ""
    return bench.tell(f"{session.browser.name} {session.browser.version}, {size}, {window}{who}")


def _attach(bench: Workbench) -> Any:
    found = bench.attach()
    if found is None:
        raise JBTSError("no browser was left to attach to; %browser starts one")
    session = bench.session
    title, url = session.titles()[session.handle]
    who = f", user {bench.user}" if len(found.sessions) > 1 or bench.user != "main" else ""
    others = "; ".join(f"{r.spec.browser} of {r.notebook or 'no notebook'}" for r in found.others)
    return bench.tell(
        f"attached to {session.browser.name} {session.browser.version}{who}, on {clip(url, 200)} {clip(title, 80)!r}",
        detail=f"also left: {others} (--attach again takes the next)" if others else "",
    )


@command("use")
def use(bench: Workbench, user: str) -> Any:
    """Go on as another user, begun with %browser --as NAME."""
    if user not in bench.sessions and user not in bench.specs and user != "main":
        raise UsageProblem(
            f"there is no user {clip(user)!r}; begin one with %browser --as {clip(user)} (%browsers lists them)"
        )
    bench.user = user
    return bench.tell(f"user {user}")


@command("browsers")
def browsers(bench: Workbench) -> Any:
    """List the users and what runs for them."""
    rows = [
        (
            name,
            s.browser.name,
            s.browser.version,
            len(s.tabs),
            "current" if name == bench.user else "",
            "yes" if s.browser.alive else "no",
        )
        for name, s in bench.sessions.items()
    ]
    return bench.tabulate(
        ("user", "browser", "version", "tabs", "", "alive"),
        rows,
        empty="no browser is running; the first step starts one",
    )


@command("health")
def health(bench: Workbench) -> Any:
    """Say whether browsers, log, store and hub are well."""
    from ..attended import show_health

    return show_health(bench)


@command("secret")
def secret(
    bench: Workbench,
    secret_name: str,
    *,
    env: str | None = None,
    prompt: bool = False,
    keyring: str | None = None,
) -> Any:
    """Know a secret: used as ${NAME} in any step, masked wherever it could be seen.

    Args:
        secret_name: its name
        env: the environment variable that holds it; NAME, if left out
        prompt: ask for it
        keyring: the service in the system's keyring
    """
    bench.secret(secret_name, env=env, prompt=prompt, keyring=keyring)
    return bench.tell(f"secret {secret_name} is known; use it as ${{{secret_name}}}")


@command("accept")
def accept(bench: Workbench, snapshot: str | None = None, *, review: bool = False) -> Any:
    """Make snapshots that differed the baseline: one by its name, or all that wait.

    With --review nothing is accepted: what waits is shown, expected and actual and what is different, each with a
    button that accepts it.

    Args:
        snapshot: its name, or a glob
        review: look at them first
    """
    from ..attended import show_review
    from ..baselines import accept as take
    from ..review import accepted

    if review:
        return show_review(bench, snapshot)

    taken = take(bench.home, snapshot)
    if not taken:
        return bench.tell("no snapshot waits to be accepted")
    accepted(bench, taken)
    names = ", ".join(bench.baselines.told(one.baseline) for one in taken)
    return bench.tell(f"{len(taken)} baseline{'' if len(taken) == 1 else 's'} accepted", detail=names)


@command("query", body="sql", also="sql")
def query(
    bench: Workbench, sql: Rest, *, limit: int | None = None, chart: Chart | None = None, arrow: bool = False
) -> Any:
    """Ask the results in SQL, live: runs, executions, steps and their views.

    ``name = %query ...`` keeps the whole answer as a pandas data frame (up to a million rows, or --limit); the cell
    shows it a page at a time, sorted by the column you press.

    Args:
        sql: one SELECT; in a cell of its own below %%query
        limit: how many rows to take
        chart: draw the answer: what, and the columns along and up; heat takes its colour from a third
        arrow: give an Arrow table instead of a data frame
    """
    return bench.ask(sql, limit, chart=tuple(chart) if chart is not None else None, arrow=arrow)


@command("results")
def results(bench: Workbench, view: Literal["latest", "failures", "flaky", "slowest", "usage"] = "latest") -> Any:
    """Show results with a chart: latest, failures, flaky, slowest or usage.

    Args:
        view: which
    """
    return bench.show_results(view)


@command("usage")
def usage(bench: Workbench) -> Any:
    """Show what AI calls used: tokens and cost by day and model."""
    return bench.show_results("usage")


@command("dashboard")
def dashboard(bench: Workbench, *, days: int = 14) -> Any:
    """Draw pass rate, duration, tests by day, flaky tests, slowest steps, failures and AI cost.

    Args:
        days: how many days back
    """
    from ..attended import show_dashboard

    show_dashboard(bench, days)


@command("workbench")
def workbench(bench: Workbench) -> None:
    """Open the live panel: point at the page and the step writes itself; the steps so far, and what to expect next.

    In JupyterLab it is live and writes cells; where nobody looks on, and once the kernel is gone, it is a strip of the
    steps that were run.
    """
    from ..still_panel import StillPanel

    if not bench.attended:
        bench.panel = StillPanel(bench)
        return
    from ..widgets import LivePanel

    live = LivePanel(bench)
    bench.emit(live.bundle())
    live.still = StillPanel(bench)
    bench.panel = live


@command("events")
def events(
    bench: Workbench, action: Literal["start", "stop", "status", "tail", "url"] = "status", number: int = 10
) -> Any:
    """Start, stop or ask the event broadcast; tail N shows the last events; url is for a client and a browser.

    In JupyterLab the list of tail goes on while tests run, here or in other kernels of the project.

    Args:
        action: what to do
        number: how many events tail shows
    """
    if action == "start":
        bench.events.start()
        return bench.tell("the broadcast is starting")
    if action == "stop":
        bench.events.stop()
        return bench.tell("the broadcast is stopped")
    if action == "url":
        bench.tell(f"live page: {bench.events.page()}")
        return bench.events.url()
    if action == "tail":
        from ..attended import show_events

        return show_events(bench, number)
    return bench.tell(f"the hub is {bench.events.status()}")


@command("jbts")
def jbts(bench: Workbench) -> Any:
    """What is running where, and every verb."""
    from ..answers import Shown
    from ..attended import show_health
    from ..verb_help import overview
    from .reference import CHAPTERS

    bench.emit(show_health(bench)._repr_mimebundle_())
    rows = [(f"%{s.verb}", s.summary, "command" if s.command else s.step_type) for s in VERBS.values()]
    bundle = overview([(title, [VERBS[name] for name in names]) for title, names in CHAPTERS])
    return Shown(bundle, ("verb", "does", "kind"), rows)
