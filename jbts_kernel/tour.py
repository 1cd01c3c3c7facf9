"""``jbts demo``: the example notebooks, run as a suite against the shop, recorded where everything is.

Nothing here is made for show: it is what ``jbts run notebooks -p base_url=...`` does, followed by the
questions a person would ask next, answered from DuckDB.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .errors import UsageProblem

if TYPE_CHECKING:
    from rich.console import Console

    from .demo import Shop

PACKAGE = Path(__file__).resolve().parent

RESULTS = """
select e.test_name as test, e.status,
       (select count(*) from steps s where s.execution_id = e.execution_id and s.verb <> 'group') as steps,
       format('{:.1f} s', e.duration_ms / 1000) as duration,
       e.browser || ' ' || split_part(e.browser_version, '.', 1) as browser
from executions e where e.run_id = ? order by e.started_at
"""


def example_notebooks(home: Path, package: Path = PACKAGE) -> list[Path]:
    """The example notebooks: the checkout's own, or the installed package's, copied beside the results so
    that they can be opened, changed and run again.

    Raises:
        UsageProblem: there are none.
    """
    checkout = package.parent / "notebooks"
    if (package.parent / "pyproject.toml").exists() and checkout.is_dir():
        folder = checkout
    else:
        folder = home / "examples" / __version__
        shipped = package / "_notebooks"
        if shipped.is_dir() and not folder.exists():
            shutil.copytree(shipped, folder)
    if not any(folder.rglob("*.ipynb")):
        raise UsageProblem(f"there are no example notebooks in {folder}; install jbts-kernel again, or use a checkout")
    return [folder]


def open_shop(port: int) -> Shop:
    """A running shop.

    Raises:
        UsageProblem: the port cannot be had.
    """
    from .demo import Shop

    try:
        return Shop(port=port).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageProblem(f"the shop cannot listen on port {port}: {reason}; --port 0 takes any free one") from None


def serve(port: int, say: Callable[[str], object]) -> None:
    """Serve the shop until Ctrl-C. Raises UsageProblem where the port cannot be had."""
    shop = open_shop(port)
    say(f"Copper & Pine is open at {shop.url} (Ctrl-C closes it)")
    say(f"  in a notebook:  %load_ext jbts_kernel   then   %navigate {shop.url}/")
    try:
        shop.serve_forever()
    except KeyboardInterrupt:
        say("closed")


def run(home: Path, console: Console, *, port: int = 0, workers: int = 2, package: Path = PACKAGE) -> int:
    """Run the examples, show what they recorded and where everything is; the suite's exit code.

    Raises:
        UsageProblem: there are no examples, or the port cannot be had.
    """
    from rich.text import Text

    from . import tables
    from .store.queries import Results
    from .suite.progress import Lines, Live
    from .suite.report import write_report
    from .suite.runner import run as run_suite

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    notebooks = example_notebooks(home, package)
    with open_shop(port) as shop:
        console.print(f"The shop is open at {shop.url}; these notebooks are tests of it:", style="dim")
        progress = Live(console) if console.is_terminal else Lines(say)
        try:
            result = run_suite(
                notebooks, parameters={"base_url": shop.url}, workers=workers, home=home, progress=progress
            )
        finally:
            if isinstance(progress, Live):
                progress.close()
    console.print()
    console.print(f"What was recorded, read from {nearby(home / 'results.duckdb')}:", style="dim")
    tables.draw(Results(home).rows(RESULTS, [result.run_id]), console)
    report = write_report(home, result.run_id, home / "reports" / result.run_id)
    console.print()
    for name, place in (
        ("report", nearby(report)),
        ("notebooks", nearby(home / "runs" / result.run_id)),
        ("ask it", f'{command()} query "from slowest_steps"'),
        ("try it", f"{command()} lab"),
    ):
        console.print(Text.assemble((f"{name:11}", "bold"), place), soft_wrap=True)
    return result.exit_code


def nearby(path: Path) -> str:
    """A path as it is typed from the working folder, where it lies below it."""
    folder = Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def command() -> str:
    """How this command is typed from the working folder: a checkout's is seldom on PATH."""
    return "jbts" if shutil.which("jbts") else nearby(Path(sys.executable).parent / "jbts")
