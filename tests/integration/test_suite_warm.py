"""Warm starts: nothing of one notebook reaches the next, and nothing outlives the run, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.lending import Lender, borrow, lendable
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.browser.records import Records
from jbts_kernel.demo import Shop
from jbts_kernel.display import STEP_MIME
from jbts_kernel.errors import BrowserUnavailable
from jbts_kernel.suite.forking import ForkServer
from jbts_kernel.suite.outcome import CaseResult
from jbts_kernel.suite.runner import run
from jbts_kernel.suite.turns import Turns

from .written import notebook

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "JBTS_BROADCASTER": "off", "PYTHONPATH": str(ROOT), **more}


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    ends, tick = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        tick.wait(0.05)


def runs(pid: int) -> bool:
    """Whether a process is there, and is not one whose parent has yet to look at how it ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def printed(result: CaseResult) -> list[str]:
    """What the cells of a case's only attempt printed."""
    executed = result.attempts[-1].executed
    assert executed is not None
    cells = nbformat.read(executed, as_version=4).cells
    return ["".join(o.get("text", "") for o in cell.get("outputs", ())).strip() for cell in cells]


STATE = """
import os, random, signal, sys, threading, json
umask = os.umask(0); os.umask(umask)
found = {
    "modules": sorted(name for name in sys.modules if name.startswith("left_")) + [hasattr(json, "left")],
    "environment": [os.environ.get("LEFT"), os.environ.get("GIVEN")],
    "folder": os.path.basename(os.getcwd()),
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "umask": umask,
    "threads": sorted(t.name for t in threading.enumerate() if "left" in t.name),
    "files": [f for f in os.listdir("/proc/self/fd") if "left_open" in os.path.realpath("/proc/self/fd/" + f)],
    "path": [p for p in sys.path if "left" in p],
    "argv": sys.argv[0].rpartition("/")[2].removesuffix(".py"),
    "leader": os.getsid(0) == os.getpid(),
    "limit": sys.getrecursionlimit(),
}
print(json.dumps(found))
"""
SPOIL = """
import threading, types
sys.modules["left_behind"] = types.ModuleType("left_behind"); json.left = True
os.environ["LEFT"] = "x"; os.environ["GIVEN"] = "changed"
os.mkdir("elsewhere"); os.chdir("elsewhere"); sys.path.insert(0, "left"); sys.setrecursionlimit(4321)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, lambda *a: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.umask(0o077)
kept = open("left_open", "w"); random.seed(1)
threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="open files are read from /proc")
def test_a_forked_kernel_finds_what_an_ordinary_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python looks for modules in the same places either way, also where the folder of the run is one of them."""
    monkeypatch.chdir(ROOT)  # where the package under test is installed from
    path = notebook(tmp_path / "where.ipynb", "import sys; print(sys.path)")
    places = []
    for warm in (True, False):
        result = run([path], home=tmp_path / str(warm) / ".jbts", environ=environment(), warm_starts=warm)
        places.append(printed(result.results[0]))
    assert places[0] == places[1] and str(ROOT) in places[0][0]


def test_nothing_of_a_kernel_is_left_for_the_next(tmp_path: Path) -> None:
    """Modules, environment, folder, seeds, threads, signals, files and umask: a notebook after one that changed all
    of them finds what it would find in a kernel started anew; and its random numbers are its own."""
    draw = "import random, uuid; print(random.random(), uuid.uuid4())"
    notebook(tmp_path / "suite" / "a_spoils.ipynb", draw, STATE, SPOIL)
    notebook(tmp_path / "suite" / "b_looks.ipynb", draw, STATE, "import os; print(os.getppid())")
    found = {}
    for warm in (True, False):
        home = tmp_path / f"home-{warm}"
        env = environment(GIVEN="as it was")
        found[warm] = run([tmp_path / "suite"], home=home, environ=env, warm_starts=warm)
        (tmp_path / "suite" / "elsewhere" / "left_open").unlink()
        (tmp_path / "suite" / "elsewhere").rmdir()
        assert [case.status for case in found[warm].results] == ["passed", "passed"]
    (spoiled, looked), (_, ordinary) = found[True].results, found[False].results
    assert printed(looked)[1] == printed(ordinary)[1] == printed(spoiled)[1]
    assert printed(looked)[0] != printed(spoiled)[0]
    assert printed(looked)[2] != str(os.getpid()), "the kernel was not forked"
    assert printed(ordinary)[2] == str(os.getpid())


STEPS = "from jbts_kernel import jbts, page"


