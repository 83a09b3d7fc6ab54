"""Which workers are there, and how many lanes each has: a hint for spreading lanes, not for owning them.

A worker that is there changes its row again and again. `seen_at` is the wall clock of that worker, and says nothing to
others but that it has changed.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Integer, bindparam, delete, insert, select, update

from bookbell.store.database import Tx
from bookbell.store.schema import workers


@dataclass(frozen=True, slots=True)
class Presence:
    """A worker's row."""

    lane_count: int
    seen_at: int


_SAID = {"lane_count": bindparam("count", type_=Integer), "seen_at": bindparam("at", type_=BigInteger)}
_SAY = update(workers).where(workers.c.id == bindparam("worker")).values(_SAID)
_SAY_FIRST = insert(workers).values(id=bindparam("worker"), **_SAID)
_OTHERS = select(workers).where(workers.c.id != bindparam("worker"))


def report(tx: Tx, worker: str, *, lane_count: int, at: int) -> dict[str, Presence]:
    """Say that this worker is there with that many lanes. Gives what all others have said last."""
    said = {"worker": worker, "count": lane_count, "at": at}
    if tx.execute(_SAY, said).rowcount == 0:
        tx.execute(_SAY_FIRST, said)
    return {row.id: Presence(row.lane_count, row.seen_at) for row in tx.execute(_OTHERS, {"worker": worker})}


def forget(tx: Tx, worker: str) -> None:
    """This worker is not there any more."""
    tx.execute(delete(workers).where(workers.c.id == worker))
