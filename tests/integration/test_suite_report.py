"""Reports: one folder that opens offline, in which nothing a page said is alive."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from jbts_kernel.browser import capture
from jbts_kernel.errors import UsageProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.recorder import Origin, Recorder
from jbts_kernel.suite.report import find_run, write_report

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
                assert re.match(r"(assets/|notebooks/|#)", address), (tag, address)
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
