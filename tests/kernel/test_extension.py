"""The extension in a real kernel: loading, magics, cards, help, completion, leaving."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jbts_kernel.demo import Shop

from .conftest import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("extension")]

HEAVY = ("selenium", "duckdb", "openai", "PIL", "papermill", "websockets", "pandas", "nest_asyncio", "altair")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Kernel]:
    """A kernel as a person in JupyterLab has it, and the shop, for tests that leave nothing another could meet."""
    folder = tmp_path_factory.mktemp("shared")
    told = {"JBTS_BROADCASTER": "off", "JBTS_HOME": str(folder / ".jbts"), "JPY_SESSION_NAME": "/somewhere/login.ipynb"}
    kernel = Kernel(folder, told, ("--ext=jbts_kernel",))
    kernel.run(f"base_url = {shop.url!r}")
    yield kernel
    kernel.close()


def test_loading_imports_nothing_heavy(start_kernel: Callable[..., Kernel]) -> None:
    """%load_ext leaves browsers, databases and models to the first step that needs them."""
    bare = start_kernel()
    reply = bare.run(f"%load_ext jbts_kernel\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])")
    assert reply.text.strip() == "[]"
    assert bare.run("print(type(jbts).__name__, type(page).__name__)").text.strip() == "Workbench Page"
    named = "from jbts_kernel import events\nfrom jbts_kernel.browser import BrowserPool"
    assert bare.run(f"{named}\nprint(events is jbts.events, BrowserPool.__name__)").text.strip() == "True BrowserPool"


def test_a_step_is_a_card_and_a_row(shared: Kernel) -> None:
    """A magic shows one card with a picture, and its row is there when it returns."""
    kernel = shared
    reply = kernel.run("%navigate /")
    assert reply.status == "ok"
    card = reply.bundles[0]
    assert "data:image/webp;base64," in card["text/html"]
    assert len(card["text/html"]) < 60_000
    assert card["application/vnd.jbts.step+json"]["status"] == "passed"
    assert "navigate /" in card["text/plain"]
    rows = kernel.run(
        "print(jbts.results.rows('select verb, status, http_status from steps order by step_id desc limit 1').rows)"
    )
    assert rows.text.strip() == "(('navigate', 'passed', 200),)"
    reading = kernel.run('heading = %text h1\nprint(heading)\npage.expect("h1", "visible")')
    assert "desk" in reading.text


def test_a_failed_step_fails_the_cell_shortly(shared: Kernel) -> None:
    """The card has the reason and the closest elements, the error is two lines and no traceback."""
    kernel = shared
    kernel.run("%navigate /signin")
    reply = kernel.run("%click '#signn' --timeout 0.2")
    assert reply.status == "error"
    assert reply.error.startswith("StepFailed: ElementNotFound: nothing matches #signn")
    assert len(reply.error.splitlines()) == 1
    assert "signin" in reply.html


def test_many_steps_stop_at_the_first_failure(shared: Kernel) -> None:
    """%%steps records each line as a step, shows them in one display and runs nothing after a failure."""
    kernel = shared
    before = kernel.run("print(jbts.results.value('select count(*) from steps'))").text.strip()
    cell = "%%steps\nnavigate /signin\n\n# a remark\nexpect h1 count 7 --timeout 0.1\nclick #signin"
    reply = kernel.run(cell)
    assert reply.status == "error"
    asked = f"select verb, status from steps order by step_id offset {before}"
    rows = kernel.run(f"print(jbts.results.rows({asked!r}).rows)")
    assert rows.text.strip() == "(('navigate', 'passed'), ('expect', 'failed'))"
    unread = kernel.run("%%steps\nnavigate /\nclik #x")
    assert "line 2: unknown verb 'clik'; did you mean click?" in unread.plain
    again = kernel.run("print(jbts.results.value('select count(*) from steps'))")
    assert int(again.text) == int(before) + 2


def test_a_cell_for_ci_is_left_out_for_a_person(shared: Kernel) -> None:
    """A cell tagged only-ci says that it is left out and does not run, whatever it holds; others run."""
    left = shared.run("%no_such\nran = True\nif (", tags=["slow", "only-ci"])
    assert left.status == "ok"
    assert "left out: tagged only-ci" in left.plain
    assert shared.run("print('ran' in globals())", tags=["slow"]).text.strip() == "False"


def test_a_group_is_shown_under_its_name(shared: Kernel) -> None:
    """with step("name") shows its steps below that name with how they went together, like %%group."""
    shared.run("%test grouped")
    shared.run("who = 'Ada'")
    cell = 'with step("The way in"):\n    page.navigate("/signin")\n    with step("Fields"):\n        page.count("h1")'
    shown = shared.run(cell).bundles
    assert shown[0]["text/plain"].startswith("The way in\n\u2713 navigate /signin (")
    assert 'title="running"' in shown[0]["text/html"]
    inner, outer = shown[-2:]
    assert inner["text/plain"].startswith("The way in \u203a Fields\n\u2713 count h1")
    assert outer["text/html"].count('title="passed"') == 2 and "1 step &middot;" in outer["text/html"]
    failed = shared.run("%%group ${who} looks\nexpect h1 count 7 --timeout 0.1")
    assert failed.status == "error"
    assert failed.bundles[-2]["text/plain"].startswith("Ada looks\n\u2717 expect h1 count 7")
    assert "ExpectationFailed" in failed.bundles[-1]["text/html"]
    asked = "select verb, error_type from failures where execution_id = ?"
    found = shared.run(f"print(jbts.results.rows({asked!r}, [jbts.recorder.execution.execution_id]).rows)")
    assert found.text.strip() == "(('expect', 'ExpectationFailed'),)"
    shared.run("%endtest")


def test_a_long_wait_says_so(shared: Kernel) -> None:
    """After a second a line says what a step waits for; its card takes that place. A quick step has its card alone."""
    shared.run("%navigate data:text/html,<button%20id=off%20disabled>off</button>")
    assert len(shared.run("%count #off").bundles) == 1 + 1  # the card and the value
    waiting, *_, card = shared.run("%click #off --timeout 2.2").bundles
    said = r"waiting for click #off --timeout 2\.2 \(found, disabled\), \d s of 2\.2 s"
    assert re.fullmatch(said, waiting["text/plain"])
    assert card["text/plain"].startswith("! click #off")
    first, *_, strip, card = shared.run("%%steps\nclick #off --timeout 1.5").bundles
    assert re.search(r"\d s of 1\.5 s", first["text/html"])
    assert "s of 1.5 s" not in strip["text/html"] + card["text/html"]


def test_help_ends_nothing(shared: Kernel) -> None:
    """--help shows the verb's reference and the cell goes on."""
    alone = shared.run("%%steps --help")  # with nothing below, which IPython refuses before any magic hears of it
    assert (alone.status, len(alone.bundles)) == ("ok", 1)
    reply = shared.run("%click --help\nprint('after')")
    assert reply.status == "ok"
    assert "after" in reply.text
    assert "--modifier" in reply.plain
    assert "click LOC" in shared.run("print(page.click.__doc__)").text
    assert "--modifier" in shared.inspect("%click")


