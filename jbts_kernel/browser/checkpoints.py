"""Where the page stood: address, cookies, storage, scroll and half-filled fields, to come back to.

One is kept before every step that acts, so it must cost nothing: two questions are sent on the second
channel and nobody waits for the answers until they are wanted. Cookies are those of the whole context;
storage can be read only where the page is, so what other origins hold is what they held when the page
was last there. All of it stays in memory: it holds whatever the site gave the user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BrowserGone, StepProblem, TabGone, Unsupported
from .cdp import CommandRefused, answer

if TYPE_CHECKING:
    from .session import Session

KEPT = 100
STORAGE_LIMIT = 2_000_000
_COOKIE = frozenset(
    (
        "name", "value", "domain", "path", "secure", "httpOnly", "sameSite", "expires", "priority", "sourceScheme",
        "sourcePort", "partitionKey",
    )
)  # fmt: skip
_LOOK = """(() => {
  const area = (name) => {
    const kept = {};
    let size = 0;
    try {
      for (const [key, value] of Object.entries(window[name])) {
        size += key.length + value.length;
        if (size > LIMIT) return null;
        kept[key] = value;
      }
    } catch { return {}; }
    return kept;
  };
  const fields = [];
  [...document.querySelectorAll("input,textarea,select")].slice(0, 2000).forEach((el, i) => {
    if (/^(hidden|file|button|submit|reset|image)$/.test(el.type)) return;
    const field = { i, kind: el.localName + el.type };
    if (el.localName === "select") {
      const options = [...el.options];
      if (options.some((o) => o.selected !== o.defaultSelected)) field.selected = options.map((o) => o.selected);
    } else if (/^(checkbox|radio)$/.test(el.type)) {
      if (el.checked !== el.defaultChecked) field.checked = el.checked;
    } else if (el.value !== el.defaultValue) field.value = el.value;
    if (Object.keys(field).length > 2) fields.push(field);
  });
  return { url: location.href, origin: location.origin, x: scrollX, y: scrollY,
    local: area("localStorage"), session: area("sessionStorage"), fields };
})()""".replace("LIMIT", str(STORAGE_LIMIT))
_FILL = """((local, session) => {
  for (const [area, values] of [[localStorage, local], [sessionStorage, session]]) {
    if (values === null) continue;
    area.clear();
    for (const [key, value] of Object.entries(values)) area.setItem(key, value);
  }
})"""
_PLACE = """((fields, x, y) => {
  const all = [...document.querySelectorAll("input,textarea,select")];
  let left = 0;
  for (const field of fields) {
    const el = all[field.i];
    if (!el || el.localName + el.type !== field.kind) { left += 1; continue; }
    const set = (name, value) => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(el), name).set.call(el, value);
    if (field.selected) field.selected.forEach((on, i) => { if (el.options[i]) el.options[i].selected = on; });
    else if ("checked" in field) set("checked", field.checked);
    else set("value", field.value);
    for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, { bubbles: true }));
  }
  scrollTo({ left: x, top: y, behavior: "instant" });
  return left;
})"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One place to come back to. The answers are on their way; ``ordinal`` is the step it was taken before."""

    ordinal: int
    name: str | None
    handle: str
    tabs: tuple[str, ...]
    cookies_answer: Future[dict[str, Any]]
    page_answer: Future[dict[str, Any]]

    def page(self, timeout: float = 0) -> dict[str, Any] | None:
        """The page as it stood: url, origin, x, y, local, session (None where there was too much), fields. None
        where it could not be looked at, or has not answered yet."""
        if timeout == 0 and not self.page_answer.done():
            return None
        try:
            found = answer(self.page_answer, "Runtime.evaluate", timeout).get("result", {}).get("value")
        except (CommandRefused, BrowserGone):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("origin"), str) else None

    def cookies(self, timeout: float) -> list[dict[str, Any]]:
        """The context's cookies, ready to be set again."""
        found = answer(self.cookies_answer, "Storage.getCookies", timeout)["cookies"]
        return [{k: v for k, v in cookie.items() if k in _COOKIE and (k != "expires" or v > 0)} for cookie in found]


