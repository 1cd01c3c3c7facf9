"""How long a notebook will take, from how long it took before: what a progress says of the time left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import JBTSError
from .selection import Case

_TOOK = """
    with takes as (
        select run_id, notebook, attempt, sum(duration_ms) as ms from executions
        where status in ('passed', 'failed') and notebook is not null group by all
        qualify row_number() over (partition by notebook order by max(started_at) desc) <= 10
    )
    select notebook, median(ms) as ms from takes group by notebook
"""


def expected(home: Path, cases: Sequence[Case]) -> dict[str, float]:
    """Milliseconds each case can be expected to take, by its name; without those the store knows nothing of."""
    from ..store.queries import Results

    if not (home / "results.duckdb").exists():
        return {}
    try:
        took = {row["notebook"]: float(row["ms"]) for row in Results(home).rows(_TOOK).dicts()}
    except JBTSError:
        return {}  # it is only a guess that is missing
    return {case.name: took[case.notebook] for case in cases if case.notebook in took}


def left_ms(
    waiting: Sequence[str], going: Mapping[str, float], known: Mapping[str, float], seen: Sequence[float], workers: int
) -> float | None:
    """Milliseconds until the last case is done; None where nothing is known. ``going`` are the cases that run,
    with what they have taken so far; one that is not known takes as long as the others on the average."""
    past = [*known.values()] or [*seen]
    if not past:
        return None
    usual = sum(past) / len(past)
    works = [known.get(name, usual) for name in waiting]
    works += [max(known.get(name, usual) - taken, 0.0) for name, taken in going.items()]
    return max(sum(works) / max(workers, 1), *works, 0.0)
