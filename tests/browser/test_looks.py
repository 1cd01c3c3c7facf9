"""How cards look: every text can be read in a light and a dark theme, and on a narrow screen."""

from __future__ import annotations

import datetime
import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from jbts_kernel import analysis_card, display, verb_help
from jbts_kernel.dashboard import dashboard
from jbts_kernel.models import Analysis, Box, ConsoleMessage, Finding, NetworkRequest, Step, StepOptions, StepResult
from jbts_kernel.store.queries import Results
from jbts_kernel.verbs import VERBS
from jbts_kernel.verbs.reference import CHAPTERS

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

ENOUGH = 4.5  # WCAG 2.2, 1.4.3, for text of any size
THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
LAB = "body { background: var(--jp-layout-color0); color: var(--jp-content-font-color1); }"
NARROW = 312  # what is left of 400 pixels beside JupyterLab's prompt

# The contrast of each visible text with what is painted under it, worst first. Colours are read from a canvas, which
# knows every way of writing one.
CONTRAST = """
(() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
    const v = c[i] / 255;
    return sum + part * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (el) => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, el = node.parentElement, range = document.createRange();
    range.selectNodeContents(node);
    if (!node.data.trim() || el.closest("style, script, title") || !range.getClientRects().length) continue;
    const under = ground(el), style = getComputedStyle(el), text = rgba(style.color);
    let opacity = 1;
    for (let e = el; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
    const [a, b] = [light(over([...text.slice(0, 3), text[3] * opacity], under)), light(under)].sort((x, y) => y - x);
    const contrast = Math.round(100 * (a + 0.05) / (b + 0.05)) / 100;
    found.push([contrast, el.className || el.localName, node.data.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
})()
"""
# Words that stand on two lines, of those that would fit on one.
BROKEN = """
(() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, range = document.createRange();
    if (node.parentElement.closest("style")) continue;
    for (const word of node.data.matchAll(/\\S+/g)) {
      range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
      if (lines.size > 1 && word[0].length < 24) found.push(word[0]);
    }
  }
  return found;
})()
"""


def picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (480, 300), colour).save(buffer, "WEBP")
    return buffer.getvalue()


def result(source: str, status: str = "passed", **more: Any) -> StepResult:
    verb = source.partition(" ")[0]
    facts: dict[str, Any] = {
        "url": "http://127.0.0.1:8000/checkout", "title": "Checkout", "duration_ms": 1234.5, "wait_ms": 400.0,
    }  # fmt: skip
    return StepResult(
        Step(verb, options=more.pop("options", StepOptions())), "s", "e", 1, status, source, **facts | more
    )  # type: ignore[arg-type]


def looked() -> Analysis:
    kinds: tuple[tuple[str, Any], ...] = (
        ("overlap", "critical"), ("contrast", "serious"), ("spinner", "moderate"), ("label", "minor"),
    )  # fmt: skip
    about: dict[str, Any] = {"locator": "#pay", "box": Box(10, 40, 60, 20), "evidence": 'button "Pay"'}
    found = [Finding(category, severity, "a sentence about it", "dom", **about) for category, severity in kinds]
    found.append(Finding("content", "serious", "no such thing", "ai", grounded=False))
    return Analysis(
        "a", "general", "openai", "ok", summary="Two things lie on each other.", model="m", findings=tuple(found),
        warnings=("the picture was not sent",), expected="the total is $5", verdict="false", reason="it is $6",
        size=(480, 300), input_tokens=1200, output_tokens=80, latency_ms=900.0,
    )  # fmt: skip


