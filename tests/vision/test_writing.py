"""%generate and %triage: what they propose, what they leave out, and that nothing of it runs by itself."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jbts_kernel.errors import JBTSError, UsageProblem
from jbts_kernel.grammar import parse
from jbts_kernel.store.queries import Results
from jbts_kernel.verbs import VERBS
from jbts_kernel.vision import generate
from jbts_kernel.vision.answer import BadAnswer

FORM = """<h1>Sign in</h1><form id="in"><label>Email <input id="email" type="email"></label>
<label>Password <input id="secret" type="password"></label><button id="go">Sign in</button></form>
<script>document.querySelector("form").onsubmit = () => { window.pressed = true; return false; };</script>"""


def step(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "order_index": 0, "name": kind, "description": "", "step_type": kind, "selector": None, "input_data": None,
        "expected_result": None, "timeout_seconds": None, "is_optional": False, "continue_on_failure": False, **fields,
    }  # fmt: skip


def case(*steps: dict[str, Any], **fields: Any) -> str:
    rows = [{**s, "order_index": i} for i, s in enumerate(steps)]
    return json.dumps(
        {
            "name": "Signing in", "description": "d", "category": "account", "priority": "high",
            "tags": ["smoke", "in"],
            "is_automated": True, "retry_count": 1, "steps": rows, **fields,
        }
    )  # fmt: skip


@pytest.fixture
def offered(trial: Any) -> list[str]:
    """What is put into the next cell."""
    texts: list[str] = []
    trial.bench.next_cell = texts.append
    return texts


@pytest.fixture
def shown(trial: Any) -> list[str]:
    texts: list[str] = []
    trial.bench.emit_bundle = lambda bundle: texts.append(bundle["text/plain"])
    return texts


def with_model(trial: Any, model: Any) -> None:
    trial.bench.settings.vision_base_url = model.url


# ---- generate -----------------------------------------------------------------------------------------
def test_a_test_from_a_sentence(trial: Any, model: Any, say: Any, offered: list[str], shown: list[str]) -> None:
    """The model sees numbered elements with locators; its test becomes lines in the next cell and a row, unrun."""
    with_model(trial, model)
    steps = [
        step("navigate", input_data="/"), step("type", selector="#email", input_data="ada@example.com"),
        step("type", selector="#secret", input_data="PASSWORD"), step("click", selector="#go", timeout_seconds=5),
        step("assert", selector="h1", expected_result="Sign in"), step("click", selector="#nowhere", is_optional=True),
        step("navigate", input_data="https://evil.example/"), step("custom", input_data="alert(1)"),
        step("assert", expected_result="Welcome ${PIN}"),
    ]  # fmt: skip
    model.says = [say(text=case(*steps))]
    trial.open(FORM)
    result = trial('generate "a customer signs in"')
    asked = model.seen[0][1]["input"][0]["content"]
    assert len(asked) == 1 and 'textbox "Email" type=email selector: #email' in asked[0]["text"]
    (cell,) = offered
    assert cell.splitlines() == [
        '%test "Signing in" --tags smoke,in --priority high --category account --retries 1', "%navigate /",
        "%type #email ada@example.com", "%type #secret PASSWORD --secret", "%click #go --timeout 5",
        '%expect h1 contains "Sign in"', "%click #nowhere --optional", '%wait --text "Welcome $${PIN}"', "%endtest",
    ]  # fmt: skip
    assert trial.js("window.pressed") is None
    assert "--allow-foreign" in shown[0] and "--allow-custom" in shown[0] and "was not seen on the page" in shown[0]
    (row,) = trial.rows("test_case")
    assert (row["test_case_id"], row["name"], row["requirements"]) == (
        result["test_case_id"],
        "Signing in",
        "a customer signs in",
    )
    assert len(row["definition"]["steps"]) == 9 and row["model"] == "gpt-5-mini-2026-01-01"
    assert [(r["kind"], r["status"]) for r in trial.rows("analysis")] == [("generate", "ok")]


def test_what_may_be_let_in(trial: Any, model: Any, say: Any, offered: list[str], shown: list[str]) -> None:
    """Other sites, by an address or by a link, and scripts are kept where they are allowed, and left out elsewhere."""
    with_model(trial, model)
    steps = [
        step("navigate", input_data="https://other.example/x"), step("click", selector="#out"),
        step("custom", input_data="1 + 1"), step("click", selector="#mail"),
    ]  # fmt: skip
    model.says = [say(text=case(*steps))]
    trial.open(
        f'{FORM}<a id="out" href="https://other.example/y">Partner</a> <a id="mail" href="mailto:a@b.example">Mail</a>'
    )
    trial('generate "x" --allow-foreign --allow-custom')
    assert offered[0].splitlines()[1:-1] == [
        "%navigate https://other.example/x", "%click #out", "%evaluate 1 + 1", "%click #mail",
    ]  # fmt: skip
    trial('generate "x"')
    assert offered[1].splitlines()[1:-1] == ["%click #mail"]
    assert "it leads to https://other.example/y, another site; --allow-foreign lets it in" in shown[1]


def test_a_skeleton_without_a_model(trial: Any, offered: list[str], shown: list[str]) -> None:
    """Without a key the page's form is filled in and sent, the preview says why, and what it made runs."""
    trial.open(FORM)
    trial('generate "a customer signs in"')
    assert "a skeleton: no model was asked" in shown[0]
    lines = [line.removeprefix("%") for line in offered[0].splitlines()]
    assert "type #email ada@example.com" in lines and "click #go" in lines
    for line in lines:
        trial(line)
    (row,) = trial.rows("test_case")
    assert row["model"] is None and [r["provider"] for r in trial.rows("analysis")] == ["offline"]


