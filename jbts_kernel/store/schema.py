"""The tables of the store: every column with its type, where in the log it comes from, and what it means.

This is the one description. The sealed tables, the live parts of the views, the migrations' starting
point and ``docs/store.md`` (``python -m jbts_kernel.store.schema > docs/store.md``) are made from it.
:mod:`.relation` says how rows are made.
"""

from __future__ import annotations

import sys

from ..log.envelope import GOOD_ENDS, PROGRESS_KINDS
from .relation import Column, Relation, stamp

_RUN = Column("run_id", "VARCHAR", "The run it belongs to.", source="run_id")
_EXECUTION = Column("execution_id", "VARCHAR", "The execution it belongs to.", source="execution_id")
_STEP = Column("step_id", "VARCHAR", "The step it belongs to.", source="step_id")
_CREATED = Column("created_at", "TIMESTAMP", "When it was recorded.", source=stamp("ts"))
_SEEN = Column(
    "at_ts",
    "TIMESTAMP",
    "When it happened.",
    source=f"coalesce({stamp('d.at')}, {stamp('ts')})",
    field="at",
    field_type="DOUBLE",
)
_STARTED = Column(
    "started_at",
    "TIMESTAMP",
    "When it began.",
    source=f"coalesce({stamp('d.started_at')}, {stamp('ts')})",
    started=stamp("ts"),
    field="started_at",
    field_type="DOUBLE",
)
_ENDED = Column(
    "ended_at",
    "TIMESTAMP",
    "When it ended; NULL while it runs, and when its process died.",
    stamp("ts"),
    "NULL",
)
_STATES = "running, passed, failed (an expectation), error (anything else), skipped or aborted (its process died)."
_DURATION = Column("duration_ms", "DOUBLE", "Milliseconds from beginning to end.")
_ERROR_TYPE = Column("error_type", "VARCHAR", "The class of the error, when there was one.")
_ERROR = Column("error_message", "VARCHAR", "What the error said, when there was one.")


def _text(name: str, doc: str) -> Column:
    return Column(name, "VARCHAR", doc)


def _status(doc: str) -> Column:
    return Column("status", "VARCHAR", doc, started="'running'", field="status", source='d."status"')


RUNS: Relation = Relation(
    "runs",
    "One row for each run: an interactive session of a notebook, a papermill call or a suite.",
    ("run.finished",),
    (
        Column("run_id", "VARCHAR", "Its identifier, sortable by time.", source="run_id"),
        _STARTED,
        _ENDED,
        _text("kind", "interactive, papermill or suite."),
        _status(_STATES),
        _text("git_commit", "The commit checked out, NULL outside a repository."),
        _text("git_branch", "The branch checked out, NULL outside a repository."),
        _text("host", "The machine it ran on."),
        _text("python", "The version of Python."),
        Column("parameters", "JSON", "The parameters the run was given, as one object."),
    ),
    key="run_id",
    started_kind="run.started",
    order="run_id",
    where="run_id IS NOT NULL",
)

EXECUTIONS: Relation = Relation(
    "executions",
    "One row for each attempt at a test.",
    ("execution.finished",),
    (
        Column("execution_id", "VARCHAR", "Its identifier, sortable by time.", source="execution_id"),
        _RUN,
        _text("test_name", "The name of the test: given with %test, or the notebook's."),
        _text("history_id", "A hash of test and parameters: the same test over all runs and attempts."),
        _text("notebook", "The notebook, relative to the project."),
        _text("category", "The test's category, when one was given."),
        _text("priority", "critical, high, medium or low, when one was given."),
        Column("tags", "VARCHAR[]", "The test's tags."),
        _text("browser", "The browser's name."),
        _text("browser_version", "The browser's version."),
        _text("base_url", "What relative addresses were relative to."),
        Column("attempt", "INTEGER", "1 for the first try, counting up with each retry."),
        _status(_STATES),
        _STARTED,
        _ENDED,
        _DURATION,
        _ERROR_TYPE,
        _ERROR,
        Column("parameters", "JSON", "The parameters of the test, as one object."),
    ),
    key="execution_id",
    started_kind="execution.started",
    order="execution_id",
    where="execution_id IS NOT NULL",
)

