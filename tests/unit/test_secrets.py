"""Masking: in whatever spelling, cut or whole, and nothing else."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.errors import UsageProblem
from jbts_kernel.secrets import MARK, Masked, Secrets, obtain

VALUES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=3, max_size=40)


def keeping(*values: str) -> Secrets:
    secrets = Secrets()
    for value in values:
        secrets.add(None, value)
    return secrets


@given(VALUES)
def test_every_spelling_is_masked(value: str) -> None:
    """Plain, percent-encoded by any rule, HTML, JSON, Python and base64 forms are all taken out."""
    secrets = keeping(value)
    forms = [
        value,
        quote(value),
        quote(value, safe=""),
        quote(value, safe="!'()*~"),
        quote_plus(value),
        quote_plus(value, safe="*"),
        quote(value, safe="").lower() if value.isascii() and value.islower() else value,
        html.escape(value),
        html.escape(value, quote=False),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        base64.b64encode(value.encode()).decode(),
        base64.urlsafe_b64encode(value.encode()).decode(),
    ]
    for form in forms:
        assert secrets.mask(f"<{form}>") == f"<{MARK}>", form


@given(VALUES.filter(lambda v: len(v.encode()) >= 6), st.binary(max_size=20), st.binary(max_size=20))
def test_inside_longer_base64(value: str, before: bytes, after: bytes) -> None:
    """A value inside something longer (user:password) is masked where base64 spells it."""
    text = base64.b64encode(before + value.encode() + after).decode()
    first = -(-len(before) * 8 // 6)
    last = (len(before) + len(value.encode())) * 8 // 6
    masked = keeping(value).mask(text)
    assert text[first:last] not in masked
    assert MARK in masked


@given(st.text(max_size=200))
def test_other_text_is_left_alone(text: str) -> None:
    """What is no secret stays as it is."""
    assert keeping("correct horse battery staple").mask(text) == text


@pytest.mark.parametrize("cut", ["…", "..."])
def test_what_is_left_at_a_cut(cut: str) -> None:
    """A text that was cut inside a secret shows none of what is left of it."""
    secret = "abcdefghijklmnopqrstuvwxyz" * 3
    secrets = keeping(secret)
    for length in range(4, len(secret)):
        assert secrets.mask(f"so {secret[:length]}{cut}") == f"so {MARK}{cut}"
    for length in range(4, 40):
        assert secrets.mask(f"{cut}{secret[-length:]} so") == f"{cut}{MARK} so"
    assert secrets.mask(f"ab{cut}") == f"ab{cut}"


def test_white_space_may_be_folded() -> None:
    """A page folds white space; the secret is known all the same."""
    assert (
        keeping("two  words").mask("x two words, two\u00a0 words, two+words, two%20%20words")
        == f"x {MARK}, {MARK}, {MARK}, {MARK}"
    )


def test_one_secret_inside_another() -> None:
    """The longer one is masked whole."""
    assert keeping("horse", "correct horse").mask("correct horse, horse") == f"{MARK}, {MARK}"


def test_names() -> None:
    """A named secret is had by its name, and a new value under it masks both."""
    secrets = Secrets()
    secrets.add("PW", "first one")
    secrets.add("PW", "second one")
    assert (secrets.get("PW"), secrets.names) == ("second one", ("PW",))
    assert secrets.mask("first one second one") == f"{MARK} {MARK}"
    with pytest.raises(KeyError):
        secrets.get("nothing")


def test_too_short_to_be_masked() -> None:
    """A value of one or two characters is refused and not remembered."""
    secrets = Secrets()
    with pytest.raises(UsageProblem, match="at least 3 characters"):
        secrets.add("PIN", "12")
    assert secrets.names == ()


def test_a_masked_text_shows_nothing() -> None:
    """What was read from the page is usable and shows dots."""
    value = Masked("correct horse", MARK)
    assert (value, value.upper(), repr(value)) == ("correct horse", "CORRECT HORSE", repr(MARK))


def test_where_secrets_come_from() -> None:
    """The environment under the secret's name or another; what is missing is named."""
    environ = {"PW": "a b c", "OTHER": "d e f"}
    assert obtain("PW", env=None, prompt=False, keyring=None, environ=environ) == "a b c"
    assert obtain("PW", env="OTHER", prompt=False, keyring=None, environ=environ) == "d e f"
    with pytest.raises(UsageProblem, match="the environment has no NONE"):
        obtain("NONE", env=None, prompt=False, keyring=None, environ=environ)


def test_masking_is_quick() -> None:
    """A page's source of a megabyte is masked in well under a second."""
    secrets = keeping("correct horse", "another/secret+value", "x" * 200)
    text = '<p class="x">lorem & ipsum... dolor</p>\n' * 25_000
    begun = time.process_time()
    assert secrets.mask(text) == text
    assert time.process_time() - begun < 1
