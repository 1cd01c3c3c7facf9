"""Several users in one notebook: isolated contexts of one browser, each with its own place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jbts_kernel.browser.launch import find_driver
from jbts_kernel.errors import JBTSError, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Trial


def test_users_are_isolated_and_share_a_browser(trial: Trial) -> None:
    """What one user's site keeps the other does not have, in one browser process."""
    trial("browser --as buyer")
    trial.open("labels.html")
    trial("cookie set who buyer")
    trial("storage local set who buyer")
    buyer = trial.bench.session
    trial("browser --as seller")
    trial.open("labels.html")
    assert trial("cookie get who") is None
    assert trial("storage local get who") is None
    trial("cookie set who seller")
    assert trial.bench.session.browser is buyer.browser
    trial("use buyer")
    assert trial("cookie get who") == "buyer"
    trial("use seller")
    assert trial("cookie get who") == "seller"


def test_each_user_stays_where_they_were(trial: Trial) -> None:
    """Tabs and frames are each user's own, and found again by %use, however often one changes."""
    trial("browser --as buyer")
    trial.open("<iframe srcdoc='<p>inner</p>'></iframe><p>outer</p>")
    trial("frame iframe")
    trial("browser --as seller")
    trial("navigate /labels.html")
    trial("tab new")
    trial("navigate /buttons.html")
    for _ in range(2):
        trial("use buyer")
        assert trial("text p") == "inner"
        trial("use seller")
        trial("click #one")
        assert trial.last.url.endswith("/buttons.html")
        assert len(trial("tabs")) == 2
    trial("use buyer")
    trial("frame main")
    assert trial("text p") == "outer"
    assert len(trial("tabs")) == 1


def test_a_new_user_gets_the_same_browser_as_the_one_before(trial: Trial) -> None:
    """Options given once hold for whoever comes next, unless told otherwise."""
    trial("browser chrome --viewport 900x700")
    first = trial.bench.session
    trial("browser --as other")
    assert trial.bench.spec.viewport == (900, 700)
    assert trial.bench.session.browser is first.browser
    trial("browser --as third --viewport 500x400")
    assert trial.bench.session.browser is not first.browser
    for user in ("main", "third"):
        trial(f"use {user}")
        trial("navigate /labels.html")
    assert trial.js("innerWidth") == 500
    with pytest.raises(UsageProblem, match="a viewport is WIDTHxHEIGHT in pixels, like 1280x800, not 'wide'"):
        trial("browser chrome --viewport wide")


def test_a_window_can_be_asked_for_in_python(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """headless=False is what a call says for --headed, and a viewport may be a pair; where there is no screen, that is
    said."""
    trial.page.browser(viewport=(900, 700), as_="small")
    assert (trial.bench.spec.viewport, trial.bench.spec.headless) == ((900, 700), True)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(JBTSError, match="has no screen for a window here; use --headless or set DISPLAY"):
        trial.page.browser(headless=False)


def test_a_command_is_a_method_too(trial: Trial) -> None:
    """The same words everywhere: page has the verbs that are no steps, tests and users among them."""
    assert {"test", "endtest", "use", "secret", "query", "click"} <= set(dir(trial.page))
    trial.page.test("Buying", tags=["a", "b"], priority="high")
    assert trial.bench.recorder.execution is not None
    assert (trial.bench.recorder.execution.test_name, trial.bench.recorder.execution.tags) == ("Buying", ("a", "b"))
    trial.page.endtest()
    with pytest.raises(AttributeError, match="did you mean click"):
        _ = trial.page.clik


def test_nobody_is_made_up(trial: Trial) -> None:
    """A user who was never begun is a mistake, and so are options where a browser is taken as it is."""
    with pytest.raises(UsageProblem, match="there is no user 'nobody'"):
        trial("use nobody")
    with pytest.raises(UsageProblem, match="--attach takes over a browser as it is"):
        trial("browser --attach --headless")


def test_the_first_step_says_what_the_browser_took(own_browser: Callable[..., Trial]) -> None:
    """Starting a browser is not acting: card and row tell the time apart, and only for the step that did it."""
    trial = own_browser()
    trial.open("labels.html")
    assert trial.row()["browser_ms"] > 0
    assert "starting the browser" in trial.card().text
    trial.open("buttons.html")
    assert trial.row()["browser_ms"] == 0
    assert "starting the browser" not in trial.card().text


def test_a_browser_that_does_not_start_changes_nothing(own_browser: Callable[..., Trial]) -> None:
    """Who asks for a browser that is not there goes on in the one there is."""
    trial = own_browser()
    trial.open("labels.html")
    missing = next(name for name in ("edge", "firefox", "safari") if find_driver(name) is None)
    for line in (f"browser {missing}", f"browser {missing} --as other"):
        with pytest.raises(JBTSError, match=missing):
            trial.bench.line(line)
        assert trial.bench.user == "main"
        assert trial("evaluate document.title") == "Labels"
    assert "other" not in trial.bench.specs