class Checkpoints:
    """One user's, in the order they were taken."""

    def __init__(self) -> None:
        self._kept: list[Checkpoint] = []
        self._older: dict[str, dict[str, Any]] = {}

    def take(self, session: Session, ordinal: int, name: str | None = None) -> Checkpoint | None:
        """Begin to keep where the page stands; nothing is waited for. None where nothing can be asked: a dialog
        is open, the tab is gone, or the browser has no second channel."""
        if session.dialog is not None:
            return None
        try:
            tab = session.devtools("a checkpoint", "")
            cookies = tab.post("Storage.getCookies", {"browserContextId": session.context_id}, browser=True)
            looked = tab.post("Runtime.evaluate", {"expression": _LOOK, "returnByValue": True})
        except (TabGone, BrowserGone, Unsupported):
            return None
        kept = Checkpoint(ordinal, name, session.handle, tuple(session.tabs), cookies, looked)
        self._kept.append(kept)
        if len(self._kept) > KEPT:
            self._drop()
        return kept

    def _drop(self) -> None:
        """Forget the oldest that nobody named; what it knew of an origin's storage stays known."""
        oldest = next((c for c in self._kept if c.name is None), self._kept[0])
        self._kept.remove(oldest)
        page = oldest.page()
        if page is not None:
            self._older[page["origin"]] = page

    def find(self, point: str | None) -> Checkpoint:
        """The checkpoint meant: the newest named one, one by its name, or ``before:N``. Raises StepProblem."""
        named = [c for c in self._kept if c.name is not None]
        if point is not None and point.startswith("before:"):
            number = point.removeprefix("before:")
            if not number.isdecimal():
                raise StepProblem(f"before: takes the number of a step, as %restore before:3, not {number!r}")
            after = [c for c in self._kept if c.ordinal >= int(number) and c.name is None]
            if not after:
                raise StepProblem(f"nothing acted from step {number} on; {self._told()}")
            if after[0] is self._kept[0] and after[0].ordinal > int(number) and self._older:
                raise StepProblem(f"step {number} is too long ago; {self._told()}")
            return after[0]
        found = [c for c in named if point in (None, c.name)]
        if not found:
            wanted = f"no checkpoint {point!r}" if point else "no checkpoint"
            raise StepProblem(f"there is {wanted}; take one with %checkpoint NAME; {self._told()}")
        return found[-1]

    def _told(self) -> str:
        numbers = sorted(c.ordinal for c in self._kept if c.name is None)
        names = ", ".join(dict.fromkeys(c.name for c in self._kept if c.name))
        steps = f"before:{numbers[0]} to before:{numbers[-1]}" if numbers else ""
        return "there is " + (", ".join(x for x in (names, steps) if x) or "none yet")

    def storage(self, until: Checkpoint) -> dict[str, Mapping[str, Any]]:
        """What each origin held at a checkpoint, as far as the page was there by then."""
        known: dict[str, Mapping[str, Any]] = dict(self._older)
        for kept in self._kept[: self._kept.index(until) + 1]:
            page = kept.page()
            if page is not None:
                before = known.get(page["origin"], {})
                same_tab = kept.handle == until.handle
                known[page["origin"]] = {
                    "local": page["local"], "session": page["session"] if same_tab else before.get("session", {}),
                }  # fmt: skip
        return {origin: page for origin, page in known.items() if origin.startswith("http")}

    def origins(self) -> set[str]:
        """Every origin the page was seen at."""
        pages = [page for page in (c.page() for c in self._kept) if page is not None]
        return {o for o in (*self._older, *(p["origin"] for p in pages)) if o.startswith("http")}


def fill(session: Session, local: Mapping[str, str] | None, own: Mapping[str, str] | None, timeout: float) -> None:
    """Put both storages of the page's origin back."""
    session.evaluate(f"{_FILL}({json.dumps(local)}, {json.dumps(own)})", timeout)


def place(session: Session, fields: Sequence[Mapping[str, Any]], x: float, y: float, timeout: float) -> int:
    """Fill the fields in again and scroll; how many fields are not there any more."""
    return int(session.evaluate(f"{_PLACE}({json.dumps(fields)}, {json.dumps(x)}, {json.dumps(y)})", timeout) or 0)
