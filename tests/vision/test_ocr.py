"""Text that is only pixels: canvases and stored pictures, read without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from jbts_kernel.vision import ocr, stored

WRONG = ("Total: NaN", "Hello {{user.name}}", "500 Internal Server Error")
DRAW = """<canvas id="c" width="600" height="220"></canvas><h1>Chart</h1><script>
const g = c.getContext("2d"); g.fillStyle = "#fff"; g.fillRect(0, 0, 600, 220);
g.fillStyle = "#000"; g.font = "24px sans-serif";
%s.forEach((t, i) => g.fillText(t, 20, 50 + 50 * i));</script>"""


@pytest.fixture(autouse=True)
def reads() -> None:
    pytest.importorskip("rapidocr", reason="the ocr extra is not installed")
    pytest.importorskip("onnxruntime", reason="the ocr extra is not installed")


def picture(path: Path, *lines: str) -> Path:
    image = Image.new("RGB", (700, 300), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((30, 30 + 60 * number), line, fill="black", font=ImageFont.load_default(26))
    image.save(path)
    return path


def test_a_canvas_is_read(trial: Any) -> None:
    """What is drawn wrong on a canvas is found by the rules for words, where it is drawn; what is right is not."""
    trial.open(DRAW % json.dumps([*WRONG, "Sales in March"]))
    found = [f for f in trial("analyze").findings if f.source == "pixels"]
    assert sorted(f.rule for f in found) == ["error-text", "placeholder", "placeholder"]
    assert {f.locator for f in found} == {"#c"}
    (total,) = [f for f in found if "NaN" in f.message]
    assert total.box is not None and 20 <= total.box.x < 60 and 20 < total.box.y < 70
    assert {r["rule"] for r in trial.rows("finding")} >= {"error-text", "placeholder"}


def test_a_stored_picture(trial: Any, tmp_path: Path) -> None:
    """A picture's file, or its hash in the store, is looked at without its page; one that is fine is clean."""
    found = trial(f"analyze --picture {picture(tmp_path / 'wrong.png', *WRONG)}")
    assert sorted(f.rule for f in found.findings) == ["error-text", "placeholder", "placeholder"]
    again = trial(f"analyze error --picture {trial.last.artifacts[0].artifact[:16]}")
    assert [f.message for f in again.findings] == [f.message for f in found.findings]
    assert trial(f"analyze --picture {picture(tmp_path / 'fine.png', 'Sales in March', 'Room 404')}").findings == ()
    assert trial(f"analyze --picture {picture(tmp_path / 'none.png')}").findings[0].rule == "blank-picture"


def test_no_picture_at_all(trial: Any, tmp_path: Path) -> None:
    """What is no picture, not there, or asked for together with an element, is refused in one line."""
    (tmp_path / "words.png").write_text("words")
    trial.fails(f"analyze --picture {tmp_path / 'words.png'}", "StepProblem", "cannot be read as a picture")
    trial.fails("analyze --picture gone.png", "StepProblem", "no picture gone.png")
    trial.fails("analyze #a --picture gone.png", "StepProblem", "leave out the element")


def test_without_the_extra(trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pictures cannot be read, a line says what was not read and how to get it."""
    monkeypatch.setattr(ocr, "_NEEDED", ("rapidocr", "no_such_package"))
    trial.open(DRAW % json.dumps(WRONG))
    looked = trial("analyze error")
    assert looked.findings == () and looked.warnings == (f"the text of 1 canvas was not read: {ocr.HOW}",)
    stored_one = trial(f"analyze --picture {picture(tmp_path / 'wrong.png', *WRONG)}")
    assert stored_one.warnings == (f"the text of the picture was not read: {ocr.HOW}",)


def test_reading_opens_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models are there already: a reader is made and used with every connection refused."""
    import socket

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ocr._reader.cache_clear()
    with Image.open(picture(tmp_path / "one.png", "Total: NaN")) as image:
        assert [line.text for line in ocr.read(image)] == ["Total: NaN"]


def test_a_line_with_a_secret_is_painted_over(tmp_path: Path) -> None:
    """Before a stored picture is sent, the lines that hold a secret are painted over, and no other."""
    kept = stored.opened(tmp_path, "x", picture(tmp_path / "x.png", "Code hunter22", "Sales"))
    box = {"x": 30, "y": 30, "width": 200, "height": 30}
    items = [{"text": "Code hunter22", "box": box}, {"text": "Sales", "box": {**box, "y": 90}}]
    hidden = stored.without(kept, items, lambda text: text.replace("hunter22", "***"))
    (tmp_path / "hidden.png").write_bytes(hidden.png)
    with Image.open(tmp_path / "hidden.png") as image:
        assert [line.text for line in ocr.read(image)] == ["Sales"]
