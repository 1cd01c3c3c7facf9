"""The views: the questions people ask of test results, answered once.

Every view reads the public tables only, so it is live like they are. A *result* is what a test came to
in a run after its retries: the attempts 1, 2, 3 ... that follow each other, judged by the last. Rates
count results, not attempts, so that a retry that passed shows up as flakiness and not as a failure.
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted paths)

from __future__ import annotations

from dataclasses import dataclass

from .relation import Relation
from .schema import EXECUTIONS, FINDINGS, TABLES

BAD = "('failed', 'error', 'aborted')"
NOT_PASSED = "status <> 'passed'"
"""Beside ``status IN BAD`` where many rows are read: DuckDB applies a comparison while it scans, and a list
of values only to what it has read (1.2 s of processor for ten million steps, and 0.1 s)."""
COUNTS = ", ".join(
    f"count(*) FILTER (WHERE status = '{status}') AS {status}"
    for status in ("passed", "failed", "error", "skipped", "aborted")
)
TEST = "coalesce(history_id, test_name, execution_id)"
DEAD_VARIABLE = "jbts_dead"
"""The writers of whom a reader knows that they have died since the publication, each between slashes. Who does not say
sees what they began as running until the next publication."""
WINDOW = 50
"""How many of a test's latest results its flakiness is judged by."""


@dataclass(frozen=True, slots=True)
class View:
    """A view with its documentation; ``columns`` are (name, sentence) in order. Views whose name begins
    with ``internal.`` are steps on the way and not documented."""

    name: str
    doc: str
    columns: tuple[tuple[str, str], ...]
    sql: str


def _documented(table: Relation, *without: str) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.doc) for column in table.columns if column.name not in without)


RESULTS = View(
    "internal.results",
    "One row for each test in each run, after its retries.",
    (),
    f"""
    WITH tries AS (
        SELECT execution_id, run_id, {TEST} AS history_id, test_name, status, started_at, duration_ms,
            coalesce(attempt, 1) AS attempt,
            count(*) FILTER (WHERE coalesce(attempt, 1) = 1)
                OVER (PARTITION BY run_id, {TEST} ORDER BY started_at, execution_id) AS series
        FROM executions)
    SELECT run_id, history_id, any_value(test_name) AS test_name, count(*) AS attempts,
        arg_max(status, (attempt, execution_id)) AS status,
        arg_max(status, (attempt, execution_id)) = 'passed' AND bool_or(status IN {BAD}) AS flaky,
        min(started_at) AS started_at, sum(duration_ms) AS duration_ms
    FROM tries GROUP BY run_id, history_id, series
    """,
)

LATEST = View(
    "latest_executions",
    "The latest execution of each test (by history_id), with every column of executions.",
    _documented(EXECUTIONS),
    f"""
    SELECT * FROM executions WHERE execution_id IN (
        SELECT arg_max(execution_id, (started_at, execution_id)) FROM executions GROUP BY {TEST})
    """,
)

FAULTS = View(
    "internal.faults",
    "One row for each step that went badly; a group only where it is not one of its own steps that did.",
    (),
    f"""
    SELECT * FROM steps WHERE {NOT_PASSED} AND status IN {BAD} AND NOT coalesce(optional, false)
        AND NOT (verb = 'group' AND step_id IN (
            SELECT parent_step_id FROM steps
            WHERE {NOT_PASSED} AND status IN {BAD} AND NOT coalesce(optional, false) AND parent_step_id IS NOT NULL))
    """,
)

_FIRST = ", ".join(
    f"{name}: {name}"
    for name in ("step_id", "name", "verb", "locator", "url", "error_type", "error_message", "error_fingerprint",
                 "screenshot")
)  # fmt: skip

FAILURES = View(
    "failures",
    "One row for each execution that went badly, ended or not, with the first step that did.",
    (
        ("execution_id", "The execution."),
        ("run_id", "The run it belongs to."),
        ("test_name", "The name of the test."),
        ("history_id", "The same test over all runs and attempts."),
        ("notebook", "The notebook."),
        ("browser", "The browser's name."),
        ("attempt", "1 for the first try."),
        ("status", "failed, error or aborted; running where a step failed and the test goes on."),
        ("started_at", "When the execution began."),
        ("duration_ms", "Milliseconds it took."),
        ("error_type", "The class of the error."),
        ("error_message", "What the error said."),
        ("step_id", "The first step that failed; NULL when none did."),
        ("step_name", "That step's name."),
        ("verb", "That step's verb."),
        ("locator", "That step's locator."),
        ("url", "The page it failed on."),
        ("error_fingerprint", "The same for failures that are alike."),
        ("screenshot", "The content hash of the picture at the failure."),
    ),
    f"""
    WITH first_bad AS (
        SELECT execution_id, arg_min({{{_FIRST}}}, (ordinal, step_id)) AS s FROM internal.faults GROUP BY execution_id)
    SELECT e.execution_id, e.run_id, e.test_name, e.history_id, e.notebook, e.browser, e.attempt, e.status,
        e.started_at, e.duration_ms, coalesce(e.error_type, s.error_type) AS error_type,
        coalesce(e.error_message, s.error_message) AS error_message, s.step_id, s.name AS step_name, s.verb,
        s.locator, s.url, s.error_fingerprint, s.screenshot
    FROM executions e LEFT JOIN first_bad USING (execution_id)
    WHERE e.{NOT_PASSED} AND (e.status IN {BAD} OR (e.status = 'running' AND s.step_id IS NOT NULL))
    ORDER BY e.started_at DESC
    """,
)

