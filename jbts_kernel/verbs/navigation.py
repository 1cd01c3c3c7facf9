"""Going somewhere: navigate, back, forward, reload."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urljoin, urlsplit

from ..browser import actionability
from ..browser.faults import first_line, navigation_failed, transitional, translate
from ..browser.placement import TAB
from ..errors import ExpectationFailed, NavigationFailed, StepTimeout, UsageProblem
from ..grammar import Input, clip
from ..stage import Stage
from .registry import verb

Wait = Literal["load", "dom", "none"]
SCHEMES = ("http", "https", "file", "about", "data", "chrome", "blob", "view-source", "chrome-error")


def address(url: str, base_url: str) -> str:
    """The full address of what a step names. Raises :class:`NavigationFailed` for what cannot be one."""
    text = url.strip()
    scheme, colon, _ = text.partition(":")
    if colon and scheme.lower() == "javascript":
        raise NavigationFailed(f"{clip(text)!r} is a script, not an address; run it with %evaluate")
    if re.match(r"[a-zA-Z][\w+.-]*://", text) and scheme.lower() not in SCHEMES:
        raise NavigationFailed(
            f"{clip(text)!r} is nothing a browser opens; write http://host/path, or /path below base_url"
        )
    if colon and scheme.lower() in SCHEMES:
        full = text
    elif base_url:
        full = urljoin(
            base_url.rstrip("/") + "/",
            text.lstrip("/") if text.startswith("/") and not text.startswith("//") else text,
        )
    elif text.startswith("/") or ("." not in text.split("/", 1)[0] and not text.startswith("localhost")):
        raise NavigationFailed(
            f"{clip(text)!r} has no host and base_url is not set; write http://host/path, or set it once: "
            '%config JBTS.base_url = "http://host"'
        )
    else:
        raise NavigationFailed(f"{clip(text)!r} is no full address; did you mean http://{clip(text)}?")
    try:
        parts = urlsplit(full)
        if parts.scheme in ("http", "https") and not parts.hostname:
            raise ValueError(f"it has no host; did you mean {parts.scheme}://{clip(parts.path.lstrip('/'))}?")
        _ = parts.port
    except ValueError as error:
        raise NavigationFailed(f"{clip(full)!r} is not an address: {error}") from None
    return full


def arrive(stage: Stage, go: Callable[[], None], wait: str, url: str) -> None:
    """Run a driver's navigation command and wait as told; its HTTP status goes into the row."""
    from selenium.common.exceptions import TimeoutException, WebDriverException
    from urllib3.exceptions import HTTPError

    framed, stage.session.frames, stage.session.placement = bool(stage.session.frames), [], TAB
    stage.session.browser.limit("page_load", max(0.2, stage.deadline.left))
    if stage.session.left_loading:  # the driver would wait for it first
        stage.session.left_loading = False
        stage.session.stop_loading()
    try:
        if framed:
            stage.driver.switch_to.default_content()
        stage.session.travel(go, max(0.2, stage.deadline.left))
    except TimeoutException:
        raise StepTimeout(
            f"{clip(url)} did not answer within {stage.deadline.seconds:g} s",
            hints=("give it more time with --timeout S, or go on at once with --wait none",),
        ) from None
    except WebDriverException as error:
        failed = navigation_failed(url, first_line(error))
        if failed is not None:
            raise failed from None
        if not transitional(error):
            raise translate(error, stage.deadline.seconds, stage.session.dialog) from error
    except (HTTPError, OSError) as error:
        raise translate(error, stage.deadline.seconds) from error
    if wait == "load" and stage.session.dialog is None:
        actionability.wait_loaded(stage.session, stage.deadline)


def _check_wait(wait: str = "load", expect_status: int | None = None, **_: object) -> None:
    if wait == "none" and expect_status is not None:
        raise UsageProblem("--wait none does not wait for a status; leave it out, or --expect-status", word="none")


def _leave(stage: Stage, begin: Callable[[], bool]) -> None:
    """Begin to go somewhere, and wait for nothing."""
    stage.driver.switch_to.default_content()
    stage.session.frames, stage.session.placement = [], TAB
    stage.session.left_loading = True
    stage.note = "left loading" if begin() else ""