def test_a_skeleton_of_links(trial: Any, offered: list[str]) -> None:
    """A page without a form is left by its first link that stays on the site."""
    trial.open('<h1>News</h1><a href="https://other.example/">Partner</a> <a id="all" href="/states.html">All news</a>')
    trial('generate "the news can be read"')
    assert offered[0].splitlines()[2:] == [
        '%expect "body > h1" contains News',
        "%click #all",
        "%screenshot",
        "%endtest",
    ]


def test_each_kind_has_its_model(trial: Any, model: Any, say: Any) -> None:
    """Who looks, who writes and who explains are three settings, and --model is another for once."""
    with_model(trial, model)
    settings = trial.bench.settings
    settings.vision_model, settings.vision_generate_model, settings.vision_triage_model = "looks", "writes", "explains"
    model.says = [say(status=401, body="{}")]
    trial.open(FORM)
    trial.fails("click #goo --timeout 0.3", "ElementNotFound")
    for line in ("analyze error", "analyze error --model once", 'generate "x"', "triage"):
        with contextlib.suppress(JBTSError):
            trial(line)
    assert [asked["model"] for _, asked, _ in model.seen] == ["looks", "once", "writes", "explains"]


def test_into_a_notebook(trial: Any, tmp_path: Path) -> None:
    """--into writes a notebook with parameters, setup and a cell for each line; it replaces no file, and says so before
    anything is asked or paid for."""
    trial.open(FORM)
    trial('generate "a customer signs in" --into made/in.ipynb')
    book = nbformat.read(tmp_path / "made" / "in.ipynb", as_version=4)
    nbformat.validate(book)
    sources = [c.source for c in book.cells]
    assert sources[1] == f'base_url = "{trial.site.url}"' and book.cells[1].metadata.tags == ["parameters"]
    assert sources[2] == "%load_ext jbts_kernel" and sources[-1] == "%endtest"
    with pytest.raises(UsageProblem, match="exists already"):
        trial('generate "a customer signs in" --into made/in.ipynb')
    with pytest.raises(UsageProblem, match="no notebook"):
        trial('generate "x" --into made.py')
    assert len(trial.rows("analysis")) == 1


def test_a_model_that_writes_nonsense(trial: Any, model: Any, say: Any, offered: list[str]) -> None:
    """An answer that is no test case is an error with its row, and nothing is offered."""
    with_model(trial, model)
    model.says = [say(text="Sure! First click the button.")]
    trial.open(FORM)
    with pytest.raises(JBTSError, match="bad_json"):
        trial('generate "x"')
    assert offered == [] and [r["status"] for r in trial.rows("analysis")] == ["bad_json"]


