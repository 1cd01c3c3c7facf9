"""Elements that are hard to reach: turned frames, hidden checkboxes, inert parts, shapes, long lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from jbts_kernel.browser import input as gestures
from jbts_kernel.browser.session import PAGE_SCRIPT, Session

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

INNER = (
    "<style>body{margin:0;height:1500px}button{position:absolute;left:20px;width:90px}</style>"
    "<button id=b style='top:30px'>b</button><button id=c style='top:1200px'>c</button>"
    "<script>addEventListener('click', (e) => { e.target.textContent = 'pressed' })</script>"
)


@pytest.mark.parametrize(
    "style",
    [
        "border:17px solid;padding:20px 40px",
        "transform:scale(.5)",
        "rotate:30deg;scale:1.2;margin-left:200px;padding:9px",
        "zoom:1.5",
        "position:absolute;top:2500px;left:900px",
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same site", "other site"])
def test_presses_land_in_frames_of_any_shape(trial: Trial, style: str, elsewhere: bool) -> None:
    """A frame may have borders and padding, be scaled, turned, zoomed or far away, also in another process."""
    source = (trial.site.other_url if elsewhere else "") + trial.site.page(INNER)
    trial.open(
        f"<p style='height:200px'><iframe id=f src='{source}' style='width:300px;height:200px;{style}'></iframe>"
        "<div style='height:3000px'></div>"
    )
    trial("frame #f")
    for button in ("#b", "#c"):
        trial(f"click {button}")
        trial(f"expect {button} text pressed")


@pytest.mark.parametrize("deaf", [False, True], ids=["hears", "hears nothing"])
def test_a_press_waits_until_its_frame_is_drawn_there(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    """A frame of another process is found in what was drawn last: a pointer that went astray is moved again before
    it presses. A page that lets nobody hear of the pointer is pressed all the same."""
    silent = "<script>addEventListener('mousemove', (e) => e.stopImmediatePropagation(), true)</script>"
    source = trial.site.other_url + trial.site.page(silent * deaf + INNER)
    trial.open(f"<iframe id=f src='{source}' style='position:absolute;top:2500px;left:900px'></iframe>")
    trial("frame #f")
    assert trial.bench.session.framed_apart
    performed: list[Any] = []
    perform = gestures.perform

    def astray(session: Session, sources: list[dict[str, Any]]) -> None:
        performed.append(sources)
        first = [{**sources[0], "actions": [gestures.move(1, 1)]}]
        perform(session, first if len(performed) == 1 else sources)

    monkeypatch.setattr(gestures, "perform", astray)
    trial("click #b")
    trial("expect #b text pressed")
    *moves, press = [[action["type"] for action in sources[0]["actions"]] for sources in performed]
    assert moves == [["pointerMove"]] * len(moves) and "pointerDown" in press
    # a slow page may need more than the one move that is seen to tell of it
    assert len(moves) == gestures.ATTEMPTS if deaf else 2 <= len(moves) <= gestures.ATTEMPTS


@pytest.mark.parametrize(
    "hidden", ["display:none", "opacity:0;width:0;height:0;position:absolute", "visibility:hidden"]
)
@pytest.mark.parametrize("locator", ["#k", "label=Agree", 'text="Agree"'])
def test_a_checkbox_drawn_by_its_label(trial: Trial, hidden: str, locator: str) -> None:
    """A checkbox that is not drawn is ticked where its label is, whichever of the two is named."""
    trial.open(f"<label><input type=checkbox id=k style='{hidden}'><span>Agree</span></label>")
    trial.page.tick(locator)
    assert trial.js("k.checked") is True
    trial.page.expect(locator, "checked")
    trial.page.untick(locator)
    trial.page.expect(locator, "unchecked")


def test_pressing_a_checkbox_that_is_not_drawn(trial: Trial) -> None:
    """click does what it says, so it fails there, and names the label."""
    trial.open("<input type=checkbox id=k style='display:none'><label for=k id=l>Agree</label>")
    trial.fails("click #k --timeout 0.2", "NotActionable", "not visible", "press its label: #l")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("click #through", "pointer-events: none"),
        ("click #switched", "inert"),
        ("type #field x", "inert"),
        ("focus #switched", "inert"),
        ("focus #plain", "cannot take the keyboard focus"),
        ("press Enter #plain", "cannot take the keyboard focus"),
        ("press Enter #off", "disabled"),
        ("click #folded", "not visible"),
    ],
)
def test_what_nobody_can_reach(trial: Trial, line: str, words: str) -> None:
    """Inert parts, closed details, unfocusable and click-through elements fail with their reason."""
    trial.open(
        "<button id=through style='pointer-events:none'>t</button><div inert><button id=switched>s</button>"
        "<input id=field></div><p id=plain>p</p><input id=off disabled>"
        "<details><summary>More</summary><button id=folded>f</button></details>"
    )
    trial.fails(f"{line} --timeout 0.2", "NotActionable", words)
    trial("expect #folded hidden")


def test_behind_a_modal_dialog(trial: Trial) -> None:
    """What lies behind a modal dialog waits for it; what is in it works."""
    trial.open(
        "<input id=behind><dialog id=d><input id=inside><button id=ok onclick='d.close()'>OK</button></dialog>"
        "<script>d.showModal()</script>"
    )
    trial.fails("type #behind x --timeout 0.2", "NotActionable", "modal dialog")
    trial("type #inside x")
    trial("click #ok")
    trial("type #behind x")


@pytest.mark.parametrize(
    "shape",
    [
        "<path d='M10 10 H200 V20 H20 V200 H10 Z'",
        "<line x1=10 y1=90 x2=200 y2=90 stroke=red stroke-width=8",
        "<circle cx=90 cy=90 r=60 fill=none stroke=red stroke-width=8",
    ],
)
def test_shapes_without_a_middle(trial: Trial, shape: str) -> None:
    """A bent path, a line and a ring are pressed where they are, not in the middle of their box."""
    trial.open(f"<svg width=300 height=300>{shape} id=s onclick='window.hit = 1' /></svg>")
    trial("click #s")
    assert trial.js("window.hit") == 1


def test_a_list_of_thousands(trial: Trial) -> None:
    """Texts, roles and names are found among thousands of elements in a time a person waits."""
    trial.open(
        "<ul id=l></ul><script>l.innerHTML = Array.from({length: 5000}, (_, i) => "
        "`<li><a href=#${i}>Item ${i}</a> <button>Buy ${i}</button></li>`).join('')</script>"
    )
    assert trial("count role=button --timeout 30") == 5000
    trial("click 'role=button[name=\"Buy 4321\"]' --timeout 30")
    assert trial("text 'text=\"Item 4999\"' --timeout 30") == "Item 4999"


NAMED = """<style>.b::before{content:"Pre "}.u{text-transform:uppercase}.n{display:none}</style>
<a href=#>link <b>bold</b></a><button>Go <span>on</span></button><button class=b>X</button><button class=u>loud</button>
<button><img alt=Save src=data:,></button><button aria-label=AL>zz</button><button title=T></button>
<button>seen <span class=n>not</span></button>
<button><svg><title>Icon</title></svg></button><button><div>a</div><div>b</div></button>
<input type=checkbox id=k><label for=k>Kay <b>bee</b></label><label>Wrap <input type=radio></label>
<label>Flash <input value=5> times</label><input type=range aria-labelledby=v><span id=v>Volume</span>
<input type=search placeholder=Search><input type=email title=Mail>
<input type=submit><input type=image alt=I src=data:,>
<select aria-label=S><option>One</select><select multiple aria-label=M><option>Two</select>
<textarea placeholder=Note></textarea>
<fieldset><legend>Leg <i>end</i></legend></fieldset><h1>H <span>one</span></h1><img alt=Pic src=data:,><hr>
<ul><li>l</ul><meter value=.5></meter><progress></progress><output>o</output><nav>n</nav>
<main><section aria-label=R>s</section></main>
<table><caption>Cap</caption><thead><tr><th>A</thead><tbody><tr><th scope=row>r<td>c</table>
<dialog open aria-label=D>d</dialog>
<div role="foo tab">tb</div><div role=button tabindex=0>div <i aria-hidden=true>x</i> btn</div>
<div role=checkbox aria-labelledby="x y">z</div>
<span id=x>L1</span><span id=y hidden>L2</span><a href=#>a<br>b</a><a href=#><img alt=Logo src=data:,> Home</a>"""


def test_roles_and_names_are_the_browser_s(own_browser: Callable[..., Trial]) -> None:
    """Roles and names, which our script works out itself, are those of the accessibility tree."""
    trial = own_browser()
    trial("browser chrome --arg=--enable-blink-features=ComputedAccessibilityInfo")
    trial.open(NAMED)
    compare = """
        const theirs = {image: 'img', presentation: 'none'}, differ = [];
        for (const el of document.querySelectorAll('body *')) {
          const role = theirs[el.computedRole] || el.computedRole;
          if (/^(generic|row|)$/.test(role) || el.localName === 'option') continue;
          const ours = [roleOf(el), spoken(nameOf(el))].join(), browsers = [role, spoken(el.computedName)].join();
          if (ours !== browsers) differ.push(`${ours} is ${browsers}: ${el.outerHTML}`);
        }
        return differ.join('\\n');
    """
    roles = PAGE_SCRIPT.partition("// The page's side of a step")[0]
    shadow = "const shadowOf = (el) => el.shadowRoot;"
    assert trial.bench.session.evaluate(f"(() => {{{shadow}{roles}{compare}}})()", timeout=60) == ""
