"""Segments on their way into a central database: a DuckLake, or a DuckDB that is served by Quack.

The centre has the tables and views of a project's own database, over the rows of all that was shipped. Rows are
only ever added there. The names of the segments they come from are added in the same transaction, and each such
transaction changes the one row of ``internal.turn``: of two shippers at the same moment one is refused, asks again
what the centre has, and goes on with what is still missing. So a line arrives once, whoever is killed, and however
many machines hold the same segment.

A DuckLake is written in a transaction of the client. Quack (as of 1.5.5) puts each insertion of a client in place at
once, whatever transaction the client believes to be in: there the lines are put aside first, in a schema of their
own, and one request that holds the whole transaction makes rows of them.

A span whose end has not come is kept apart, as it is in a project. Nobody ever removes it; the views leave it out
once its end is there, and show it as aborted when its writer has shipped its last segment.
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted texts)

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..errors import StoreProblem, UsageProblem
from ..log import segment
from .extensions import Carrier, StatementRefused
from .generation import BATCH_BYTES, lines_sql, quoted
from .migrations import MIGRATIONS
from .relation import LINE_COLUMNS, Relation
from .schema import TABLES
from .transfer import Part, Transfer, complete, held, missing, piece_of, put
from .views import INTERNAL, VIEWS

STAGES = ("asked", "begun", "inserted", "committed")
"""The moments of a shipment, as told to its ``at`` argument; all but the first once for each batch."""

TOKEN_VARIABLE = "JBTS_SHIP_TOKEN"  # noqa: S105  (a name, not a token)
TURNS = 50
"""How often others may come first before a shipment gives up for now."""

_MEANWHILE = "others have shipped meanwhile"
_BUSY = "others ship to the same place all the time; ship again later, nothing is lost"
_LEFT_OVER_S = 86_400
_STAGING = "jbts_arriving"
_SEGMENTS = "segment VARCHAR{key}, source VARCHAR, lines BIGINT, last_kind VARCHAR, merged_at TIMESTAMP, bytes BIGINT"


@dataclass(frozen=True, slots=True)
class Target:
    """A central database: how it is attached, and ``shown`` without what must stay secret."""

    shown: str
    attach: str
    extensions: tuple[str, ...]
    served: bool
    """Whether it is a Quack server, which runs what it is told itself."""
    secrets: tuple[str, ...]

    def masked(self, text: str) -> str:
        """``text`` without the target's secrets, in one line."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(_without_password(text).split())[:1000]


def target_of(text: str, data: str | None = None, token: str | None = None) -> Target | None:
    """The central database that ``text`` names; None when it names a folder. ``data`` is where a new DuckLake keeps
    its files. Raises UsageProblem for an address of another kind."""
    shown = _without_password(text)
    if re.match(r"postgres(ql)?://", text):
        text = f"ducklake:postgres:{text}"
    kind, _, where = text.partition(":")
    given = [*_passwords(text), *([token] if token else [])]
    secrets = tuple(dict.fromkeys(form for secret in given for form in (secret, unquote(secret)) if form))
    if kind == "ducklake" and where:
        scheme = where.partition(":")[0]
        scanner = {"postgres": "postgres_scanner", "sqlite": "sqlite_scanner"}.get(scheme)
        remote = ("httpfs",) if data and "://" in data else ()
        options = f" (DATA_PATH {quoted(data)})" if data else ""
        extensions = ("ducklake", *((scanner,) if scanner else ()), *remote)
        return Target(shown, f"ATTACH {quoted(text)} AS centre{options}", extensions, False, secrets)
    if data is not None:
        raise UsageProblem("--data is where a DuckLake keeps its files; this target is none")
    if kind == "quack" and where:
        options = f" (TOKEN {quoted(token)})" if token else ""
        return Target(shown, f"ATTACH {quoted(text)} AS centre{options}", ("httpfs", "quack"), True, secrets)
    if re.match(r"[a-z][a-z0-9+.-]*://", text):
        raise UsageProblem(
            f"{shown} is an address jbts ship cannot write to; mount the bucket and name the folder,"
            " or ship to a DuckLake whose files lie there: jbts ship postgres://HOST/DATABASE --data ADDRESS"
        )
    return None