STEPS: Relation = Relation(
    "steps",
    "One row for each step.",
    ("step.finished",),
    (
        Column("step_id", "VARCHAR", "Its identifier, sortable by time.", source="step_id"),
        _EXECUTION,
        _RUN,
        Column("ordinal", "INTEGER", "Its place in the execution."),
        _text("parent_step_id", "The group it stands in, if any."),
        _text("name", "What the step is called, for a reader."),
        _text("step_type", "navigate, click, type, wait, assert, screenshot, custom, select, hover and so on."),
        _text("verb", "The word it was written with."),
        _text("locator", "The element meant, as written."),
        _text("input", "What was typed or chosen; secrets are masked."),
        _text("expected", "What an expectation wanted."),
        _status(_STATES),
        _STARTED,
        _ENDED,
        _DURATION,
        Column("wait_ms", "DOUBLE", "The part of duration_ms spent waiting until the step could be done."),
        Column("retries", "INTEGER", "How often the step was tried again."),
        _text("url", "The page's address after the step."),
        _text("title", "The page's title after the step."),
        Column("http_status", "INTEGER", "The status of the page or request the step asked for."),
        _ERROR_TYPE,
        _ERROR,
        _text("error_fingerprint", "The same for failures that are alike, whatever numbers and ids they name."),
        _text("screenshot", "The content hash of the picture after the step: artifacts.artifact."),
        Column("optional", "BOOLEAN", "Whether its failure lets the test go on and pass."),
        _text("cell_id", "The notebook cell it was run from, where the front end tells."),
        _text("source_hash", "A hash of the line as written."),
        Column(
            "browser_ms",
            "DOUBLE",
            "The part of duration_ms that starting a browser took; NULL where an older version published the step.",
        ),
    ),
    key="step_id",
    started_kind="step.started",
    order="execution_id, step_id",
    where="step_id IS NOT NULL",
)

ARTIFACTS: Relation = Relation(
    "artifacts",
    "One row for each use of a stored file; the file itself is stored once by its content.",
    ("artifact",),
    (
        _text("artifact", "The SHA-256 of the content."),
        _EXECUTION,
        _STEP,
        _RUN,
        _text(
            "role",
            "before, after, failure, full_page, source, accessibility, download, expected, actual, diff or evidence.",
        ),
        _text("mime", "The media type."),
        _text("path", "Where the file is, relative to the project's data folder."),
        Column("bytes", "BIGINT", "The size of the file."),
        Column("width", "INTEGER", "Pixels, for pictures."),
        Column("height", "INTEGER", "Pixels, for pictures."),
        _CREATED,
    ),
    order="execution_id, step_id",
)

CONSOLE: Relation = Relation(
    "console_messages",
    "One row for each console message and JavaScript error during a step.",
    ("console",),
    (
        _STEP,
        _EXECUTION,
        _RUN,
        _text("level", "debug, info, warning or error."),
        _text("text", "What it said."),
        _text("url", "The script or page it came from."),
        _SEEN,
    ),
    order="execution_id, step_id",
)

NETWORK: Relation = Relation(
    "network_requests",
    "One row for each request of the page during a step.",
    ("network",),
    (
        _STEP,
        _EXECUTION,
        _RUN,
        _text("method", "GET, POST and so on."),
        _text("url", "The address asked for."),
        Column("status", "INTEGER", "The HTTP status; NULL when no answer came."),
        Column("duration_ms", "DOUBLE", "Milliseconds from request to answer."),
        _text("text", "The status text, or why no answer came."),
        _SEEN,
    ),
    order="execution_id, step_id",
)

ANALYSES: Relation = Relation(
    "analyses",
    "One row for each time a page was looked at, by the offline checks or by a model, also when that failed.",
    ("analysis",),
    (
        _text("analysis_id", "Its identifier, sortable by time."),
        _STEP,
        _EXECUTION,
        _RUN,
        _text("kind", "general, error, ui_validation, triage or generate."),
        _text("provider", "offline or openai."),
        _text("model", "The model that answered, as the server named it."),
        _text("summary", "What was seen, in a few sentences."),
        _text(
            "status",
            "ok, or how it failed: incomplete, refused, bad_json, unauthorized, quota, timeout and so on.",
        ),
        Column("input_tokens", "BIGINT", "Tokens sent, as billed."),
        Column("cached_tokens", "BIGINT", "The part of input_tokens billed as cached."),
        Column("output_tokens", "BIGINT", "Tokens received, as billed."),
        Column("cost_usd", "DOUBLE", "The price in US dollars; NULL when unknown, never a guess."),
        Column("latency_ms", "DOUBLE", "Milliseconds until the answer."),
        Column("cache_hit", "BOOLEAN", "Whether the answer was replayed and nothing was sent."),
        Column("attempts", "INTEGER", "HTTP requests made."),
        _ERROR_TYPE,
        _CREATED,
    ),
    order="analysis_id",
)

