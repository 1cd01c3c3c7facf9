"""%query, %results and %dashboard: data frames that show themselves, charts, and nothing of a page as markup."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pandas
import pyarrow
import pytest
from PIL import Image

from jbts_kernel import answers, charts, display
from jbts_kernel.browser.capture import store
from jbts_kernel.config import JBTS
from jbts_kernel.errors import UsageProblem
from jbts_kernel.frames import PAGE, Answer
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.pager import Pager
from jbts_kernel.workbench import Workbench

NOON = 1_790_000_000.0
DAY = 86_400.0
HOSTILE = "<img src=x onerror=alert(1)>"
VIEWS = ("latest", "failures", "flaky", "slowest", "usage")


class Sitting:
    """A workbench with what it showed."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.shown: list[dict[str, Any]] = []
        self.bench = Workbench(JBTS(environ={}), home=home, environ=environ)
        self.bench.emit_bundle = lambda bundle: self.shown.append(dict(bundle))

    def __call__(self, line: str, body: str | None = None) -> Any:
        return self.bench.line(line, body)

    @property
    def html(self) -> str:
        return "".join(bundle["text/html"] for bundle in self.shown)


Sit = Callable[..., Sitting]


@pytest.fixture
def sit(home: Path) -> Iterator[Sit]:
    """Begins sittings in one project and ends them."""
    begun: list[Sitting] = []

    def begin(**environ: str) -> Sitting:
        begun.append(Sitting(home, **environ))
        return begun[-1]

    yield begin
    for sitting in begun:
        sitting.bench.close()


@pytest.fixture
def recorded(home: Path) -> Path:
    """Three days of two tests, one of which changes its mind, with hostile names and an AI call a day."""
    log = Log(home)
    for day in range(3):
        for test, status in ((HOSTILE, "passed" if day % 2 else "failed"), ("Cart", "passed")):
            ts, execution = NOON + day * DAY, f"e{day}{test[:1]}"
            about = {
                "test_name": test,
                "history_id": f"h-{test}",
                "attempt": 1,
                "started_at": ts,
                "duration_ms": 1500.0,
            }
            step = {"verb": "click", "name": test, "locator": "#go", "status": status, "duration_ms": 10.0 + day}
            error = (
                {"error_type": "E", "error_message": HOSTILE, "error_fingerprint": "f"} if status == "failed" else {}
            )
            call = {"analysis_id": execution, "provider": "openai", "model": "m", "status": "ok", "input_tokens": 5}
            log.emit(
                Event(
                    "step.finished", {**step, **error, "started_at": ts}, f"r{day}", execution, f"s{execution}", ts=ts
                ),
                Event("analysis", call, f"r{day}", execution, f"s{execution}", ts=ts),
                Event("execution.finished", {**about, **error, "status": status}, f"r{day}", execution, ts=ts),
            )
    log.close()
    return home


def png(bundle: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))


# ---- %query --------------------------------------------------------------------------------------


def test_an_answer_is_a_data_frame(sit: Sit, recorded: Path) -> None:
    """name = %query ... is a pandas data frame, and what is made from it a plain one."""
    found = sit()("query select step_id, duration_ms from steps order by duration_ms, step_id")
    assert isinstance(found, pandas.DataFrame)
    assert list(found.columns) == ["step_id", "duration_ms"] and len(found) == 6
    assert found["duration_ms"].sum() == 66.0
    assert type(found.head(2)) is pandas.DataFrame
    assert type(found[found.duration_ms > 10]) is pandas.DataFrame


def test_an_answer_can_be_an_arrow_table(sit: Sit, recorded: Path) -> None:
    """--arrow gives an Arrow table, and --limit bounds it too."""
    bench = sit()
    assert isinstance(found := bench("query from steps --arrow"), pyarrow.Table)
    assert found.num_rows == 6
    assert bench("query --arrow --limit 2 from steps").num_rows == 2


