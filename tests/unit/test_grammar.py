"""Text to steps and back: words, signatures, values, names."""

from __future__ import annotations

import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.errors import UsageProblem
from jbts_kernel.grammar import (
    HelpWanted,
    Signature,
    bind,
    clip,
    common_options,
    interpolate,
    join_nesting,
    nearest,
    nearest_verb,
    parse,
    printable,
    python_signature,
    quote,
    references,
    render,
    tokenize,
)
from jbts_kernel.models import Step
from jbts_kernel.verbs import VERBS

STEPS = {name: signature for name, signature in VERBS.items() if not signature.command}
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
WORD = TEXT.filter(lambda word: word.strip() == word and word != "")


def test_words_of_other_tools() -> None:
    """What another tool calls a verb leads to ours; no such word is a verb, or means two of them."""
    words = [word for signature in VERBS.values() for word in signature.also]
    assert len(words) == len(set(words)) and not set(words) & set(VERBS)
    assert [nearest_verb(word, VERBS) for word in ("goto", "fill", "check", "clik", "qqqqq")] == [
        "navigate", "type", "tick", "click", "",
    ]  # fmt: skip
    with pytest.raises(UsageProblem, match="unknown verb 'goto'; did you mean navigate"):
        parse("goto /", VERBS)


# ---- words --------------------------------------------------------------------------------------
@given(
    st.lists(
        st.text(st.characters(codec="ascii", blacklist_characters="\\'\"", categories=["L", "N", "P"]), min_size=1)
    )
)
def test_plain_words_split_as_a_shell_splits_them(words: list[str]) -> None:
    """Words without quotes are what shlex makes of them, comments left alone."""
    line = "  ".join(words)
    assert [t.value for t in tokenize(line)] == shlex.split(line, comments=False)


@given(st.lists(st.text(max_size=12)))
def test_quoted_words_split_as_a_shell_splits_them(words: list[str]) -> None:
    """What shlex quotes for a shell is read back as the same words."""
    assert [t.value for t in tokenize(shlex.join(words))] == words


@given(st.text(max_size=60))
def test_tokens_know_where_they_stand(line: str) -> None:
    """Any text is split or refused; a token's raw text is what stands between its offsets."""
    try:
        tokens = tokenize(line)
    except UsageProblem:
        assert any(quote_ in line for quote_ in "'\"")
        return
    for token in tokens:
        assert line[token.start : token.end] == token.raw
        assert token.raw
    assert [t.start for t in tokens] == sorted({t.start for t in tokens})


@given(WORD)
def test_quoting_makes_one_word(word: str) -> None:
    """quote() writes a word so that it comes back whole, as a value and as a locator."""
    (token,) = tokenize(quote(word))
    assert token.value == word
    assert token.locator == word


@pytest.mark.parametrize(
    ("line", "locators"),
    [
        ('[name="q"]', ['[name="q"]']),
        ('"#id"', ["#id"]),
        ("'[name=\"q\"]'", ['[name="q"]']),
        ('role=button[name="Sign in"]', ['role=button[name="Sign in"]']),
        ("#form >> text=Go", ["#form >> text=Go"]),
        ('#form >> text="Go on" x', ['#form >> text="Go on"', "x"]),
        ("a >> b >> nth=0", ["a >> b >> nth=0"]),
        ("a >>b", ["a", ">>b"]),
        ('a "b >> c"', ["a", "b >> c"]),
        ("a#b.c:not(.d)", ["a#b.c:not(.d)"]),
        (r"#a\:b", [r"#a\:b"]),
        ("text=it\\'s", ["text=it\\'s"]),
    ],
)
def test_locators_keep_their_quotes(line: str, locators: list[str]) -> None:
    """A locator that does not begin with a quote is taken as written; nesting needs no quotes."""
    assert [t.locator for t in join_nesting(tokenize(line))] == locators


def test_an_open_quote_is_named() -> None:
    """The word with the open quote is what the error is about."""
    with pytest.raises(UsageProblem) as caught:
        tokenize("""click "#go --double""")
    assert caught.value.word == '"#go --double'
    assert "never closed" in caught.value.message