CLUSTERS = View(
    "failure_clusters",
    "Failing steps that are alike, counted together, most frequent first; a group does not count beside its steps.",
    (
        ("error_fingerprint", "What they have in common."),
        ("error_type", "The class of the error."),
        ("example", "The latest message."),
        ("failures", "Steps that failed so."),
        ("executions", "Executions concerned."),
        ("tests", "Tests concerned."),
        ("first_seen", "When it first happened."),
        ("last_seen", "When it last happened."),
        ("last_execution_id", "The execution it last happened in."),
    ),
    """
    SELECT s.error_fingerprint, arg_max(s.error_type, s.started_at) AS error_type,
        arg_max(s.error_message, s.started_at) AS example, count(*) AS failures,
        count(DISTINCT s.execution_id) AS executions,
        count(DISTINCT coalesce(e.history_id, e.test_name, s.execution_id)) AS tests,
        min(s.started_at) AS first_seen, max(s.started_at) AS last_seen,
        arg_max(s.execution_id, s.started_at) AS last_execution_id
    FROM internal.faults s LEFT JOIN executions e USING (execution_id)
    WHERE s.error_fingerprint IS NOT NULL
    GROUP BY s.error_fingerprint ORDER BY failures DESC, last_seen DESC
    """,
)

FLAKY = View(
    "flaky_tests",
    f"How steady each test is over its last {WINDOW} results, least steady first.",
    (
        ("history_id", "The test."),
        ("test_name", "Its name."),
        ("runs", "Results looked at."),
        ("passed", "Results that passed, with or without a retry."),
        ("flaky", "Results that passed only after a failed attempt."),
        ("flake_rate", "flaky / runs, 0 to 1."),
        ("flips", "Switches between passed and not passed from one result to the next."),
        ("flip_rate", "flips / (runs - 1), 0 to 1."),
        ("pass_rate", "passed / runs, 0 to 1."),
        (
            "severity",
            "By the greater of the two rates: none at 0, low above, medium from 10 %, high from 50 %.",
        ),
        ("last_seen", "When it last began."),
    ),
    f"""
    WITH recent AS (
        SELECT *, lag(status = 'passed') OVER past AS before
        FROM (
            SELECT * FROM internal.results WHERE status IN ('passed', 'failed', 'error')
            QUALIFY row_number() OVER (PARTITION BY history_id ORDER BY started_at DESC, run_id DESC)
                <= {WINDOW})
        WINDOW past AS (PARTITION BY history_id ORDER BY started_at, run_id)),
    counted AS (
        SELECT history_id, arg_max(test_name, started_at) AS test_name, count(*) AS runs,
            count(*) FILTER (WHERE status = 'passed') AS passed, count(*) FILTER (WHERE flaky) AS flaky,
            count(*) FILTER (WHERE before <> (status = 'passed')) AS flips, max(started_at) AS last_seen
        FROM recent GROUP BY history_id),
    rated AS (
        SELECT *, flaky / runs AS flake_rate, flips / greatest(runs - 1, 1) AS flip_rate,
            passed / runs AS pass_rate FROM counted)
    SELECT history_id, test_name, runs, passed, flaky, flake_rate, flips, flip_rate, pass_rate,
        CASE WHEN greatest(flake_rate, flip_rate) = 0 THEN 'none' WHEN greatest(flake_rate, flip_rate) < 0.1
            THEN 'low' WHEN greatest(flake_rate, flip_rate) < 0.5 THEN 'medium' ELSE 'high' END AS severity,
        last_seen
    FROM rated ORDER BY greatest(flake_rate, flip_rate) DESC, runs DESC, test_name
    """,
)