def test_an_answer_shows_its_first_page_as_plain_html(sit: Sit, recorded: Path) -> None:
    """No script, cells escaped, days as days, and how many rows there are."""
    bundle = sit()("query select i, date '2026-01-02' as day from range(120) t(i)")._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == PAGE + 1
    assert "<script" not in bundle["text/html"] and "2026-01-02<" in bundle["text/html"]
    assert "the first 50 of 120 rows" in bundle["text/html"] and "the first 50 of 120 rows" in bundle["text/plain"]
    hostile = sit()("query select test_name from executions")._repr_mimebundle_()["text/html"]
    assert "<img" not in hostile and "&lt;img" in hostile


def test_an_answer_is_bounded_and_says_so(sit: Sit, recorded: Path) -> None:
    """--limit takes so many rows, and the page says that there are more."""
    found = sit()("query from steps --limit 2")
    assert len(found) == 2 and "--limit N takes more" in found._repr_mimebundle_()["text/html"]
    assert "--limit" not in sit()("query from steps --limit 6")._repr_mimebundle_()["text/html"]
    with pytest.raises(UsageProblem, match="from 1 on"):
        sit()("query from steps --limit 0")


def test_an_empty_answer_says_so(sit: Sit, home: Path) -> None:
    """A project without results has answers without rows, columns and all."""
    found = sit()("query from steps")
    assert len(found) == 0 and "step_id" in found.columns
    assert found._repr_mimebundle_()["text/plain"] == "no rows"


def test_values_of_the_notebook_are_bound(sit: Sit, recorded: Path) -> None:
    """${name} is a value, whatever it holds, in data frames and Arrow tables."""
    bench = sit()
    bench.bench.namespace["name"] = "' or true --"
    assert len(bench("query", "select * from steps where name = ${name}")) == 0
    bench.bench.namespace["name"] = HOSTILE
    assert len(bench("query", "select * from steps where name = ${name}")) == 3
    assert bench("query --arrow", "select * from steps where name = ${name}").num_rows == 3


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("select ${n} + 1", [[3]]),
        ("from range(9) limit ${n}", [[0], [1]]),
        ("select * from (values ('a'), ('b')) as t(x) where x in ${names}", [["a"]]),
        ("select ${none} is null, ${rate} / 2, ${found['count']}", [[True, 0.25, 7]]),
        ("select '${who}', 'it''s ${who}: 100%' -- ${nobody}", [["o'brien", "it's o'brien: 100%"]]),
        ('select /* ${nobody} */ $$\'${who}$$, \'$${n}\', "${n}" from (select 1 as "${n}")', [["'${who}", "${n}", 1]]),
        ("select count(*) from steps where name like '%${hostile}%'", [[3]]),
    ],
)
def test_values_keep_their_kind(sit: Sit, recorded: Path, question: str, found: list[list[Any]]) -> None:
    """A number is a number and a list a list; inside a quoted text a value is part of that text, and nothing else."""
    bench = sit()
    bench.bench.namespace.update(
        n=numpy.int64(2), names=("a", "c"), none=None, rate=Decimal("0.5"), found={"count": 7}, who="o'brien",
        hostile=HOSTILE,
    )  # fmt: skip
    assert bench("query", question).values.tolist() == found


