"""``docs/store.md``, made from the schema so that it cannot be out of date."""

from __future__ import annotations

from .schema import TABLES
from .views import VIEWS

_HEAD = """\
# The store

*Made by `python -m jbts_kernel.store.schema`; change the schema, not this page.*

Everything a project recorded is in `.jbts/results.duckdb`, live: a step can be queried milliseconds after it
ran, from the notebook (`%query`, `jbts.results.df`), from the command line (`jbts query`) or with any DuckDB:

    duckdb -readonly .jbts/results.duckdb "FROM latest_executions"

Times are `TIMESTAMP` in UTC. Identifiers are text that sorts by time. Nothing ever writes to the file: each
publication puts a new one in its place, and what is newer is read from the log in `.jbts/spool`, so the two
belong together (the folder may be moved as a whole; `jbts export` makes a copy that stands alone).
"""


def store_reference() -> str:
    """The page as Markdown."""
    parts = [_HEAD, "\n## Tables\n"]
    for table in TABLES:
        parts.append(f"\n### {table.name}\n\n{table.doc}\n\n| column | type | |\n| --- | --- | --- |\n")
        parts += [f"| {column.name} | {column.type} | {column.doc} |\n" for column in table.columns]
    parts.append("\n## Views\n")
    for view in VIEWS:
        parts.append(f"\n### {view.name}\n\n{view.doc}\n\n| column | |\n| --- | --- |\n")
        parts += [f"| {name} | {doc} |\n" for name, doc in view.columns]
    return "".join(parts)
