"""Answers in a server's stead and other networks: wherever the page asks, and nowhere else."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.browser.session import Session

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

ASK = (
    "fetch('{}').then((r) => r.text().then((t) => (document.title = r.status + ' ' + t)),"
    " () => (document.title = 'no answer'))"
)


def asked(trial: Trial, path: str) -> bool:
    """Whether the server was asked for a path."""
    return any(line.split(" ", 1)[1].startswith(path) for line in trial.site.seen)


def test_fetches_are_answered(trial: Trial) -> None:
    """JSON with a status and a header, counted, shown in the rows and the card, and the server never asked."""
    trial.open("<h1>x</h1>")
    trial("mock **/api/cart --json '{\"items\": 3}' --status 201 --header 'X-From: test'")
    assert trial.last.note == "answers 201"
    trial("evaluate " + ASK.format("/api/cart"))
    trial.until("document.title === '201 {\"items\": 3}'")
    trial("expect request **/api/cart --status 201")
    (row,) = [r for r in trial.rows("network") if "/api/cart" in r["url"]]
    assert (row["status"], row["text"]) == (201, "mocked: answers 201")
    assert trial("mock") == [{"glob": "**/api/cart", "method": "any", "does": "answers 201", "hits": 1}]
    assert not asked(trial, "/api/cart")
    trial("evaluate fetch('/api/cart', {method: 'HEAD'}).then((r) => (document.title = r.headers.get('X-From')))")
    trial.until("document.title === 'test'")
    trial("evaluate return fetch('/api/cart').then((r) => r.text())")
    assert "1 mocked request" in trial.card().text
    assert "mocked: answers 201" in trial.card().text


def test_what_does_not_fit_goes_on(trial: Trial) -> None:
    """A star stays within a path segment, another method is left alone, and --times ends by itself."""
    trial.open("<h1>x</h1>")
    trial("mock /api/*/price --body 7 --method post --times 1")
    for path, method, answered in (
        ("/api/a/b/price", "POST", "404"),
        ("/api/a/price", "GET", "404"),
        ("/api/a/price", "POST", "200"),
        ("/api/a/price", "POST", "404"),
    ):
        script = f"fetch('{path}', {{method: '{method}'}}).then((r) => (document.title = r.status))"
        trial(f"evaluate document.title = ''; {script}")
        trial.until("document.title")
        assert trial.js("document.title") == answered, (path, method)
    assert trial("mock")[0]["hits"] == 1


def test_documents_pictures_and_files(trial: Trial) -> None:
    """Whole pages and pictures are answered too, from a text or a file; the rule made last is asked first."""
    (trial.bench.folder / "dot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='7' height='9'/>")
    trial("mock /shop/** --body no")
    trial("mock /shop/** --body '<h1>mocked</h1><img id=i src=/shop/dot.svg>' --header 'Content-Type: text/html'")
    trial("mock /shop/dot.svg --file dot.svg")
    trial("navigate /shop/here --expect-status 200")
    assert trial("text h1") == "mocked"
    assert trial.until("i.naturalWidth") == 7
    trial("mock --clear")
    assert trial("mock") == []
    trial("navigate /shop/here --expect-status 404")
    assert [r["hits"] for r in trial("mock")] == []


def test_aborts_and_delays(trial: Trial) -> None:
    """An aborted request has no status; a delayed answer comes later, also a server's own."""
    trial.open("<h1>x</h1>")
    trial("mock /gone --abort")
    trial("mock /late --body yes --delay 300")
    trial("mock /echo --delay 300")
    trial("evaluate " + ASK.format("/gone"))
    trial.until("document.title === 'no answer'")
    trial("expect request **/gone")
    (row,) = [r for r in trial.rows("network") if r["url"].endswith("/gone")]
    assert (row["status"], row["text"]) == (None, "mocked: aborts")
    for path, title in (("/late", "200 yes"), ("/echo", "200 {")):
        timed = ASK.format(path) + ".then(() => (window.took = performance.now() - begun))"
        trial(f"evaluate window.begun = performance.now(); {timed}")
        trial.until(f"document.title.startsWith('{title}') && window.took")
        assert trial.js("took") >= 290
        trial("evaluate window.took = 0")


def test_every_tab_and_frame(trial: Trial) -> None:
    """New tabs, frames of the same site, and frames of another site in a process of their own are mocked as well,
    and what a rule made beforehand says holds for them from their first request."""
    ask = "fetch('/api/in').then((r) => r.text()).then((t) => (p.textContent = t))"
    inner = trial.site.page(f"<p id=p></p><script>{ask}</script>")
    trial.open(f"<iframe id=same src='{inner}'></iframe><iframe id=other src='{trial.site.other_url}{inner}'></iframe>")
    for frame in ("#same", "#other"):
        trial(f"frame {frame}")
        trial("expect #p contains 'not here'")
        trial("frame main")
    trial("mock **/api/in --body mocked")
    trial("frame #other")
    trial(f"evaluate {ask}")
    trial("expect #p text mocked")
    others = [r["text"] for r in trial.rows("network") if r["url"].startswith(trial.site.other_url)]
    assert others[-1] == "mocked: answers 200"
    trial("frame main")
    trial("reload")
    for frame in ("#same", "#other"):
        trial(f"frame {frame}")
        trial("expect #p text mocked")
        trial("frame main")
    trial("tab new")
    trial(f"navigate {trial.site.other_url}{inner}")
    trial("expect #p text mocked")
    trial(f"evaluate window.open('{inner}')")
    trial("tab 2")
    trial("expect #p text mocked")