def test_cards_of_a_suite_have_their_pictures_and_what_shows_them_otherwise_too(tmp_path: Path, shop: Shop) -> None:
    """A kernel of a suite names the picture in a step's card, and the executed notebook has it; steps shown together
    and the panel have theirs as ever, the panel that of a step before it. One whose file is gone is left out."""
    cells = (
        "%load_ext jbts_kernel",
        f"%navigate {shop.url}/",
        f"{STEPS}\npage.navigate('{shop.url}/signin'); (jbts.home / jbts.last.screenshot.path).unlink()",
        f"%%steps\nnavigate {shop.url}/\nexpect h1 count 1",
        "%expect h1 visible",
        "%workbench",
    )
    path = notebook(tmp_path / "suite" / "a.ipynb", *cells)
    result = run([path], home=tmp_path / ".jbts", environ=environment())
    executed = result.results[0].attempts[-1].executed
    assert executed is not None and result.results[0].status == "passed", result.results[0].verdict.message
    ended = nbformat.read(executed, 4).cells[1:6]
    shown = ["".join(o["data"].get("text/html", "") for o in c.outputs) for c in ended]
    # The browser paints a scaled image anew with a colour one off now and then, which then is a second picture.
    together = {step["screenshot"] for o in ended[2].outputs for step in o["data"][STEP_MIME]["steps"]}
    counts = [html.count('src="data:image/webp;base64,') for html in shown]
    assert counts in ([1, 0, 1, 1, 1], [1, 0, len(together), 1, 1])
    assert ['src="jbts:' in html for html in shown] == [False, True, False, False, False]


def test_a_browser_is_clean_for_each_notebook_whatever_became_of_the_one_before(tmp_path: Path, shop: Shop) -> None:
    """Notebooks borrow one warm browser in turn. Cookies and storage of one are not there for the next, also when its
    kernel was killed in the middle; and one that kills the browser fails nobody but itself."""
    go = f"page.navigate('{shop.url}/')"
    look = 'print(page.evaluate(\'document.cookie + "|" + localStorage.length + "|" + sessionStorage.length\'))'
    fill = "page.evaluate('document.cookie = \"left=1\"; localStorage.a = 1; sessionStorage.b = 2')"
    which = "print(jbts.sessions['main'].browser.process.pid)"
    die = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    kill = "import os, signal; os.kill(jbts.sessions['main'].browser.process.pid, signal.SIGKILL)"
    for name, *cells in (
        ("a", fill, "page.evaluate('setTimeout(() => {}, 1)')"),
        ("b", fill, die),
        ("c", fill, "page.evaluate('new Promise(() => {})', timeout=0.2)"),
        ("d", kill),
        ("e", fill),
    ):
        notebook(tmp_path / "suite" / f"{name}.ipynb", STEPS, go, look, which, *cells)
    home = tmp_path / "home"
    result = run([tmp_path / "suite"], home=home, environ=environment(), warm_starts=True)
    assert [case.status for case in result.results] == ["passed", "error", "error", "passed", "passed"]
    texts = [printed(case) for case in result.results]
    assert not [text[2] for text in texts if "left" in text[2] or not text[2].endswith("|0|0")]
    browsers = {text[3] for text in texts}
    assert len(browsers) <= 4, "no browser was lent twice"
    assert not [p for p in browsers if runs(int(p))], "a browser outlived the run"
    assert list((home / "run").glob("*-*.json")) == []


RUNS = """
import sys
from pathlib import Path
from jbts_kernel.suite.runner import run
run([sys.argv[1]], home=Path(sys.argv[2]), workers=2)
"""


@pytest.mark.parametrize("way", ["runner", "server"])
def test_what_is_killed_takes_everything_with_it(tmp_path: Path, shop: Shop, way: str) -> None:
    """A runner that is killed with -9 leaves no server, kernel, driver or browser; where the server is killed, its
    kernels die, the notebooks are errors that say so, and the run ends."""
    marks = [tmp_path / "up-0", tmp_path / "up-1"]
    for number, mark in enumerate(marks):
        begun = f"from pathlib import Path; Path({str(mark)!r}).touch(); import time; time.sleep(300)"
        notebook(tmp_path / "suite" / f"{number}.ipynb", STEPS, f"page.navigate('{shop.url}/')", begun)
    home = tmp_path / "home"
    process = subprocess.Popen([sys.executable, "-c", RUNS, str(tmp_path / "suite"), str(home)], env=environment())
    try:
        until(lambda: all(mark.exists() for mark in marks))
        below = psutil.Process(process.pid).children(recursive=True)
        started = [p for p in psutil.process_iter(["ppid", "cmdline"]) if p.info["ppid"] == process.pid]
        server = next(p for p in started if "jbts_kernel.suite.forkserver" in (p.info["cmdline"] or ()))
        assert len(server.children()) >= 2
        if way == "runner":
            process.kill()
        else:
            server.kill()
            assert process.wait(90) == 0
        _, alive = psutil.wait_procs(below, 60)
        assert not alive, [p.cmdline()[:3] for p in alive]
        until(lambda: Records(home).reap() == 0 and not list((home / "run").glob("*-*.json")))
    finally:
        process.kill()
        process.wait()