FINDINGS: Relation = Relation(
    "findings",
    "One row for each thing found on a page.",
    ("finding",),
    (
        _text("finding_id", "Its identifier, sortable by time."),
        _text("analysis_id", "The analysis that found it."),
        _STEP,
        _EXECUTION,
        _RUN,
        _text("source", "dom, axe, console, network, pixels or ai."),
        _text("category", "http_error, error_text, blank, clipped_text, overlap, contrast and so on."),
        _text("severity", "critical, serious, moderate or minor."),
        _text("message", "What is wrong, in one sentence."),
        _text("locator", "The element, where one is known."),
        Column("x", "DOUBLE", "Left edge, CSS pixels from the picture's top left corner."),
        Column("y", "DOUBLE", "Top edge, CSS pixels from the picture's top left corner."),
        Column("width", "DOUBLE", "Width in CSS pixels."),
        Column("height", "DOUBLE", "Height in CSS pixels."),
        _text("evidence", "The text or rule that shows it."),
        Column("grounded", "BOOLEAN", "Whether the page itself bears it out; if not, it never fails a test."),
        _CREATED,
        _text("rule", "The rule that found it (axe:label, broken-image); NULL where an older version published it."),
    ),
    order="finding_id",
)

TEST_CASES: Relation = Relation(
    "test_cases",
    "One row for each generated test case.",
    ("test_case",),
    (
        _text("test_case_id", "Its identifier, sortable by time."),
        _text("name", "What it is called."),
        _text("requirements", "The requirement it was generated from."),
        Column("definition", "JSON", "The whole test case with its steps."),
        _text("model", "The model that wrote it."),
        _CREATED,
    ),
    order="test_case_id",
)

_KINDS = ("execution.started", "execution.finished", *sorted(PROGRESS_KINDS))
_GOOD = ", ".join(f"'{status}'" for status in sorted(GOOD_ENDS))

EVENTS: Relation = Relation(
    "events",
    "One row for each event subscribers were told of.",
    _KINDS,
    (
        Column("event_id", "VARCHAR", "Its identifier, sortable by time.", source="id"),
        Column("source", "VARCHAR", "The process that wrote it.", source="source"),
        Column("seq", "BIGINT", "Its number in that process, from 1; a hole is an event lost.", source="seq"),
        Column("room", "VARCHAR", "The room it was sent to.", source="'test_execution:' || execution_id"),
        Column(
            "event_type",
            "VARCHAR",
            "started, progress, completed or failed.",
            source="CASE kind WHEN 'execution.started' THEN 'started' WHEN 'execution.finished' THEN"
            f" CASE WHEN json_extract_string(data, '$.status') IN ({_GOOD}) THEN 'completed'"
            " ELSE 'failed' END ELSE 'progress' END",
        ),
        _EXECUTION,
        Column(
            "data",
            "JSON",
            "The event's fields, with its kind, run_id and step_id.",
            source="CAST('{\"kind\":' || to_json(kind) || ',\"run_id\":' || coalesce(to_json(run_id), 'null')"
            " || ',\"step_id\":' || coalesce(to_json(step_id), 'null')"
            " || CASE WHEN data = '{}' THEN '}' ELSE ',' || substr(data, 2) END AS JSON)",
            storage="USING COMPRESSION zstd",  # most of the file otherwise: 95 MB for 660,000 rows, not 22
        ),
        Column("at_ts", "TIMESTAMP", "When it happened.", source=stamp("ts")),
    ),
    order="execution_id, source, seq",
    where="execution_id IS NOT NULL",
)

TABLES: tuple[Relation, ...] = (
    RUNS,
    EXECUTIONS,
    STEPS,
    ARTIFACTS,
    CONSOLE,
    NETWORK,
    ANALYSES,
    FINDINGS,
    TEST_CASES,
    EVENTS,
)
"""Every table, in the order of the documentation."""

if __name__ == "__main__":
    from .reference import store_reference

    sys.stdout.write(store_reference())
