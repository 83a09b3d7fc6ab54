"""What retention forgets by its own age, beside events: answers under an Idempotency-Key, analytics jobs, replays that
have ended, notices, the rows of workers that are gone.

A rule for each kind says which rows are old; by it they are counted and removed. What a replay sent stays as long as
its events. A worker is gone that said last before an instant, by its own clock, that it is there: one that is there
after all, with a clock that is far behind, is back once it says so again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Table, and_, delete, func, select, tuple_

from bookbell.core.instants import id_floor
from bookbell.core.replay import JobState
from bookbell.store.database import Tx
from bookbell.store.schema import idempotency_keys, notices, workers
from bookbell.store.schema_analytics import analytics_jobs
from bookbell.store.schema_replays import replay_jobs


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which rows of a table are old; they go in the order of a column with an index."""

    table: Table
    is_old: Callable[[int], ColumnElement[bool]]
    order: Column[str] | Column[int]


def _is_old_replay(before: int) -> ColumnElement[bool]:
    c = replay_jobs.c
    return and_(c.id < id_floor(before), c.state != JobState.RUNNING.value, c.finished_at < before)


_RULES = {
    "idempotency_keys": _Rule(
        idempotency_keys, lambda before: idempotency_keys.c.created_at < before, idempotency_keys.c.created_at
    ),
    "analytics_jobs": _Rule(
        analytics_jobs, lambda before: analytics_jobs.c.created_at < before, analytics_jobs.c.created_at
    ),
    "replays": _Rule(replay_jobs, _is_old_replay, replay_jobs.c.id),
    "notices": _Rule(notices, lambda before: notices.c.id < id_floor(before), notices.c.id),
    "workers": _Rule(workers, lambda before: workers.c.seen_at < before, workers.c.id),
}


def forget(tx: Tx, kind: str, *, before: int, count: int) -> int:
    """Forget at most count rows of this kind that are old as of that instant, oldest first. Gives how many."""
    rule = _RULES[kind]
    key, is_old = tuple_(*rule.table.primary_key.columns), rule.is_old(before)
    old = select(*rule.table.primary_key.columns).where(is_old).order_by(rule.order).limit(count)
    found = [tuple(row) for row in tx.execute(old)]
    if found:
        tx.execute(delete(rule.table).where(key.in_(found), is_old))
    return len(found)


def count_old(tx: Tx, kind: str, *, before: int) -> int:
    """How many rows of this kind are old as of that instant."""
    rule = _RULES[kind]
    return tx.execute(select(func.count()).select_from(rule.table).where(rule.is_old(before))).scalar_one()
