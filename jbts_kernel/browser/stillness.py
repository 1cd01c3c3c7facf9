"""A page that holds still for a picture: no caret, and every animation where it ends or begins.

The style goes in as a sheet the document adopts, which no content security policy forbids and which
leaves again without a trace. Animations that end are ended, endless ones wait at their beginning until
the picture has been taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..stage import Stage

_WALK = """
function* scopes(root) {
  yield root;
  for (const el of root.querySelectorAll("*")) {
    if (el.shadowRoot) yield* scopes(el.shadowRoot);
    if (/^I?FRAME$/.test(el.nodeName) && el.contentDocument) yield* scopes(el.contentDocument);
  }
}
"""
_STILL = (
    _WALK
    + """
for (const scope of scopes(window.document)) {
  const view = (scope.ownerDocument || scope).defaultView, sheet = new view.CSSStyleSheet();
  sheet.replaceSync("*, *::before, *::after { caret-color: transparent !important; --jbts-still: 1 }");
  scope.adoptedStyleSheets = [...scope.adoptedStyleSheets, sheet];
  if (scope !== scope.ownerDocument && scope.getAnimations) for (const animation of scope.getAnimations()) {
    try {
      if (animation.effect.getComputedTiming().endTime !== Infinity) animation.finish();
      else if (animation.playState === "running") {
        animation.pause();
        animation.currentTime = 0;
        animation.id = "jbts-still " + animation.id;
      }
    } catch (error) { if (!(error instanceof DOMException)) throw error; }
  }
}
return new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(0))));
"""
)
_AGAIN = (
    _WALK
    + """
for (const scope of scopes(window.document)) {
  scope.adoptedStyleSheets = [...scope.adoptedStyleSheets].filter(
    (sheet) => ![...sheet.cssRules].some((rule) => rule.style && rule.style.getPropertyValue("--jbts-still")));
  if (scope.getAnimations) for (const animation of scope.getAnimations()) {
    if (!animation.id.startsWith("jbts-still ")) continue;
    animation.id = animation.id.slice(11);
    animation.play();
  }
}
"""
)


@contextlib.contextmanager
def held_still(stage: Stage) -> Iterator[None]:
    """The page of the current frame, and what it embeds of its own site, holds still inside."""
    stage.session.browser.limit("script", max(1.0, stage.deadline.seconds))
    _run(stage.driver, _STILL)
    try:
        yield
    finally:
        _run(stage.driver, _AGAIN)


def _run(driver: Any, script: str) -> None:
    """Run a script; a document that is being replaced needs none of it."""
    from selenium.common.exceptions import WebDriverException

    from .faults import transitional

    try:
        driver.execute_script(script)
    except WebDriverException as error:
        if not transitional(error):
            raise
