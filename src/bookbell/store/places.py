"""Where the row of a new delivery lies: its key, `pk`.

A lane's deliveries are read and written together, so SQLite, whose tables lie in the order of their keys, gets each
behind the last one of its lane: a batch of a long backlog then touches a few pages instead of one for each. PostgreSQL
has no such order; there it is a sequence.
"""

from collections.abc import Sequence

from bookbell.core.model import DeliveryPk, LaneId
from bookbell.store.database import Tx
from bookbell.store.prepared import execute

# Keys are 63 bits: half of them for the lane, by the place of its own row. That may change when the file is vacuumed;
# the next keys then are behind those of another lane, which costs nothing but the order.
LAST = """
SELECT coalesce((SELECT pk FROM deliveries WHERE pk > base AND pk < base + (1 << 32) ORDER BY pk DESC LIMIT 1), base)
FROM (SELECT coalesce((SELECT rowid FROM lanes WHERE id = ?), 0) << 32 AS base)
"""
_NEXT = "SELECT nextval('deliveries_pk_seq') FROM generate_series(1, %s::int)"


def places(tx: Tx, lane_ids: Sequence[LaneId]) -> list[DeliveryPk]:
    """Keys for new deliveries of these lanes, in their order; one statement for each lane, or one for all."""
    if tx.dialect.name != "sqlite":
        return [row[0] for row in execute(tx, _NEXT, [len(lane_ids)]).fetchall()]
    last = {lane_id: execute(tx, LAST, [lane_id]).fetchone()[0] for lane_id in dict.fromkeys(lane_ids)}
    found = []
    for lane_id in lane_ids:
        last[lane_id] += 1
        found.append(last[lane_id])
    return found
