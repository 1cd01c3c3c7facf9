"""A secret is used as it is and seen nowhere: not in a card, a row, a file or a picture."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from PIL import Image

from jbts_kernel.errors import StepFailed
from jbts_kernel.store import documents
from jbts_kernel.store.publish import publish
from jbts_kernel.store.queries import Results
from jbts_kernel.store.schema import TABLES
from jbts_kernel.store.transfer import transfer

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

SECRET = 'hun<t>er&"2" it\'s 100% \\ok/~!*é'  # needs another spelling in HTML, JSON, addresses, Python and base64


def spellings(secret: str) -> list[bytes]:
    """How a secret could be written down by somebody who did not mean to."""
    raw = secret.encode()
    javascript = quote(secret, safe="!'()*~")  # encodeURIComponent
    form = quote_plus(secret, safe="*")
    form = form.replace("~", "%7E")
    encoded = [base64.b64encode(b"x" * n + raw)[4 if n else 0 : -4] for n in range(3)]
    html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    texts = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), javascript, form, html]
    texts += [html.replace('"', "&quot;"), html.replace('"', "&quot;").replace("'", "&#x27;"), repr(secret)[1:-1]]
    texts += [secret.replace("\\", "\\\\").replace('"', '\\"'), base64.urlsafe_b64encode(raw).decode()[:-4]]
    return [t.encode() for t in dict.fromkeys(texts)] + encoded


def assert_nowhere(home: Path, secret: str = SECRET) -> None:
    """No file under the data folder holds the secret in any spelling."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        for spelling in spellings(secret):
            assert spelling not in data, (path.name, spelling, data[max(0, data.find(spelling) - 200) :][:400])


@pytest.fixture
def keeper(trial: Trial) -> Trial:
    """A trial that knows the secret as ${PW}."""
    trial.bench.environ = {"PW": SECRET}
    trial.bench.line("secret PW")
    trial.bench.settings.screenshots = "always"
    trial.bench.show = trial.shown.append
    return trial


def assert_card_hides(trial: Trial, secret: str = SECRET) -> None:
    """Nothing a cell shows holds the secret."""
    card = trial.card()
    for spelling in spellings(secret):
        assert spelling.decode() not in card.html
        assert spelling.decode() not in card.plain
        assert spelling.decode() not in card.data
    assert secret not in card.text
    card.assert_harmless()


def test_a_secret_goes_through_every_place(keeper: Trial) -> None:
    """Typed, sent, shown by the page in its title, address, console and markup: used as it is, recorded as dots."""
    keeper.open(
        "<form action=/echo><input id=f name=f><input id=g><button>send</button></form><p id=p></p><script>"
        "f.oninput = () => { document.title = p.textContent = p.title = f.value; g.setAttribute('value', f.value);"
        "console.error('typed', f.value, {v: f.value});"
        "history.replaceState(null, '', '?q=' + encodeURIComponent(f.value));"
        "fetch('/echo?x=' + encodeURIComponent(f.value) + '&b='"
        " + btoa(unescape(encodeURIComponent('user:' + f.value)))) };</script>"
    )
    keeper("type #f ${PW}")
    assert keeper.js("f.value") == SECRET
    assert_card_hides(keeper)
    assert keeper.row()["input"] == "•••••"
    keeper("expect #f value ${PW}")
    assert_card_hides(keeper)
    keeper.fails("expect #p text Other --timeout 0.1", "ExpectationFailed", "•••••", status="failed")
    assert_card_hides(keeper)
    assert b"outerHTML" not in keeper.artifact("source")
    with pytest.raises(StepFailed) as caught:
        keeper("expect #f value ${PW}x --timeout 0.1")
    assert SECRET not in str(caught.value) and SECRET not in "".join(caught.value._render_traceback_())
    keeper("click text=send")
    assert_card_hides(keeper)
    assert_nowhere(keeper.bench.home)


def test_verbs_that_carry_a_secret(keeper: Trial) -> None:
    """Requests, cookies, storage, scripts, waits and dialogs take a secret and leave no trace of it."""
    keeper.open("<h1 id=h>x</h1><input id=i>")
    answer = keeper.page.request("POST", "/echo?q=${PW}", header=["Authorization: Bearer ${PW}"], body='{"p": "${PW}"}')
    assert answer.json["headers"]["authorization"].startswith("Bearer hun")
    keeper("storage local set k ${PW}")
    value = keeper("storage local get k")
    assert (value, repr(value)) == (SECRET, "'•••••'")
    keeper.page.evaluate("i.value = String.raw`${PW}`; return i.value")
    keeper.fails("wait --text ${PW} --timeout 0.1", "StepTimeout", "•••••")
    keeper.fails("click text=${PW} --timeout 0.1", "ElementNotFound", "•••••")
    keeper.fails("navigate /status/500?p=${PW} --expect-status 200", "ExpectationFailed", "•••••", status="failed")
    keeper.open("<h1 id=h>x</h1><input id=i>")
    keeper.fails("select #i ${PW}", "StepProblem")
    keeper("evaluate setTimeout(() => alert(String.raw`${PW}`), 0)")
    keeper.dialog()
    keeper.fails("click #h", "UnexpectedDialog", "•••••")
    assert_card_hides(keeper)
    keeper("dialog accept")
    assert_card_hides(keeper)
    assert_nowhere(keeper.bench.home)