SLOWEST = View(
    "slowest_steps",
    "How long steps take, by what they do, slowest first (by p95).",
    (
        ("verb", "The step's verb."),
        ("step_type", "The step's type."),
        ("name", "The step's name."),
        ("locator", "The step's locator."),
        ("runs", "Steps counted: all that ended, but for skipped ones."),
        ("failed", "Those that did not pass."),
        ("p50_ms", "Half were faster."),
        ("p95_ms", "95 in 100 were faster."),
        ("p99_ms", "99 in 100 were faster."),
        ("max_ms", "The slowest."),
        ("mean_wait_ms", "Of that, waiting until it could be done, on average."),
    ),
    """
    WITH timed AS (
        SELECT verb, step_type, name, locator, count(*) AS runs,
            count(*) FILTER (WHERE status <> 'passed') AS failed,
            quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS q, max(duration_ms) AS max_ms,
            avg(wait_ms) AS mean_wait_ms
        FROM steps WHERE status IN ('passed', 'failed', 'error') AND duration_ms IS NOT NULL
        GROUP BY verb, step_type, name, locator)
    SELECT verb, step_type, name, locator, runs, failed, q[1] AS p50_ms, q[2] AS p95_ms, q[3] AS p99_ms,
        max_ms, mean_wait_ms
    FROM timed ORDER BY p95_ms DESC, runs DESC
    """,
)

PASS_RATE = View(
    "pass_rate_daily",
    "Results for each day (UTC), latest first.",
    (
        ("day", "The day the result began."),
        ("results", "Results that day, without those still running."),
        ("passed", "Passed, with or without a retry."),
        ("failed", "An expectation was not met."),
        ("error", "Something else went wrong."),
        ("skipped", "Not run."),
        ("aborted", "The process died."),
        ("flaky", "Of those passed, only after a failed attempt."),
        ("pass_rate", "passed / (passed + failed + error + aborted), 0 to 1; NULL when nothing was judged."),
        ("mean_duration_ms", "Milliseconds a result took on average, retries included."),
    ),
    f"""
    SELECT CAST(started_at AS DATE) AS day, count(*) AS results,
        {COUNTS}, count(*) FILTER (WHERE flaky) AS flaky,
        count(*) FILTER (WHERE status = 'passed')
            / nullif(count(*) FILTER (WHERE status = 'passed' OR status IN {BAD}), 0) AS pass_rate,
        avg(duration_ms) AS mean_duration_ms
    FROM internal.results WHERE status <> 'running' GROUP BY day ORDER BY day DESC
    """,
)

AI_USAGE = View(
    "ai_usage_daily",
    "What looking at pages took, for each day (UTC), provider and model, latest first.",
    (
        ("day", "The day of the call."),
        ("provider", "offline or openai."),
        ("model", "The model that answered."),
        ("calls", "Analyses."),
        ("failed", "Those that ended in something else than ok."),
        ("cache_hits", "Those answered without sending anything."),
        ("requests", "HTTP requests made."),
        ("input_tokens", "Tokens sent, as billed."),
        ("cached_tokens", "The part of input_tokens billed as cached."),
        ("output_tokens", "Tokens received, as billed."),
        ("cost_usd", "The known part of the price; NULL when none of it is known."),
        ("unpriced", "Calls that used tokens whose price is not known."),
        ("mean_latency_ms", "Milliseconds until the answer, on average."),
    ),
    """
    SELECT CAST(created_at AS DATE) AS day, provider, model, count(*) AS calls,
        count(*) FILTER (WHERE status <> 'ok') AS failed, count(*) FILTER (WHERE cache_hit) AS cache_hits,
        CAST(sum(attempts) AS BIGINT) AS requests, CAST(sum(if(cache_hit, 0, input_tokens)) AS BIGINT) AS input_tokens,
        CAST(sum(if(cache_hit, 0, cached_tokens)) AS BIGINT) AS cached_tokens,
        CAST(sum(if(cache_hit, 0, output_tokens)) AS BIGINT) AS output_tokens,
        sum(cost_usd) AS cost_usd,
        count(*) FILTER (WHERE cost_usd IS NULL AND coalesce(input_tokens, 0) > 0 AND NOT coalesce(cache_hit, false))
            AS unpriced,
        avg(latency_ms) AS mean_latency_ms
    FROM analyses GROUP BY day, provider, model ORDER BY day DESC, provider, model
    """,
)

FINDINGS_OPEN = View(
    "findings_open",
    "Findings of the latest execution of each test, and those made outside any execution, worst first.",
    (
        *_documented(FINDINGS),
        ("test_name", "The test it was found in."),
        ("url", "The page it was found on."),
    ),
    """
    SELECT f.*, e.test_name, s.url
    FROM findings f LEFT JOIN latest_executions l USING (execution_id)
        LEFT JOIN executions e USING (execution_id)
        LEFT JOIN (
            SELECT step_id, url FROM steps WHERE step_id IN (SELECT step_id FROM findings)) s USING (step_id)
    WHERE l.execution_id IS NOT NULL OR e.execution_id IS NULL
    ORDER BY list_position(['critical', 'serious', 'moderate', 'minor'], f.severity), f.finding_id
    """,
)