# ---- signatures ---------------------------------------------------------------------------------
def values(parameter: Any) -> st.SearchStrategy[Any]:
    """Values a parameter may have."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    return {
        "flag": st.just(True),
        "number": st.floats(0, 1e6, allow_nan=False).map(float),
        "integer": st.integers(0, 10**6),
        "names": st.lists(st.from_regex(r"\A[\w-]{1,8}\Z"), min_size=1, max_size=3).map(tuple),
    }.get(parameter.kind, WORD)


@st.composite
def arguments(draw: st.DrawFn) -> tuple[Signature, dict[str, Any]]:
    """A verb and arguments it may be given."""
    signature = draw(st.sampled_from([s for s in STEPS.values() if all(p.kind != "rest" for p in s.parameters)]))
    given_: dict[str, Any] = {}
    words_end = False
    for parameter in signature.parameters:
        if parameter.name == signature.body:
            continue
        if parameter.positional and (words_end or (not parameter.required and not draw(st.booleans()))):
            words_end = True
            continue
        if not parameter.positional and not draw(st.booleans()):
            continue
        one = values(parameter)
        if parameter.variadic or parameter.repeated:
            given_[parameter.name] = tuple(draw(st.lists(one, min_size=1, max_size=3)))
        else:
            given_[parameter.name] = draw(one)
    return signature, given_


@given(arguments())
def test_a_rendered_line_parses_to_the_same_step(made: tuple[Signature, dict[str, Any]]) -> None:
    """parse(render(arguments)) == arguments, for every verb and whatever the values hold."""
    signature, given_ = made
    step = parse(render(signature, given_), VERBS)
    defaults = {p.name: p.default for p in signature.parameters}
    wanted = {k: v for k, v in given_.items() if v != defaults[k]}
    got = {k: v for k, v in step.arguments.items() if v not in (defaults[k], ())}
    assert got == {k: v for k, v in wanted.items() if v != ()}
    assert step.verb == signature.verb


@given(arguments())
def test_calls_and_lines_make_the_same_step(made: tuple[Signature, dict[str, Any]]) -> None:
    """page.verb(...) binds to what its own source line parses to."""
    signature, given_ = made
    variadic = next((p.name for p in signature.parameters if p.variadic), None)
    named = dict(given_)
    words = [named.pop(p.name) for p in signature.parameters if p.positional and not p.variadic and p.name in named]
    words += list(named.pop(variadic, ())) if variadic else []
    step = bind(signature, words, named)
    again = parse(step.source, VERBS)
    defaults = {p.name: p.default for p in signature.parameters}
    assert {k: v for k, v in again.arguments.items() if v not in (defaults[k], ())} == {
        k: v for k, v in step.arguments.items() if v not in (defaults[k], ())
    }


ODD = st.one_of(
    st.text(max_size=20), st.integers(), st.floats(), st.none(), st.booleans(), st.binary(max_size=5),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@given(st.sampled_from(sorted(STEPS)), st.text(max_size=60))
def test_any_line_is_a_step_or_refused(verb: str, rest: str) -> None:
    """Whatever stands after a verb, it is understood, asks for help, or is refused in one line."""
    try:
        said = parse(f"{verb} {rest}", VERBS).verb
    except HelpWanted as wanted:
        said = wanted.signature.verb
    except UsageProblem as problem:
        said = f"{verb}: {problem.message}"
    assert said.startswith(verb)
    assert "\n" not in said


@given(st.sampled_from(sorted(STEPS)), st.lists(ODD, max_size=3), st.data())
def test_any_call_is_a_step_or_refused(verb: str, words: list[Any], data: st.DataObject) -> None:
    """Whatever a call is given, it is understood or refused in one line."""
    known = [p.name for p in (*VERBS[verb].parameters, *common_options(VERBS[verb])) if not p.positional]
    options = data.draw(st.dictionaries(st.sampled_from(known), ODD, max_size=2))
    try:
        said = bind(VERBS[verb], words, options).verb
    except UsageProblem as problem:
        said = f"{verb}: {problem.message}"
    assert said.startswith(verb)
    assert "\n" not in said


def one(line: str, body: str | None = None) -> Step:
    return parse(line, VERBS, body)


def test_options_stand_anywhere() -> None:
    """Options come before, between and after words, with = or a blank; -- ends them."""
    for line in ("type #a x --delay 20 --enter", "type --enter #a --delay=20 x", "%type --delay 20 --enter #a x"):
        step = one(line)
        assert step.arguments == {"locator": "#a", "text": "x", "delay": 20.0, "enter": True}
    assert one("type #a -- --enter").arguments == {"locator": "#a", "text": "--enter"}
    assert one('type #a "--enter"').arguments == {"locator": "#a", "text": "--enter"}


def test_common_options() -> None:
    """Every step has them; --first only where an element is named; a verb's own win; commands have none."""
    options = one('click #a --timeout 2.5 --name "a b" --optional --retries 3 --no-screenshot --first').options
    assert (options.timeout, options.name, options.optional, options.retries) == (2.5, "a b", True, 3)
    assert (options.screenshot, options.first, options.continue_on_failure) == (False, True, False)
    assert "first" not in {p.name for p in common_options(VERBS["back"])}
    assert common_options(VERBS["steps"]) == ()
    shot = one("screenshot --name whole")
    assert (shot.arguments["name"], shot.options.name) == ("whole", "whole")
    assert one('click #a --name "--timeout"').options.name == "--timeout"


