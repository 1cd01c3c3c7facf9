"""Beside the page: HTTP requests, cookies, storage, and that nothing of it outlives a test."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


# ---- requests -----------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "post"])
def test_request(trial: Trial, method: str) -> None:
    """A request returns status, headers and body, and is a row with its own line of network traffic."""
    trial("navigate /labels.html")
    answer = trial(f"request {method} /echo?a=1")
    assert (answer.status, answer.json["method"], answer.json["query"]) == (200, method.upper(), {"a": "1"})
    assert answer.headers["Content-Type"] == "application/json"
    row = trial.row()
    assert (row["step_type"], row["http_status"], row["status"]) == ("request", 200, "passed")
    sent = [r for r in trial.rows("network") if r["step_id"] == row["step_id"]]
    assert [(r["method"], r["status"]) for r in sent] == [(method.upper(), 200)]


def test_request_bodies_and_headers(trial: Trial) -> None:
    """The text below %%request is sent; JSON says that it is JSON; --header sets and replaces."""
    trial("navigate /labels.html")
    answer = trial("request POST /echo", '{"a": 1}')
    assert (answer.json["body"], answer.json["headers"]["content-type"]) == ('{"a": 1}', "application/json")
    answer = trial("request POST /echo --header 'X-Token: t 1' --header 'content-type: text/csv'", "a,é")
    headers = answer.json["headers"]
    assert (answer.json["body"], headers["x-token"], headers["content-type"]) == ("a,é", "t 1", "text/csv")
    trial.fails("request GET /echo --header nonsense", "StepProblem", "'Name: value'")


def test_request_checks(trial: Trial) -> None:
    """--expect-status and --json decide whether a request passed."""
    trial("navigate /labels.html")
    trial("request GET /echo?n=3 --expect-status 200 --json query.n=3 --json method=GET")
    trial("request GET /status/404")
    assert trial.row()["http_status"] == 404
    trial.fails("request GET /status/404 --expect-status 200", "ExpectationFailed", "answered 404", status="failed")
    trial.fails("request GET /echo --json query.n=3", "ExpectationFailed", "there is no n", status="failed")
    trial.fails("request GET /echo?n=4 --json query.n=3", "ExpectationFailed", "it is 4", status="failed")
    trial.fails("request GET /echo --json nonsense", "StepProblem", "PATH=VALUE")
    trial.fails("request GET /labels.html --json a=1", "StepProblem", "is no JSON")
    trial.refuses("request FETCH /echo", "is no HTTP method")


def test_requests_that_get_no_answer(trial: Trial) -> None:
    """Refused, dropped, hanging and unknown hosts are told apart."""
    trial("navigate /labels.html")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        trial.fails(f"request GET http://127.0.0.1:{taken.getsockname()[1]}/", "NavigationFailed", "connection refused")
    trial.fails("request GET /drop", "NavigationFailed", "cannot reach")
    trial.fails("request GET /hang --timeout 0.3", "StepTimeout", "did not answer within 0.3 s")
    trial.fails("request GET /circle", "NavigationFailed", "too many redirects")
    assert [r["status"] for r in trial.rows("network") if r["status"] is None]


def test_requests_carry_the_page_s_cookies(trial: Trial) -> None:
    """A request to the page's own origin is signed in like the page; one elsewhere is not."""
    trial("navigate /cookie/session?value=abc")
    assert trial("request GET /echo").json["headers"]["cookie"] == "session=abc"
    assert "cookie" not in trial(f"request GET {trial.site.other_url}/echo").json["headers"]


def test_requests_follow_redirects(trial: Trial) -> None:
    """The answer is that of the last page."""
    trial("navigate /labels.html")
    assert trial("request GET /redirect?to=/echo --json path=/echo").status == 200


# ---- cookies and storage ------------------------------------------------------------------------
def test_cookies(trial: Trial) -> None:
    """Cookies are set, read one or all, and cleared one or all."""
    trial("navigate /labels.html")
    trial("cookie set who 'ada l'")
    trial("cookie set deep x --path /echo")
    assert trial("cookie get who") == "ada l"
    assert trial("cookie get nobody") is None
    assert trial("cookie get") == {"who": "ada l"}
    trial("navigate /echo")
    assert trial("cookie get") == {"who": "ada l", "deep": "x"}
    trial("cookie clear who")
    assert trial("cookie get") == {"deep": "x"}
    trial("cookie clear")
    assert trial("cookie get") == {}
    assert {r["step_type"] for r in trial.rows() if r["verb"] == "cookie"} == {"cookie"}
    trial.refuses("cookie set who", "needs a name and a value")


def test_storage(trial: Trial) -> None:
    """Both storages are set, read one or all, and cleared one or all, apart from each other."""
    trial("navigate /labels.html")
    trial("storage local set a 1")
    trial("storage local set b '{\"x\": 2}'")
    trial("storage session set a other")
    assert (trial("storage local get a"), trial("storage session get a")) == ("1", "other")
    assert trial("storage local get") == {"a": "1", "b": '{"x": 2}'}
    assert json.loads(trial("storage local get b")) == {"x": 2}
    assert trial("storage local get nothing") is None
    trial("storage local clear a")
    assert trial("storage local get") == {"b": '{"x": 2}'}
    trial("storage local clear")
    assert trial("storage local get") == {}
    assert trial.row()["step_type"] == "storage"
    trial.refuses("storage local set a", "needs a key and a value")


def test_where_there_are_none(trial: Trial) -> None:
    """A page that can hold neither says so."""
    trial("navigate about:blank")
    for line in ("cookie set a b", "storage local get a"):
        trial.fails(line, "StepProblem", "no page is open; begin with %navigate URL")
    trial("navigate data:text/html,x")
    trial.fails("cookie set a b", "StepProblem", "cookie")
    trial.fails("storage local get a", "StepProblem", "Storage")


def test_nothing_outlives_a_test(trial: Trial) -> None:
    """Cookies, both storages, tabs, dialogs, viewport and frames of one test are gone in the next."""
    trial.bench.test("one")
    trial("navigate /cookie/session?value=abc")
    trial("storage local set a 1")
    trial("storage session set a 1")
    trial("window 400x300")
    trial("tab new")
    trial("navigate /dialogs.html")
    trial("click #alert")
    trial.bench.test("two")
    trial("navigate /labels.html")
    assert trial("cookie get") == {}
    assert trial("storage local get") == {}
    assert trial("storage session get") == {}
    assert len(trial("tabs")) == 1
    trial("expect no-dialog")
    assert trial.js("[innerWidth, innerHeight]") == [1280, 800]
    assert [r["test_name"] for r in trial.rows("execution.started")] == ["one", "two"]


def test_two_users(trial: Trial) -> None:
    """Two users of one test are two contexts, and each comes back to where it was."""
    trial("navigate /cookie/who?value=main")
    trial.bench.user = "ada"
    trial("navigate /cookie/who?value=ada")
    trial("navigate /frames.html")
    trial("frame #outer")
    assert trial("cookie get who") == "ada"
    trial.bench.user = "main"
    assert trial("cookie get who") == "main"
    trial.bench.user = "ada"
    assert trial("text #where") == "outer"