def ship(home: Path, target: Target, *, at: Callable[[str], object] = lambda stage: None) -> Transfer:
    """Send what is sealed in ``home`` to ``target``, but for what is there. Waits for another process of this project
    that ships. Raises StoreProblem; what was committed until then stays, and the next call goes on."""
    home = Path(home).absolute()
    if not (home / segment.SPOOL).is_dir():
        raise StoreProblem(f"there is nothing to ship: {home} has no {segment.SPOOL}/")
    try:
        with _turn(home) as turn, Carrier(target.extensions, turn) as carrier:
            return _Centre(target, carrier, at).take(home)
    except StatementRefused as problem:
        reason = target.masked(str(problem))
        raise StoreProblem(f"{target.shown} could not be shipped to: {reason}{_way_out(reason)}") from None
    except OSError as problem:
        raise StoreProblem(f"{home} could not be shipped to {target.shown}: {problem}") from problem


class _Centre:
    """The central database of one shipment."""

    def __init__(self, target: Target, carrier: Carrier, at: Callable[[str], object]) -> None:
        self.served, self.masked, self.run, self.at = target.served, target.masked, carrier.run, at
        for last in (*[False] * (TURNS - 1), True):
            try:
                self.run(target.attach)
                break
            except StatementRefused as problem:  # two may make the catalogue of a new DuckLake at once
                if last or not _came_first(str(problem)):
                    raise
        if not target.served:
            self.run("USE centre")
        self._prepare()
        if target.served:
            self._sweep()

    def take(self, home: Path) -> Transfer:
        """Send the segments of ``home``."""
        sealed, still_open = complete(home)
        shipped = size = 0
        for _ in range(TURNS):
            turn = str(self._there("SELECT token FROM internal.turn")[0][0])
            rows = self._there("SELECT segment, bytes FROM internal.segments")
            self.at("asked")
            parts = list(missing(sealed, held((str(name), int(str(count))) for name, count in rows)))
            for batch in _batches(parts):
                try:
                    turn = self._put(batch, turn)
                except StatementRefused as problem:
                    if not _came_first(str(problem)):
                        raise
                    break
                shipped, size = shipped + len(batch), size + sum(part.size for part in batch)
            else:
                return Transfer(shipped, 0, size, len(sealed) - shipped, still_open)
        raise StoreProblem(_BUSY)

    def _there(self, *statements: str) -> list[list[object]]:
        """Run statements in the centre, as one request; the rows of the last."""
        told = (f"FROM centre.query({quoted('; '.join(statements))})",) if self.served else statements
        try:
            return self.run(*told)
        except StatementRefused:
            if "COMMIT" in statements:
                self._roll_back()
            raise

    def _roll_back(self) -> None:
        """End a transaction that was refused, which some databases have done themselves by then."""
        try:
            self.run("FROM centre.query('ROLLBACK')" if self.served else "ROLLBACK")
        except StatementRefused as problem:
            if "no transaction" not in str(problem):
                raise

    def _put(self, parts: Sequence[Part], turn: str) -> str:
        """Make rows of ``parts`` in one transaction, if it is still our ``turn``; the turn after that."""
        following, place = str(uuid.uuid4()), ""
        with tempfile.TemporaryDirectory(prefix="jbts-ship-") as folder:
            files = [
                put(part, Path(folder)) if part.name != part.path.name or part.start else part.path for part in parts
            ]
            lines = lines_sql("[" + ", ".join(quoted(glob.escape(str(file))) for file in files) + "]", "true")
            if self.served:
                place = f"{_STAGING}_{int(time.time())}_{uuid.uuid4().hex[:8]}"
                columns = [f"{name} {kind}" for name, kind in LINE_COLUMNS.items() if name != "v"]
                shape = ", ".join([*columns, "segment VARCHAR"])
                self._there(f"CREATE SCHEMA {place}", f"CREATE TABLE {place}.batch ({shape})")
                self.run("CALL quack_clear_cache()", f"INSERT INTO centre.{place}.batch {lines}")
            else:
                self.run(f"CREATE OR REPLACE TEMP TABLE batch AS {lines}")
        self.at("begun")
        rows = _rows_of(parts, f"{place}.batch" if place else "batch", turn, following)
        if self.served:
            self.at("inserted")
            # Sent as one request: killed here, the server does all of it or has not heard of it.
            self._there("BEGIN", *rows, f"DROP SCHEMA {place} CASCADE", "COMMIT")
        else:
            try:
                self.run("BEGIN", *rows)
            except StatementRefused:
                self._roll_back()
                raise
            self.at("inserted")
            self._there("COMMIT")
        self.at("committed")
        return following

    def _prepare(self) -> None:
        """Make the tables and views, or bring those of an older version up to date. Newer ones are left alone."""
        for _ in range(TURNS):
            facts = self._facts()
            views = [
                *map(_table_view, TABLES),
                *(f"CREATE OR REPLACE VIEW {v.name} AS {v.sql}" for v in (*INTERNAL, *VIEWS)),
            ]
            shape = hashlib.sha256("\n".join(views).encode()).hexdigest()[:16]
            level = int(facts.get("level", "0"))
            if level > len(MIGRATIONS) or facts.get("shape") == shape:
                return
            new = {"level": str(len(MIGRATIONS)), "shape": shape}
            kept = [f"INSERT INTO internal.facts VALUES ({quoted(k)}, {quoted(v)})" for k, v in new.items()]
            tables = self._tables(first=not facts)
            try:
                self._there("BEGIN", *tables, *views, "DELETE FROM internal.facts", *kept, "COMMIT")
                return
            except StatementRefused as problem:
                if not _came_first(str(problem)):
                    raise
        raise StoreProblem(_BUSY)

    def _facts(self) -> dict[str, str]:
        """What the centre says of itself; nothing when it is new."""
        there = self._there(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'internal' AND table_name = 'facts'"
            " AND database_name = current_database()"
        )
        if not int(str(there[0][0])):
            return {}
        return {str(name): str(value) for name, value in self._there("SELECT name, value FROM internal.facts")}

    def _tables(self, first: bool) -> Iterator[str]:
        """The statements that make what is not there."""
        key = " PRIMARY KEY" if self.served else ""  # a DuckLake has none; its turn is what keeps two apart
        have: dict[str, set[str]] = {}
        for table, column in self._there(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'internal'"
            " AND database_name = current_database()"
        ):
            have.setdefault(str(table), set()).add(str(column))
        if first:
            yield "CREATE SCHEMA IF NOT EXISTS internal"
            yield f"CREATE TABLE internal.segments ({_SEGMENTS.format(key=key)})"
            yield "CREATE TABLE internal.facts (name VARCHAR, value VARCHAR)"
            yield "CREATE TABLE internal.turn (token VARCHAR)"
            yield f"INSERT INTO internal.turn VALUES ({quoted(str(uuid.uuid4()))})"
        for table in TABLES:
            columns = {f'"{column.name}"': column.type for column in table.columns}
            for name, extra in ((table.sealed, {}), (table.unfinished, {"writer": "VARCHAR"})):
                if name == table.unfinished and not table.started_kind:
                    continue
                shape = columns | extra
                known = have.get(name.partition(".")[2])
                if known is None:
                    yield f"CREATE TABLE {name} ({', '.join(f'{c} {kind}' for c, kind in shape.items())})"
                else:
                    for column, kind in shape.items():
                        if column.strip('"') not in known:
                            yield f"ALTER TABLE {name} ADD COLUMN {column} {kind}"

    def _sweep(self) -> None:
        """Remove lines that were put aside long ago by a shipper that was killed before it made rows of them."""
        for (name,) in self._there(
            f"SELECT schema_name FROM duckdb_schemas() WHERE schema_name LIKE '{_STAGING}_%'"
            " AND database_name = current_database()"
        ):
            found = re.fullmatch(rf"{_STAGING}_(\d+)_[0-9a-f]{{8}}", str(name))
            if found and int(found[1]) < time.time() - _LEFT_OVER_S:
                self._there(f"DROP SCHEMA {name} CASCADE")