@pytest.mark.parametrize(
    ("line", "word", "message"),
    [
        ("clik #a", "clik", "did you mean click"),
        ("", "", "unknown verb"),
        ("qqqq", "qqqq", "%jbts lists every verb"),
        ("click", "click", "%click needs LOC"),
        ("click #a #b", "#b", "one word too many"),
        ("click #a --dubble", "--dubble", "did you mean --double"),
        ("click #a --double=1", "--double=1", "takes no value"),
        ("click #a --timeout", "--timeout", "needs a value"),
        ("click #a --timeout --double", "--timeout", "needs a value"),
        ("click #a --timeout soon", "soon", "must be a number"),
        ("click #a --retries 1.5", "1.5", "must be a whole number"),
        ("navigate /x --wait forever", "forever", "load"),
        ("cookie eat", "eat", "set"),
        ("tab new --first", "--first", "no option"),
    ],
)
def test_bad_lines_name_the_word(line: str, word: str, message: str) -> None:
    """A line that cannot be understood names the word at fault and what would do."""
    with pytest.raises(UsageProblem) as caught:
        one(line)
    assert caught.value.word == word
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_help() -> None:
    """--help among the words of any verb asks for help, whatever else is wrong with the line."""
    for verb in VERBS:
        with pytest.raises(HelpWanted) as caught:
            one(f"{verb} --help")
        assert caught.value.signature.verb == verb


def test_the_rest_of_a_line_is_left_as_it_is() -> None:
    """JavaScript and SQL are not split, only options around them are taken off."""
    assert one("""evaluate a["b"] + '--name' + "c  d" --name x""").arguments == {
        "script": """a["b"] + '--name' + "c  d\""""
    }
    step = one("evaluate --timeout 3 x -- y --optional")
    assert (step.arguments["script"], step.options.timeout, step.options.optional) == ("x -- y", 3.0, True)
    assert one('evaluate "a + b"').arguments["script"] == "a + b"
    assert one("""evaluate "a" + "b\"""").arguments["script"] == '"a" + "b"'
    assert one(r"""evaluate "q(\"h1\")" --optional""").arguments["script"] == 'q("h1")'
    assert one("query select '--x' --limit 5").arguments == {"sql": "select '--x'", "limit": 5}


def test_a_mistyped_option_is_no_part_of_a_title() -> None:
    """A title is words: what looks like an option there is one that does not exist, unless it is quoted."""
    assert one(r'test "Say \"hi\" now" --tags a').arguments == {"title": 'Say "hi" now', "tags": ("a",)}
    assert one("test A --tags a --tags b,c").arguments["tags"] == ("a", "b", "c")
    assert one("test Don't panic -- yet").arguments["title"] == "Don't panic -- yet"
    assert one('test "the --tag option" --tags a').arguments["title"] == "the --tag option"
    for line, word in (
        ("test Login --tag smoke", "--tag; did you mean --tags"),
        ('test "Login" --prio high', "--prio"),
        ("group part --optional", "%group has no option --optional"),
        ("generate buy a lamp --ur /shop", "--ur; did you mean --url"),
    ):
        with pytest.raises(UsageProblem, match="has no option") as caught:
            parse(line, VERBS, "click #a" if line.startswith("group") else None)
        assert word in caught.value.message


def test_bodies() -> None:
    """The text below a cell magic is one parameter; verbs without one refuse it."""
    step = one("evaluate --timeout 2", "a\nb")
    assert (step.arguments["script"], step.options.timeout) == ("a\nb", 2.0)
    assert one("request POST /x", "{}").arguments["body"] == "{}"
    with pytest.raises(UsageProblem, match="takes no text below it"):
        one("click #a", "text")


def test_every_call_has_a_signature_to_show() -> None:
    """What Shift+Tab shows of page.VERB is its own parameters and the options of every step."""
    assert {verb: str(python_signature(signature)) for verb, signature in VERBS.items()}["hover"] == (
        "(locator: 'Locator', *, at: 'str | None' = None, timeout=None, name=None, optional=False, "
        "continue_on_failure=False, retries=0, no_screenshot=False, first=False)"
    )


