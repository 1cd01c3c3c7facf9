"""Going somewhere, and every way in which that does not work out."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


def test_navigate(trial: Trial) -> None:
    """An address is relative to base_url, and the row has where it led, its title and its status."""
    trial("navigate /buttons.html")
    row = trial.row()
    assert (row["step_type"], row["input"], row["status"], row["http_status"]) == (
        "navigate",
        "/buttons.html",
        "passed",
        200,
    )
    assert (row["url"], row["title"]) == (f"{trial.site.url}/buttons.html", "Buttons")
    trial("navigate labels.html")
    assert trial.row()["title"] == "Labels"
    trial(f"navigate {trial.site.other_url}/keys.html")
    assert trial.row()["url"] == f"{trial.site.other_url}/keys.html"


def test_base_url_of_the_notebook_wins(trial: Trial) -> None:
    """A notebook's own base_url, with a path of its own, is what addresses are relative to."""
    trial.bench.namespace["base_url"] = f"{trial.site.other_url}/echo"
    trial("navigate /deep?x=1")
    assert trial.row()["url"] == f"{trial.site.other_url}/echo/deep?x=1"
    trial("navigate more")
    assert trial.row()["url"] == f"{trial.site.other_url}/echo/more"


def test_back_forward_reload(trial: Trial) -> None:
    """History goes both ways, and reload asks the server again."""
    trial("navigate /buttons.html")
    trial("navigate /labels.html")
    trial("back")
    assert trial.row()["title"] == "Buttons"
    trial("forward")
    assert trial.row()["title"] == "Labels"
    before = trial.site.seen.count("GET /labels.html")
    trial("reload")
    assert trial.site.seen.count("GET /labels.html") == before + 1
    assert [r["step_type"] for r in trial.rows()] == ["navigate"] * 5


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_http_status(trial: Trial, status: int) -> None:
    """A status fails a navigation only when another was expected; it is in the row either way."""
    trial(f"navigate /status/{status}")
    assert (trial.row()["http_status"], trial.row()["status"]) == (status, "passed")
    trial(f"navigate /status/{status} --expect-status {status}")
    wrong = 204 if status == 200 else 200
    trial.fails(
        f"navigate /status/{status} --expect-status {wrong}",
        "ExpectationFailed",
        f"expected HTTP status {wrong}",
        f"answered {status}",
        status="failed",
    )
    assert trial.row()["http_status"] == status


def test_redirects_and_slow_answers(trial: Trial) -> None:
    """A step ends where the redirects ended, once that has loaded."""
    trial("navigate /redirect?to=/redirect?to=/slow?ms=200")
    assert (trial.row()["url"], trial.row()["title"]) == (f"{trial.site.url}/slow?ms=200", "slow")
    assert trial.row()["duration_ms"] >= 200


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://", "host"),
        ("http://[::1", "not an address"),
        ("http://127.0.0.1:99999/", "not an address"),
        ("http://127.0.0.1:1/", "use another"),
        ("http://no such host/", ""),
        ("http://nowhere.invalid/", "cannot open http://nowhere.invalid/"),
    ],
)
def test_addresses_that_lead_nowhere(trial: Trial, url: str, words: str) -> None:
    """An address that cannot be opened says why in words, and the browser goes on."""
    trial("navigate /buttons.html")
    trial.fails(f'navigate "{url}" --timeout 8', "NavigationFailed", words)
    trial("navigate /labels.html")
    trial("expect title Labels")


def test_an_address_without_a_host_needs_base_url(trial: Trial) -> None:
    """Without base_url, a path is refused with what to do, and a bare host with what was meant."""
    trial.bench.settings.base_url = ""
    trial("navigate about:blank")
    trial.fails("navigate /path", "NavigationFailed", "base_url is not set")
    trial.fails("navigate example.test/x", "NavigationFailed", "did you mean http://example.test/x")
    trial("navigate data:text/html,<h1>here</h1>")
    trial("expect h1 text here")