def test_another_site_s_answers(trial: Trial) -> None:
    """A page may read a mocked answer of another site, also one that is asked for permission first."""
    trial.open("<h1>x</h1>")
    trial(f"mock {trial.site.other_url}/api --json 5 --method put")
    url = f"{trial.site.other_url}/api"
    script = "fetch('{}', {{method: 'PUT', headers: {{'X-A': '1'}}, credentials: 'include'}}).then((r) => r.text())"
    trial("evaluate " + script.format(url) + ".then((t) => (document.title = 'got ' + t))")
    trial.until("document.title === 'got 5'")
    assert trial("mock")[0]["hits"] == 1


def test_a_busy_kernel_answers(trial: Trial) -> None:
    """A request is answered while the notebook's own code keeps the interpreter busy."""
    trial.open("<h1>x</h1>")
    trial("mock /api/busy --body yes")
    trial("evaluate setTimeout(() => fetch('/api/busy').then(() => (window.answered = Date.now())), 50); 0")
    session = trial.bench.session
    (rule,) = session.intercept("%mock", "")[0].mocks(session.context_id)
    end = time.monotonic() + 30
    while rule.hits == 0:  # no look at the page, no pause
        assert time.monotonic() < end, "not answered while the interpreter is busy"
    trial.until("window.answered")
    trial(f"navigate {trial.site.url}/labels.html")


def test_it_ends_with_the_test(trial: Trial) -> None:
    """The next test, and another user, meet the server itself; no thread stays behind."""
    trial("mock /labels.html --body mocked --delay 10")
    trial("navigate /labels.html")
    assert trial("text body") == "mocked"
    trial("browser --as other")
    trial("navigate /labels.html")
    assert "mocked" not in trial("text body")
    trial.bench.user = "main"
    trial.bench.test("the next")
    assert trial("mock") == []
    trial("navigate /labels.html")
    assert "mocked" not in trial("text body")
    assert len([t for t in threading.enumerate() if t.name == "jbts-late-answers"]) <= 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mock /a", "needs an answer"),
        ("mock /a --json {", "is no JSON"),
        ("mock /a --json 1 --body 2", "--json and --body exclude each other"),
        ("mock /a --body 2 --abort", "--body and --abort exclude each other"),
        ("mock /a --status 99", "no HTTP status"),
        ("mock /a --file nowhere.json", "there is no file"),
        ("mock /a --body x --header nonsense", "is no header"),
        ("mock /a --body x --times 0", "counts requests from 1"),
        ("mock /a --clear", "takes no glob"),
    ],
)
def test_what_cannot_be_mocked(reader: Trial, line: str, words: str) -> None:
    """A rule that cannot work says why and is not kept."""
    reader.fails(line, "StepProblem", words)
    assert reader("mock") == []


def test_python_values(trial: Trial) -> None:
    """In Python the JSON is any plain value."""
    trial.open("<h1>x</h1>")
    trial.page.mock("/api/x", json={"a": [1, None, "é"]})
    trial("evaluate " + ASK.format("/api/x"))
    trial.until('document.title === \'200 {"a": [1, null, "é"]}\''.replace("é", "\\\\u00e9"))


def test_networks(trial: Trial) -> None:
    """Offline fails requests of every tab, new ones too, and online brings them back; slow is slow."""
    trial.open("<h1>x</h1>")
    trial("network offline")
    assert trial.js("navigator.onLine") is False
    trial.fails("navigate /labels.html", "NavigationFailed", "there is no network")
    trial("tab new")
    trial.fails("navigate /labels.html", "NavigationFailed", "there is no network")
    trial("network online")
    trial("navigate /labels.html")
    trial("tab 0")
    trial("navigate /labels.html")
    trial("network slow-3g")
    assert trial("evaluate const b = performance.now(); return fetch('/echo').then(() => performance.now() - b)") > 1000


def test_without_the_channel(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that has no second channel is named, with what to do instead."""
    trial.open("<h1>x</h1>")
    session = type(trial.bench.session)
    for name in ("devtools", "intercept"):
        monkeypatch.setattr(session, name, getattr(Session, name))
    trial.fails("mock /a --body x", "Unsupported", "%mock needs", "which chrome lacks", "own server")
    trial.fails("network offline", "Unsupported", "%network needs")