def test_calls() -> None:
    """Calls take words in order or by name, convert kinds, and refuse what a verb does not know."""
    step = bind(VERBS["click"], ["#a"], {"double": True, "timeout": 3, "screenshot": False})
    assert (step.arguments, step.options.timeout, step.options.screenshot) == (
        {"locator": "#a", "double": True},
        3.0,
        False,
    )
    assert bind(VERBS["request"], ["GET", "/"], {"json": "a=1"}).arguments["json"] == ("a=1",)
    assert bind(VERBS["type"], ["#a", 5], {}).arguments["text"] == "5"
    assert bind(VERBS["type"], ["#a", "x"], {"delay": None}).arguments == {"locator": "#a", "text": "x"}
    assert bind(VERBS["click"], ["#a"], {"at": (12, 3.5)}).arguments["at"] == "12,3.5"
    assert bind(VERBS["scroll"], [(0, 100)], {}).source == "scroll 0,100"
    for args, kwargs in ((["#a", ["x", "y"]], {}), (["#a", "x", "y"], {}), (["#a"], {"choices": ["x", "y"]})):
        assert bind(VERBS["select"], args, kwargs).arguments["choices"] == ("x", "y")
    for args, kwargs, words in (
        (["#a", "#b"], {}, "1 value(s) too many"),
        ([], {}, "needs LOC"),
        (["#a"], {"dubble": True}, "did you mean double"),
        (["#a"], {"retries": "many"}, "whole number"),
    ):
        with pytest.raises(UsageProblem) as caught:
            bind(VERBS["click"], args, kwargs)
        assert words in caught.value.message


def test_every_verb_says_what_it_takes() -> None:
    """Each verb has a summary, and a sentence for each of its options."""
    for signature in VERBS.values():
        assert signature.summary.endswith("."), signature.verb
        for parameter in signature.parameters:
            if not parameter.positional:
                assert parameter.name in signature.about, f"{signature.verb} {parameter.option}"
        assert signature.form.startswith(signature.verb)


# ---- ${names} -----------------------------------------------------------------------------------
NAMES: dict[str, Any] = {
    "who": "Ada",
    "n": 3,
    "d": {"a b": [1, {"x": "deep"}]},
    "o": SimpleNamespace(p=SimpleNamespace(q=1)),
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${who}", "Ada"),
        ("a${n}b${n}", "a3b3"),
        ("$${who}", "${who}"),
        ("$$${who}", "$${who}"),
        ("${d['a b'][1].x}", "deep"),
        ('${d["a b"][-1]["x"]}', "deep"),
        ("${o.p.q}", "1"),
        ("${none}", "None"),
        ("$who {who} $", "$who {who} $"),
        ("", ""),
    ],
)
def test_interpolation(text: str, filled: str) -> None:
    """Names, attributes, indexes and keys are followed; $${ stands for itself."""
    assert interpolate(text, NAMES.__getitem__, lambda: NAMES) == filled


@given(st.text(max_size=30))
def test_values_are_not_filled_in_again(value: str) -> None:
    """What a name holds is put in as it is, whatever it looks like."""
    assert interpolate("<${v}>", {"v": value}.__getitem__, lambda: ["v"]) == f"<{value}>"


@given(st.text(max_size=30).filter(lambda t: "$" not in t))
def test_text_without_names_stays(text: str) -> None:
    """Nothing but ${ is touched."""
    assert interpolate(text, NAMES.__getitem__, lambda: NAMES) == text
    assert references(text) == []


def test_references() -> None:
    """The names a text refers to, escaped ones left out."""
    assert references("${a} $${b} ${c.d[0]}") == ["a", "c.d[0]"]


# ---- helpers of messages ------------------------------------------------------------------------
@given(st.text(), st.integers(40, 200))
def test_clipping(text: str, limit: int) -> None:
    """A clipped text is one line and no longer than told; a short one keeps its words."""
    cut = clip(text, limit)
    assert len(cut) <= limit
    assert len(cut.splitlines()) <= 1
    whole = printable(" ".join(text.split()))
    if len(whole) <= limit:
        assert cut == whole


def test_nearest() -> None:
    """Near names are offered, private ones never, and nothing where nothing is near."""
    assert nearest("clik", ["click", "clear", "_clik"]) == "click"
    assert nearest("xyz", ["click"]) == ""