RUN_SUMMARY = View(
    "run_summary",
    "One row for each run with what its tests came to, latest first.",
    (
        ("run_id", "The run."),
        ("kind", "interactive, papermill or suite."),
        ("status", "The run's own status."),
        ("started_at", "When it began."),
        ("ended_at", "When it ended; NULL while it runs."),
        ("git_commit", "The commit checked out."),
        ("git_branch", "The branch checked out."),
        ("tests", "Tests, each counted once after its retries."),
        ("passed", "Passed, with or without a retry."),
        ("failed", "An expectation was not met."),
        ("error", "Something else went wrong."),
        ("skipped", "Not run."),
        ("aborted", "The process died."),
        ("running", "Still running."),
        ("flaky", "Of those passed, only after a failed attempt."),
        ("pass_rate", "passed / (passed + failed + error + aborted), 0 to 1; NULL when nothing was judged."),
        ("duration_ms", "Milliseconds spent in tests, retries included."),
    ),
    f"""
    WITH counted AS (
        SELECT run_id, count(*) AS tests, {COUNTS},
            count(*) FILTER (WHERE status = 'running') AS running, count(*) FILTER (WHERE flaky) AS flaky,
            count(*) FILTER (WHERE status = 'passed' OR status IN {BAD}) AS judged,
            sum(duration_ms) AS duration_ms
        FROM internal.results GROUP BY run_id)
    SELECT r.run_id, r.kind, r.status, r.started_at, r.ended_at, r.git_commit, r.git_branch,
        coalesce(c.tests, 0) AS tests, coalesce(c.passed, 0) AS passed, coalesce(c.failed, 0) AS failed,
        coalesce(c.error, 0) AS error, coalesce(c.skipped, 0) AS skipped, coalesce(c.aborted, 0) AS aborted,
        coalesce(c.running, 0) AS running, coalesce(c.flaky, 0) AS flaky,
        c.passed / nullif(c.judged, 0) AS pass_rate, c.duration_ms
    FROM runs r LEFT JOIN counted c USING (run_id) ORDER BY r.started_at DESC
    """,
)

INTERNAL = (RESULTS, FAULTS)
"""What the public views are made of, to be made before them."""
VIEWS = (LATEST, FAILURES, CLUSTERS, FLAKY, SLOWEST, PASS_RATE, AI_USAGE, FINDINGS_OPEN, RUN_SUMMARY)
"""The public views, in the order of the documentation."""


def table_view(table: Relation) -> str:
    """The statement that makes the public view of ``table``: what is sealed and what is live."""
    if table.started_kind is None:
        live = table.select("internal.lines")
        body = f"SELECT {table.names} FROM {table.sealed} UNION ALL {live}"
    else:
        # One pass over the live lines serves both halves. A start is dropped when its end is live too;
        # ends in the sealed part have been taken out of the unfinished ones at publication. The sealed part
        # stands outside the WITH: inside, DuckDB reads every column of it, whatever was asked for.
        body = f"""
        SELECT {table.names} FROM {table.sealed} UNION ALL SELECT {table.names} FROM (
            WITH live AS MATERIALIZED (
                SELECT * FROM internal.lines WHERE kind IN ('{table.kinds[0]}', '{table.started_kind}')),
            ended AS ({table.select("live")}),
            begun AS ({table.select("live", started=True, extra=", source AS writer")}
                UNION ALL SELECT {table.names}, writer FROM {table.unfinished})
            SELECT {table.names} FROM ended
            UNION ALL SELECT * EXCLUDE (writer) REPLACE (
                CASE WHEN status = 'running' AND contains(getvariable('{DEAD_VARIABLE}'), '/' || writer || '/')
                THEN 'aborted' ELSE status END AS status)
            FROM begun WHERE {table.key} NOT IN (SELECT {table.key} FROM ended))
        """
    return f"CREATE OR REPLACE VIEW {table.name} AS {body}"


def statements() -> list[str]:
    """The statements that make every view, for a database that has ``internal.lines``."""
    made = [table_view(table) for table in TABLES]
    return made + [f"CREATE OR REPLACE VIEW {view.name} AS {view.sql}" for view in (*INTERNAL, *VIEWS)]


def public_names() -> tuple[str, ...]:
    """Names of the tables and views people query."""
    return tuple(table.name for table in TABLES) + tuple(view.name for view in VIEWS)
