"""Settings: traits for a notebook, environment for CI, one folder for the data.

``%config JBTS.timeout = 20`` in a cell, ``c.JBTS.timeout = 20`` in a config file,
``--JBTS.timeout=20`` on the kernel's command line, ``JBTS_TIMEOUT=20`` in the environment. What is
set in a cell wins over the command line, that over the environment, that over the default. A value
that cannot work is refused where it is set, in one line that says what can.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from traitlets import Bool, Bunch, Enum, Float, Integer, List, TraitError, Unicode, validate
from traitlets.config import Config, Configurable

from .errors import ConfigProblem, JBTSError
from .grammar import LARGEST, clip

if TYPE_CHECKING:
    from .browser.launch import LaunchSpec

FOLDER = ".jbts"
_MARKS = (FOLDER, ".git", "pyproject.toml")


class _Words(List[str]):
    """A list of texts, in the environment with blanks between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Unicode(), **kwargs)

    def from_string(self, s: str) -> list[str] | None:
        return s.split()


class Names(_Words):
    """A list of names that may also be written as one text with commas, in a cell and in the environment."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, self.from_string(value) if isinstance(value, str) else value)

    def from_string(self, s: str) -> list[str]:
        return [name.strip() for name in s.split(",") if name.strip()]


def _viewport(value: str) -> None:
    from .browser.launch import parse_viewport

    parse_viewport(value)


def _browser(value: str) -> None:
    from .browser.launch import check_browser

    check_browser(value, grid="any")  # whether this machine can have it is seen when it starts


def _rules(value: list[str]) -> None:
    from .notify.rules import parse

    parse(value)


def _address(pattern: str, words: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        try:
            fits = not value or (re.fullmatch(pattern, value) and urlsplit(value).port != 0)
        except ValueError:  # a port that is no number, half an IPv6 address
            fits = False
        if not fits:
            raise ConfigProblem(f"{words}, not {clip(repr(_without_password(value)))}")

    return check


def _without_password(address: str) -> str:
    """What of an address may be shown; it need not be a good one."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", r"\1***@", address, flags=re.DOTALL)


def _from(least: float, words: str) -> Callable[[float | None], None]:
    def check(value: float | None) -> None:
        if value is not None and not least <= value <= LARGEST:
            raise ConfigProblem(f"{words}, not {value:g}")

    return check


def _attribute(value: str) -> None:
    if not re.fullmatch(r"[^\s\"'<>/=\[\]]+", value):
        raise ConfigProblem(f"the name of an attribute, like data-testid, not {clip(repr(value))}")


def _hosts(value: list[str]) -> None:
    for host in value:
        if "/" in host:
            raise ConfigProblem(f"hosts alone, like api.openai.com, not {clip(repr(host))}")