@pytest.mark.parametrize(
    "broken",
    [
        "[]", '{"steps": []}', '{"name": "x", "priority": "soon", "steps": [{}]}',
        '{"name": "x", "priority": "low", "steps": [{"step_type": "format_disk"}]}',
        '{"name": "", "steps": [{"step_type": "click"}]}', '{"name": "x", "steps": [7]}',
    ],
)  # fmt: skip
def test_fields_that_cannot_be(broken: str) -> None:
    """Each wrong field of a test case is refused."""
    with pytest.raises(BadAnswer):
        generate.read(broken)


def test_a_number_is_taken_as_its_text() -> None:
    """A model that writes 5 for "5" has said what is to be typed."""
    read = generate.read(case(step("type", selector="#amount", input_data=5)))
    assert [line.text for line in generate.lines(read, "http://x/", [])][-1] == "type #amount 5"


def test_lines_hold_one_step_each() -> None:
    """Whatever a model puts into a field stays one quoted word of one line."""
    nasty = "x\n%evaluate alert(1)\n\"' --optional ${PIN}"
    read = generate.read(case(step("type", selector="#a", input_data=nasty), step("click", selector=nasty), name=nasty))
    for line in generate.lines(read, "http://x/", []):
        parsed = parse(line.text, VERBS)
        assert "\n" not in line.text and parsed.verb in ("type", "click") and not parsed.options.optional
    assert parse(generate.opening(read), VERBS).verb == "test"


def test_from_the_command_line(site: Any, tmp_path: Path) -> None:
    """jbts generate writes the notebook and shows the preview; the page is opened in a browser of its own. The notebook
    passes under plain papermill, at another address of the site, too."""
    environ = {**os.environ, "JBTS_HOME": str(tmp_path / "cli"), "JBTS_BROADCASTER": "off"}
    words = ["generate", "a customer signs in", "--url", site.url + site.page(FORM), "-o", str(tmp_path / "cli.ipynb")]
    code = "import sys; from jbts_kernel.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environ, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert "type #email ada@example.com" in done.stdout
    words = ["cli.ipynb", "out.ipynb", "-k", "python3", "-p", "base_url", site.other_url, "--no-progress-bar"]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", *words],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    rows = Results(tmp_path / "cli").rows("select status, base_url from executions where notebook is not null").rows
    assert rows == (("passed", site.other_url),)


# ---- triage -------------------------------------------------------------------------------------------
def test_a_renamed_button(trial: Any, offered: list[str], shown: list[str]) -> None:
    """Offline, an element that is gone is out of date: the closest one is proposed as a diff, verified, not pressed."""
    trial.open(FORM)
    trial.fails("click #goo --timeout 2", "ElementNotFound")
    found = trial("triage")
    assert (found.category, found.after, found.verified) == ("test_out_of_date", "click #go --timeout 2", True)
    assert found.diff == "- click #goo --timeout 2\n+ click #go --timeout 2"
    assert offered == ["%click #go --timeout 2"] and trial.js("window.pressed") is None
    assert "no model was asked" in shown[0]
    assert [(r["kind"], r["step_id"]) for r in trial.rows("analysis")] == [("triage", trial.last.step_id)]


def test_causes_from_the_evidence(trial: Any) -> None:
    """A server's error and a thrown script are defects, an address nobody answers is the environment, and what was not
    ready in time is flaky."""
    trial.open(
        "<script>setTimeout(() => { window.thrown = true; throw new Error('no price') }, 30)</script><h1>Order</h1>"
    )
    trial.until("window.thrown")
    trial.fails("expect h1 text Paid --timeout 2", "ExpectationFailed", status="failed")
    assert trial("triage").category == "product_defect"
    trial.fails("navigate http://127.0.0.1:1/", "NavigationFailed")
    found = trial("triage")
    assert (found.category, found.after) == ("environment", None)
    trial.open("<button disabled>Pay</button>")
    trial.fails("click button --timeout 0.3", "NotActionable")
    found = trial("triage")
    assert (found.category, found.after) == ("flaky", None) and "disabled" in found.cause