def test_a_secret_typed_in_plain(trial: Trial) -> None:
    """--secret masks what is typed from then on, also where the line itself is shown."""
    trial.bench.settings.screenshots = "always"
    trial.bench.show = trial.shown.append
    trial.open("<input id=i>")
    trial("type #i correct-horse --secret")
    assert trial.js("i.value") == "correct-horse"
    assert_card_hides(trial, "correct-horse")
    assert trial.row()["name"] == "type #i ••••• --secret"
    trial.page.type("#i", "other-horse", secret=True)
    assert_card_hides(trial, "other-horse")
    trial.fails("expect #i value no --timeout 0.1", "ExpectationFailed", "•••••", status="failed")
    assert_nowhere(trial.bench.home, "correct-horse")
    assert_nowhere(trial.bench.home, "other-horse")


def test_a_name_and_a_cut_text_do_not_give_it_away(keeper: Trial) -> None:
    """Long texts are cut for messages; what is left of a secret at the cut is masked as well."""
    secret = "abcdefghijklmnopqrstuvwxyz0123456789"
    keeper.bench.secrets.add("LONG", secret)
    for before in (30, 120, 270):
        keeper.open(
            f"<p id=p>{'x' * before}{secret}{'y' * 400}</p><button id=b disabled>{'z' * (before % 40)}{secret}</button>"
        )
        keeper.fails("expect #p text no --timeout 0.05", "ExpectationFailed", status="failed")
        keeper.fails("click #b --timeout 0.05", "NotActionable")
        keeper.fails("click #pp --timeout 0.05", "ElementNotFound")
    keeper("expect #p visible --name 'the ${LONG} name'")
    shown = "".join([str(r) for r in keeper.rows()])
    for n in range(len(secret) - 7):
        assert secret[n : n + 8] not in shown


# ---- pictures -----------------------------------------------------------------------------------
PAINTED = (60, 60, 67)


def at(data: bytes, x: float, y: float) -> tuple[int, ...]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return image.getpixel((round(x), round(y)))  # type: ignore[return-value]


def middle(trial: Trial, expression: str) -> tuple[float, float]:
    box = trial.js(
        "(({x, y, width, height}) => [x + Math.min(width, 60) / 2, y + height / 2])"
        f"({expression}.getBoundingClientRect())"
    )
    return box[0], box[1]


@pytest.mark.parametrize(
    "markup",
    [
        "<p id=x style='background:#fff'>{}</p>",
        "<p id=x style='background:#fff'>before <b>{}</b></p>",
        "<input id=x value='{}'>",
        "<textarea id=x>{}</textarea>",
        "<button id=x>{}</button>",
        "<div id=x contenteditable>{}</div>",
        "<select id=x><option>{}</option></select>",
        "<div id=x><template shadowrootmode=open><p style='margin:0'>{}</p></template></div>",
        "<div id=x><template shadowrootmode=closed><p style='margin:0'>{}</p></template></div>",
    ],
)
def test_pictures_paint_over_secrets(trial: Trial, markup: str) -> None:
    """Whatever shows the secret is painted over in each picture, and in none where there is no secret."""
    trial.bench.settings.screenshots = "always"
    trial.open("<style>body{margin:40px}</style>" + markup.format("open-sesame"))
    trial("hover #x")
    x, y = middle(trial, "(() => { const r = document.createRange(), b = x.querySelector?.('b'); return b || x })()")
    assert at(trial.artifact("after"), x, y) != PAINTED
    trial.bench.secrets.add("PW", "open-sesame")
    trial("hover #x")
    assert at(trial.artifact("after"), x, y) == PAINTED
    assert at(trial.artifact("after"), 700, 700) == (255, 255, 255)
    for line in ("screenshot", "screenshot --full-page"):
        assert at(trial(line).read_bytes(), x, y) == PAINTED