def test_without_pandas_rows_are_shown(sit: Sit, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pandas is missing the answer is a plain table, and a chart says what to install."""
    monkeypatch.setattr(answers.importlib.util, "find_spec", lambda name: None)
    bench = sit()
    found = bench("query select count(*) as n from steps")
    assert (found.columns, found.rows) == (("n",), [(6,)])
    with pytest.raises(UsageProblem, match=r"pip install 'jbts-kernel\[analyst\]'"):
        bench("query from steps --chart bar name duration_ms")


def test_a_million_rows_are_one_page(sit: Sit, home: Path) -> None:
    """A large answer is kept whole and shown as a page; sorting it live shows the right page."""
    found = sit()("query select i, i % 7 as m from range(1_000_000) t(i)")
    assert len(found) == 1_000_000
    assert len(found._repr_mimebundle_()["text/html"]) < 60_000
    pager = Pager(found)
    press(pager, "sort", column=0)
    press(pager, "sort", column=0)
    assert pager.rows()[0] == [999_999, 0]
    press(pager, "turn", page=19_999)
    assert pager.rows()[-1][0] == 0
    press(pager, "filter", value="77777")
    assert pager.rows()[0][0] == 977_777


# ---- the pager -----------------------------------------------------------------------------------


@pytest.fixture
def pager() -> Pager:
    """A table of 120 rows, with an empty value, words and mixed kinds."""
    frame = pandas.DataFrame(
        {
            "n": [None if i == 60 else i for i in range(120)],
            "word": [f"w{i % 10}" for i in range(120)],
            "mixed": [i if i % 2 else str(i) for i in range(120)],
        }
    )
    return Pager(Answer(frame))


def press(pager: Pager, do: str, **data: object) -> None:
    """What the front end sends when somebody presses a control."""
    pager._hear(None, {"do": do, **{name: str(value) for name, value in data.items()}}, [])


def firsts(pager: Pager) -> list[Any]:
    return [row[0] for row in pager.rows()]


def test_pages_are_turned_and_bounded(pager: Pager) -> None:
    """Each page is its rows; a page that is none is the nearest there is."""
    assert (len(pager.rows()), firsts(pager)[0], pager.last) == (50, 0, 2)
    press(pager, "turn", page=2)
    assert (len(pager.rows()), firsts(pager)[0]) == (20, 100)
    for asked, first in ((99, 100), (-5, 0), ("1e9", 0), ("9" * 5000, 100)):
        press(pager, "turn", page=asked)
        assert firsts(pager)[0] == first


def test_columns_are_sorted_both_ways(pager: Pager) -> None:
    """A press sorts up, then down, then as it came. Empty values come last either way, equal ones keep their order,
    mixed ones sort as text; a column that is none is the last."""
    press(pager, "sort", column=0)
    assert firsts(pager)[0] == 0
    press(pager, "sort", column=0)
    assert firsts(pager)[0] == 119 and 'aria-sort="descending"' in pager.body()
    press(pager, "turn", page=2)
    assert firsts(pager)[-1] is None
    press(pager, "sort", column=0)
    assert firsts(pager)[:2] == [0, 1] and "descending" not in pager.body()
    press(pager, "sort", column=1)
    assert firsts(pager)[:3] == [0, 10, 20]
    press(pager, "sort", column=99)
    assert pager.rows()[0][2] == "0"


def test_rows_are_filtered(pager: Pager) -> None:
    """A text anywhere in a row, whatever its case, as itself and not as a pattern; it says how many there are."""
    press(pager, "filter", value=" W7 ")
    assert firsts(pager) == list(range(7, 120, 10)) and "12 of 120 rows" in pager.body()
    press(pager, "filter", value="w.")
    assert pager.rows() == [] and "no row holds that" in pager.body()
    press(pager, "filter", value="")
    assert len(pager.rows()) == 50


def test_columns_of_one_name_are_shown_unsorted() -> None:
    """A join's two columns of one name are no error."""
    pager = Pager(Answer(pandas.DataFrame([[2, 1], [1, 2]], columns=["a", "a"])))
    press(pager, "sort", column=0)
    assert pager.rows() == [[2, 1], [1, 2]]


def test_what_is_no_control_does_nothing(pager: Pager) -> None:
    """A front end's word is a name from our list, not of any method."""
    before = pager.body()
    for said in ({"do": "close"}, {"do": "_order"}, {"do": None}, {}, "turn", {"do": "turn", "page": {"x": 1}}):
        pager._hear(None, said, [])
    assert pager.body() == before


# ---- charts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "query --chart bar test_name n select test_name, count(*) as n from executions group by 1",
        "query select cast(started_at as date) as day, count(*) as n from executions group by 1 --chart bar day n",
        "query select day, pass_rate from pass_rate_daily order by day --chart line day pass_rate",
        "query --chart heat day test_name select cast(started_at as date) as day, test_name, 1.5 as r from executions",
        "query --chart heat verb status select verb, status from steps",
        "query --chart bar 'a.b[0]:c' n select 'x' as \"a.b[0]:c\", 3 as n",
        "query --chart line a b select 1 as a, 2 as b where false",
        "query --chart bar tags n select ['a', null] as tags, 1.5::decimal(4,1) as n",
    ],
)
def test_charts_are_pictures(sit: Sit, recorded: Path, line: str) -> None:
    """Whatever the columns hold, there is a picture with words for who cannot see it, and the answer besides."""
    bench = sit()
    found = bench(line)
    assert isinstance(found, pandas.DataFrame)
    (bundle,) = bench.shown
    assert png(bundle).width > 100
    assert "<script" not in bundle["text/html"] and " chart of " in bundle["text/plain"]
    assert 'alt="' in bundle["text/html"] and len(bundle["image/png"]) < 200_000


