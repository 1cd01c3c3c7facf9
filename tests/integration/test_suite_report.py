"""Reports: one folder that opens offline, in which nothing a page said is alive."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from jbts_kernel.browser import capture
from jbts_kernel.current import Page as Live
from jbts_kernel.errors import UsageProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.recorder import Origin, Recorder
from jbts_kernel.suite.report import find_run, write_report
from jbts_kernel.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"' javascript:alert(3)"


def picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (800, 500), colour).save(buffer, "PNG")
    return buffer.getvalue()


def record(home: Path, *, status: str = "failed", text: str = EVIL, steps: int = 3, commit: str = "") -> str:
    """A run with one execution, recorded as a kernel does it; its id."""
    log = Log(home)
    recorder = Recorder(log, Origin("interactive", f"{text[:40]}.ipynb"))
    run_id = recorder.open_run()
    execution = recorder.open_execution(text, tags=(text,))
    for number in range(1, steps + 1):
        last = status if number == steps else "passed"
        shot = capture.store(home, picture(f"rgb({number * 20},80,90)"), "after", "image/png", (800, 500))
        bad = last != "passed"
        facts = {
            "ordinal": number,
            "name": f"click {text} {number}",
            "verb": "click",
            "step_type": "click",
            "status": last,
            "started_at": 1.0,
            "duration_ms": 12.5,
            "title": text,
            "url": f"http://127.0.0.1/{text}",
            "screenshot": shot.artifact,
            "error_type": "ExpectationFailed" if bad else None,
            "error_message": text if bad else None,
        }
        about = {name: getattr(shot, name) for name in ("artifact", "role", "mime", "path", "bytes", "width", "height")}
        step, ids = f"{execution.execution_id}-{number}", (run_id, execution.execution_id)
        log.emit(
            Event("artifact", about, *ids, step),
            Event("console", {"level": "error", "text": text, "url": "", "at": 1.0}, *ids, step),
            Event("network", {"method": "GET", "url": text, "status": 500, "text": "", "at": 1.0}, *ids, step),
            Event("step.finished", facts, *ids, step),
        )
        if bad:
            left = home / "evidence" / f"{step}.html"
            left.parent.mkdir(exist_ok=True)
            left.write_text("all of it")
            kept = {
                "artifact": step,
                "role": "evidence",
                "mime": "text/html",
                "path": f"evidence/{step}.html",
                "bytes": 9,
            }
            log.emit(Event("artifact", kept, *ids, step))
    if status != "passed":
        recorder.worsen("failed", "ExpectationFailed", text)
    recorder.close_run()
    log.close()
    return run_id


class Page(HTMLParser):
    """What a browser would make of the page: tags with their attributes, and the scripts' texts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)


def test_nothing_a_page_said_is_alive(home: Path, tmp_path: Path) -> None:
    """Names, titles, addresses, messages, console and tags are text; the policy allows our one script only."""
    index = write_report(home, record(home), tmp_path / "report")
    source = index.read_text()
    page = Page(source)
    assert len(page.scripts) == 1
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert not [a for _, a in page.tags for name in a if name.startswith("on")]
    assert not [a for t, a in page.tags if t == "img" and str(a.get("src")).startswith("x")]
    for tag, attributes in page.tags:
        for name in ("href", "src"):
            address = attributes.get(name)
            if address:
                assert re.match(r"(assets/|notebooks/|evidence/|#)", address), (tag, address)
    assert "&lt;script&gt;alert(1)" in source


def test_every_file_it_names_is_there(home: Path, tmp_path: Path) -> None:
    """Pictures are copied, each once, with a small one beside it; the folder needs nothing else."""
    folder = tmp_path / "report"
    page = Page(write_report(home, record(home, steps=4), folder).read_text())
    names = {a[n] for _, a in page.tags for n in ("href", "src") if a.get(n) and not str(a[n]).startswith("#")}
    assert len([n for n in names if str(n).endswith(".png")]) == 4
    for name in names:
        assert (folder / str(name)).stat().st_size > 0
    small = next(str(n) for n in names if str(n).endswith(".small.webp"))
    with Image.open(folder / small) as image:
        assert image.width == 320


