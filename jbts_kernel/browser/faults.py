"""Selenium's exceptions as ours: one line that says what happened and what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import (
    BrowserGone,
    LocatorInvalid,
    NavigationFailed,
    NotActionable,
    ScriptFailed,
    StepProblem,
    StepTimeout,
    TabGone,
    UnexpectedDialog,
    Unsupported,
)
from ..grammar import clip

if TYPE_CHECKING:
    from .signals import Dialog

# What chromedriver says while a document is being replaced under a command. Each is a stale element
# or a lost context by another name: the command can be tried again on the new document.
_TRANSITIONAL = (
    "stale element",
    "does not belong to the document",
    "no node with given id",
    "could not find node with given id",
    "document unloaded while waiting for result",
    "execution context was destroyed",
    "cannot find context with specified id",
    "cannot find default execution context",
    "cannot determine loading status",
    "aborted by navigation",
    "inspected target navigated or closed",
    "frame was detached",
    "promise was collected",
    "no frame for given id",
    "node with given id",
    "no such execution context",
    "uniquecontextid not found",
)
_GONE = (
    "chrome not reachable",
    "disconnected:",
    "session deleted",
    "invalid session id",
    "not connected to devtools",
    "tab crashed",
    "target frame detached",
    "unable to connect to renderer",
    "browser has closed",
    "failed to establish a new connection",
    "connection refused",
    "remote end closed connection",
    "connection aborted",
    "connection reset",
    # what a grid says whose node is gone
    "unable to execute request for an existing session",
    "unable to find session with id",
)
_NETWORK = {
    "ERR_CONNECTION_REFUSED": "nothing answers there (connection refused); is the server running?",
    "ERR_NAME_NOT_RESOLVED": "that host name is not known; check the spelling or the network",
    "ERR_INTERNET_DISCONNECTED": "there is no network",
    "ERR_ADDRESS_UNREACHABLE": "that address cannot be reached from here",
    "ERR_CONNECTION_RESET": "the server closed the connection without an answer",
    "ERR_EMPTY_RESPONSE": "the server closed the connection without an answer",
    "ERR_CONNECTION_TIMED_OUT": "the server did not answer",
    "ERR_TOO_MANY_REDIRECTS": "the page redirects in a circle",
    "ERR_UNSAFE_PORT": "browsers refuse that port; use another",
    "ERR_INVALID_URL": "that is no address; write http://host/path, or /path below base_url",
    "ERR_ABORTED": "the navigation was aborted (a download, or status 204)",
    "ERR_PROXY_CONNECTION_FAILED": "the proxy does not answer",
}


def first_line(error: BaseException) -> str:
    """The driver's message without its stack and its prefix."""
    message = str(getattr(error, "msg", None) or error).strip()
    line = message.split("\n", 1)[0].removeprefix("Message: ").partition("; For documentation on this error")[0].strip()
    return line or type(error).__name__


def transitional(error: BaseException) -> bool:
    """Whether the command met a document that was being replaced, and may be tried again."""
    text = str(getattr(error, "msg", None) or error).lower()
    return any(words in text for words in _TRANSITIONAL)


def dialog_open(dialog: Dialog | None) -> UnexpectedDialog:
    """The error of a step that finds a dialog in its way."""
    what = f"{dialog.kind} {clip(dialog.text)!r} is open" if dialog else "a dialog is open"
    return UnexpectedDialog(f"{what}; answer it first: %dialog accept or %dialog dismiss")


def navigation_failed(url: str, text: str) -> NavigationFailed | None:
    """The error of a failed navigation, if ``text`` tells of one."""
    code = re.search(r"net::(ERR_\w+)", text)
    if code is None:
        return None
    name = code.group(1)
    if name == "ERR_SSL_PROTOCOL_ERROR":
        reason = f"it does not speak https; did you mean {clip(url.replace('https://', 'http://', 1))}?"
    elif name.startswith(("ERR_CERT", "ERR_SSL")):
        reason = (
            "its certificate is not trusted; for a test server use %browser chrome --arg=--ignore-certificate-errors"
        )
    else:
        reason = _NETWORK.get(name, name)
    return NavigationFailed(f"cannot open {clip(url)}: {reason}")


def translate(error: BaseException, timeout: float, dialog: Dialog | None = None) -> StepProblem:
    """Our error for what a driver command raised. ``timeout`` is the step's, in seconds."""
    from selenium.common import exceptions as theirs

    text = first_line(error)
    low = text.lower()
    if isinstance(error, theirs.UnexpectedAlertPresentException) or "unexpected alert open" in low:
        return dialog_open(dialog)
    if isinstance(error, theirs.NoAlertPresentException):
        return StepProblem("no dialog is open")
    if isinstance(error, (theirs.NoSuchWindowException,)) or "no such window" in low:
        return TabGone("the current tab was closed; go on with %tab 0 or %tab new (%tabs lists them)")
    if isinstance(error, theirs.NoSuchFrameException):
        return TabGone("the current frame is gone; go on with %frame main")
    if isinstance(error, theirs.InvalidSelectorException) or "invalid selector" in low:
        return LocatorInvalid(f"the browser cannot read that locator: {clip(text, 200)}")
    if "tab crashed" in low:
        return BrowserGone("the page crashed; the next step starts in a fresh context")
    if isinstance(error, theirs.InvalidSessionIdException) or any(words in low for words in _GONE):
        return BrowserGone(f"the browser or its driver is gone ({clip(text, 160)}); the next step replaces it")
    if isinstance(error, theirs.MoveTargetOutOfBoundsException):
        return NotActionable(
            "that point is outside the viewport; %scroll there first, or give the page a larger %window"
        )
    if "runtime.callfunctionon" in low:
        return StepProblem(
            "the page has replaced JSON, or given all objects a toJSON, which the driver's own scripts need; "
            "reading, expecting, selecting and screenshots work there"
        )
    navigation = navigation_failed("the page", text)
    if navigation:
        return navigation
    if isinstance(error, (theirs.TimeoutException, TimeoutError)) or "timed out" in low:
        return StepTimeout(f"the browser did not finish within {timeout:g} s; give the step more with --timeout S")
    if isinstance(error, theirs.JavascriptException):
        return ScriptFailed(clip(text.removeprefix("javascript error: "), 500))
    if isinstance(error, (theirs.ElementNotInteractableException, theirs.ElementClickInterceptedException)):
        return NotActionable(clip(text, 300))
    if isinstance(error, theirs.UnknownMethodException):
        return Unsupported(f"this browser's driver cannot do that: {clip(text, 200)}")
    return StepProblem(clip(text, 400))
