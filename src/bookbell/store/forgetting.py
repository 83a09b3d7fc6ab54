"""What retention forgets beside events: replays that have ended, notices, the rows of workers that are gone.

Each a bounded number of rows at a time, oldest first.
"""

from sqlalchemy import ColumnElement, Table, delete, select

from bookbell.core.instants import id_floor
from bookbell.core.replay import JobState
from bookbell.store.database import Tx
from bookbell.store.schema import notices, replay_jobs, workers


def replays(tx: Tx, *, before: int, count: int) -> int:
    """Forget replays that ended before that instant. Gives how many. What they sent stays as long as its events."""
    c = replay_jobs.c
    return _forget(
        tx, replay_jobs, count, c.id < id_floor(before), c.state != JobState.RUNNING.value, c.finished_at < before
    )


def old_notices(tx: Tx, *, before: int, count: int) -> int:
    """Forget notices from before that instant. Gives how many."""
    return _forget(tx, notices, count, notices.c.id < id_floor(before))


def gone_workers(tx: Tx, *, before: int, count: int) -> int:
    """Forget workers that said last before that instant, by their clocks, that they are there. Gives how many.

    One that is there after all, with a clock that is far behind, is back once it says so again.
    """
    return _forget(tx, workers, count, workers.c.seen_at < before)


def _forget(tx: Tx, table: Table, count: int, *conditions: ColumnElement[bool]) -> int:
    old = select(table.c.id).where(*conditions).order_by(table.c.id).limit(count)
    found = [row.id for row in tx.execute(old)]
    if found:
        tx.execute(delete(table).where(table.c.id.in_(found), *conditions))
    return len(found)