def test_it_says_when_the_test_last_passed(home: Path, tmp_path: Path) -> None:
    """Against the last green execution: steps that came and steps that went before the failure."""
    record(home, status="passed", text="buy a lamp", steps=2)
    run_id = record(home, status="failed", text="buy a lamp", steps=4)
    source = write_report(home, run_id, tmp_path / "report").read_text()
    assert "Last passed" in source
    assert "new step <code>click buy a lamp 4</code>" in source
    assert "step gone" not in source


def test_it_shows_where_things_are_going(home: Path, tmp_path: Path) -> None:
    """The runs of the same tests before this one, how each test ended in them, and the evidence of its failure."""
    for status in ("passed", "failed", "passed"):
        record(home, status=status, text="lamp", steps=1)
    record(home, status="passed", text="quite another test", steps=1)
    folder = tmp_path / "report"
    source = write_report(home, record(home, text="lamp", steps=2), folder).read_text()
    assert "Last 4 runs, 2 green" in source and "this run: 1 failed, 0 passed" in source
    assert 'aria-label="passed in 2 of the last 4 runs"' in source
    (evidence,) = re.findall(r'href="(evidence/[^"]+)"', source)
    assert (folder / evidence).read_text() == "all of it"


def test_what_fails_nothing_is_told_apart(home: Path, tmp_path: Path) -> None:
    """A quarantined test is neither passed nor failed and says why; a flaky one says what its attempts differed in."""
    run_id = record(home, status="passed", text="lamp", steps=1)
    one = {"notebook": "a.ipynb", "message": "sold out", "duration_ms": 1, "tags": [], "attempts": []}
    tests = [
        {**one, "name": "a.ipynb", "status": "failed", "quarantine": "waits for the <till>"},
        {**one, "name": "b.ipynb", "status": "flaky", "differences": ["step 2, click: <b>"]},
        {**one, "name": "c.ipynb", "status": "passed", "quarantine": "waits too"},
    ]
    (home / "runs" / run_id).mkdir(parents=True)
    (home / "runs" / run_id / "run.json").write_text(json.dumps({"tests": tests}))
    source = write_report(home, run_id, tmp_path / "report").read_text()
    assert "Passed, with flaky tests" in source and "waits for the &lt;till&gt;" in source
    kinds = re.findall(r'class="test (\w+)" id="t\d" data-kind="(\w+)"', source)
    assert kinds == [("flaky", "flaky"), ("quarantined", "quarantined"), ("passed", "passed")]
    assert "step 2, click: &lt;b&gt;" in source and source.count("It fails no run.") == 2


def test_the_latest_run_is_found_and_a_wrong_one_is_not(home: Path, tmp_path: Path) -> None:
    """By nothing, by a beginning, and with one line where there is none."""
    with pytest.raises(UsageProblem, match="no run"):
        find_run(home)
    first, second = record(home, text="one"), record(home, text="two")
    assert find_run(home) == second
    assert find_run(home, first) == first
    with pytest.raises(UsageProblem, match="no run begins"):
        find_run(home, "nonsense")
    with pytest.raises(UsageProblem, match="no run"):
        write_report(home, "nonsense", tmp_path / "report")


def test_a_picture_that_is_gone_leaves_a_report(home: Path, tmp_path: Path) -> None:
    """Missing and damaged files cost their picture only."""
    run_id = record(home, steps=2, text="lamp")
    first, second = sorted(p for p in (home / "artifacts").rglob("*") if p.is_file())
    first.unlink()
    second.write_bytes(b"no picture")
    page = Page(write_report(home, run_id, tmp_path / "report").read_text())
    assert [a for t, a in page.tags if t == "img" and a.get("src")] == []


# ---- read by people ------------------------------------------------------------------------------
LOUD = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_markdown_cell(
            "# Sign in\n\nWhat a *customer* does first. <script>alert(1)</script>", id="title"
        ),
        nbformat.v4.new_code_cell(
            '%click "#go"',
            id="a",
            execution_count=1,
            metadata={"jbts": {"status": "ok", "duration_ms": 1234.0}, "tags": ["setup", "<b>"]},
            outputs=[
                nbformat.v4.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m <i>not slanted</i>"),
                nbformat.v4.new_output(
                    "display_data",
                    data={"text/html": "<b>bold</b><script>document.title='alive'</script>", "text/plain": "bold"},
                ),
                nbformat.v4.new_output(
                    "display_data",
                    data={"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>"},
                ),
                nbformat.v4.new_output("display_data", data={"application/javascript": "document.title='alive'"}),
            ],
        ),
        nbformat.v4.new_code_cell(
            "assert False",
            id="b",
            execution_count=2,
            metadata={"jbts": {"status": "error", "duration_ms": 3.0}},
            outputs=[nbformat.v4.new_output("error", ename="E", evalue="x", traceback=["E: <u>x</u>" + "y" * 400])],
        ),
        nbformat.v4.new_code_cell("never", id="c", metadata={"jbts": {"status": "not_run", "message": "not run"}}),
    ]
)


