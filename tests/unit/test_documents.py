"""The documents that are made from the code, and the links between them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jbts_kernel.cli import commands
from jbts_kernel.config import JBTS
from jbts_kernel.grammar import common_options
from jbts_kernel.settings_reference import with_settings
from jbts_kernel.verbs import VERBS, reference
from jbts_kernel.vision.reference import with_rules

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def test_the_verb_reference_is_current() -> None:
    """docs/verbs.md and the tables in README.md and docs/waiting.md are what the registry says."""
    assert (ROOT / "docs" / "verbs.md").read_text(encoding="utf-8") == reference.document()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert reference.with_table(readme) == readme
    waiting = (ROOT / "docs" / "waiting.md").read_text(encoding="utf-8")
    assert reference.with_table(waiting, reference.needs_table) == waiting


SPOKEN = re.compile(r"`(%{1,2}[a-z][^`\n]*)`|^(?:    )?(%{1,2}[a-z]\w*(?: [^\n]*)?)$", re.M)
"""A command as documents say it: between backticks, or a line of an example."""
OF_IPYTHON = {"capture", "config", "load_ext", "run", "unload_ext"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_are_spoken_of_exist(document: Path) -> None:
    """Every magic that a document names is a verb here, with the options it is shown with."""
    for found in SPOKEN.finditer(document.read_text(encoding="utf-8")):
        name, *words = (found[1] or found[2]).lstrip("%").split()
        if name in OF_IPYTHON or name.rstrip("?") == "verb":  # %verb --help, %verb?
            continue
        if any(name in signature.also for signature in VERBS.values()):
            continue  # another tool's word, spoken of as such
        assert name in VERBS, found.group()
        signature = VERBS[name]
        known = {"--help", *(p.option for p in (*signature.parameters, *common_options(signature)))}
        shown = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert shown <= known, found.group()


TYPED = re.compile(r"(?:`|^ *)(?:[A-Z_]+=\S+ )*(jbts [a-z][^`\n]*)(?:`|$)", re.M)
"""A line for a terminal: between backticks, or a line of an example, with what the environment is told before it."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_lines_for_a_terminal_can_be_typed(document: Path) -> None:
    """Every ``jbts`` command that a document shows is there, with the options it is shown with."""
    for found in TYPED.finditer(document.read_text(encoding="utf-8")):
        line = re.split(r" +(?:#|\|\|?|>) ", found[1])[0].replace("\\|", "|")
        command: click.Command | None = commands
        words = [word.strip("[]") for word in shlex.split(line)[1:]]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        shown = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert command.ignore_unknown_options or shown <= known | {"--help"}, line


def test_names_that_are_spoken_of_exist() -> None:
    """Every setting, variable of ours, option of the pytest plugin and target of make in the documents is one."""
    documents = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    package = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "jbts_kernel").rglob("*.py"))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    settings = JBTS.class_trait_names()
    variables = {f"JBTS_{name.upper()}" for name in settings} | set(re.findall(r"\bJBTS_[A-Z_]+\b", package))
    assert set(re.findall(r"\bJBTS\.([a-z_]{2,})\b", documents)) <= set(settings)
    assert set(re.findall(r"\bJBTS_[A-Z_]+\b", documents)) <= variables
    assert set(re.findall(r"--jbts-[a-z-]+", documents)) <= set(re.findall(r'"(--jbts-[a-z-]+)"', package))
    made = re.findall(r"(?:`|^)make ([a-z -]+?)(?= [A-Z_]+=|`|$)", documents, re.M)
    assert {word for words in made for word in words.split()} <= set(targets)


def test_the_rules_are_current() -> None:
    """The table in docs/vision.md is the list the rules run by."""
    document = (ROOT / "docs" / "vision.md").read_text(encoding="utf-8")
    assert with_rules(document) == document


def test_the_settings_are_current() -> None:
    """The table in docs/configuration.md is what the traits say."""
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert with_settings(document) == document


def test_every_page_is_in_the_index() -> None:
    """Whoever begins at docs/README.md finds every page, and every decision from the design."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    decisions = {path.name for path in (ROOT / "docs" / "decisions").glob("*.md")}
    assert not [name for name in pages if f"({name})" not in index]
    assert not [name for name in decisions if f"(decisions/{name})" not in design]


def test_every_verb_has_a_chapter() -> None:
    """No verb is left out of the reference, and none is in it twice."""
    chapters = [verb for _, verbs in reference.CHAPTERS for verb in verbs]
    assert sorted(chapters) == sorted(VERBS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link and picture names a file of the project."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing
