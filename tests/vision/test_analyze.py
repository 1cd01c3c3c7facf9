"""%analyze as a step: both layers, its rows and card, what fails it, and what never leaves."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jbts_kernel import analysis_card
from jbts_kernel.errors import StepFailed
from jbts_kernel.log import Log
from jbts_kernel.models import Analysis, Event, Finding

CLEAN = (
    "<main><h1>Order 7</h1><p>Total: 5 dollars</p><button>Buy now</button></main>"
    "<script>document.documentElement.lang = 'en';</script>"
)


@pytest.fixture
def asked(trial: Any, model: Any) -> Any:
    """A trial whose workbench has a model."""
    settings = trial.bench.settings
    settings.vision_base_url, settings.vision_upload = model.url, ["127.0.0.1"]
    return trial


def test_without_a_key(trial: Any) -> None:
    """The rules look alone, say so, and leave a row each in analyses and findings."""
    trial.open("vision-placeholder.html")
    found = trial("analyze")
    assert (found.provider, found.status, found.cost_usd) == ("offline", "ok", None)
    assert {f.category for f in found.findings} >= {"placeholder"}
    (row,) = trial.rows("analysis")
    assert (row["provider"], row["kind"], row["step_id"]) == ("offline", "general", trial.last.step_id)
    rows = trial.rows("finding")
    assert len(rows) == len(found.findings) and {r["analysis_id"] for r in rows} == {found.analysis_id}
    assert all(r["grounded"] and r["width"] > 0 for r in rows if r["source"] == "dom" and r["locator"] != "html")
    card = trial.read(analysis_card.card(trial.last))
    card.assert_harmless()
    assert "no model was asked: it takes OPENAI_API_KEY" in card.text and "never filled in" in card.plain
    assert trial.row()["step_type"] == "analyze"


def test_both_layers(asked: Any, model: Any, say: Any, answers: Any) -> None:
    """With a model the summary is its own, the findings of both stand together, and each layer has its row."""
    f = answers.finding
    ghost = f(message="gone <b>bold</b>", severity="critical", evidence="not on this page")
    real = f(message="the total lacks tax", evidence="Total: 5 dollars")
    model.says = [
        say(text=answers(summary="An order.", claim="false", claim_evidence="5, not 6", findings=[ghost, real]))
    ]
    asked.open(CLEAN)
    with pytest.raises(StepFailed, match="the total lacks tax"):
        asked('analyze general --context "a shop" --expect "the total is 6" --fail-on serious')
    found = asked.last.analysis
    assert (found.provider, found.summary, found.verdict, found.reason) == ("openai", "An order.", "false", "5, not 6")
    assert [(r["provider"], r["status"]) for r in asked.rows("analysis")] == [("offline", "ok"), ("openai", "ok")]
    assert {(r["message"], r["grounded"]) for r in asked.rows("finding") if r["source"] == "ai"} == {
        ("gone <b>bold</b>", False), ("the total lacks tax", True),
    }  # fmt: skip
    assert asked.row()["status"] == "failed" and asked.row()["expected"] == "the total is 6"
    card = asked.read(analysis_card.card(asked.last))
    card.assert_harmless()
    assert "gone <b>bold</b>" in card.text and "1 the page does not bear out" in card.text and "$0.00" in card.text


def test_what_is_not_grounded_fails_nothing(asked: Any, model: Any, say: Any, answers: Any) -> None:
    """A critical finding that the page does not bear out leaves the step green."""
    model.says = [say(text=answers(findings=[answers.finding(severity="critical", evidence="no such text")]))]
    asked.open(CLEAN)
    assert [f.grounded for f in asked("analyze --fail-on minor").findings] == [False]


def test_a_model_that_fails(asked: Any, model: Any, say: Any) -> None:
    """The rules' result stands beside a failed call, with a warning; --require-ai makes it a failure."""
    model.says = [say(status=401, body='{"error": {"message": "no", "code": "invalid_api_key"}}')]
    asked.open(CLEAN)
    found = asked("analyze")
    assert (found.provider, found.status) == ("offline", "ok") and "unauthorized" in found.warnings[0]
    assert [r["status"] for r in asked.rows("analysis")] == ["ok", "unauthorized"]
    asked.fails("analyze --require-ai", "StepProblem", "no model looked at the page: unauthorized")


def test_no_model_required_or_not(trial: Any) -> None:
    """--require-ai without a model fails and says what is missing."""
    trial.open(CLEAN)
    trial.fails("analyze --require-ai", "StepProblem", "no key and no JBTS.vision_base_url")


def test_a_part_of_the_page(asked: Any, model: Any) -> None:
    """With a locator only that element is looked at, pictured and told; a choice may be left out before it."""
    asked.open(
        '<p>Left {{out}}</p><section id="part" style="width: 300px; height: 90px"><p>Hello {{name}}</p></section>'
    )
    found = asked("analyze #part")
    assert [f.evidence for f in found.findings] == ["{{name}}"] and found.kind == "general"
    text, picture = model.seen[0][1]["input"][0]["content"]
    assert "Hello {{name}}" in text["text"] and "Left" not in text["text"]
    with Image.open(io.BytesIO(base64.b64decode(picture["image_url"].partition(",")[2]))) as shown:
        assert shown.size == (300, 90)
    box = found.findings[0].box
    assert box is not None and 0 <= box.x < 300 and 0 <= box.y < 90 and asked.row()["locator"] == "#part"


