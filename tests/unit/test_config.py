"""Settings: where they come from, which wins, and where the data folder is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jbts_kernel.config import JBTS, find_home
from jbts_kernel.errors import ConfigProblem


def test_defaults() -> None:
    """Without anything set, the defaults are those of the documentation."""
    settings = JBTS(environ={})
    assert (settings.browser, settings.headless, settings.viewport) == ("chrome", True, "1280x800")
    assert (settings.timeout, settings.navigation_timeout, settings.screenshots) == (10.0, 30.0, "always")
    assert (settings.base_url, settings.broadcaster, settings.testid_attribute) == ("", "process", "data-testid")


def test_every_setting_has_help_and_a_variable() -> None:
    """Each setting says what it is for and can be set for CI."""
    for name, trait in JBTS.class_traits(config=True).items():
        assert trait.help, name


@pytest.mark.parametrize(
    ("variable", "name", "value"),
    [
        ("JBTS_TIMEOUT=2.5", "timeout", 2.5),
        ("JBTS_HEADLESS=false", "headless", False),
        ("JBTS_HEADLESS=0", "headless", False),
        ("JBTS_SCREENSHOTS=never", "screenshots", "never"),
        ("JBTS_BASE_URL=http://x.test/", "base_url", "http://x.test/"),
        ("JBTS_GRID_URL=http://grid:4444", "grid", "http://grid:4444"),
        ("SELENIUM_HUB_URL=http://hub:4444", "grid", "http://hub:4444"),
    ],
)
def test_the_environment(variable: str, name: str, value: object) -> None:
    """JBTS_* variables set their trait, converted to its kind."""
    key, _, text = variable.partition("=")
    assert getattr(JBTS(environ={key: text}), name) == value


def test_what_wins() -> None:
    """A cell wins over the command line, that over the environment, our variable over Selenium's."""
    environ = {"JBTS_TIMEOUT": "3", "JBTS_GRID_URL": "http://ours", "SELENIUM_HUB_URL": "http://theirs"}
    settings = JBTS(environ=environ, config=Config({"JBTS": {"timeout": 4.0}}))
    assert (settings.timeout, settings.grid) == (4.0, "http://ours")
    settings.timeout = 5
    assert settings.timeout == 5.0


@pytest.mark.parametrize("variable", ["JBTS_TIMEOUT=soon", "JBTS_HEADLESS=perhaps", "JBTS_SCREENSHOTS=sometimes"])
def test_variables_that_cannot_be(variable: str) -> None:
    """A variable with a value that cannot be is named."""
    key, _, text = variable.partition("=")
    with pytest.raises(ConfigProblem) as caught:
        JBTS(environ={key: text})
    assert variable.replace("=", "='") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("base_url", "localhost", "an address like http://host/path"),
        ("browser", "chrom", "did you mean chrome? There are chrome, chromium"),
        ("viewport", "wide", "WIDTHxHEIGHT in pixels, like 1280x800, not 'wide'"),
        ("viewport", "1x1", "like 1280x800"),
        ("grid", "hub:4444", "an address like http://host:4444, or empty, not 'hub:4444'"),
        ("grid", "user:secret@hub", "like http://host:4444, or empty, not '***@hub'"),
        ("grid", "http://user:secret@hub:high", "not 'http://***@hub:high'"),
        ("grid", "http://user:se/secret@[hub", "not 'http://***@[hub'"),
        ("grid_timeout", -1, "seconds, from 0, not -1"),
        ("pool_size", 0, "how many browsers, from 1, not 0"),
        ("timeout", float("nan"), "seconds, from 0, not nan"),
        ("timeout", "soon", "expected a float, not the str 'soon'"),
        ("navigation_timeout", float("inf"), "seconds, from 0, not inf"),
        ("screenshots", "sometimes", "expected any of ['always', 'failure', 'never']"),
        ("vision_mode", "dead", "expected any of ['live', 'record', 'replay', 'offline']"),
        ("broadcaster", "on", "expected any of ['process', 'thread', 'off']"),
        ("testid_attribute", "", "the name of an attribute, like data-testid"),
        ("notify", ["failed=secret"], "entry 1, is no apprise URL; write failed=SCHEME://"),
        ("notify", ["broken=json://secret"], "no rule 'broken'; there are failed, flaky, finished"),
        ("vision_base_url", "api.openai.com", "an address like"),
        ("vision_budget_usd", -0.5, "dollars, from 0, not -0.5"),
        ("vision_budget_tokens", -1, "tokens, from 0, not -1"),
        ("vision_upload", ["https://api.openai.com/v1"], "hosts alone, like api.openai.com"),
    ],
)
def test_values_that_cannot_work(name: str, value: object, words: str) -> None:
    """%config refuses a value where it is set, in one line that says what can be, and keeps what there was."""
    settings = JBTS(environ={})
    before = getattr(settings, name)
    with pytest.raises(TraitError) as caught:
        settings.update_config(Config({"JBTS": {name: value}}))
    said = str(caught.value)
    assert words in said and name in said
    assert "\n" not in said and "secret" not in said
    assert getattr(settings, name) == before
    settings.update_config(Config({"JBTS": {"timeout": 7.0}}))
    assert settings.timeout == 7.0


def test_a_refused_value_is_not_met_again() -> None:
    """%config writes into the shell's config before it asks: what was refused is replaced by what holds."""
    shell = Config(JBTS={"timeout": "abc", "viewport": "640x480"})
    settings = JBTS(environ={}, viewport="640x480")
    with pytest.raises(TraitError):
        settings.update_config(shell)
    assert settings.refused and shell == Config(JBTS={"timeout": 10.0, "viewport": "640x480"})
    assert JBTS(environ={}, config=shell).timeout == 10


def test_a_wrong_receiver_is_not_repeated() -> None:
    """What is in JBTS_NOTIFY is a password, also where it is wrong."""
    with pytest.raises(ConfigProblem) as caught:
        JBTS(environ={"JBTS_NOTIFY": "sometimes=slack://token"})
    assert "no rule 'sometimes'" in str(caught.value) and "token" not in str(caught.value)


@pytest.mark.parametrize("address", ["user:token@hub", "http://user:token@hub:high", "http://user:token@[hub"])
def test_the_password_in_a_wrong_address_is_not_repeated(address: str) -> None:
    """The variable and what it should be are named, without what stands before the host."""
    with pytest.raises(ConfigProblem, match=r"JBTS_GRID_URL=.*an address like http://host:4444") as caught:
        JBTS(environ={"JBTS_GRID_URL": address})
    assert "token" not in str(caught.value) and "user" not in str(caught.value)


def test_home_is_found_upwards(tmp_path: Path) -> None:
    """JBTS_HOME wins; else the nearest folder with .jbts, .git or pyproject.toml; else the folder itself."""
    deep = tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    assert find_home(deep, {}) == deep / ".jbts"
    (tmp_path / "project" / ".git").mkdir()
    assert find_home(deep, {}) == tmp_path / "project" / ".jbts"
    (tmp_path / "project" / "a" / "pyproject.toml").touch()
    assert find_home(deep, {}) == tmp_path / "project" / "a" / ".jbts"
    (deep / ".jbts").mkdir()
    assert find_home(deep, {}) == deep / ".jbts"
    assert find_home(deep, {"JBTS_HOME": str(tmp_path / "else")}) == tmp_path / "else"
    assert not (tmp_path / "else").exists()


def test_shared_folders_are_nobody_s_project() -> None:
    """What somebody left in the system's temporary folder does not make it the home of all below."""
    with tempfile.TemporaryDirectory() as folder:
        assert find_home(Path(folder), {}) == Path(folder).resolve() / ".jbts"