def test_pictures_of_parts_and_scrolled_pages(trial: Trial) -> None:
    """The paint is where the secret is, in a picture of one element and on a scrolled page."""
    trial.bench.secrets.add("PW", "open-sesame")
    trial.open(
        "<div style='height:1800px'></div><p id=x style='width:300px;height:30px;margin-left:77px;"
        "background:#fff'>open-sesame</p>"
        "<div style='height:1800px'></div>"
    )
    data = trial("screenshot #x").read_bytes()
    assert (at(data, 20, 10), at(data, 290, 10)) == (PAINTED, (255, 255, 255))
    trial("scroll #x")
    x, y = middle(trial, "x")
    assert at(trial("screenshot").read_bytes(), x, y - 5) == PAINTED
    full = trial("screenshot --full-page").read_bytes()
    assert at(full, x, y - 5 + trial.js("scrollY")) == PAINTED


def test_a_password_field_needs_no_paint(trial: Trial) -> None:
    """Dots are dots already."""
    trial.bench.secrets.add("PW", "open-sesame")
    trial.open("<input id=x type=password value=open-sesame style='width:300px'>")
    x, y = middle(trial, "x")
    assert at(trial("screenshot").read_bytes(), x + 100, y) != PAINTED


def test_secrets_in_frames(trial: Trial) -> None:
    """A secret shown by a frame, or by the page around the frame a step is in, is painted over too."""
    trial.bench.secrets.add("PW", "open-sesame")
    inner = trial.site.page(
        "<body style='margin:0'><p id=in style='margin:0'>open-sesame</p>"
        "<button id=b style='margin-top:40px'>b</button>"
    )
    trial.open(
        f"<p id=out style='margin:10px'>open-sesame</p>"
        f"<iframe id=f src='{inner}' style='margin:50px;border:3px solid'></iframe>"
    )
    trial.until("Boolean(f.contentDocument && f.contentDocument.querySelector('#b'))")
    out = middle(trial, "out")
    inside = trial.js(
        "(() => { const r = f.getBoundingClientRect(); return [r.x + f.clientLeft + 30, r.y + f.clientTop + 9]; })()"
    )
    for enter in (None, "frame #f"):
        if enter:
            trial(enter)
        data = trial("screenshot").read_bytes()
        assert at(data, *out) == PAINTED, enter
        assert at(data, *inside) == PAINTED, enter
        assert at(data, 700, 700) == (255, 255, 255)


def test_a_failing_step_s_picture(trial: Trial) -> None:
    """The picture of a failure is painted like any other, and the thumbnail in the card is made from it."""
    trial.bench.show = trial.shown.append
    trial.bench.secrets.add("PW", "open-sesame")
    trial.open("<p id=x style='width:600px;height:300px;font-size:90px;margin:0'>open-sesame</p>")
    trial.fails("expect #x text no --timeout 0.1", "ExpectationFailed", status="failed")
    assert at(trial.artifact("failure"), 300, 60) == PAINTED
    (picture,) = trial.card().pictures
    shade = at(picture, 150, 35)
    assert all(abs(a - b) < 12 for a, b in zip(shade, PAINTED, strict=True))


def test_the_lines_of_a_run_hold_none(trial: Trial) -> None:
    """A run's own lines (parameters, base_url) are masked as well."""
    trial.bench.secrets.add("PW", "open-sesame")
    trial.bench.namespace["base_url"] = trial.site.url + "/echo?key=open-sesame&"
    trial.bench.test("signing in")
    trial("navigate /labels.html")
    assert_nowhere(trial.bench.home, "open-sesame")


def test_results_that_are_published_and_leave_hold_none(keeper: Trial, tmp_path: Path) -> None:
    """Rows are compressed once published, so they are read out: neither they nor any export has the secret."""
    keeper("navigate /fields.html")
    keeper('type "#text" "${PW}"')
    keeper(f"evaluate console.error({SECRET!r})")
    keeper.fails('expect "#text" value "not ${PW}"', "ExpectationFailed", status="failed")
    keeper("navigate /echo?key=${PW}")
    home = keeper.bench.home
    keeper.bench.close()
    publish(home, wait=True)
    results, out = Results(home), tmp_path / "out"
    for table in TABLES:
        said = "\n".join(str(value) for row in results.rows(f"FROM {table.name}").rows for value in row).encode()
        assert said or table.name in ("analyses", "findings", "test_cases")
        for spelling in spellings(SECRET):
            assert spelling not in said, (table.name, spelling)
    run = documents.latest_run(results)
    documents.write_allure(results, run, out / "allure")
    documents.write_junit(results, run, out / "junit.xml")
    transfer(home, out / "shipped")
    assert_nowhere(home)
    assert_nowhere(out)
