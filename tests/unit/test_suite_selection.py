"""Which notebooks a run is made of, and what their results mean."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from jbts_kernel.errors import UsageProblem
from jbts_kernel.suite.junit import Recorded, write_junit
from jbts_kernel.suite.outcome import Attempt, CaseResult, SuiteResult
from jbts_kernel.suite.parametrize import parameter_value
from jbts_kernel.suite.selection import Case, check_parameters, collect, missing_parameters, parse_shard, tag_filter
from jbts_kernel.suite.verdict import Verdict


def put(path: Path, **about: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [], "metadata": {"jbts": about}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.parametrize(
    ("expression", "labels", "wanted"),
    [
        ("smoke", "smoke", True),
        ("smoke and not slow", "smoke slow", False),
        ("smoke and not slow", "smoke", True),
        ("a or b and c", "a", True),
        ("(a or b) and c", "a", False),
        ("not (a or b)", "c", True),
        ("very-slow or api/v2", "api/v2", True),
        ("and-then", "and-then", True),
        ("", "anything", True),
    ],
)
def test_tag_expressions(expression: str, labels: str, wanted: bool) -> None:
    """and, or, not and parentheses bind as everywhere; a tag may hold any other character."""
    assert tag_filter(expression)(labels.split()) is wanted


@pytest.mark.parametrize("expression", ["and", "a b", "a and", "(a", "not", "a or )"])
def test_bad_tag_expressions_say_so(expression: str) -> None:
    """An expression that cannot be understood is a usage problem, not an empty selection."""
    with pytest.raises(UsageProblem, match="--tags"):
        tag_filter(expression)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_bad_shards_say_so(text: str) -> None:
    """A shard is i/n with i from 1 to n."""
    with pytest.raises(UsageProblem, match="--shard"):
        parse_shard(text)


def test_folders_are_searched_but_not_hidden_ones(tmp_path: Path) -> None:
    """Checkpoints, hidden folders, the data folder and notebooks that opt out are not collected."""
    home = tmp_path / "data"
    for name in ("b.ipynb", "a.ipynb", "deep/er/c.ipynb", ".ipynb_checkpoints/a.ipynb", ".x/d.ipynb", "data/e.ipynb"):
        put(tmp_path / name)
    out = put(tmp_path / "out.ipynb", suite=False)
    names = [case.notebook for case in collect(["."], folder=tmp_path, home=home)]
    assert names == ["a.ipynb", "b.ipynb", "deep/er/c.ipynb"]
    assert [case.path for case in collect([out], folder=tmp_path)] == [out]


def test_what_cannot_be_read_is_collected_whatever_the_tags(tmp_path: Path) -> None:
    """A broken file must be reported, not silently left out."""
    (tmp_path / "broken.ipynb").write_text("{")
    put(tmp_path / "other.ipynb", tags=["slow"])
    assert [case.notebook for case in collect(["."], folder=tmp_path, tags="smoke")] == ["broken.ipynb"]


def test_tags_are_those_of_the_notebook_its_tests_and_its_cells(tmp_path: Path) -> None:
    """--tags wants what pytest's -m does, wherever the tag stands; a tag that says how a cell is run is none."""
    cells = [
        {"cell_type": "code", "source": "%test Buy --tags smoke,cart", "metadata": {"tags": ["teardown"]}},
        {"cell_type": "code", "source": "1", "metadata": {"tags": ["fast"]}},
    ]
    for name, metadata in (
        ("a", {"jbts": {"tags": ["mine"]}}),
        ("b", {"tags": ["mine"]}),
        ("c", {"tags": "mine, own"}),
    ):
        written = {"cells": cells if name == "a" else [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(written))

    def found(tags: str) -> list[str]:
        return [case.notebook for case in collect(["."], folder=tmp_path, tags=tags)]

    assert found("mine") == ["a.ipynb", "b.ipynb", "c.ipynb"]
    assert found("smoke and cart and fast") == found("mine and not own and smoke") == ["a.ipynb"]
    assert (found("own"), found("teardown")) == (["c.ipynb"], [])
    assert collect(["c.ipynb"], folder=tmp_path)[0].tags == ("mine", "own")


def test_shards_share_a_suite_without_overlap(tmp_path: Path) -> None:
    """Each notebook is in exactly one part."""
    for number in range(7):
        put(tmp_path / f"n{number}.ipynb")
    parts = [[c.name for c in collect(["."], folder=tmp_path, shard=f"{i}/3")] for i in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == [f"n{number}.ipynb" for number in range(7)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_every_case_has_a_file_name_of_its_own(tmp_path: Path) -> None:
    """Same names in two folders, browsers and odd characters do not collide."""
    for name in ("a/x.ipynb", "b/x.ipynb", "a-x.ipynb", "ü {1}.ipynb"):
        put(tmp_path / name)
    cases = collect(["."], folder=tmp_path, browsers=("chrome", "firefox"))
    assert len(cases) == 8
    assert len({case.slug.lower() for case in cases}) == 8
    assert not any(set("/{} ") & set(case.slug) for case in cases)


def test_a_path_that_is_no_notebook_says_so(tmp_path: Path) -> None:
    """Missing paths and other files are usage problems."""
    with pytest.raises(UsageProblem, match="does not exist"):
        collect(["nowhere.ipynb"], folder=tmp_path)
    (tmp_path / "a.py").touch()
    with pytest.raises(UsageProblem, match="no notebook"):
        collect(["a.py"], folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-2.5", -2.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("None", None),
        ("no", "no"),
        ("", ""),
        ("http://127.0.0.1:80/?a=b", "http://127.0.0.1:80/?a=b"),
        ('["a", 1]', ["a", 1]),
        ("[a", "[a"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_parameters_are_read_as_they_look(text: str, value: object) -> None:
    """Numbers, truth values and JSON are what they look like, everything else is text."""
    found = parameter_value(text)
    assert found == value
    assert type(found) is type(value)


def result(*verdicts: Verdict, repeated: bool = False, name: str = "shop/login.ipynb") -> CaseResult:
    case = Case(Path("/x") / name, name, "login", tags=("smoke",))
    return CaseResult(case, tuple(Attempt(i, v, 0.0, 10.0) for i, v in enumerate(verdicts, 1)), repeated)


def suite(*results: CaseResult, interrupted: bool = False) -> SuiteResult:
    return SuiteResult("run", Path("/home"), results, 0.0, 20.0, interrupted=interrupted)


FAILED, ERROR = Verdict("failed", "no", 1, "AssertionError"), Verdict("error", "no kernel", infrastructure=True)


def test_passed_on_retry_is_flaky_but_a_repetition_is_not() -> None:
    """Flaky is a status of its own and tells why the first attempt failed."""
    flaky = result(FAILED, Verdict("passed"))
    assert (flaky.status, flaky.verdict.message) == ("flaky", "no")
    assert result(Verdict("passed"), Verdict("passed"), repeated=True).status == "passed"
    assert result().status == "not_run"


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((result(Verdict("passed")),), 0),
        ((result(FAILED, Verdict("passed")),), 0),
        ((result(FAILED),), 1),
        ((result(ERROR), result(Verdict("passed"))), 3),
        ((result(ERROR), result(FAILED)), 1),
        ((result(Verdict("skipped")),), 2),
    ],
)
def test_exit_codes(results: tuple[CaseResult, ...], code: int) -> None:
    """0 all passed, 1 failures, 2 nothing ran, 3 only infrastructure, 130 interrupted."""
    assert suite(*results).exit_code == code
    assert suite(*results, interrupted=True).exit_code == 130


def test_junit_is_read_back_whatever_a_page_said(tmp_path: Path) -> None:
    """Counts agree with the cases, and control characters and markup in messages cannot break the file."""
    evil = Verdict("failed", "title was '</failure>\x00\x1b[31m\ufffe& <b>'", 2, "ExpectationFailed")
    cases = (
        result(evil),
        result(FAILED, Verdict("passed")),
        result(),
        result(ERROR),
        result(Verdict("skipped", "left out")),
    )
    path = write_junit(suite(*cases), tmp_path / "deep" / "junit.xml")
    root = ElementTree.parse(path).getroot()
    found = root.find("testsuite")
    assert found is not None
    assert [found.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "1", "2"]
    tests = found.findall("testcase")
    assert [tests[0].get("classname"), tests[0].get("name")] == ["shop", "login"]
    failure = tests[0].find("failure")
    assert failure is not None
    assert "</failure>" in str(failure.get("message"))
    flaky = {p.get("name"): p.get("value") for p in tests[1].iter("property")}
    assert flaky["status"] == "flaky"
    assert flaky["attempts"] == "2"
    assert tests[1].find("failure") is None


def test_a_parameter_nobody_uses(tmp_path: Path) -> None:
    """A misspelt name is refused with the one that was meant; base_url is always known, and so is any name a cell
    speaks of."""
    path = put(tmp_path / "login.ipynb")
    sources = [(["parameters"], "user = 'ada'\nhow_many: int = 3\n"), ([], "page.click(selector)")]
    cells = [{"cell_type": "code", "source": text, "metadata": {"tags": tags}} for tags, text in sources]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    (tmp_path / "broken.ipynb").write_text("{")
    cases = collect([tmp_path], folder=tmp_path)
    check_parameters(cases, ["base_url", "user", "how_many", "selector"])
    with pytest.raises(UsageProblem, match="uses the parameter base_ulr; did you mean base_url"):
        check_parameters(cases, ["base_ulr"])
    with pytest.raises(UsageProblem, match="they take base_url, how_many, user"):
        check_parameters(cases, ["colour"])


def test_junit_names_each_test_of_a_notebook(tmp_path: Path) -> None:
    """A notebook with several tests is a class of them: passed, failed with steps and picture, passed on retry,
    and the one that was not reached; a failure beside its tests is the notebook's own."""
    path = tmp_path / "shop.ipynb"
    lines = [f"%test {name} --tags a\n" for name in ("Search", "Buy", "Pay")]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": lines}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    case = Case(path=path, notebook="suite/shop.ipynb", slug="shop")
    picture = Path.cwd() / "a.png"
    known = {
        "1": Recorded("Search", "failed", "no", "E", 5),
        "2": Recorded("Search", "passed", duration_ms=1500, lines=("passed   navigate / (3 ms)",)),
        "3": Recorded(
            "Buy",
            "failed",
            "sold out",
            "ExpectationFailed",
            20,
            ("failed   click (1 ms)",),
            (picture,),
            (("tag", "till"),),
        ),
    }
    attempts = [
        Attempt(n, Verdict("failed", "sold out", 3, "ExpectationFailed"), 0.0, 1.0, executions=e)
        for n, e in ((1, ("1",)), (2, ("2", "3")))
    ]
    made = write_junit(suite(CaseResult(case, tuple(attempts))), tmp_path / "j.xml", known)
    root = ElementTree.parse(made).getroot()
    assert [root.get(n) for n in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    found = {c.get("name"): c for c in root.iter("testcase")}
    assert {c.get("classname") for c in found.values()} == {"suite.shop"}
    assert found["Search"].find("properties/property[@name='flaky']") is not None
    assert found["Search"].get("time") == "1.500"
    assert found["Buy"].find("failure").get("message") == "sold out"  # type: ignore[union-attr]
    assert found["Buy"].findtext("system-out") == "failed   click (1 ms)\n[[ATTACHMENT|a.png]]"
    assert found["Pay"].find("skipped") is not None
    own = {
        n: [p.get("value") for p in c.iterfind("properties/property[@name='execution_id']")] for n, c in found.items()
    }
    assert own == {"Search": ["1", "2"], "Buy": ["3"], "Pay": []}
    assert [p.get("value") for p in found["Buy"].iterfind("properties/property[@name='tag']")] == ["till"]
    assert [p.get("value") for p in found["Buy"].iterfind("properties/property[@name='step']")] == [
        "failed   click (1 ms)"
    ]
    beside = Attempt(1, Verdict("error", "cannot tidy up", 9, "ValueError"), 0.0, 1.0, executions=("2",))
    made = write_junit(suite(CaseResult(case, (beside,))), tmp_path / "j.xml", known)
    assert {c.get("name"): c.find("error") is not None for c in ElementTree.parse(made).getroot().iter("testcase")} == {
        "Search": False, "Buy": False, "Pay": False, "shop": True,
    }  # fmt: skip


# ---- several sets of values ----------------------------------------------------------------------
def speaking_of(path: Path, *names: str, **about: Any) -> Path:
    """A notebook whose one cell uses these parameters."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": " ".join(names)}
    found = {"cells": [cell], "metadata": {"jbts": about}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(found))
    return path


def variants(folder: Path, **about: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(case.variant, dict(case.parameters)) for case in collect([folder], folder=folder, **about)]


def test_a_notebook_with_several_sets_of_values_is_several_cases(tmp_path: Path) -> None:
    """Lists give every combination, in each browser; a parameter that is given has one value only."""
    speaking_of(tmp_path / "a.ipynb", "user", "n", parametrize={"user": ["ada", "sam"], "n": [1, 2]})
    both = variants(tmp_path, browsers=("chrome",))
    assert [name for name, _ in both] == [f"[chrome-{user}-{n}]" for user in ("ada", "sam") for n in (1, 2)]
    assert both[1][1] == {"user": "ada", "n": 2}
    assert variants(tmp_path, given={"user"}) == [("[1]", {"n": 1}), ("[2]", {"n": 2})]
    assert variants(tmp_path, given={"user", "n"}) == [("", {})]
    slugs = [case.slug for case in collect([tmp_path], folder=tmp_path)]
    assert len(set(slugs)) == 4 and all(slug.startswith("a.") for slug in slugs)


def test_sets_of_values_can_be_told_one_by_one_and_in_suite_toml(tmp_path: Path) -> None:
    """Metadata names sets as they are; suite.toml, where it names the notebook, has the say."""
    speaking_of(tmp_path / "a.ipynb", "user", parametrize=[{"user": "a/b"}, {"user": "a/b"}, {"user": ["x"]}])
    assert [name for name, _ in variants(tmp_path)] == ["[a/b]", '[("x")]']
    (tmp_path / "suite.toml").write_text('[parametrize."a.ipynb"]\nuser = ["eve"]\n')
    assert variants(tmp_path) == [("[eve]", {"user": "eve"})]


@pytest.mark.parametrize("told", ["user", ["ada"], {"user": []}, {"no name": [1]}, {"usr": [1]}])
def test_sets_that_cannot_be_meant_say_so(tmp_path: Path, told: Any) -> None:
    """A parameter the notebook does not use, no value, no name: nothing runs, and the message names it."""
    speaking_of(tmp_path / "a.ipynb", "user", parametrize=told)
    with pytest.raises(UsageProblem, match=r"parametrize|the parameter usr"):
        collect([tmp_path], folder=tmp_path)


@pytest.fixture
def threads_that_meet() -> Iterator[None]:
    """Whoever allocates much gives way to the other threads, wherever it is."""
    before = gc.get_threshold()

    def give_way(phase: str, info: dict[str, int]) -> None:
        time.sleep(1e-5)

    gc.callbacks.append(give_way)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(give_way)


@pytest.mark.usefixtures("threads_that_meet")
def test_workers_that_read_parameters_at_the_same_time(tmp_path: Path) -> None:
    """Two threads in CPython 3.11's parser make it a SystemError: the workers take turns there."""
    source = "\n".join(f"a{i} = [{i}, ({i}, {{'x': {i}}})]" for i in range(200)) + "\nuser: str\n"
    cell = {"cell_type": "code", "source": source, "metadata": {"tags": ["parameters"]}}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with ThreadPoolExecutor(3) as workers:
        assert list(workers.map(lambda _: missing_parameters(path, ()), range(9))) == [["user"]] * 9