def test_words_on_a_chart_can_be_read(sit: Sit) -> None:
    """What is written on a picture has a contrast of 4.5 to 1 on white, and brightened on every dark ground."""

    def light(colour: str, factor: float = 1.0) -> float:
        parts = [min(255.0, int(colour[i : i + 2], 16) * factor) / 255 for i in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    (factor,) = re.findall(r"--jbts-lift: brightness\(([\d.]+)\)", display.STYLE)
    page = (Path(display.__file__).parent / "nbconvert" / "page.css").read_text()
    assert f"--jbts-lift:brightness({factor})" in page
    assert 1.05 / (light(charts.INK) + 0.05) >= 4.5
    for ground in ("#111111", "#212121", "#1a2029"):  # JupyterLab's two, and the page of an executed notebook
        assert (light(charts.INK, float(factor)) + 0.05) / (light(ground) + 0.05) >= 4.5
    bench = sit()
    bench("query --chart bar i n select 'a' as i, 3 as n")
    assert '<img class="jbts-chart"' in bench.shown[0]["text/html"]
    pixels = png(bench.shown[0]).convert("RGBA").get_flattened_data()
    darkest = min(sum(pixel[:3]) for pixel in pixels if pixel[3] > 250)
    assert abs(darkest - sum(int(charts.INK[i : i + 2], 16) for i in (1, 3, 5))) < 24


def test_a_chart_of_a_column_draws_something(sit: Sit, home: Path) -> None:
    """The picture is not blank: a bar three times as long has more of its colour."""

    def coloured(n: int) -> int:
        bench = sit()
        bench(f"query --chart bar i n select 'a' as i, {n} as n union all select 'b', 30")
        pixels = png(bench.shown[0]).convert("RGBA").convert("RGB").get_flattened_data()
        return sum(1 for pixel in pixels if pixel == (76, 143, 214) or abs(pixel[2] - 214) + abs(pixel[0] - 76) < 12)

    assert coloured(30) > coloured(3) > 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("query --chart pie verb n select verb, 1 as n from steps", "no chart 'pie'; use bar, line, heat"),
        ("query --chart bar vreb n select verb, 1 as n from steps", "no column 'vreb'.*did you mean verb"),
        ("query from steps --chart bar verb", "three words"),
        ("query --chart=bar from steps", "three words"),
    ],
)
def test_a_chart_that_cannot_be_drawn_says_why(sit: Sit, recorded: Path, line: str, words: str) -> None:
    """An unknown kind or column is named with what is near; missing words with the usage."""
    with pytest.raises(UsageProblem, match=words):
        sit()(line)


