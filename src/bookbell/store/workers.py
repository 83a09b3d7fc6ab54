"""Which workers are there, and how many lanes each has: a hint for spreading lanes, not for owning them."""

from sqlalchemy import delete, insert, select, update

from bookbell.store.database import Tx
from bookbell.store.schema import workers

_FORGOTTEN_MS = 86_400_000


def report(tx: Tx, worker: str, *, lane_count: int, at: int, since: int) -> list[int]:
    """Say that this worker is there with that many lanes. Gives the lanes of each other one seen since then."""
    changed = tx.execute(update(workers).where(workers.c.id == worker).values(lane_count=lane_count, seen_at=at))
    if changed.rowcount == 0:
        tx.execute(delete(workers).where(workers.c.seen_at < at - _FORGOTTEN_MS))
        tx.execute(insert(workers).values(id=worker, lane_count=lane_count, seen_at=at))
    others = select(workers.c.lane_count).where(workers.c.id != worker, workers.c.seen_at >= since)
    return [row.lane_count for row in tx.execute(others)]


def forget(tx: Tx, worker: str) -> None:
    """This worker is not there any more."""
    tx.execute(delete(workers).where(workers.c.id == worker))