def _rows_of(parts: Sequence[Part], batch: str, turn: str, following: str) -> Iterator[str]:
    """The statements that make rows of the lines in the table ``batch``, and say whose they are."""
    yield (
        f"SELECT CASE WHEN (SELECT token FROM internal.turn) IS DISTINCT FROM {quoted(turn)}"
        f" THEN error({quoted(_MEANWHILE)}) END"
    )
    yield f"UPDATE internal.turn SET token = {quoted(following)}"
    names = ", ".join(
        f"({quoted(part.name)}, {quoted(segment.source_of(piece_of(part.name)[0]))}, {part.size})" for part in parts
    )
    yield (
        "INSERT INTO internal.segments BY NAME SELECT f.name AS segment, f.source, coalesce(b.lines, 0) AS lines,"
        f" b.last_kind, make_timestamp({int(time.time() * 1e6)}) AS merged_at, f.bytes"
        f" FROM (VALUES {names}) f(name, source, bytes) LEFT JOIN (SELECT segment, count(*) AS lines,"
        f" arg_max(kind, seq) AS last_kind FROM {batch} GROUP BY segment) b ON b.segment = f.name"
    )
    for table in TABLES:
        order = f" ORDER BY {table.order}" if table.order else ""
        yield f"INSERT INTO {table.sealed} BY NAME {table.select(batch)}{order}"
        if table.started_kind:
            ends = ", ".join(quoted(kind) for kind in table.kinds)
            yield (
                f"INSERT INTO {table.unfinished} BY NAME SELECT * FROM"
                f" ({table.select(batch, started=True, extra=', source AS writer')}) WHERE {table.key} NOT IN"
                f" (SELECT {table.key} FROM {batch} WHERE kind IN ({ends}) AND {table.key} IS NOT NULL)"
            )


