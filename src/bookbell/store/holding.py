"""What ends without being sent while an endpoint is down, in bounded batches: held for too long, or superseded.

Each batch locks the lane and demands its epoch, as recording does, and lets the next of a book go on.
"""

import itertools
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update

from bookbell.core import limits
from bookbell.core.model import DeliveryPk, DeliveryState, LanePk
from bookbell.store.database import Tx
from bookbell.store.deliveries import promote
from bookbell.store.lanes import IS_STILL_PENDING, PENDING, lock_epochs
from bookbell.store.schema import deliveries

Walked = tuple[int, str]
"""How far a walk over the documents of a lane has come: the document and the delivery."""

_EXPIRED = (
    select(deliveries.c.pk)
    .where(
        deliveries.c.lane_pk == bindparam("lane"),
        deliveries.c.state == PENDING,
        deliveries.c.due_at <= bindparam("before"),
    )
    .order_by(deliveries.c.due_at, deliveries.c.pk)
    .limit(limits.HOLD_BATCH_COUNT_MAX)
)
_SUBJECTS = (
    select(deliveries.c.pk, deliveries.c.id, deliveries.c.subject_pk)
    .where(
        deliveries.c.lane_pk == bindparam("lane"),
        deliveries.c.state == PENDING,
        deliveries.c.subject_pk.is_not(None),
        or_(
            deliveries.c.subject_pk > bindparam("subject"),
            and_(deliveries.c.subject_pk == bindparam("subject"), deliveries.c.id >= bindparam("id")),
        ),
        deliveries.c.subject_pk >= bindparam("subject"),
    )
    .order_by(deliveries.c.subject_pk, deliveries.c.id)
    .limit(limits.HOLD_BATCH_COUNT_MAX)
)
_END = (
    update(deliveries)
    .where(deliveries.c.pk.in_(bindparam("pks", expanding=True)), IS_STILL_PENDING)
    .values(state=bindparam("to_state"), reason=bindparam("why"), finished_at=bindparam("at"))
    .returning(deliveries.c.lane_pk, deliveries.c.queue_pk)
)


def expire(tx: Tx, lane_pk: LanePk, epoch: int, *, before: int, at: int) -> int:
    """End as exhausted, with reason `expired`, what has been due since before that instant. Gives how many ended.

    As many as limits.HOLD_BATCH_COUNT_MAX means that there may be more.
    """
    if lock_epochs(tx, [lane_pk]).get(lane_pk) != epoch:
        return 0
    pks = [row.pk for row in tx.execute(_EXPIRED, {"lane": lane_pk, "before": before})]
    return _end(tx, pks, DeliveryState.EXHAUSTED, reason="expired", at=at)


def supersede(
    tx: Tx, lane_pk: LanePk, epoch: int, *, since: Walked, spared: Collection[DeliveryPk], at: int
) -> tuple[int, Walked | None]:
    """Cancel, with reason `superseded`, status events of a document that have a newer one; one batch of a walk.

    spared: deliveries in hand. Gives how many were cancelled, and where the walk goes on, None at its end.
    """
    if lock_epochs(tx, [lane_pk]).get(lane_pk) != epoch:
        return 0, None
    rows = tx.execute(_SUBJECTS, {"lane": lane_pk, "subject": since[0], "id": since[1]}).all()
    pks = [row.pk for row in _older(list(rows)) if row.pk not in spared]
    count = _end(tx, pks, DeliveryState.CANCELLED, reason="superseded", at=at)
    is_last = len(rows) < limits.HOLD_BATCH_COUNT_MAX
    return count, None if is_last else (rows[-1].subject_pk, rows[-1].id)


def _older(rows: Sequence[Any]) -> list[Any]:
    """Those that another of the same document follows; rows are in order of document and age."""
    return [row for row, later in itertools.pairwise(rows) if row.subject_pk == later.subject_pk]


def _end(tx: Tx, pks: list[int], state: DeliveryState, *, reason: str, at: int) -> int:
    if not pks:
        return 0
    ended = tx.execute(_END, {"pks": pks, "to_state": state.value, "why": reason, "at": at}).all()
    promote(tx, {(row.lane_pk, row.queue_pk) for row in ended if row.queue_pk is not None})
    return len(ended)