def test_a_server_that_is_not_there(trial: Trial) -> None:
    """A refused and a dropped connection are told apart; the same request again is counted, not listed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        trial.fails(f"navigate http://127.0.0.1:{taken.getsockname()[1]}/", "NavigationFailed", "connection refused")
        (asked,) = {(q.url, q.text) for q in trial.last.requests}
        often = len(trial.last.requests)  # the browser tries by itself, too
        line = f"GET {asked[0]} {asked[1]}" + (f" \u00d7{often}" if often > 1 else "")
        for shown in (trial.card().text, trial.card().plain):
            assert line in shown and shown.count(asked[1]) == 1
    trial.fails("navigate /drop", "NavigationFailed", "without an answer")
    trial("navigate /buttons.html")


@pytest.mark.parametrize("wait", ["load", "dom"])
def test_a_server_that_never_answers(trial: Trial, wait: str) -> None:
    """A navigation ends at its time-out with advice, and the browser is free for the next step."""
    trial("navigate /buttons.html")
    begun = time.monotonic()
    trial.fails(
        f"navigate /hang --wait {wait} --timeout 0.5", "StepTimeout", "did not answer within 0.5 s", "--wait none"
    )
    assert time.monotonic() - begun < 30
    trial("navigate /labels.html")
    trial("click #save-all")


def test_a_page_that_never_finishes(trial: Trial) -> None:
    """A page whose picture never comes fails --wait load, passes --wait dom, and can be used either way."""
    path = trial.site.page(
        '<h1>here</h1><button id=b onclick="this.textContent=\'pressed\'">b</button><img src="/hang">'
    )
    trial.fails(f"navigate {path} --timeout 3", "StepTimeout", "did not finish loading", "--wait dom")
    trial("click #b")
    assert trial.js("b.textContent") == "pressed"
    trial(f"navigate {path} --wait dom")
    trial("click #b")
    trial("expect #b text pressed")


def test_going_without_waiting(trial: Trial) -> None:
    """--wait none returns at once; what follows waits for what it needs."""
    trial("navigate /buttons.html")
    trial.site.gate.clear()
    trial("navigate /gate --wait none")
    assert trial.row()["status"] == "passed"
    trial.site.gate.set()  # only now does the server answer
    trial("expect h1 text through")


def test_what_was_not_waited_for_is_in_nobody_s_way(trial: Trial) -> None:
    """A navigation that is just replacing the page holds up none of those that may follow."""
    trial("navigate /labels.html")
    for line in ["navigate /buttons.html", "reload", "back"] * 5:
        trial("navigate /frames.html --wait none")
        trial(line)


def test_statuses_of_pages_that_come_again(trial: Trial) -> None:
    """Going back, forward and again tell the page's status as going there does, and can leave at once, too."""
    trial("navigate /status/404")
    trial("reload --expect-status 404")
    assert (trial.last.http_status, trial.row()["http_status"]) == (404, 404)
    trial("navigate /labels.html")
    trial.fails(
        "back --expect-status 200", "ExpectationFailed", "from the page before", "it answered 404", status="failed"
    )
    trial("forward --wait none")
    assert trial.last.note == "left loading"
    trial("expect title Labels")
    for line in ("navigate /status/404", "reload"):
        with pytest.raises(UsageProblem, match="--wait none does not wait for a status"):
            trial(f"{line} --wait none --expect-status 200")


def test_leaving_a_navigation_that_hangs(trial: Trial) -> None:
    """A navigation that was not waited for and never ends does not hold up the next one."""
    trial("navigate /buttons.html")
    trial("navigate /hang --wait none")
    assert trial.row()["status"] == "passed"
    trial("navigate /labels.html")
    trial("expect title Labels")


@pytest.mark.parametrize("step", ["click #away", "press Enter #away", "evaluate location.href=`/hang`"])
def test_a_page_that_a_step_led_to_and_that_never_comes(trial: Trial, step: str) -> None:
    """The step ends at its time-out; the next one finds the page that was left, in the same browser and driver, and
    its card says that the other page is given up."""
    trial(f"navigate {trial.site.page('<a id=away href=/hang>go</a><button id=b>b</button>')}")
    trial("evaluate window.kept = 7")
    driver = trial.bench.session.driver
    trial.fails(f"{step} --timeout 0.5", "StepTimeout", "did not finish within 0.5 s")
    trial("click #b")
    assert trial.last.note == "the page that a step led to had not come and is no longer waited for"
    assert (trial.js("window.kept"), trial.bench.session.driver) == (7, driver)


def test_leaving_a_frame_by_navigating(trial: Trial) -> None:
    """A navigation goes on in the page, not in the frame the step before was in, however it waits."""
    for wait in ("load", "dom", "none"):
        trial("navigate /frames.html")
        trial("frame #outer")
        trial(f"navigate /labels.html --wait {wait}")
        trial("expect #save visible")


def test_no_content_and_downloads_stay_where_they_are(trial: Trial) -> None:
    """An answer that is no page says so instead of passing as one."""
    trial("navigate /buttons.html")
    trial.fails("navigate /status/204", "NavigationFailed", "answered 204", "no page")
    assert trial.row()["url"].endswith("/buttons.html")
    trial("navigate /status/204 --expect-status 204")
    assert trial.row()["http_status"] == 204
    trial.fails("navigate /download/list.csv", "NavigationFailed", "is a download (list.csv)", "%download")
    trial("navigate /labels.html#save")
    trial("navigate /labels.html#send")
    assert trial.js("location.hash") == "#send"


def test_redirects_in_a_circle(trial: Trial) -> None:
    """A server that redirects for ever is told as a circle; a page that refreshes into another is followed."""
    trial.fails("navigate /circle", "NavigationFailed", "redirects in a circle")
    trial("navigate " + trial.site.page('<meta http-equiv="refresh" content="0;url=/buttons.html">'))
    trial("expect title Buttons")


def test_bad_words(trial: Trial) -> None:
    """Bad syntax raises before anything runs, names the word, and leaves no row."""
    from jbts_kernel.errors import UsageProblem

    trial("navigate /buttons.html")
    for line, word in {
        "navigate": "navigate",
        "navigate /x --wait never": "never",
        "navigate /x --expect-status many": "many",
        "navigate /x /y": "/y",
        "navigate /x --wiat dom": "--wiat",
        "navigat /x": "navigat",
        "click '#a": "'#a",
        "click #a --timeout": "--timeout",
        "click #a --optional=1": "--optional=1",
    }.items():
        with pytest.raises(UsageProblem) as caught:
            trial(line)
        assert caught.value.word == word, line
        assert len(trial.rows()) == 1