def _table_view(table: Relation) -> str:
    """The statement that makes the centre's view of ``table``."""
    body = f"SELECT {table.names} FROM {table.sealed}"
    if table.started_kind:
        going_on = (
            "SELECT source FROM internal.segments GROUP BY source"
            f" HAVING arg_max(last_kind, segment) = {quoted(segment.ROTATED)}"
        )
        columns = ", ".join(
            f"CASE WHEN writer IN ({going_on}) THEN status ELSE 'aborted' END AS status"
            if column.name == "status"
            else f'"{column.name}"'
            for column in table.columns
        )
        body += (
            f" UNION ALL SELECT {columns} FROM {table.unfinished}"
            f" WHERE {table.key} NOT IN (SELECT {table.key} FROM {table.sealed})"
        )
    return f"CREATE OR REPLACE VIEW {table.name} AS {body}"


def _batches(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """``parts`` in order, in groups of about ``BATCH_BYTES``."""
    group: list[Part] = []
    for part in parts:
        group.append(part)
        if sum(one.size for one in group) >= BATCH_BYTES:
            yield group
            group = []
    if group:
        yield group


def _came_first(reason: str) -> bool:
    """Whether a refusal means that another shipment was quicker, and this one is to be asked anew."""
    return bool(re.search(rf"{_MEANWHILE}|conflict(?!ing lock)|duplicate key|already exists", reason, re.IGNORECASE))


def _way_out(reason: str) -> str:
    """What to do about a refusal, where that is known."""
    if "Conflicting lock" in reason:
        return "; a catalogue in a file has one user at a time: ship again, or keep the catalogue in PostgreSQL"
    if re.search(r"data.?path", reason, re.IGNORECASE):
        return "; --data FOLDER says where a DuckLake keeps its files, which all who ship and ask must reach"
    if re.search(r"password|authentication", reason, re.IGNORECASE):
        return f"; a Quack server's token is {TOKEN_VARIABLE}, PostgreSQL's password PGPASSWORD or in ~/.pgpass"
    return ""


_URL_PASSWORD = r"(?<=://)([^/@:\s]*):(\S+)@"  # noqa: S105
_PAIR_PASSWORD = r"(?i)\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)"  # noqa: S105


def _passwords(text: str) -> list[str]:
    """The passwords that stand in an address or in a connection string."""
    found = [match[2] for match in re.finditer(_URL_PASSWORD, text)]
    return found + [match[1].strip("'") for match in re.finditer(_PAIR_PASSWORD, text)]


def _without_password(text: str) -> str:
    text = re.sub(_URL_PASSWORD, r"\1:***@", text)
    return re.sub(_PAIR_PASSWORD, "password=***", text)


@contextmanager
def _turn(home: Path) -> Iterator[int]:
    """The right to ship from ``home``: a descriptor that keeps it, also in a child that has it."""
    fd = os.open(home / ".ship.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)