@pytest.fixture(scope="module")
def executed_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executed notebook, converted as a person converts it."""
    folder = tmp_path_factory.mktemp("nbconvert")
    templates = folder / "share" / "nbconvert" / "templates"
    shutil.copytree(ROOT / "jbts_kernel" / "nbconvert", templates / "jbts")  # where pip install puts it
    nbformat.write(LOUD, folder / "loud.ipynb")
    words = ["-m", "nbconvert", "--to", "html", "--template", "jbts", "loud.ipynb"]
    environ = {**os.environ, "JUPYTER_PATH": str(folder / "share")}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "loud.html"


def test_the_template_makes_a_page_that_needs_nothing(executed_page: Path) -> None:
    """Cells as cards with their status and time; nothing is loaded from anywhere, and what a page said is text."""
    source = executed_page.read_text()
    page = Page(source)
    assert "default-src 'none'" in source and "script-src" not in source
    assert not [a for _, a in page.tags for name in ("src", "href") if re.match(r"https?:|//", str(a.get(name)))]
    kinds = [str(a.get("class")) for t, a in page.tags if t == "section"]
    assert kinds == ["cell ok", "cell error", "cell not_run"]
    for text in (
        "1.2 s",
        "&lt;i&gt;not slanted",
        "&lt;u&gt;x",
        "setup",
        "&lt;b&gt;</span>",
        "runs none",
    ):
        assert text in source, text


class Unpublished(Workbench):
    """A workbench whose results nobody is going to ask for."""

    def _publish(self) -> None:
        self._published_at = time.monotonic()


@pytest.mark.browser
@pytest.mark.slow
def test_people_can_read_both(home: Path, tmp_path: Path, executed_page: Path) -> None:
    """Report and notebook in a real browser, offline: nothing alive but our own script, no serious finding of axe's
    or of our own in light and in dark, no sideways scrolling at 390 pixels, and the keys do what they say."""
    record(home, status="passed", text="buy a lamp")
    report = write_report(home, record(home, text="buy a lamp", steps=4), tmp_path / "report")
    evil = write_report(home, record(home), tmp_path / "evil")
    nothing = write_report(home, _empty(home), tmp_path / "nothing")
    bench = Unpublished(home=tmp_path / "elsewhere", environ={"JBTS_BROADCASTER": "off"})
    page = Live(lambda: bench)
    try:
        for path in (report, evil, nothing, executed_page):
            page.window("1100x800")
            page.navigate(path.as_uri())
            for scheme in ("light", "dark"):
                _prefer(bench, scheme)
                page.analyze(fail_on="serious")
            assert "alive" not in page.evaluate("document.title")
            page.window("390x800")
            assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        _use(page, report)
    finally:
        bench.close()


def _empty(home: Path) -> str:
    log = Log(home)
    recorder = Recorder(log, Origin("suite", "none.ipynb"))
    run_id = recorder.open_run()
    recorder.close_run()
    log.close()
    return run_id


def _prefer(bench: Workbench, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    bench.session.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def _use(page: Live, report: Path) -> None:
    """The keyboard, the filters, the search and the viewer of a report."""
    page.window("1100x800")
    page.navigate(report.as_uri())
    page.expect(".test", "attribute", "open", "")
    page.press("j")
    page.press("o")
    page.expect(".body", "hidden")
    page.press("o")
    page.click(".strip a >> nth=1")
    page.expect("#viewer-text", "contains", "2. click buy a lamp 2")
    page.press("ArrowRight")
    page.expect("#viewer-text", "contains", "3. click buy a lamp 3")
    page.press("Escape")
    page.expect("#viewer", "hidden")
    page.press("/")
    page.expect("#search", "focused")
    page.type("#search", "no such thing")
    page.expect("#no-match", "visible")
    page.press("Escape")
    page.expect(".test", "visible")
