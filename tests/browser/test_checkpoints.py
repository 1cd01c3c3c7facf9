"""Coming back to where the page was: what it held, where it stood, and what was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jbts_kernel.demo import Shop
    from tests.browser.conftest import Trial


def test_before_a_step(trial: Trial) -> None:
    """Address, cookies, both storages, fields and scroll are as they were before the step, and it can run again."""
    trial.open(
        "<div style='height:3000px'></div><input id=i value=old><input type=checkbox id=c><textarea id=t></textarea>"
        '<select id=s><option>a<option>b</select><button id=b onclick="n.textContent = +n.textContent + 1">b</button>'
        "<p id=n>0</p><div style='height:3000px'></div>"
    )
    url = trial.js("location.href")
    trial("cookie set who ada")
    trial("storage local set k 1")
    trial("storage session set k 2")
    trial("type #i typed")
    trial("tick #c")
    trial("type #t more")
    trial("select #s b")
    trial("scroll #b")
    scrolled = trial.js("scrollY")
    trial("click #b")
    number = trial.last.ordinal
    trial("cookie set who sam")
    trial("cookie set new x")
    trial("storage local clear")
    trial("storage session set k other")
    trial("navigate /labels.html")
    trial("storage local set later 1")
    trial(f"restore before:{number}")
    assert trial.last.note == f"as before step {number}: {url}"
    assert trial.row()["step_type"] == "navigate"
    assert trial("cookie get") == {"who": "ada"}
    assert (trial("storage local get"), trial("storage session get")) == ({"k": "1"}, {"k": "2"})
    assert trial.js("[i.value, c.checked, t.value, s.value, n.textContent].join()") == "typed,true,more,b,0"
    assert abs(trial.js("scrollY") - scrolled) < 2
    trial("click #b")
    trial("expect #n text 1")
    assert trial("mock") == []


def test_by_name(trial: Trial) -> None:
    """A named checkpoint, the newest one, and a reading step's number, which means the next step that acts."""
    trial("navigate /labels.html")
    trial("checkpoint --name first")
    assert "first: " in trial.last.note
    trial("navigate /buttons.html")
    trial("checkpoint")
    trial("navigate /texts.html")
    trial("restore")
    assert trial.js("location.pathname") == "/buttons.html"
    trial("restore first")
    assert trial.js("location.pathname") == "/labels.html"
    trial("text body")
    number = trial.last.ordinal
    trial("navigate /texts.html")
    trial("restore before:" + str(number))
    assert trial.js("location.pathname") == "/labels.html"


def test_other_origins_and_tabs(trial: Trial) -> None:
    """Each site the page was at gets its storage back, its server is not asked, and new tabs are closed."""
    trial("navigate /labels.html")
    trial("storage local set k here")
    trial(f"navigate {trial.site.other_url}/labels.html")
    trial("storage local set k there")
    trial("evaluate 0")
    number = trial.last.ordinal
    trial("storage local set k changed")
    trial("tab new")
    trial("navigate /buttons.html")
    trial("storage local clear")
    trial.site.seen.clear()
    trial(f"restore before:{number}")
    assert len(trial("tabs")) == 1
    assert trial("storage local get k") == "there"
    trial("navigate /labels.html")
    assert trial("storage local get k") == "here"
    assert not [line for line in trial.site.seen if "restore" in line]


def test_out_of_a_frame_and_past_a_mock(trial: Trial) -> None:
    """From inside a frame, with rules of the user's own that stay as they are."""
    trial("mock /made/** --delay 1")
    trial.open("frames.html")
    trial("frame #outer")
    trial("click #press")
    number = trial.last.ordinal
    trial("navigate /labels.html")
    trial(f"restore before:{number}")
    trial("expect #where text main")
    assert [r["glob"] for r in trial("mock")] == ["/made/**"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("restore", "there is no checkpoint; take one"),
        ("restore nowhere", "there is no checkpoint 'nowhere'"),
        ("restore before:x", "takes the number of a step"),
        ("restore before:9999", "nothing acted from step 9999 on; there is before:"),
    ],
)
def test_what_cannot_be_restored(trial: Trial, line: str, words: str) -> None:
    """The error lists what there is."""
    trial("navigate /labels.html")
    trial.fails(line, "StepProblem", words)


def test_they_end_with_the_test(trial: Trial) -> None:
    """The next test cannot go back into the one before."""
    trial("navigate /labels.html")
    trial("checkpoint here")
    trial.bench.test("the next")
    trial.fails("restore here", "StepProblem", "there is no checkpoint 'here'")


def test_the_shop(trial: Trial, shop: Shop) -> None:
    """Signed in with something in the cart, out again, and back: the server knows its user."""
    trial.bench.settings.base_url = shop.url
    trial.bench.settings.navigation_timeout = 30.0
    trial("navigate /signin")
    trial("type #email ada@example.com")
    trial("type #password copper-pine")
    trial("click #signin")
    trial("expect #welcome contains Ada")
    trial("navigate /product/stoneware-mug")
    trial('click "#add-to-cart"')
    trial('expect "#cart-count" text 1')
    trial("navigate /cart")
    trial("checkpoint cart")
    trial("cookie clear")
    trial("navigate /cart")
    trial('expect "#nav-signin" visible')
    trial("restore cart")
    trial('expect "#remove-stoneware-mug" visible')
    trial('expect "#nav-signin" not visible')
