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

## Asking

| you write | you get |
| --- | --- |
| `%query SQL`, `%%query` | the answer, a page at a time, sorted by the column you press |
| `name = %query SQL` | a pandas data frame; with `--arrow` an Arrow table |
| `%query SQL --chart bar day passed` | a picture too: `bar`, `line` or `heat`, with the columns along and up |
| `jbts.results.df(sql, params)`, `.arrow`, `.rows` | the same from Python; `rows` needs no pandas |
| `jbts query SQL -f table\\|csv\\|json\\|parquet [-o FILE]` | the same in a terminal |
| `%results failures`, `%dashboard` | the usual questions, drawn |

`${name}` in a question of the notebook, and `params` from Python, are bound: a value never becomes SQL. A question
reads the results and nothing else: other files, the network, extensions and settings are out of its reach, so SQL
from somebody else's notebook can be run.

## What is kept, and how safely

A step's rows are appended to a segment in `.jbts/spool` before the step returns. The killing of the process loses
none of them. A power cut or a crash of the machine may lose the last seconds: set `JBTS.durable = True`
(`JBTS_DURABLE=1`) where that matters, and each append waits for the disk (`fdatasync`), commonly some milliseconds.
On a full disk steps go on; what could not be recorded is counted and said in the next card and by `%jbts`.

A segment is sealed after 4 MiB, after five minutes, or when its process has ended. A low-priority process of the
kernel, or `jbts publish`, puts sealed segments into the next generation of `results.duckdb`. An execution whose
process died is `aborted`: at once for `%query`, `jbts query` and `jbts.results`, which look who still writes, and from
the next publication for whoever opens the file with DuckDB alone. A day after their publication segments move to
`spool/merged`: with them `results.duckdb` can be made again when it is lost (delete it, then `jbts publish`).

| you type | it does |
| --- | --- |
| `jbts prune --keep 90d` | deletes executions that ended earlier, their part of the log, and files no row refers to |
| `jbts export results.duckdb` | everything as one database that stands alone |
| `jbts export results/` | everything as Parquet |
| `jbts export junit.xml`, `jbts export DIR -f allure` | a run for CI servers and for Allure |
| `jbts ship FOLDER` | sends what is sealed to a central folder (a share, a mounted bucket), each segment once |
| `jbts ship postgres://HOST/DB --data FOLDER` | the same into a DuckLake whose catalogue is in PostgreSQL |
| `jbts ship ducklake:FILE` | the same into a DuckLake whose catalogue is in a file |
| `jbts ship quack:HOST:PORT` | the same into a DuckDB that is served by Quack |
| `jbts import FOLDER` | takes over another machine's `.jbts`, or what machines have shipped, each segment once |

A folder that was shipped to is a data folder itself: `JBTS_HOME=FOLDER jbts query ...`. Its rows are there when
the shipping command has ended.

A central database gets the tables and views of this page; pictures, evidence and downloads stay where they are. The
names of the segments are added in the transaction that adds their rows, so each line arrives once, whoever is killed
and however many machines ship at once. DuckDB's extensions `ducklake`, `postgres` and `quack` are made for one version
of DuckDB each; where the installed one has none, `jbts ship --prepare` installs DuckDB 1.5.5 with them beside it, in
the user's cache folder, and `JBTS_SHIP_PYTHON` names another Python that has them. Nothing else downloads anything.
A catalogue in a file has one user at a time. A Quack server's token is read from `JBTS_SHIP_TOKEN`; PostgreSQL's
password is best kept in `~/.pgpass` or `PGPASSWORD`, and one in the address is masked in every message.

The files of a DuckLake may lie in a bucket: `--data s3://BUCKET/PATH`, with the access in a secret that DuckDB keeps
(`CREATE PERSISTENT SECRET (TYPE s3, KEY_ID ..., SECRET ..., REGION ...)`, and for other servers than Amazon's
`ENDPOINT` and `URL_STYLE 'path'`). DuckLakes in files and in PostgreSQL and a served DuckDB, all on one machine, are
part of the package's tests. A bucket is not: it was tried by hand with an S3 server on the same machine, never with
Amazon's own, and neither were `gs://` and `azure://`. TLS to a Quack server and to PostgreSQL has not been tried.

A connection to `results.duckdb` sees the generation it opened. Segments published after that leave the folder a day
later at the earliest: a connection held open for longer than a day no longer sees what they hold, without an error.
Open a new one for each question, or at least once a day, and close the old one first: as long as a process has the
file open, DuckDB gives it the same generation again.

Files an older version wrote are upgraded by the first publication; an older version leaves a newer file alone and
says that it must be upgraded.
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