# ---- %results, %dashboard ------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_results_are_a_chart_and_a_table(sit: Sit, recorded: Path, view: str) -> None:
    """Each usual question has a picture under the cell and a table as its value; hostile names are text."""
    bench = sit()
    table = bench(f"results {view}")
    assert len(table) > 0 and len(bench.shown) == 1
    assert png(bench.shown[0]).height > 40
    assert "<img src=x" not in bench.html + table._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("view", VIEWS)
def test_results_of_nothing_draw_nothing(sit: Sit, home: Path, view: str) -> None:
    """Without results there is one sentence and no chart."""
    bench = sit()
    assert len(bench(f"results {view}")) == 0 and bench.shown == []


def test_failures_show_their_pictures(sit: Sit, recorded: Path) -> None:
    """A small picture stands where the hash would, in the notebook and not in plain text; without a single picture
    there is no such column, and a hash that is none is no way to another file."""
    bench = sit()
    table = bench("results failures")
    assert "screenshot" in table.columns and "screenshot" not in table._repr_mimebundle_()["text/html"]
    buffer = io.BytesIO()
    Image.new("RGB", (1280, 800), "teal").save(buffer, "PNG")
    kept = store(recorded, buffer.getvalue(), "failure", "image/png")
    log = Log(recorded)
    for number, digest in enumerate((kept.artifact, "b" * 64, "../../secret")):
        failed = {"status": "failed", "error_type": "E", "screenshot": digest}
        log.emit(Event("step.finished", failed, "r", f"p{number}", f"p{number}"),
                 Event("execution.finished", failed, "r", f"p{number}"))  # fmt: skip
    log.close()
    shown = bench("results failures")._repr_mimebundle_()
    assert shown["text/html"].count("data:image/webp;base64,") == 1 and "<th>screenshot</th>" in shown["text/html"]
    assert kept.artifact not in shown["text/html"] and "secret" not in shown["text/html"]
    assert "screenshot" not in shown["text/plain"]


def test_the_dashboard_works_empty(sit: Sit, home: Path) -> None:
    """A new project's dashboard says that there is nothing yet."""
    bench = sit()
    bench("dashboard")
    assert bench.html.count("no results yet") == 3 and "nothing failed" in bench.html


def test_the_dashboard_shows_tests_by_day(sit: Sit, recorded: Path) -> None:
    """The worst test is first, each field says what passed, the trend is a line, and names are text."""
    bench = sit()
    bench("dashboard")
    html = bench.html
    assert html.index("&lt;img src=x") < html.index(">Cart<")
    assert html.count("1 of 1 passed") >= 4 and html.count("0 of 1 passed") == 2
    assert "<polyline" in html and "<img" not in html and "<script" not in html
    assert "2 of 2" in html and "1 of 2" in html
    bench.shown.clear()
    bench("dashboard --days 1")
    assert bench.html.count('<div class="jbts-bar">') == 1
    with pytest.raises(UsageProblem, match="1 to 92"):
        bench("dashboard --days 0")


def test_one_execution_is_enough(sit: Sit, home: Path) -> None:
    """With a single row every view, chart and the dashboard have something to show."""
    log = Log(home)
    about = {"test_name": "Only", "history_id": "h", "status": "failed", "started_at": NOON, "duration_ms": 5.0}
    log.emit(Event("execution.finished", about, "r", "e", ts=NOON))
    log.close()
    bench = sit()
    bench("dashboard")
    assert "Only" in bench.html and "<circle" in bench.html
    for view in ("latest", "failures"):
        assert len(bench(f"results {view}")) == 1


def test_lost_events_are_told_with_the_next_step(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be recorded is said once, with its reason, and in %jbts as long as the kernel lives."""
    bench = Workbench(JBTS(environ={}), home=home, environ={})
    bench.log.dropped, bench.log.last_error = 3, "No space left on device"
    assert bench._newly_lost() == "3 events of this test could not be recorded: No space left on device"
    assert bench._newly_lost() == ""
    assert ("log", "3 events lost", "No space left on device") in bench.health()
    bench.close()
