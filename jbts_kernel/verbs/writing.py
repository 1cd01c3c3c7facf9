"""Commands that write for the tester: triage explains a failure, generate writes a test. Neither runs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from .. import display
from ..browser.faults import translate
from ..browser.locators import as_json
from ..errors import JBTSError, StepProblem, UsageProblem
from ..grammar import Path, Prose, clip, parse
from ..models import ConsoleMessage, NetworkRequest, Step, StepResult
from .registry import VERBS, command
from .vision import run_script

if TYPE_CHECKING:
    from ..browser.session import Session
    from ..vision.generate import Line
    from ..vision.server import Server
    from ..vision.triage import Triage
    from ..vision.wire import Question, Reply
    from ..workbench import Workbench


FAR = frozenset(("navigate", "evaluate", "request", "upload", "custom", "cookie", "storage"))
"""Types of steps that no other step is repaired into."""


class OpenPage:
    """The page that is open now, as the vision layer asks it between steps."""

    def __init__(self, session: Session, testid: str) -> None:
        self.session = session
        self.testid = testid

    def script(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.session.activate()
        return run_script(self.session, source, command, arguments, 30)

    def in_flight(self) -> int:
        return self.session.browser.signals.in_flight(self.session.handle)

    def messages(self) -> tuple[Sequence[ConsoleMessage], Sequence[NetworkRequest]]:
        return (), ()

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """One answer of the page script. Raises :class:`StepProblem`."""
        from selenium.common.exceptions import WebDriverException

        try:
            return self.session.page(name, slice=100, testid=self.testid, **arguments)
        except WebDriverException as error:
            raise translate(error, 30, self.session.dialog) from error

    def alone(self, locator: str) -> bool:
        """Whether a locator means exactly one element now."""
        try:
            return bool(self.ask("count", chain=as_json(locator)).get("count") == 1)
        except StepProblem:
            return False


def _server(bench: Workbench, model: str) -> Server:
    from ..vision.server import server

    return server(bench.settings, bench.environ, bench.home).with_model(model)


# ---- triage -----------------------------------------------------------------------------------------
@command("triage")
def triage(bench: Workbench, *, model: str | None = None) -> Any:
    """Explain the last failure, and propose a repaired step; nothing is changed by itself.

    Args:
        model: another model than JBTS.vision_triage_model
    """
    from ..vision import triage as work

    failed = next(
        (r for r in reversed(bench.history) if r.error_type and r.status in ("failed", "error", "skipped")), None
    )
    if failed is None:
        raise UsageProblem("no step has failed here yet; %triage explains the last one that did")
    page, closest, html = _evidence(bench, failed)
    first = work.explain(failed, closest)
    asked = _server(bench, model or bench.settings.vision_triage_model)
    if asked.asks:
        found = _asked_triage(bench, asked, failed, first, closest, html)
    else:
        found = replace(first, analysis=_offline(bench, "triage", first.cause, failed))
    found = _checked(found, page)
    _show_triage(bench, found)
    return found


def _evidence(bench: Workbench, failed: StepResult) -> tuple[OpenPage | None, list[dict[str, Any]], str]:
    """The page as it is now, the elements like the one that was meant, and the markup around."""
    from ..vision.looking import ask

    session = bench.sessions.get(bench.user)
    if session is None or not session.browser.alive or session.dialog is not None:
        return None, [], ""
    page = OpenPage(session, bench.settings.testid_attribute)
    try:
        closest = page.ask("closest", chain=as_json(failed.locator)).get("matches", []) if failed.locator else []
        html = str(ask(page, "around")["html"])
    except StepProblem:  # it is loading, or was closed: the step's own evidence is left
        return page, [], ""
    seen = [e for e in closest if e.get("visible")] or closest
    return page, [{"locator": str(e["locator"]), "text": str(e["text"])} for e in seen], html


def _asked_triage(
    bench: Workbench, asked: Server, failed: StepResult, first: Triage, closest: Sequence[Mapping[str, Any]], html: str
) -> Triage:
    from ..vision import analyst
    from ..vision import triage as work
    from ..vision.answer import BadAnswer

    q = work.question(failed, first, closest, html, bench.secrets.mask)
    picture = bench.home / failed.screenshot.path if failed.screenshot is not None else None
    seeing = q
    if picture is not None and picture.is_file() and (asked.may_see or asked.mode == "replay"):  # it may be pruned
        from ..vision.images import prepare

        seeing = replace(q, tiles=prepare(picture.read_bytes(), webp=asked.official)[:1])
    reply = _reply(bench, asked, seeing, "triage", failed)
    if reply.status == "replay_miss" and seeing.tiles:  # it may have been recorded where no picture was allowed
        blind = _reply(bench, asked, q, "triage", failed)
        reply = blind if blind.status == "ok" else reply
    found = None
    if reply.status == "ok":
        try:
            found = work.read(reply.text, failed.source)
        except BadAnswer as error:
            reply.status, reply.error_type, reply.detail = "bad_json", "BadAnswer", str(error)
    more = {"summary": found.cause} if found else {}
    analysis = analyst.analysis(asked, "triage", reply, **more)
    bench.recorder.analysis(analysis, failed)
    return replace(found or first, analysis=analysis)


def _reply(bench: Workbench, asked: Server, q: Question, kind: str, of: StepResult | None = None) -> Reply:
    """The model's answer. Whoever does not wait for it leaves a row all the same. Raises KeyboardInterrupt."""
    from ..vision import analyst
    from ..vision.usage import Spent

    try:
        return analyst.ask(asked, q, lambda: Spent(*bench.spent()))
    except KeyboardInterrupt as interrupt:
        so_far = getattr(interrupt, "reply", None)
        if so_far is not None:  # nothing was asked where it came before
            bench.recorder.analysis(analyst.analysis(asked, kind, so_far), of)
        raise


