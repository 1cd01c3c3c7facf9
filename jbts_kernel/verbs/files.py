"""Files: upload to the page, download from it."""

from __future__ import annotations

from pathlib import Path

from ..browser import input as gestures
from ..browser.session import Download
from ..errors import NotActionable, StepProblem, StepTimeout, UsageProblem
from ..grammar import Locator, clip
from ..grammar import Path as PathWord
from ..stage import Stage
from .registry import PRESENT, PRESSED, verb


def _check_upload(locator: str, files: tuple[str, ...] = (), **_: object) -> None:
    if not files:
        raise UsageProblem(f"%upload {clip(locator)} needs a file: %upload {clip(locator)} FILE")


@verb("upload", "upload", also="attach set_input_files choose_file", needs=PRESENT, check=_check_upload)
def upload(stage: Stage, locator: Locator, *files: PathWord) -> None:
    """Choose files in a file input.

    Args:
        files: file names, relative to the notebook; several for an input that takes several
    """
    paths = [stage.file(name).resolve() for name in files]
    for path in paths:
        if not path.is_file():
            raise StepProblem(f"there is no file {path}")
    element = stage.there(locator)
    if element.tag_name != "input" or element.get_attribute("type") != "file":
        raise NotActionable(f"{clip(locator)} is not a file input; name the <input type=file> itself, it may be hidden")
    if len(paths) > 1 and element.get_attribute("multiple") is None:
        raise NotActionable(f"{clip(locator)} takes one file, not {len(paths)}")
    stage.session.choose(element, paths)


@verb("download", "custom", needs=PRESSED)
def download(stage: Stage, locator: Locator | None = None, *, to: PathWord | None = None) -> Path:
    """Click something that downloads, wait for the file, and return its path.

    Args:
        locator: what to click; without it, the newest file that an earlier step began to download and none has taken
        to: a folder for the file; the execution's own folder, if left out
    """
    session = stage.session
    assert session.downloads is not None, "every session has a download folder"
    session.browser.need("downloads")
    known = session.taken
    if locator is not None:
        found = stage.find(locator)
        known = set(session.files())
        assert found.point is not None
        gestures.pointer(session, [gestures.move(*found.point), gestures.down(), gestures.up()])

    def fresh() -> Download | None:
        begun = [f for key, f in session.files().items() if key not in known and f.state != "canceled"]
        return begun[0 if locator is not None else -1] if begun else None

    if not session.browser.wait_for(fresh, stage.deadline.left):
        what = f"{clip(locator)} started no download" if locator is not None else "there is no download to take"
        raise StepTimeout(f"{what} within {stage.deadline.seconds:g} s")
    begun = fresh()
    assert begun is not None

    def ended() -> Download | None:
        now = session.files().get(begun.key)
        return now if now is not None and now.state != "running" else None

    if not session.browser.wait_for(ended, stage.deadline.left):
        raise StepTimeout(f"the download of {clip(begun.name)} did not end within {stage.deadline.seconds:g} s")
    end = ended()
    if end is None or end.state == "canceled":
        raise StepProblem(f"the download of {clip(begun.name)} was cancelled")
    name = Path(end.name).name or "download"
    target = stage.file(to) if to else session.downloads
    target.mkdir(parents=True, exist_ok=True)
    place = target / name
    number = 1
    while place.exists():
        place = target / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    session.fetch(end, place)
    if end.key in session.files():  # elsewhere a file is known by its name, and gone from where it was
        session.taken.add(end.key)
    stage.note = f"{place.name}, {place.stat().st_size} bytes"
    return place