BAD_SYNTAX = {
    "%clik x": "did you mean %click?",
    "%goto /": "there is no %goto; did you mean %navigate?",
    "%click": "%click needs LOC",
    "%expect h1 visibel": "did you mean visible?",
    '%type "#a': "is never closed",
    "%click #a --doubel": "did you mean --double?",
    "%type #a ${nam}": "near names: name",
    "%wait #a --state visble": "did you mean visible?",
}


def test_bad_syntax_is_one_line_for_a_person(kernel: Kernel) -> None:
    """A word that cannot be understood is named, and nothing is recorded."""
    kernel.run("name = 'Ada'")
    for line, words in BAD_SYNTAX.items():
        reply = kernel.run(line)
        assert reply.status == "error"
        assert reply.error == ""
        assert reply.text.startswith("UsageError: ")
        assert words in reply.text
    assert kernel.run("print(jbts.recorder.execution)").text.strip() == "None"


def test_bad_syntax_is_an_error_for_a_machine(start_kernel: Callable[..., Kernel]) -> None:
    """Without a person, bad syntax leaves an error output, also for a magic that does not exist."""
    unattended = start_kernel("--ext=jbts_kernel")
    for line in ("%clik x", "%click", "%%nosuch\nx"):
        reply = unattended.run(line)
        assert reply.status == "error"
        assert reply.error.startswith("UsageError: ")
    assert unattended.run("print(jbts.watch)").text.strip() == "None"  # nothing in its outputs but cards


def test_completion_knows_verbs_options_and_names(kernel: Kernel) -> None:
    """Tab offers the registry's words and only those."""
    kernel.run("customer = 'Ada'")
    assert "%navigate" in kernel.complete("%nav")
    assert kernel.complete("%click --do") == ["--double"]
    assert kernel.complete("%type #a ${cust") == ["${customer}"]
    assert kernel.complete("%click ro") == ["role="]
    assert kernel.complete("%click text=B") == ["text=B"]
    assert kernel.complete("%expect #a vis") == ["visible"]
    assert "customer" in kernel.complete("custo")