def cards(results: Results) -> list[str]:
    """One of each kind of output."""
    messages = (ConsoleMessage("error", "Uncaught TypeError: x is undefined"), ConsoleMessage("warning", "slow"))
    requests = (NetworkRequest("GET", "http://127.0.0.1/api", None, text="net::ERR_CONNECTION_REFUSED"),) * 3
    failed = {"error_type": "ElementNotFound", "error_message": "nothing matches #go; closest: #pay"}
    day = datetime.date(2026, 11, 25)
    bundles = [
        display.card(
            result("click #pay", thumbnail=picture("white"), viewport=(480, 300), box=Box(9, 9, 90, 30), retries=1)
        ),
        display.card(
            result(
                "click #go",
                "error",
                **failed,
                hints=("#pay   Pay now", "wait for it: %wait #go"),
                console=messages,
                requests=requests,
                tried=("  0.00 s  looking for #go: visible",),
                evidence=".jbts/evidence/e/evidence.html",
                options=StepOptions(name="pay the order"),
            )
        ),
        display.card(result("click #go --optional", "skipped", **failed)),
        display.card(result("navigate /", "aborted", error_type="KeyboardInterrupt", error_message="interrupted")),
        display.card(result("type #name ${who}", input="Ada", note="the browser had died and was replaced")),
        display.card(
            result(
                "expect #nav aria",
                "failed",
                error_type="ExpectationFailed",
                error_message="the outline differs",
                difference="--- expected\n+++ actual\n- link\n+ button",
                pictures=(("expected", picture("grey")),),
            )
        ),
        display.strip("", [result("click #a"), result("click #b", "failed")], [picture("white")]),
        display.strip("Sign in", [result("click #a")], status="running"),
        display.note("test 'a' begins", detail="smoke, high"),
        display.note("test 'a' failed", tone="failed"),
        display.table(
            ("verb", "runs", "day"), [("click", 12.5, day), ("type", 3, None)], caption="steps", truncated=True
        ),
        display.table(("a",), []),
        verb_help.help_bundle(VERBS["expect"]),
        verb_help.overview([(title, [VERBS[name] for name in names]) for title, names in CHAPTERS]),
        analysis_card.card(result("analyze", analysis=looked(), thumbnail=picture("white"), viewport=(480, 300))),
        analysis_card.alone(looked(), "a picture"),
        dashboard(results),
    ]
    return [bundle["text/html"] for bundle in bundles]


@pytest.fixture(scope="module")
def page(reader: Trial) -> Trial:
    """A page of all kinds of cards, over results that passed, failed and changed their mind."""
    recorder = reader.bench.recorder
    for test, status in (
        ("buy", "passed"),
        ("buy", "failed"),
        ("pay", "failed"),
        ("look", "passed"),
        ("look", "passed"),
    ):
        recorder.open_execution(test)
        if status == "failed":
            recorder.worsen("failed", "ExpectationFailed", "it is $6")
        recorder.close_execution()
    shown = "".join(f"<div class=card>{card}</div>" for card in cards(Results(reader.bench.home)))
    reader.open(f"<style id=theme></style><style>.card {{ margin: 16px; }}</style>{shown}")
    return reader


def theme(name: str) -> str:
    if name.startswith("lab-"):
        css = (THEMES / f"theme-{name.removeprefix('lab-')}-extension" / "index.css").read_text(encoding="utf-8")
        return f":root {{ {''.join(re.findall(r'--jp-[a-z0-9-]+:[^;{}]+;', css))} }} {LAB}"
    return (
        "body { background: #1e1e1e; color: #d4d4d4; }" if name == "dark" else "body { background: #fff; color: #000; }"
    )


@pytest.mark.parametrize("name", ["lab-light", "lab-dark", "light", "dark"])
def test_every_text_can_be_read(page: Trial, name: str) -> None:
    """Text of every kind of card stands out from its ground by 4.5 to 1, in JupyterLab's themes and without any."""
    page.js(f"document.querySelector('#theme').textContent = {theme(name)!r}")
    found = page.js(CONTRAST)
    assert len(found) > 300
    assert not [text for text in found if text[0] < ENOUGH]


def test_evidence_can_be_read(trial: Trial) -> None:
    """The page of a failed step, too, in both schemes of the system."""
    trial.open("<button>Pay</button><script>console.error('no total'); fetch('/status/500')</script>")
    trial.fails("click #pay --timeout 0.2", "ElementNotFound")
    trial(f"navigate {(trial.bench.home / str(trial.last.evidence)).as_uri()}")
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        trial.bench.session.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        found = trial.js(CONTRAST)
        assert len(found) > 20
        assert not [text for text in found if text[0] < ENOUGH], scheme


def test_no_word_is_broken_on_a_narrow_screen(page: Trial) -> None:
    """In a column of 312 pixels help and tables break between words, and only a wide table goes over the edge."""
    page.js(f"document.body.style.width = '{NARROW}px'")
    assert page.js(BROKEN) == []
    wide = "[...document.querySelectorAll('.card *')].filter((e) => !e.closest('.jbts-wide, pre')"
    assert (
        page.js(f"{wide} && e.getBoundingClientRect().right > {NARROW + 8}).map((e) => e.outerHTML.slice(0, 90))") == []
    )