def _offline(bench: Workbench, kind: str, summary: str, of: StepResult | None = None) -> Any:
    from ..ids import new_id
    from ..models import Analysis

    analysis = Analysis(new_id(), kind, "offline", "ok", summary=clip(summary, 400))
    bench.recorder.analysis(analysis, of)
    return analysis


def _checked(found: Triage, page: OpenPage | None) -> Triage:
    """The proposal, kept only if it is a step; verified if its element is there alone."""
    if not found.after:
        return found
    try:
        step = parse(found.after, VERBS)
        if (check := VERBS[step.verb].check) is not None:
            check(**step.arguments)
    except UsageProblem:
        return replace(found, after=None)
    if VERBS[step.verb].command or found.after == found.before or _reaches_further(step, found.before):
        return replace(found, after=None)
    name = next((p.name for p in VERBS[step.verb].parameters if p.kind == "locator"), None)
    locator = str(step.arguments.get(name, "")) if name else ""
    return replace(found, verified=bool(locator and page is not None and page.alone(locator)))


def _reaches_further(step: Step, before: str) -> bool:
    """Whether a proposal runs a script, opens an address or touches files where the step that failed did not: the
    page that the model was shown may have asked for that."""
    return VERBS[step.verb].step_type in FAR and before.split(maxsplit=1)[:1] != [step.verb]


def _show_triage(bench: Workbench, found: Triage) -> None:
    by = found.analysis
    offline = by is None or by.provider == "offline"
    about = "from the evidence alone, no model was asked" if offline else f"by {by.model}"  # type: ignore[union-attr]
    if by is not None and by.status != "ok":
        about = f"from the evidence alone; the model did not answer: {by.status}, {by.summary}"
    rows = [("cause", found.cause), ("category", found.kind), ("evidence", found.evidence)]
    if found.after:
        seen = "its element is on the page" if found.verified else "its element was not found alone on the page"
        rows += [("step", f"- {found.before}"), ("repaired", f"+ {found.after}"), ("", seen)]
        bench.offer(f"%{found.after}")
    rows.append(("told", about))
    told = [(name, bench.secrets.mask(value)) for name, value in rows]
    bundle = display.table(("triage", ""), told)
    plain = "\n".join(f"  {name:9} {clip(value, 400)}" for name, value in told)
    bench.emit({**bundle, "text/plain": f"triage\n{plain}"})


