"""Files: upload to the page, download from it."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..browser import input as gestures
from ..errors import ElementNotFound, NotActionable, StepProblem, StepTimeout
from ..grammar import Locator, clip
from ..grammar import Path as PathWord
from ..stage import Stage
from .registry import verb


@verb("upload", "upload")
def upload(stage: Stage, locator: Locator, *files: PathWord) -> None:
    """Choose files in a file input.

    Args:
        files: file names, relative to the notebook; several for an input that takes several
    """
    if not files:
        raise StepProblem(f"%upload {clip(locator)} needs a file: %upload {clip(locator)} FILE")
    paths = [stage.file(name).resolve() for name in files]
    for path in paths:
        if not path.is_file():
            raise StepProblem(f"there is no file {path}")
    element = stage.condition(locator, "present", failure=ElementNotFound)["el"]
    if element.tag_name != "input" or element.get_attribute("type") != "file":
        raise NotActionable(f"{clip(locator)} is not a file input; name the <input type=file> itself, it may be hidden")
    if len(paths) > 1 and element.get_attribute("multiple") is None:
        raise NotActionable(f"{clip(locator)} takes one file, not {len(paths)}")
    element.send_keys("\n".join(str(path) for path in paths))


@verb("download", "custom")
def download(stage: Stage, locator: Locator, *, to: PathWord | None = None) -> Path:
    """Click something that downloads, wait for the file, and return its path.

    Args:
        to: a folder for the file; the execution's own folder, if left out
    """
    browser, folder = stage.session.browser, stage.session.downloads
    assert folder is not None, "every session has a download folder"
    found = stage.find(locator, "enabled", "point")
    known = {d["guid"] for d in browser.downloads}
    assert found.point is not None
    gestures.pointer(stage.session, [gestures.move(*found.point), gestures.down(), gestures.up()])

    def started() -> dict[str, str] | None:
        fresh = (d for d in browser.downloads if d["guid"] not in known)
        return next((d for d in fresh if d["method"] == "Browser.downloadWillBegin"), None)

    if not browser.wait_for(started, stage.deadline.left):
        raise StepTimeout(f"{clip(locator)} started no download within {stage.deadline.seconds:g} s")
    info = started()
    assert info is not None

    def ended() -> dict[str, str] | None:
        states = (d for d in browser.downloads if d["guid"] == info["guid"])
        return next((d for d in states if d.get("state") in ("completed", "canceled")), None)

    if not browser.wait_for(ended, stage.deadline.left):
        raise StepTimeout(
            f"the download of {clip(info['suggestedFilename'])} did not end within {stage.deadline.seconds:g} s"
        )
    end = ended()
    if end is None or end["state"] == "canceled":
        raise StepProblem(f"the download of {clip(info['suggestedFilename'])} was cancelled")
    name = Path(info["suggestedFilename"]).name or "download"
    target = stage.file(to) if to else folder
    target.mkdir(parents=True, exist_ok=True)
    place = target / name
    number = 1
    while place.exists():
        place = target / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    shutil.move(folder / info["guid"], place)  # also to another disk
    stage.note = f"{place.name}, {place.stat().st_size} bytes"
    return place
