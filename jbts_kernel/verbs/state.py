"""What the site keeps in the browser: cookies and storage."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from ..browser.actionability import NO_PAGE
from ..errors import StepProblem, UsageProblem
from ..grammar import Input
from ..stage import Stage
from .registry import verb


@contextlib.contextmanager
def _of_a_page(stage: Stage) -> Iterator[None]:
    """What only a page has: where none is open, that is what is wrong."""
    from selenium.common.exceptions import WebDriverException

    try:
        yield
    except WebDriverException:
        if stage.session.titles().get(stage.session.handle, ("", ""))[1] in NO_PAGE:
            raise StepProblem("no page is open; begin with %navigate URL") from None
        raise


def _check_cookie(action: str, cookie_name: str | None = None, content: str | None = None, **_: Any) -> None:
    if action == "set" and (cookie_name is None or content is None):
        raise UsageProblem("%cookie set needs a name and a value: %cookie set NAME VALUE")


@verb("cookie", "cookie", check=_check_cookie)
def cookie(
    stage: Stage,
    action: Literal["set", "get", "clear"],
    cookie_name: str | None = None,
    content: Input | None = None,
    *,
    path: str = "/",
) -> Any:
    """Set, get or clear cookies of the current page. get returns the value, or all as a dict.

    Args:
        cookie_name: which; for get and clear, all if left out
        content: the value to set
        path: the path the cookie is set for
    """
    if action == "set":
        assert cookie_name is not None and content is not None, "checked"
        if not re.fullmatch(r"[^\x00-\x20;=\x7f]+", cookie_name) or re.search(r"[\x00-\x1f;\x7f]", content):
            raise StepProblem("a cookie's name holds no spaces, ; or =, and its value no line ends or ;")
        with _of_a_page(stage):
            stage.driver.add_cookie({"name": cookie_name, "value": content, "path": path})
        return None
    if action == "get":
        if cookie_name is None:
            return {c["name"]: c["value"] for c in stage.driver.get_cookies()}
        return next((c["value"] for c in stage.driver.get_cookies() if c["name"] == cookie_name), None)
    if cookie_name is None:
        stage.driver.delete_all_cookies()
    else:
        stage.driver.delete_cookie(cookie_name)
    return None


def _check_storage(area: str, action: str, key: str | None = None, content: str | None = None, **_: Any) -> None:
    if action == "set" and (key is None or content is None):
        raise UsageProblem(f"%storage {area} set needs a key and a value: %storage {area} set KEY VALUE")


@verb("storage", "storage", check=_check_storage)
def storage(
    stage: Stage,
    area: Literal["local", "session"],
    action: Literal["get", "set", "clear"],
    key: str | None = None,
    content: Input | None = None,
) -> Any:
    """Read or change the page's local or session storage. get without a key returns all as a dict.

    Args:
        key: which entry; for get and clear, all if left out
        content: the text to set
    """
    script = """
        const [area, action, key, value] = arguments, store = window[area + "Storage"];
        if (action === "set") store.setItem(key, value);
        else if (action === "clear") key === null ? store.clear() : store.removeItem(key);
        else return key === null ? JSON.stringify({...store}) : store.getItem(key);
    """
    with _of_a_page(stage):
        found = stage.driver.execute_script(script, area, action, key, content)
    return json.loads(found) if action == "get" and key is None and found else found
