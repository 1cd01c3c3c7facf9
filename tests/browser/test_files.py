"""Files into the page and out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jbts_kernel.browser import input as gestures
from jbts_kernel.browser.lending import Lender
from jbts_kernel.browser.session import Download

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


def test_upload(trial: Trial, tmp_path: Path) -> None:
    """One file, several, into a hidden input, with names relative to the notebook's folder."""
    (tmp_path / "a b.txt").write_text("hello")
    (tmp_path / "c.bin").write_bytes(b"123")
    trial.open("files.html")
    trial('upload #one "a b.txt"')
    trial.until("said.textContent === 'a b.txt 5'")
    row = trial.row()
    assert (row["step_type"], row["locator"], row["input"]) == ("upload", "#one", "a b.txt")
    trial.page.upload("#many", "a b.txt", str(tmp_path / "c.bin"))
    trial.until("said.textContent === 'a b.txt 5, c.bin 3'")
    trial("upload #unseen c.bin")
    trial.until("said.textContent === 'c.bin 3'")


@pytest.fixture(params=["lent", "driver replaced"])
def second_hand(request: pytest.FixtureRequest, own_browser: Callable[..., Trial], tmp_path: Path) -> Iterator[Trial]:
    """A session whose driver was not started together with its browser, in each way there is."""
    if request.param == "lent":
        with Lender(tmp_path / "lender", keep=1) as lender:
            trial = own_browser()
            trial.bench.pool.lender = lender.place
            yield trial
            trial.bench.close()
        return
    trial = own_browser()
    trial.open("files.html")
    process = trial.bench.session.driver.service.process
    process.kill()
    process.wait(20)
    trial("evaluate 1")
    assert "replaced" in trial.last.note
    yield trial


def test_files_in_a_second_hand_browser(second_hand: Trial, tmp_path: Path) -> None:
    """Files are chosen, and a text that happens to be a file's name is typed, as in any other."""
    (tmp_path / "c.bin").write_bytes(b"123")
    second_hand.open("files.html")
    second_hand(f"upload #one {tmp_path}/c.bin")
    second_hand.until("said.textContent === 'c.bin 3'")
    second_hand.open("fields.html")
    second_hand(f"type #text {tmp_path}/c.bin")
    assert second_hand("value #text") == f"{tmp_path}/c.bin"


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("upload #one nothing.txt", "StepProblem", "there is no file"),
        ("upload #one .", "StepProblem", "there is no file"),
        ("upload #get there.txt", "NotActionable", "not a file input"),
        ("upload #one there.txt there.txt", "NotActionable", "takes one file"),
        ("upload #nowhere there.txt --timeout 0.1", "ElementNotFound", "#nowhere"),
    ],
)
def test_uploads_that_cannot_be(trial: Trial, tmp_path: Path, line: str, error: str, words: str) -> None:
    """What is missing is named before the page hears of anything."""
    (tmp_path / "there.txt").write_text("x")
    trial.open("files.html")
    trial.fails(line, error, words)
    assert trial.js("said.textContent") == ""


def test_download(trial: Trial, tmp_path: Path) -> None:
    """download clicks, waits for the whole file and returns where it is, under its own name."""
    trial.open("files.html")
    path = trial("download #get")
    assert (path.name, path.stat().st_size) == ("report.csv", 2000)
    assert path.is_relative_to(trial.bench.home)
    assert trial.row()["status"] == "passed"
    assert "2000 bytes" in trial.last.note
    again = trial("download #twice")
    assert (again.name, again.stat().st_size) == ("report-1.csv", 5)
    assert trial("download #big --to out").stat().st_size == 3_000_000
    assert (tmp_path / "out" / "big.bin").exists()
    made = trial("download #made")
    assert (made.name, made.read_text()) == ("made.txt", "made in the page")
    trial.fails("download --timeout 0.2", "StepTimeout", "there is no download to take within 0.2 s")
    trial("click #get")
    assert trial("download --to out") == tmp_path / "out" / "report.csv"


def test_many_downloads(trial: Trial) -> None:
    """A browser that has downloaded for long still tells a new download from the old ones."""
    trial.open("files.html")
    kept = trial.bench.session.browser.downloads.known
    kept.update({f"old {n}": Download(f"old {n}", "old.csv", "", "completed") for n in range(200)})
    for name in ("report.csv", "report-1.csv"):
        assert trial("download #get").name == name
    assert len(kept) == 200


def test_another_user_s_download_is_not_ours(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another user's page downloads while a step waits for its own is not taken for it."""
    trial.bench.line("browser --as buyer")
    trial.open("files.html")
    buyer = trial.bench.session
    trial.bench.line("use main")
    trial.open("files.html")
    browser = buyer.browser

    def theirs() -> list[tuple[str, str]]:
        return [(f.name, f.state) for f in buyer.files().values() if f.context]

    def press_elsewhere(*_: Any) -> None:
        buyer.evaluate("document.querySelector('#get').click()")
        assert browser.wait_for(lambda: theirs() == [("report.csv", "completed")], 30)

    with monkeypatch.context() as patch:
        patch.setattr(gestures, "pointer", press_elsewhere)
        trial.fails("download #get --timeout 0.4", "StepTimeout", "started no download")
    assert trial("download #get").stat().st_size == 2000


def test_downloads_cannot_choose_their_folder(trial: Trial, tmp_path: Path) -> None:
    """A file name from the server never leads out of the folder."""
    trial.open("files.html")
    path = trial("download #sly --to out")
    assert path.parent == tmp_path / "out"
    assert not (tmp_path.parent / "sly.txt").exists()


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_downloads_go_to_another_disk(trial: Trial, tmp_path: Path) -> None:
    """--to may name a folder on another file system."""
    import tempfile

    trial.open("files.html")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert trial(f'download #get --to "{folder}"').stat().st_size == 2000


def test_downloads_that_do_not_come(trial: Trial) -> None:
    """What starts no download says so within the step's time."""
    trial.open("files.html")
    trial.fails("download #nothing --timeout 0.4", "StepTimeout", "started no download within 0.4 s")
    trial.fails("download #nowhere --timeout 0.1", "ElementNotFound")