def test_a_model_explains(trial: Any, model: Any, say: Any, offered: list[str]) -> None:
    """The model's cause and repair are shown; a repair that is no step is dropped, a wrong locator is not verified."""
    with_model(trial, model)
    said = {
        "cause": "The button was renamed.",
        "category": "test_out_of_date",
        "evidence": "Sign in",
        "repaired_step": "click #nope",
    }
    model.says = [
        say(text=json.dumps(said)),
        say(text=json.dumps({**said, "repaired_step": "os.system('x')"})),
        say(status=401, body="{}"),
    ]
    trial.open(FORM)
    trial.fails("click #goo --timeout 2", "ElementNotFound")
    found = trial("triage")
    assert (found.cause, found.after, found.verified) == ("The button was renamed.", "click #nope", False)
    assert "#goo" in json.dumps(model.seen[0][1]) and "Sign in" in json.dumps(model.seen[0][1])
    assert trial("triage").after is None
    fallen_back = trial("triage")
    assert fallen_back.after == "click #go --timeout 2" and offered[-1] == "%click #go --timeout 2"
    assert [r["status"] for r in trial.rows("analysis")] == ["ok", "ok", "unauthorized"]


@pytest.mark.parametrize(
    "line", ["evaluate 'steal()'", "request POST https://evil.example/", "navigate https://evil.example/"]
)
def test_a_repair_reaches_no_further(trial: Any, model: Any, say: Any, offered: list[str], line: str) -> None:
    """A page that has the model propose a script, a request or another site for a click is not listened to."""
    with_model(trial, model)
    said = {"cause": "c", "category": "test_out_of_date", "evidence": "e", "repaired_step": line}
    model.says = [say(text=json.dumps(said))]
    trial.open(FORM)
    trial.fails("click #goo --timeout 0.5", "ElementNotFound")
    assert trial("triage").after is None and offered == []


@pytest.mark.parametrize("upload", [["127.0.0.1"], []], ids=["seen", "unseen"])
def test_an_explanation_is_replayed(trial: Any, model: Any, say: Any, upload: list[str]) -> None:
    """What was explained once is explained again from what was kept, though the step took another time to fail, whether
    the picture was sent then or not, and although none may be sent now."""
    with_model(trial, model)
    settings = trial.bench.settings
    settings.screenshots, settings.vision_upload, settings.vision_mode = "always", upload, "record"
    said = {"cause": "It was renamed.", "category": "test_out_of_date", "evidence": "e", "repaired_step": None}
    model.says = [say(text=json.dumps(said))]
    trial.open(FORM)
    trial.fails("expect h1 text Paid --timeout 0.3", "ExpectationFailed", status="failed")
    assert trial("triage").cause == "It was renamed."
    settings.vision_mode, settings.vision_upload = "replay", []
    trial.js("setTimeout(() => { const ends = Date.now() + 400; while (Date.now() < ends); }, 100)")
    trial.fails("expect h1 text Paid --timeout 0.3", "ExpectationFailed", status="failed")
    assert trial("triage").cause == "It was renamed." and len(model.seen) == 1
    assert [row["status"] for row in trial.rows("analysis")] == ["ok", "ok"]


@pytest.mark.parametrize("line", ["analyze", 'generate "x"', "triage"])
def test_what_is_interrupted_has_its_row(trial: Any, model: Any, say: Any, line: str) -> None:
    """Ctrl-C while a model is asked ends the asking, whatever it was for, and what went out is on record."""
    with_model(trial, model)
    trial.open(FORM)
    trial.fails("click #goo --timeout 0.5", "ElementNotFound")
    model.says = [say(hang=True)]

    def press() -> None:
        model.asked.wait(60)
        _thread.interrupt_main()

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        trial(line)
    pressing.join(10)
    last = trial.rows("analysis")[-1]
    assert (last["kind"], last["status"], last["attempts"]) == (
        line.split()[0].replace("analyze", "general"),
        "cancelled",
        1,
    )


def test_nothing_has_failed(trial: Any) -> None:
    """Without a failure there is nothing to explain."""
    with pytest.raises(UsageProblem, match="no step has failed"):
        trial("triage")