def test_secrets_are_masked_in_the_notebook(start_kernel: Callable[..., Kernel], shop: Shop, tmp_path: Path) -> None:
    """A secret's value is in no output and in no file of the project."""
    kernel = start_kernel("--ext=jbts_kernel", PASSWORD="copper-pine", JPY_SESSION_NAME="a.ipynb")
    kernel.run(f"base_url = {shop.url!r}")
    replies = [
        kernel.run(cell)
        for cell in (
            "%secret PASSWORD",
            "%navigate /signin",
            "%type #email ${PASSWORD}",
            "%value #email",
            "%expect #email value nothing --timeout 0.1",
            "read = %value #email\nassert len(read) == 11\nprint('it is', read)",
            "import os, sys\nprint(os.environ['PASSWORD'], file=sys.stderr)\nos.environ['PASSWORD']",
            "from IPython.display import HTML\ndisplay(HTML(f'<b>{read}</b>'))",
        )
    ]
    shown = json.dumps([[r.text, r.error, r.bundles] for r in replies])
    assert "copper-pine" not in shown
    assert "\\u2022" in shown and "it is \\u2022" in shown and "<b>\\u2022" in shown
    kept = [p for p in (tmp_path / ".jbts").rglob("*") if p.is_file() and p.suffix in (".jsonl", ".html", ".duckdb")]
    assert kept
    assert not [p for p in kept if b"copper-pine" in p.read_bytes()]


def test_unload_leaves_nothing_and_reload_works(kernel: Kernel) -> None:
    """After %unload_ext the magics, names, hooks, settings and matchers are as they were before."""
    state = """
import sys
def state():
    ip = get_ipython()
    return (sorted(ip.magics_manager.magics["line"]), sorted(ip.magics_manager.magics["cell"]),
            {k: len(v) for k, v in ip.events.callbacks.items()}, len(ip.configurables),
            len(ip.Completer.custom_matchers), len(ip.input_transformers_cleanup), ip.custom_exceptions,
            "write" in vars(sys.stdout), len(ip.display_pub._hooks), len(ip.displayhook._hooks),
            [n for n in ("jbts", "page", "step") if n in ip.user_ns])
"""
    kernel.run(state + "\n%unload_ext jbts_kernel")
    kernel.run("without = state()\n%load_ext jbts_kernel\nloaded = state()\n%load_ext jbts_kernel\ntwice = state()")
    reply = kernel.run("%unload_ext jbts_kernel\nprint(state() == without, loaded == twice, loaded != without)")
    assert reply.text.strip().endswith("True True True")
    assert kernel.run("%reload_ext jbts_kernel\nprint(jbts.health()[0])").text.strip().startswith("('browser'")
    assert "%clear" not in kernel.run("%clear x").text  # the front end's own %clear came and went


def test_settings_are_traits(start_kernel: Callable[..., Kernel]) -> None:
    """The command line wins over the environment, and a cell over both; what cannot work is told at once."""
    kernel = start_kernel("--ext=jbts_kernel", "--JBTS.timeout=7", JBTS_TIMEOUT="3", JBTS_VIEWPORT="400x300")
    assert kernel.run("print(jbts.settings.timeout, jbts.settings.viewport)").text.strip() == "7.0 400x300"
    assert kernel.run("%config JBTS.timeout = 9\nprint(jbts.settings.timeout)").text.strip() == "9.0"
    refused = kernel.run('%config JBTS.viewport = "wide"\nprint(jbts.settings.viewport)').text
    assert "JBTS.viewport: a viewport is WIDTHxHEIGHT in pixels, like 1280x800, not 'wide'" in refused
    assert refused.strip().endswith("400x300")
    unseen = kernel.run("%navigate about:blank")  # nobody saw it, so no step goes on without it
    assert unseen.error.startswith("ConfigProblem: JBTS.viewport: a viewport is")


def test_terminal_ipython_has_the_same_words(shop: Shop, tmp_path: Path) -> None:
    """In a terminal the card is text."""
    script = f"%load_ext jbts_kernel\nbase_url = {shop.url!r}\n%navigate /\n%expect h1 visible\n%clik x\n"
    (tmp_path / "session.ipy").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "--no-banner", "session.ipy"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
        env=_environment(tmp_path),
    )  # fmt: skip
    assert "\u2713 navigate / (" in done.stdout
    assert "\u2713 expect h1 visible (" in done.stdout
    assert "did you mean %click?" in done.stdout + done.stderr


def _environment(folder: Path) -> dict[str, str]:
    import os

    return {
        **os.environ,
        "JBTS_BROADCASTER": "off",
        "JBTS_HOME": str(folder / ".jbts"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