def test_a_long_page_in_tiles(asked: Any, model: Any) -> None:
    """--full-page sends the whole document in parts, and boxes are measured from its top."""
    asked.open('<h1>Top</h1><div style="height: 2400px"></div><p id="low">Total: NaN</p>')
    found = asked("analyze --full-page")
    parts = [p for p in model.seen[0][1]["input"][0]["content"] if p["type"] == "input_image"]
    assert len(parts) == 2
    (low,) = [f for f in found.findings if f.category == "placeholder"]
    assert low.box is not None and low.box.y > 2400
    assert [a.role for a in asked.last.artifacts] == ["full_page"]


def test_secrets_and_masked_elements_stay_here(asked: Any, model: Any) -> None:
    """Neither the value of a secret nor the text of a masked element is in what is sent, in words or in pixels."""
    asked.bench.secrets.add("PIN", "hunter22-x")
    asked.open(
        "<p id='pin'>hunter22-x</p><p>Code</p><p id='own'>Ada Lovelace {{name}}</p>"
        "<script>console.error('for hunter22-x'); fetch('/status/500?hunter22-x')</script>"
    )
    asked("analyze --mask #own")
    _, picture = model.seen[0][1]["input"][0]["content"]
    with Image.open(io.BytesIO(base64.b64decode(picture["image_url"].partition(",")[2]))) as shown:
        for covered in ("#pin", "#own"):
            x, y = asked.js(
                f"(b => [b.x, b.y + b.height / 2])(document.querySelector('{covered}').getBoundingClientRect())"
            )
            words = shown.convert("RGB").crop((int(x) + 2, int(y) - 5, int(x) + 60, int(y) + 5))
            assert words.getcolors(1) is not None, covered
    sent = json.dumps(model.seen[0][1])
    assert "hunter22" not in sent and "Lovelace" not in sent and "Code" in sent
    assert "hunter22" not in json.dumps(asked.rows("finding")) + json.dumps(asked.rows("analysis"))


def test_settings_of_the_mode(asked: Any, model: Any) -> None:
    """offline asks nobody; replay answers from what record kept, and says what changed where it cannot."""
    asked.open(CLEAN)
    asked.bench.settings.vision_mode = "record"
    assert asked("analyze").cache_hit is False
    asked.bench.settings.vision_mode = "replay"
    assert asked("analyze").cache_hit is True and len(model.seen) == 1
    asked.js("document.querySelector('p').textContent = 'Total: 6 dollars'")
    assert "changed" in asked("analyze").warnings[0]
    asked.bench.settings.vision_mode = "offline"
    assert asked("analyze").provider == "offline" and len(model.seen) == 1


def test_budget_of_a_day(asked: Any, model: Any) -> None:
    """What was used before counts: the second look does not fit, is not asked, and has a row that says so."""
    asked.bench.settings.vision_budget_tokens = 6_000
    asked.open(CLEAN)
    assert asked("analyze").provider == "openai"
    assert "raise JBTS.vision_budget_tokens" in asked("analyze").warnings[0]
    assert [r["status"] for r in asked.rows("analysis")][-1] == "over_budget" and len(model.seen) == 1
    assert asked.bench.spent()[1] == 5_200


def test_a_day_is_the_same_day_everywhere(home: Path) -> None:
    """What was used since midnight UTC counts for the day, and nothing before it, in every time zone."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    elsewhere = "Etc/GMT-14" if now.hour >= 10 else "Etc/GMT+12"  # where it is another day now
    log = Log(home)
    for number, (at, tokens) in enumerate([(midnight - 60, 700), (now.timestamp(), 50)]):
        used = {"analysis_id": f"a{number}", "provider": "openai", "status": "ok", "input_tokens": tokens}
        log.emit(Event("analysis", {**used, "kind": "general", "cache_hit": False}, f"r{number}", ts=at))
    log.close()
    code = "from jbts_kernel.workbench import Workbench; print(Workbench().spent())"
    environ = {**os.environ, "TZ": elsewhere, "JBTS_HOME": str(home), "JBTS_BROADCASTER": "off"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "(0.0, 50)\n", done.stderr


def test_errors_of_the_page(trial: Any) -> None:
    """Status, console and failed requests of this page are found; those of the page before are not, and no link is
    asked for."""
    trial.open(
        "<script>console.error('of the page before');"
        "fetch('/status/500?before').then(() => (document.title = 'asked'))</script>"
    )
    trial.until("document.title === 'asked'")
    trial.open(
        "<script>console.error('no price'); console.warn('mild'); fetch('/status/503'); new AbortController()</script>"
        "<a href='/status/404?link'>Terms</a><a href='/status/404?logout'>Out</a><a href='/states.html'>Fine</a>"
    )
    found = {f.rule: f for f in trial("analyze error").findings}
    assert set(found) == {"console", "request"}
    assert "no price" in found["console"].message and "503" in found["request"].message
    assert not any("404?" in line for line in trial.site.seen)
    trial('navigate "/status/500"')
    assert [f.rule for f in trial("analyze error").findings if f.category == "http_error"] == ["http-status"]


def test_axe_leaves_nothing_behind(trial: Any) -> None:
    """axe's violations are findings with its own severity, and the page has no axe of ours afterwards."""
    trial.open(
        "<script>window.axe = 'own'</script><input id='bare'>"
        "<p style='color: #ccc; background: #fff'>Pale text here</p>"
    )
    found = {f.rule: f for f in trial("analyze").findings}
    assert (found["axe:label"].category, found["axe:label"].severity, found["axe:label"].locator) == (
        "label",
        "critical",
        "#bare",
    )
    assert found["axe:color-contrast"].category == "contrast"
    assert trial.js("window.axe") == "own"


