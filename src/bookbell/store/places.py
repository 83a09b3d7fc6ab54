"""Where the row of a new delivery or attempt lies: its key, `pk`.

SQLite's tables lie in the order of their keys. Rows of many lanes that come and go are best together at the end, so
that one page takes several of them. Of a lane with a backlog they are best behind each other, for they are read and
written together: one page for each of them was most of what a delivery cost out of millions. So there each lane has a
stretch of keys of its own, used while it has a backlog. PostgreSQL has no such order; keys are a sequence there.

Keys of attempts begin with the instant at which they were recorded, so no other index is needed to walk them by time.
"""

import itertools
from collections.abc import Iterable, Sequence

from bookbell.core.instants import DAY_MS, KEY_BITS, key_floor
from bookbell.core.model import DeliveryPk, LanePk
from bookbell.store.database import Tx
from bookbell.store.prepared import execute

BACKLOG_COUNT = 16  # so many pending are a backlog
STRETCH_BITS, OWN_BITS = 38, 24  # of the 62 below the keys at the end: how many a stretch has, and for how many lanes
END, _END_COUNT = 1 << 62, 1 << 61

_BEHIND = f"""
SELECT lane_pk FROM deliveries WHERE lane_pk = ? AND state = 'pending' LIMIT 1 OFFSET {BACKLOG_COUNT - 1}
"""  # noqa: S608 - a number of ours
_LAST = "SELECT pk FROM deliveries WHERE pk > ? AND pk < ? ORDER BY pk DESC LIMIT 1"
_NEXT = "SELECT nextval(%s::regclass) FROM generate_series(1, %s::int)"


def places(tx: Tx, lane_pks: Sequence[LanePk]) -> list[DeliveryPk]:
    """Keys for new deliveries of these lanes, in their order. On PostgreSQL one statement gives them all; on SQLite
    there is one for each lane, one more for each that is behind, and one for all that are not.
    """
    if tx.dialect.name != "sqlite":
        return [DeliveryPk(number) for number in _numbers(tx, "deliveries_pk_seq", len(lane_pks))]
    base_of = {lane_pk: _base(tx, lane_pk) for lane_pk in dict.fromkeys(lane_pks)}
    keys = {base: itertools.count(_last(tx, base) + 1) for base in dict.fromkeys(base_of.values())}
    return [DeliveryPk(next(keys[base_of[lane_pk]])) for lane_pk in lane_pks]


_LAST_ATTEMPT = "SELECT max(pk) FROM attempts WHERE pk < ?"


def attempt_places(tx: Tx, count: int, at: int) -> Iterable[int]:
    """Keys for so many attempts that are recorded now.

    On SQLite, if the clock went back, they go on behind the last; but not if it had been ahead by more than a day.
    """
    first = key_floor(at)
    if tx.dialect.name != "sqlite":
        return [first + number % (1 << KEY_BITS) for number in _numbers(tx, "attempts_pk_seq", count)]
    first = max(first, _value(tx, _LAST_ATTEMPT, key_floor(at + DAY_MS)) + 1)
    return range(first, first + count)


def _base(tx: Tx, lane_pk: LanePk) -> int:
    """Where the stretch begins in which the lane's next deliveries lie."""
    return lane_pk % (1 << OWN_BITS) << STRETCH_BITS if _value(tx, _BEHIND, lane_pk) else END


def _last(tx: Tx, base: int) -> int:
    """The last key in use of the stretch that begins there."""
    count = _END_COUNT if base == END else 1 << STRETCH_BITS
    return _value(tx, _LAST, base, base + count) or base


def _numbers(tx: Tx, sequence: str, count: int) -> list[int]:
    return [row[0] for row in execute(tx, _NEXT, [sequence, count]).fetchall()]


def _value(tx: Tx, sql: str, *values: object) -> int:
    """The value that the statement finds, 0 if it finds none."""
    found = execute(tx, sql, values).fetchone()
    return 0 if found is None else int(found[0] or 0)