def test_only_what_is_the_same_is_forked(tmp_path: Path) -> None:
    """Another Python, another program, or a variable that Python reads when it starts: an ordinary start."""
    server = ForkServer.start(environment(), tmp_path / "said")
    assert server is not None
    try:
        kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "x.json"]
        assert server.can(kernel, environment(ANYTHING="x"))
        assert not server.can(kernel, environment(PYTHONHASHSEED="1"))
        assert not server.can(kernel, environment(LC_ALL="C"))
        assert not server.can(["/usr/bin/python3", *kernel[1:]], environment())
        assert not server.can([sys.executable, "-m", "bash_kernel"], environment())
        assert not server.can([], environment())
    finally:
        server.close()
        server.close()
    assert not server.can(kernel, environment())


def test_a_lender_that_cannot_start_a_browser_says_why(tmp_path: Path) -> None:
    """The borrower gets the same error as if it had started the browser itself; without a lender, another."""
    broken = LaunchSpec(binary=str(tmp_path / "none"))
    with Lender(tmp_path / "home", keep=1) as lender, BrowserPool(lender=lender.place) as pool:
        with pytest.raises(BrowserUnavailable, match=r"did not start|no chrome"):
            pool.acquire(broken)
        place = lender.place
    with pytest.raises(BrowserUnavailable, match="does not answer"):
        borrow(place, LaunchSpec())
    assert list((tmp_path / "home" / "run").glob("*.json")) == []


def test_the_next_browser_is_started_when_the_first_is_lent(tmp_path: Path) -> None:
    """A notebook that asks while the one before it gives back finds a browser, and a run of one notebook starts one."""

    def recorded() -> int:
        return len(list((tmp_path / "run").glob("*-*.json")))

    with Lender(tmp_path, keep=2) as lender:
        lender.expect(LaunchSpec(), 1, later=1)
        until(lambda: recorded() == 1)
        loan = borrow(lender.place, LaunchSpec())
        until(lambda: recorded() == 2)
        loan.give_back()
    assert recorded() == 0


def test_what_is_lent(tmp_path: Path) -> None:
    """Chromium's family without a window, on this machine, as it comes; everything else is started by the kernel."""
    assert lendable(LaunchSpec())
    assert lendable(LaunchSpec(device="pixel"))
    for spec in (
        LaunchSpec(browser="firefox"), LaunchSpec(headless=False), LaunchSpec(grid="http://grid"),
        LaunchSpec(args=("--user-data-dir=/tmp/x",)),
    ):  # fmt: skip
        assert not lendable(spec)


def test_turns_come_in_the_order_they_were_asked_for() -> None:
    """So many at a time; the next one when one ends; who no longer waits is passed over."""
    turns, order = Turns(2), []
    with turns.ask(lambda: order.append("a")):
        with turns.ask(lambda: order.append("b")), turns.ask(lambda: order.append("gives up")):
            assert order == ["a", "b"]
            late = turns.ask(lambda: order.append("late"))
            late.__enter__()
            assert order == ["a", "b"]
        assert order == ["a", "b", "late"]
    late.__exit__(None, None, None)
    with turns.ask(lambda: order.append("c")):
        assert order[-1] == "c"


def test_a_longer_suite_is_exact_and_leaves_nothing(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short form of benchmarks/suite_soak.py: of a dozen notebooks with browsers one fails and one kills its
    kernel; every verdict is the expected one, here and in the store, and nothing is left running."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import suite_soak

    folder, home = tmp_path / "suite", tmp_path / "home"
    folder.mkdir()
    suite_soak.write(folder, 14, shop.url)
    result = run([folder], workers=2, home=home, environ=environment(), warm_starts=True)
    assert suite_soak.wrong(result) == []
    assert [case.status for case in result.results].count("passed") == 12
    assert result.exit_code == 1
    assert list((home / "run").glob("*-*.json")) == []
