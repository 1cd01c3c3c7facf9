"""Snapshots: outlines and pictures against baselines beside the notebook, and the command that accepts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from jbts_kernel import baselines
from jbts_kernel.browser import comparison
from jbts_kernel.cli import commands
from jbts_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

CARD = (
    "<style>body{margin:0}#card{width:300px;height:260px;background:#eef;font:20px sans-serif}</style>"
    "<div id=card><h2>Cart</h2><input id=f aria-label=Code value=SAVE10><p id=p>two <b>items</b></p>"
    "<button id=b disabled>Pay</button><ul><li>Oak<li>Pine</ul></div>"
)
OUTLINE = """\
- heading "Cart" [level=2]
- textbox "Code": "SAVE10"
- paragraph: "two items"
- button "Pay" [disabled]
- list:
  - listitem: "Oak"
  - listitem: "Pine"
"""


def files(trial: Trial) -> list[str]:
    """The baselines there are, as paths below the notebook."""
    folder = trial.bench.folder
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("__snapshots__/**/*") if p.is_file())


# ---- outlines -----------------------------------------------------------------------------------
def test_an_outline_is_written_compared_and_accepted(trial: Trial) -> None:
    """The first run writes it and says where, the same page passes, another fails with the lines and the command
    that accepts, and then passes."""
    trial.open(CARD)
    trial("expect #card aria cart")
    assert files(trial) == ["__snapshots__/interactive/cart.aria.yml"]
    path = trial.bench.folder / files(trial)[0]
    assert path.read_text() == OUTLINE
    assert trial.last.note == "first baseline written: __snapshots__/interactive/cart.aria.yml"
    trial("expect #card aria cart")
    assert trial.last.note == ""
    trial("evaluate b.disabled = false; p.firstChild.data = 'three '")
    failed = trial.fails(
        "expect #card aria cart --timeout 0.3", "ExpectationFailed", "4 lines", "jbts accept cart", status="failed"
    )
    assert '-- paragraph: "two items"' in failed.result.difference and '+- button "Pay"' in failed.result.difference
    assert "not as the baseline says" in "".join(trial.last.tried) and len(trial.last.tried) < 20
    assert trial.artifact("expected").decode() == OUTLINE
    assert b'"three items"' in trial.artifact("actual") and b'+- paragraph: "three items"' in trial.artifact("diff")
    assert '+- button "Pay"' in trial.card().text and '+- button "Pay"' in trial.card().plain
    trial.card().assert_harmless()
    trial("accept cart")
    trial("expect #card aria cart")
    assert trial("accept") is None


def test_it_waits_until_the_outline_fits(trial: Trial) -> None:
    """A page that is still changing is looked at again until it is as the baseline says."""
    trial.open(CARD)
    trial("expect #card aria")
    assert len(files(trial)) == 1
    trial("evaluate p.textContent = 'loading'; setTimeout(() => (p.innerHTML = 'two <b>items</b>'), 400); 0")
    trial("expect #card aria")


def test_names_files_and_tests(trial: Trial) -> None:
    """Each test has a folder, two locators never share a file, and a file is where it says."""
    trial.bench.test("signing in")
    trial.open(CARD)
    for line in ("expect #card aria", "expect '[id=card]' aria", "expect #card aria sub/own.aria.yml"):
        trial(line)
    folder = trial.bench.baselines.folder
    assert folder.name.startswith("signing-in-") and len(list(folder.iterdir())) == 2
    assert (trial.bench.folder / "sub" / "own.aria.yml").read_text() == OUTLINE


def test_outlines_in_frames(trial: Trial) -> None:
    """The element is found in the frame the step is in, also in one of another site."""
    inner = trial.site.page("<main id=m><button>Go</button></main>")
    trial.open(f"<iframe id=same src='{inner}'></iframe><iframe id=other src='{trial.site.other_url}{inner}'></iframe>")
    for frame in ("#same", "#other"):
        trial(f"frame {frame}")
        trial(f"expect #m aria of-{frame[1:]}")
        trial("frame main")
        (path,) = (trial.bench.folder / f for f in files(trial) if frame[1:] in f)
        assert path.read_text() == '- main:\n  - button "Go"\n'


def test_a_hostile_outline(trial: Trial) -> None:
    """What a page says stays on its line, is escaped in the card, and holds no secret."""
    trial.bench.secrets.add("PW", "open-sesame")
    trial.open("<div id=x><button>a\u202e<\u2028b> open-sesame</button></div>")
    trial("expect #x aria")
    (path,) = files(trial)
    assert (trial.bench.folder / path).read_text() == '- button "a\\u202e< b> •••••"\n'


def test_without_a_baseline_in_ci(trial: Trial) -> None:
    """Where nobody looks, a missing baseline fails and is not written; --update-baselines writes it."""
    trial.open(CARD)
    trial.bench.environ = {"CI": "true"}
    trial.fails("expect #card aria", "ExpectationFailed", "no baseline", "--update-baselines", status="failed")
    trial.fails("expect #card picture card", "ExpectationFailed", "no baseline", status="failed")
    assert files(trial) == []
    trial.bench.settings.update_baselines = True
    trial("expect #card aria")
    trial("expect #card picture card")
    trial.bench.settings.update_baselines = False
    assert len(files(trial)) == 2
    trial("expect #card aria")
    trial("expect #card picture card")
    trial.bench.settings.update_baselines = True
    trial("evaluate card.remove()")
    trial("expect body aria '#card'")
    assert "baseline" in trial.last.note


# ---- pictures -----------------------------------------------------------------------------------
def test_a_picture_is_written_compared_and_accepted(trial: Trial) -> None:
    """The file says browser, system and viewport; a difference shows three pictures and the command that accepts."""
    trial.bench.show = trial.shown.append
    trial.open(CARD)
    trial("expect #card picture cart")
    (name,) = files(trial)
    assert name.startswith("__snapshots__/interactive/cart-chrom") and name.endswith("-1280x800.png")
    trial("expect #card picture cart")
    trial("evaluate p.style.background = '#c00'")
    again = "expect #card picture cart --timeout 0.3"
    trial.fails(again, "ExpectationFailed", "pixels differ", status="failed")
    assert "jbts accept cart" in trial.card().text and "jbts accept cart" in trial.card().plain
    assert {a.role for a in trial.last.artifacts} >= {"expected", "actual", "diff", "failure"}
    diff = Image.open(io.BytesIO(trial.artifact("diff"))).convert("RGB")
    assert diff.size == (300, 260)
    assert (220, 30, 40) in {colour for _, colour in diff.getcolors(99999) or []}
    assert [n for n, _ in trial.last.pictures] == ["expected", "actual", "diff"]
    assert len(trial.card().pictures) == 4
    trial.card().assert_harmless()
    trial("expect #card picture cart --timeout 0.3 --tolerance 0.9")
    trial("evaluate p.style.background = '#0c0'")
    trial.fails(again, "ExpectationFailed", status="failed")
    result = CliRunner().invoke(commands, ["accept", "cart"], env={"JBTS_HOME": str(trial.bench.home)})
    assert result.exit_code == 0 and "accepted cart" in result.output
    trial("expect #card picture cart")
    trial("evaluate card.style.height = '280px'")
    trial.fails(again, "ExpectationFailed", "it is 300x280, the baseline 300x260", status="failed")


def test_masks_and_secrets_in_pictures(trial: Trial) -> None:
    """What is masked may change, and neither it nor a secret is in any picture that is kept."""
    trial.bench.secrets.add("PW", "SAVE10")
    trial.open(CARD)
    trial("expect #card picture cart --mask #p")
    trial("evaluate p.textContent = 'quite another text'; p.style.color = 'red'")
    trial("expect #card picture cart --mask #p")
    picture = Image.open(trial.bench.folder / files(trial)[0]).convert("RGB")
    f, p = trial.js("[f, p].map((e) => e.getBoundingClientRect().y - card.getBoundingClientRect().y)")
    assert picture.getpixel((20, round(p) + 8)) == picture.getpixel((20, round(f) + 8)) == (60, 60, 67)


def test_the_page_holds_still(trial: Trial) -> None:
    """No caret, and animations at a fixed place, so pictures are the same; afterwards the page goes on."""
    trial.open(
        "<meta http-equiv=Content-Security-Policy content=\"style-src 'unsafe-inline'\"><style>"
        "@keyframes t { to { transform: translateX(200px) } } #a { animation: t 700ms infinite linear }"
        "#b { animation: t 60s } div { width: 40px; height: 40px; background: #00c }</style>"
        "<div id=a></div><div id=b></div><input id=i value=text>"
    )
    trial("focus #i")
    trial("expect picture whole")
    for _ in range(2):
        trial("expect picture whole --timeout 3")
    assert trial.js("document.adoptedStyleSheets.length") == 0
    assert trial.js("a.getAnimations()[0].playState + a.getAnimations()[0].id") == "running"


def test_it_waits_until_the_picture_fits(trial: Trial) -> None:
    """A picture that is not right yet is taken again."""
    trial.open(CARD)
    trial("expect #card picture cart")
    trial("evaluate card.style.opacity = 0.3; setTimeout(() => (card.style.opacity = ''), 400); 0")
    trial("expect #card picture cart")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("expect #x picture", "needs a name"),
        ("expect picture", "needs a name"),
        ("expect #x not picture a", "would pass with every change"),
        ("expect #x aria a b", "one word too many"),
        ("expect #x picture a --tolerance 1", "share of pixels"),
    ],
)
def test_what_makes_no_sense(reader: Trial, line: str, words: str) -> None:
    """A snapshot that could not fail, or has no name, is refused."""
    reader.open("<p id=x>x</p>")
    reader.refuses(line, words)


def test_a_broken_baseline(trial: Trial) -> None:
    """A baseline that is no picture says which file it is."""
    (trial.bench.folder / "bad.png").write_text("hello")
    trial.open(CARD)
    trial.fails("expect #card picture ./bad.png", "StepProblem", "bad.png is no picture")


# ---- without a browser ----------------------------------------------------------------------------
def drawn(*marks: tuple[float, float, float, float], smooth: int = 4) -> bytes:
    """A white picture with black ellipses, their edges smoothed."""
    image = Image.new("L", (80 * smooth, 60 * smooth), 255)
    for mark in marks:
        ImageDraw.Draw(image).ellipse([v * smooth for v in mark], fill=0)
    buffer = io.BytesIO()
    image.resize((80, 60), Image.Resampling.BOX).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def test_smoothed_edges_are_no_difference() -> None:
    """The same shape drawn with harder edges is the same; one moved by two pixels, or one more, is not."""
    one = drawn((10, 10, 40, 40))
    assert comparison.compare(one, one).diff is None
    assert comparison.compare(one, drawn((10, 10, 40, 40), smooth=2)).differing == 0
    moved = comparison.compare(one, drawn((12, 10, 42, 40)))
    assert moved.differing > 40 and not moved.within(0.0) and moved.within(0.5)
    assert comparison.compare(one, drawn((10, 10, 40, 40), (50, 20, 56, 26))).differing > 8


def test_accepting_what_is_not_there(tmp_path: Path) -> None:
    """An unknown name lists near ones, a lost file says so, and nothing waiting is no error."""
    assert baselines.accept(tmp_path) == []
    with pytest.raises(UsageProblem, match="none does"):
        baselines.accept(tmp_path, "cart")
    baselines.differs(tmp_path, "cart", tmp_path / "a.png", tmp_path / "gone.png")
    with pytest.raises(UsageProblem, match="did you mean cart"):
        baselines.accept(tmp_path, "card")
    with pytest.raises(UsageProblem, match="is gone"):
        baselines.accept(tmp_path, "c*")
    baselines.agrees(tmp_path, tmp_path / "a.png")
    assert baselines.pending(tmp_path) == []