# ---- generate ---------------------------------------------------------------------------------------
@command("generate")
def generate(
    bench: Workbench,
    requirement: Prose,
    *,
    url: str | None = None,
    into: Path | None = None,
    model: str | None = None,
    allow_foreign: bool = False,
    allow_custom: bool = False,
) -> Any:
    """Write a test from a sentence, over the elements of the page; it is shown and not run.

    Without a model a skeleton is made from the page's form or links.

    Args:
        requirement: what should be tested
        url: the page to begin at; the one that is open, if left out
        into: write a notebook that papermill runs, instead of a cell
        model: another model than JBTS.vision_generate_model
        allow_foreign: keep steps that go to other sites
        allow_custom: keep steps that run JavaScript
    """
    from ..vision.generate import lines, opening
    from ..vision.looking import ask, settle
    from ..vision.notebook import check, write

    if not requirement.strip():
        raise UsageProblem('%generate needs a sentence: %generate "a customer can order a tray" --url /')
    place = _place(bench, into) if into is not None else None
    if place is not None:
        check(place)  # before a model is paid for what cannot be kept
    if url is not None:
        bench.run(parse(f"navigate {_quoted(url)}", VERBS))
    page = OpenPage(bench.session, bench.settings.testid_attribute)
    settle(page)
    seen = ask(page, "marks")
    if not str(seen["url"]).startswith(("http://", "https://")):
        raise UsageProblem("no web page is open; say where to begin: %generate ... --url ADDRESS")
    seen["marks"] = [m for m in seen["marks"] if page.alone(str(m["locator"]))]
    requirement = bench.interpolate(requirement)
    case, by = _case(bench, _server(bench, model or bench.settings.vision_generate_model), requirement, seen)
    written = [
        _parsed(line)
        for line in lines(case, str(seen["url"]), seen["marks"], foreign=allow_foreign, custom=allow_custom)
    ]
    test_case_id = bench.recorder.test_case(case, requirement, by)
    texts = [opening(case), *(line.text for line in written if not line.left_out)]
    if place is not None:
        write(place, case, texts, str(seen["url"]))
    else:
        bench.offer("\n".join(f"%{text}" for text in [*texts, "endtest"]))
    _preview(bench, case, written, by, into)
    return {**case, "test_case_id": test_case_id}


def _quoted(word: str) -> str:
    from ..grammar import quote

    return quote(word)


def _place(bench: Workbench, into: str) -> File:
    place = File(into).expanduser()
    return place if place.is_absolute() else bench.folder / place


def _parsed(line: Line) -> Line:
    """A line that is no step of ours is left out, too."""
    if line.left_out:
        return line
    try:
        parse(line.text, VERBS)
    except JBTSError as error:
        return replace(line, text="", left_out=error.message)
    return line


def _case(bench: Workbench, asked: Server, requirement: str, seen: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The test case and the model that wrote it; a skeleton, and None, where none did."""
    from ..vision import analyst
    from ..vision.generate import BadAnswer, question, read, skeleton

    if not asked.asks:
        case = skeleton(requirement, seen)
        _offline(bench, "generate", f"a skeleton of {len(case['steps'])} steps, no model was asked")
        return case, None
    reply = _reply(bench, asked, question(requirement, seen, bench.secrets.mask), "generate")
    case = {}
    if reply.status == "ok":
        try:
            case = read(reply.text)
        except BadAnswer as error:
            reply.status, reply.error_type, reply.detail = "bad_json", "BadAnswer", str(error)
    more = {"summary": f"{case['name']}: {len(case['steps'])} steps"} if case else {}
    analysis = analyst.analysis(asked, "generate", reply, **more)
    bench.recorder.analysis(analysis)
    if not case:
        raise JBTSError(f"no test was written: {analysis.status}, {analysis.summary}")
    return case, analysis.model


def _preview(
    bench: Workbench, case: Mapping[str, Any], written: Sequence[Line], by: str | None, into: str | None
) -> None:
    """What was written, step by step, with what was left out and why."""
    rows = [
        (n, line.step["name"] or line.step["step_type"], line.text or "left out", line.left_out or line.doubt)
        for n, line in enumerate(written, 1)
    ]
    author = f"written by {by}" if by else "a skeleton: no model was asked (OPENAI_API_KEY or JBTS.vision_base_url)"
    where = f"in {into}" if into else "in the next cell"
    caption = f"{case['name']} \u00b7 {case['priority']} \u00b7 {author} \u00b7 {where}; read it before you run it"
    caption = bench.secrets.mask(caption)
    bundle = display.table(("", "step", "line", "look at"), rows, caption=caption)
    plain = "\n".join(f"  {n}. {line}{f'   ({doubt})' if doubt else ''}" for n, _, line, doubt in rows)
    bench.emit({**bundle, "text/plain": f"{caption}\n{plain}"})