_SERVER = _address(r"https?://[^\s/]\S*", "an address like http://host:4444, or empty")
_SECONDS = _from(0, "seconds, from 0")
FORMS: Mapping[str, Callable[[Any], None]] = {
    "base_url": _address(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", "an address like http://host/path, or empty"),
    "browser": _browser,
    "viewport": _viewport,
    "grid": _SERVER,
    "grid_timeout": _SECONDS,
    "pool_size": _from(1, "how many browsers, from 1"),
    "browser_grace": _SECONDS,
    "timeout": _SECONDS,
    "navigation_timeout": _SECONDS,
    "testid_attribute": _attribute,
    "notify": _rules,
    "vision_base_url": _SERVER,
    "vision_deadline": _SECONDS,
    "vision_budget_usd": _from(0, "dollars, from 0"),
    "vision_budget_tokens": _from(0, "tokens, from 0"),
    "vision_upload": _hosts,
}
"""What a setting's value must be beyond its kind; a check raises with what can be."""
_PRIVATE = frozenset(("notify",))
"""Whose values are passwords, and so in no message."""


class JBTS(Configurable):
    """Everything that can be set. Times are seconds, sizes CSS pixels."""

    base_url = Unicode("", help="Addresses without a host are relative to this.").tag(config=True)
    browser = Unicode("chrome", help="chrome, chromium, edge, firefox, webkitgtk or safari.").tag(config=True)
    headless = Bool(True, help="Run the browser without a window.").tag(config=True)
    viewport = Unicode("1280x800", help="Width and height of the page.").tag(config=True)
    grid = Unicode("", help="Address of a Selenium Grid; empty for a local browser.").tag(config=True)
    grid_timeout = Float(60.0, help="How long to wait for a free slot of the grid.").tag(config=True)
    browser_path = Unicode("", help="The browser program, where the one on PATH is not meant.").tag(config=True)
    driver_path = Unicode("", help="The driver program, where the one on PATH is not meant.").tag(config=True)
    pool_size = Integer(5, help="How many browsers this process may run at once.").tag(config=True)
    browser_grace = Float(
        600.0, help="How long the browsers of a killed or restarted notebook wait for %browser --attach."
    ).tag(config=True)
    timeout = Float(10.0, help="How long a step tries before it fails.").tag(config=True)
    navigation_timeout = Float(30.0, help="How long a navigation may take.").tag(config=True)
    screenshots = Enum(("always", "failure", "never"), "always", help="When to take a picture.").tag(config=True)
    testid_attribute = Unicode("data-testid", help="The attribute that testid= looks at.").tag(config=True)
    update_baselines = Bool(False, help="Snapshots that differ, or have no baseline yet, become it.").tag(config=True)
    broadcaster = Enum(("process", "thread", "off"), "process", help="Where the hub runs.").tag(config=True)
    notify = _Words(
        help="Whom to tell: RULE=URL (apprise), RULE one or more of failed, flaky, finished; a URL alone is failed."
    ).tag(config=True)
    metrics = Bool(True, help="Serve Prometheus text at the hub's /metrics.").tag(config=True)
    nest_asyncio = Enum(
        ("need", "load", "off"),
        "need",
        help="When asyncio.run() is made to work in a cell: at the first call that needs it, at load, or never.",
    ).tag(config=True)
    vision_mode = Enum(
        ("live", "record", "replay", "offline"),
        "live",
        help="Ask a model; ask and keep its answers; answer from what was kept, without a network; or rules only.",
    ).tag(config=True)
    vision_base_url = Unicode("", help="A server that speaks OpenAI's API; empty for OpenAI itself.").tag(config=True)
    vision_model = Unicode("gpt-5-mini", help="The model that looks at pages.").tag(config=True)
    vision_generate_model = Unicode("", help="The model that writes tests; vision_model, if empty.").tag(config=True)
    vision_triage_model = Unicode("", help="The model that explains failures; vision_model, if empty.").tag(config=True)
    vision_deadline = Float(60.0, help="How long a model may take, all attempts together.").tag(config=True)
    vision_budget_usd = Float(None, allow_none=True, help="Dollars for models, for a run and for a day.").tag(
        config=True
    )
    vision_budget_tokens = Integer(None, allow_none=True, help="Tokens for models, for a run and for a day.").tag(
        config=True
    )
    vision_upload = Names(help="The hosts that may be sent pictures, like api.openai.com.").tag(config=True)
    durable = Bool(False, help="Flush every step to the disk (survives a power cut).").tag(config=True)

    def __init__(self, *, environ: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        self._environ = os.environ if environ is None else environ
        self.refused = ""
        super().__init__(**kwargs)
        given = self.config.get("JBTS", {})
        for name, trait in self.traits(config=True).items():
            value = self._environ.get(environment_name(name)) or self._alias(name)
            if value and name not in given:
                try:
                    setattr(self, name, trait.from_string(value))
                except (ValueError, TypeError, TraitError) as error:
                    shown = "..." if name in _PRIVATE else repr(_without_password(value))
                    raise ConfigProblem(f"{environment_name(name)}={shown}: {error}") from None

    def update_config(self, config: Config) -> None:
        """What ``%config`` calls. It logs what is refused and goes on, so that is kept: a step that nobody watches must
        not run with another setting than was asked for. It has put the value into the shell's own config before, where
        the extension would find it when it is loaded again: what holds is put back."""
        self.refused = ""
        try:
            super().update_config(config)
        except TraitError as error:
            self.refused = str(error)
            given = config.get("JBTS", {})
            given.update({name: getattr(self, name) for name in given if self.has_trait(name)})
            raise

    @validate(*FORMS)
    def _check(self, proposal: Bunch) -> Any:
        name = proposal.trait.name
        try:
            FORMS[name](proposal.value)
        except JBTSError as problem:
            raise TraitError(f"JBTS.{name}: {problem.message.removeprefix(f'JBTS.{name}, ')}") from None
        return proposal.value

    def launch_spec(self, browser: str | None = None) -> LaunchSpec:
        """What a browser is started with, or another ``browser`` with the rest of it. Raises
        :class:`~jbts_kernel.errors.ConfigProblem` and :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        from .browser.launch import LaunchSpec, check_browser, parse_viewport

        return LaunchSpec(
            browser=check_browser(browser or self.browser, self.grid),
            headless=self.headless,
            viewport=parse_viewport(self.viewport),
            grid=self.grid or None,
            binary=self.browser_path or None,
            driver=self.driver_path or None,
            grid_timeout=self.grid_timeout,
        )

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment these settings were read from."""
        return self._environ

    def _alias(self, name: str) -> str | None:
        other = {"grid": "SELENIUM_HUB_URL", "vision_base_url": "OPENAI_BASE_URL"}.get(name)
        return self._environ.get(other) if other else None


def environment_name(trait: str) -> str:
    """The variable that sets a trait where nobody has set it in a cell or on the command line."""
    return {"grid": "JBTS_GRID_URL"}.get(trait, "JBTS_" + trait.upper())


def find_home(start: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The project's data folder: ``JBTS_HOME``, else ``.jbts`` in the nearest folder upwards that
    holds one (or a ``.git`` or ``pyproject.toml``), else ``.jbts`` in ``start`` (the working folder).
    The folder is not made."""
    environ = os.environ if environ is None else environ
    if environ.get("JBTS_HOME"):
        return Path(environ["JBTS_HOME"]).expanduser().resolve()
    start = (start or Path.cwd()).resolve()
    shared = {Path(tempfile.gettempdir()).resolve(), Path.home().resolve(), Path(start.anchor)}
    for folder in (start, *start.parents):
        if folder in shared and folder != start:
            break
        if any((folder / mark).exists() for mark in _MARKS):
            return folder / FOLDER
    return start / FOLDER