def test_contrast_on_a_picture(trial: Any) -> None:
    """What axe cannot decide is measured in the picture: pale on a pale gradient is found, dark is not."""
    style = "background: linear-gradient(90deg, #fff, #f4f4f4); padding: 20px; font-size: 18px"
    trial.open(
        f"<div style='{style}'><p id='pale' style='color: #ddd'>Hard to read here</p>"
        "<p style='color: #222'>Easy to read</p></div>"
    )
    found = [f for f in trial("analyze").findings if f.category == "contrast"]
    assert [(f.locator, f.source) for f in found] == [("#pale", "pixels")]


def test_a_page_of_one_colour(trial: Any) -> None:
    """A page that has text of which nothing is painted is found; one with little on it is not."""
    text = "<main><h1>Order 7</h1><p>Total: 5 dollars</p></main>"
    trial.open(f"<style>html {{ background: #fff }} main {{ color: #fff }}</style>{text}")
    assert "blank-picture" in {f.rule for f in trial("analyze").findings}
    trial.open("<p style='font-size: 10px'>.</p>")
    assert "blank-picture" not in {f.rule for f in trial("analyze").findings}


def test_settling(trial: Any) -> None:
    """A skeleton that ends is waited for, and one that does not is found."""
    busy = "<p id='s' aria-busy='true' style='width: 99px; height: 9px'>.</p>"
    trial.open(f"{busy}<script>setTimeout(() => document.getElementById('s').remove(), 1200)</script><h1>Here</h1>")
    assert [f for f in trial("analyze").findings if f.category == "spinner"] == []
    trial.open(f"{busy}<h1>Here</h1>")
    assert [f.category for f in trial("analyze").findings if f.category == "spinner"] == ["spinner"]


def test_the_same_pixels_with_a_caret(trial: Any) -> None:
    """A focused field's blinking caret is not in the picture, and the page has its style back."""
    trial.open("<input aria-label='x' style='color: red'><h1>Field</h1>")
    trial.js("document.querySelector('input').focus()")
    pictures = {trial("analyze error") and trial.last.screenshot.artifact for _ in range(2)}
    assert len(pictures) == 1
    assert trial.js("document.querySelector('input').getAttribute('style')").strip("; ") == "color: red"
    assert trial.js("Object.keys(document.querySelector('input').dataset).length") == 0


def test_cards_of_every_kind() -> None:
    """A card escapes what a page or a model says, and copes with nothing, much, and boxes outside the picture."""
    nasty = "<img src=x onerror=alert(1)>" * 40
    found = tuple(Finding("other", "minor", nasty, "ai", nasty, None, nasty, grounded=i % 2 == 0) for i in range(60))
    many = Analysis(
        "a",
        "general",
        "openai",
        "ok",
        nasty,
        found,
        nasty,
        1,
        1,
        1,
        None,
        5.0,
        expected=nasty,
        reason=nasty,
        warnings=(nasty,),
    )
    for analysis in (many, Analysis("a", "triage", "offline", "timeout")):
        bundle = analysis_card.alone(analysis, "look")
        assert "<img src=x" not in bundle["text/html"] and len(bundle["text/html"]) < 120_000
    assert repr(many) == "<Analysis general by openai: ok, 60 findings, worst minor>"


LIARS = {
    "finding": "for (const k of [Document, Element]) k.prototype.querySelectorAll = () => []; NodeFilter = null",
    "measuring": "getComputedStyle = () => ({}); Range.prototype.getClientRects = () => []; Map = Set = Promise = null",
    "answering": "JSON.stringify = () => '{}'; Array.prototype.map = () => []; Object.prototype.violations = []",
}


@pytest.mark.parametrize("lie", LIARS.values(), ids=LIARS)
def test_a_page_that_lies_to_scripts(trial: Any, lie: str) -> None:
    """A page that replaces what scripts look with is seen as it is, by the rules and by axe, and is left as it was."""
    trial.open(f"<script>{lie}</script><p id='out'>Total: NaN</p><input id='bare'>")
    found = {(f.rule, f.locator) for f in trial("analyze").findings}
    assert {("placeholder", "#out"), ("axe:label", "#bare")} <= found
    assert trial.js("window.axe") is None