def _check_status(stage: Stage, facts: Mapping[str, object], what: str, expected: int | None) -> None:
    """Write down the HTTP status of the page that came. Raises :class:`ExpectationFailed` where it is another."""
    status = facts.get("status")
    stage.http_status = int(str(status)) if status else None
    if expected is not None and stage.http_status != expected:
        got = "no status at all" if stage.http_status is None else str(stage.http_status)
        raise ExpectationFailed(f"expected HTTP status {expected} from {clip(what)}; it answered {got}")


@verb("navigate", "navigate", also="goto go open visit get url", check=_check_wait)
def navigate(
    stage: Stage,
    url: Input,
    *,
    wait: Wait = "load",
    expect_status: int | None = None,
) -> None:
    """Open an address, relative to base_url, and wait for it to load.

    Args:
        url: the address; /path and path are relative to base_url
        wait: for the load event, for the document only, or for nothing
        expect_status: fail unless the answer has this HTTP status
    """
    full = address(url, stage.base_url)
    if expect_status is not None:
        stage.session.browser.need("status")
    if wait == "none":
        _leave(stage, lambda: stage.session.begin(full))
        return
    browser, plain = stage.session.browser, full.partition("#")[0]
    mark, known = browser.signals.mark(), stage.session.files().keys()
    arrive(stage, lambda: stage.driver.get(full), wait, full)
    if stage.session.dialog is not None:
        return
    for name in [clip(f.name) for key, f in stage.session.files().items() if key not in known and f.url == plain]:
        raise NavigationFailed(f"{clip(full)} is a download ({name}), not a page; use %download with its link")
    facts = stage.ask("probe")
    for answered in browser.signals.since(mark, {stage.session.handle})[1]:
        if answered.url == plain and answered.status in (204, 205):
            facts["status"] = answered.status
            if expect_status != answered.status:
                raise NavigationFailed(
                    f"{clip(full)} answered {answered.status}, which is no page; the one before is still there"
                )
    if str(facts.get("url", "")).startswith("chrome-error:"):  # an eager driver does not tell
        shown = str(stage.session.evaluate("document.body ? document.body.innerText : ''") or "")
        code = re.search(r"\bERR_\w+", shown)
        raise navigation_failed(full, f"net::{code.group()}" if code else "net::ERR_FAILED") or NavigationFailed(full)
    if facts.get("url") == "about:blank" and not full.startswith("about:"):  # where WebKit shows its errors
        shown = clip(str(stage.session.evaluate("document.body ? document.body.innerText : ''") or ""), 200)
        raise NavigationFailed(f"cannot open {clip(full)}: {shown or 'the browser refuses that address'}")
    _check_status(stage, facts, full, expect_status)


def _again(stage: Stage, go: Callable[[], None], script: str, wait: Wait, status: int | None, what: str) -> None:
    """Go to a page that the tab has been on before; ``script`` begins the same where nothing is waited for."""
    if status is not None:
        stage.session.browser.need("status")
    if wait == "none":
        _leave(stage, lambda: stage.session.evaluate(f"setTimeout(() => {script})") is not None)
        return
    arrive(stage, go, wait, what)
    if stage.session.dialog is None:
        _check_status(stage, stage.ask("probe"), what, status)


@verb("back", "navigate", also="go_back", check=_check_wait)
def back(stage: Stage, *, wait: Wait = "load", expect_status: int | None = None) -> None:
    """Go back one page in this tab's history.

    Args:
        wait: for the load event, for the document only, or for nothing
        expect_status: fail unless the page there came with this HTTP status
    """
    _again(stage, stage.driver.back, "history.back()", wait, expect_status, "the page before")


@verb("forward", "navigate", also="go_forward", check=_check_wait)
def forward(stage: Stage, *, wait: Wait = "load", expect_status: int | None = None) -> None:
    """Go forward one page in this tab's history.

    Args:
        wait: for the load event, for the document only, or for nothing
        expect_status: fail unless the page there came with this HTTP status
    """
    _again(stage, stage.driver.forward, "history.forward()", wait, expect_status, "the next page")


@verb("reload", "navigate", also="refresh", check=_check_wait)
def reload(stage: Stage, *, wait: Wait = "load", expect_status: int | None = None) -> None:
    """Load the current page again.

    Args:
        wait: for the load event, for the document only, or for nothing
        expect_status: fail unless the answer has this HTTP status
    """
    _again(stage, stage.driver.refresh, "location.reload()", wait, expect_status, "the page")
