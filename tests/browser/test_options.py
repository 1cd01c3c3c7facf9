"""What every step takes, whatever its verb; groups; and ${names}."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from jbts_kernel import pipeline
from jbts_kernel.errors import StepFailed, UsageProblem

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


def execution(trial: Trial) -> str:
    """How the test ends."""
    trial.bench.end_test()
    return str(trial.rows("execution.finished")[-1]["status"])


# ---- options ------------------------------------------------------------------------------------
def test_optional(trial: Trial) -> None:
    """A failed optional step is skipped, tells why, raises nothing and leaves the test green."""
    trial.open("labels.html")
    assert trial("click #nothing --optional --timeout 0.1") is None
    row = trial.row()
    assert (row["status"], row["error_type"], row["optional"]) == ("skipped", "ElementNotFound", True)
    trial("click #save-all --optional")
    assert trial.row()["status"] == "passed"
    assert execution(trial) == "passed"


def test_continue_on_failure(trial: Trial) -> None:
    """A failed step goes on without raising, and the test fails all the same."""
    trial.open("labels.html")
    trial("expect #save text Other --continue-on-failure --timeout 0.1")
    assert (trial.row()["status"], trial.row()["optional"]) == ("failed", False)
    trial("click #save-all")
    assert execution(trial) == "failed"


def test_the_worst_step_is_the_test_s_status(trial: Trial) -> None:
    """failed and error are told apart in the test's own row, with the first error."""
    trial.open("labels.html")
    trial("expect #save hidden --continue-on-failure --timeout 0.1")
    trial("click #nothing --continue-on-failure --timeout 0.1")
    assert execution(trial) == "error"
    assert trial.rows("execution.finished")[-1]["error_type"] == "ExpectationFailed"


def test_retries(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is tried again as often as told, each time with its whole time, and the row counts."""
    trial.open('<button id=b onclick="this.n = (this.n || 0) + 1; this.textContent = this.n">b</button>')
    trial.fails("expect #b text x --retries 2 --timeout 0.1", "ExpectationFailed", status="failed")
    assert trial.row()["retries"] == 2
    assert trial.row()["duration_ms"] >= 300
    trial.open("<p id=p>x</p>")
    usual = pipeline.Deadline

    def deadline(seconds: float, *again: Any, **more: Any) -> pipeline.Deadline:
        if again:  # the time of another attempt, with which comes what was missing
            trial.js("p.insertAdjacentHTML('afterend', '<i id=i>late</i>')")
        return usual(seconds, *again, **more)

    monkeypatch.setattr(pipeline, "Deadline", deadline)
    trial("text #i --timeout 0.2 --retries 20 --first")
    assert (trial.row()["status"], trial.row()["retries"] > 0) == ("passed", True)


def test_name_and_no_screenshot(trial: Trial) -> None:
    """--name is the row's name, else the line is; --no-screenshot takes no picture, not even when always on."""
    trial.bench.settings.screenshots = "always"
    trial.open("labels.html")
    trial('click #save-all --name "save <everything>" --no-screenshot')
    row = trial.row()
    assert (row["name"], row["screenshot"], trial.last.artifacts) == ("save <everything>", None, ())
    trial("click #save-all")
    assert (trial.row()["name"], trial.row()["screenshot"] is None) == ("click #save-all", False)
    trial.page.click("#save-all", screenshot=False, name="by call")
    assert (trial.row()["name"], trial.row()["screenshot"]) == ("by call", None)
    card = trial.card()
    card.assert_harmless()
    assert "by call" in card.text


def test_timeout(trial: Trial) -> None:
    """--timeout is the step's time in seconds; the usual one comes from the settings."""
    trial.open("labels.html")
    trial.bench.settings.timeout = 0.2
    trial.fails("evaluate new Promise(() => 0)", "StepTimeout", "0.2 s")
    trial.fails("click #nothing", "ElementNotFound")
    trial.fails("click #nothing --timeout 0.6", "ElementNotFound")
    assert trial.last.duration_ms >= 600


def test_lines_and_calls_are_one_thing(trial: Trial) -> None:
    """page.verb(...) writes the same row as the line, and its source is that line."""
    trial.open("labels.html")
    calls: dict[str, Callable[[], object]] = {
        'type "#given" "Ada L"': lambda: trial.page.type("#given", "Ada L"),
        "click #save-all --double": lambda: trial.page.click("#save-all", double=True),
        "select #country Peru": lambda: trial.page.select("#country", "Peru"),
        "click \"role=button[name='Save all']\"": lambda: trial.page.click("role=button[name='Save all']"),
    }
    for line, call in calls.items():
        trial(line)
        by_line = trial.row()
        call()
        by_call = trial.row()
        for column in ("step_type", "verb", "locator", "input", "expected", "status"):
            assert by_line[column] == by_call[column], line
        trial(str(by_call["name"]))
        assert trial.row()["locator"] == by_line["locator"]


# ---- groups -------------------------------------------------------------------------------------
def test_groups(trial: Trial) -> None:
    """Steps of a group name it as their parent, groups nest, and the group's row tells how it went."""
    trial.open("labels.html")
    with trial.bench.group("outer"):
        trial("click #save-all")
        with trial.bench.group("inner"):
            trial("expect #save visible")
    rows = {r["name"]: r for r in trial.rows()}
    outer, inner = rows["outer"], rows["inner"]
    assert (outer["parent_step_id"], outer["status"], outer["step_type"]) == (None, "passed", "custom")
    assert inner["parent_step_id"] == outer["step_id"]
    assert rows["click #save-all"]["parent_step_id"] == outer["step_id"]
    assert rows["expect #save visible"]["parent_step_id"] == inner["step_id"]
    ordinals = [r["ordinal"] for r in trial.rows("step.started")]
    assert ordinals == sorted(ordinals) == list(range(1, len(ordinals) + 1))


def test_a_group_fails_with_its_step(trial: Trial) -> None:
    """A failure inside ends the group with the same status; what comes after has no parent."""
    trial.open("labels.html")
    with pytest.raises(StepFailed), trial.bench.group("broken"):
        trial("expect #save hidden --timeout 0.1")
    assert (trial.row()["name"], trial.row()["status"]) == ("broken", "failed")
    trial("click #save-all")
    assert trial.row()["parent_step_id"] is None


def test_many_lines(trial: Trial) -> None:
    """Lines run in order and stop at the first failure; a line nobody understands stops all before the first."""
    trial.open("labels.html")
    value = trial.bench.lines("# a comment\n\n  click #save-all\ntype #given Ada\nvalue #given\n")
    assert value == "Ada"
    count = len(trial.rows())
    with pytest.raises(StepFailed):
        trial.bench.lines("click #save-all\nclick #nothing --timeout 0.1\nclick #save-all")
    assert [r["status"] for r in trial.rows()[count:]] == ["passed", "error"]
    with pytest.raises(UsageProblem, match="line 2: unknown verb 'clik'"):
        trial.bench.lines("click #save-all\nclik #save-all")
    assert len(trial.rows()) == count + 2


# ---- ${names} -----------------------------------------------------------------------------------
def test_names_are_filled_in(trial: Trial) -> None:
    """Names, attributes, indexes and keys are followed; $${ stands for itself; the row has what was used."""
    trial.open("labels.html")
    trial.bench.namespace.update(
        {
            "who": "Ada",
            "user": SimpleNamespace(mail="a@b.test", tags=["x", "y"]),
            "rows": [{"id": 7, "a b": "spaced"}],
            "field": "#given",
        }
    )
    for text, expected in {
        "${who}": "Ada",
        "${user.mail}": "a@b.test",
        "${user.tags[-1]}": "y",
        "${rows[0]['id']}": "7",
        "${rows[0]['a b']}": "spaced",
        "a ${who} b ${who}": "a Ada b Ada",
        "$${who}": "${who}",
        "$who {who}": "$who {who}",
        "${ who }": "Ada",
        "${rows[0].id}": "7",
    }.items():
        trial.page.type("#given", text)
        assert trial.js("given.value") == expected
        assert trial.row()["input"] == expected
    trial("type ${field} there")
    assert (trial.row()["locator"], trial.js("given.value")) == ("#given", "there")
    trial.bench.namespace["n"] = 1
    trial("expect button count ${n} --continue-on-failure --timeout 0.1")
    assert trial.row()["expected"] == "count 1"
    trial.bench.namespace["half"] = "0.5"
    trial.fails("click #nothing --timeout ${half} --retries ${n} --name 'press ${who}'", "ElementNotFound")
    assert (trial.row()["name"], trial.row()["retries"]) == ("press Ada", 1)
    trial.bench.namespace["code"] = "3"
    trial("navigate /status/200 --expect-status ${code}00 --continue-on-failure")
    assert trial.row()["error_message"].startswith("expected HTTP status 300")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${whoo}", ["${whoo} is not defined", "near names: who"]),
        ("${zzz}", ["${zzz} is not defined", "%secret zzz"]),
        ("${user.mial}", ["there is no .mial there"]),
        ("${rows[4]}", ["there is no [4] there"]),
        ("${who()}", ["can hold a name"]),
        ("${}", ["is no name"]),
        ("${1 + 1}", ["is no name"]),
        ("${__import__('os')}", ["is not defined"]),
    ],
)
def test_names_that_cannot_be_filled_in(trial: Trial, text: str, words: list[str]) -> None:
    """An unknown name is an error that lists near ones; nothing is evaluated, and nothing runs."""
    trial.bench.namespace.update({"who": "Ada", "user": SimpleNamespace(mail="x"), "rows": []})
    with pytest.raises(UsageProblem) as caught:
        trial.page.type("#given", text)
    for word in words:
        assert word in caught.value.message
    assert trial.rows() == []


def test_filled_in_values_are_not_read_again(trial: Trial) -> None:
    """A value that looks like options, quotes or names is typed as it is."""
    trial.open("labels.html")
    for value in ("--secret", '"quoted" words', "${who}", "#id >> nth=0", "$${x}"):
        trial.bench.namespace["value"] = value
        trial("type #given ${value}")
        assert trial.js("given.value") == value
