"""Deliveries as their owner sees them: what is due, and what became of it.

Per delivery there is one inserted row, one attempt row and one update, all in batches. Nothing is written to claim a
delivery: its lane has one owner, and recording demands the lane's epoch.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, bindparam, case, exists, func, literal_column, select, tuple_, update

from bookbell.core import limits
from bookbell.core.model import (
    Delivery,
    DeliveryId,
    DeliveryPk,
    DeliveryState,
    LanePk,
    Level,
    OrganizationId,
)
from bookbell.store.bulk import Row, insert_rows, update_rows
from bookbell.store.database import Tx
from bookbell.store.lanes import IS_STILL_PENDING, PENDING, lock, lock_epochs, wake_at_once
from bookbell.store.places import attempt_places, places
from bookbell.store.prepared import Prepared
from bookbell.store.schema import NEVER_AT, attempts, deliveries, endpoints, events, lanes

DEREGISTERED, DEACTIVATED = "deregistered", "deactivated"
"""Why a delivery was cancelled: its webhook was given up, or its owner wants nothing sent for now."""

LOOK_LANES_MAX = 32
"""Lanes in one statement of `due`; a compound SELECT is bounded, and so is the planner's patience."""


class Due(NamedTuple):
    """A delivery that is due, with the exact bytes to send.

    attempt_count: attempts made before, probe_count of them as probes; queue_pk: the book whose order is kept;
    is_head: no earlier delivery of that book is pending.
    """

    pk: DeliveryPk
    id: DeliveryId
    lane_pk: LanePk
    event_type: str
    attempt_count: int
    due_at: int
    created_at: int
    body: bytes
    probe_count: int = 0
    queue_pk: int | None = None
    is_head: int = 1


class AttemptRow(NamedTuple):
    """One attempt as it is kept, in the order of its columns. Durations in microseconds."""

    organization_id: OrganizationId
    delivery_pk: DeliveryPk
    number: int
    worker: str
    started_at: int
    outcome: str
    status_code: int | None
    detail: str
    dns_us: int
    connect_us: int
    tls_us: int
    first_byte_us: int
    total_us: int
    remote_address: str | None
    response_head: bytes | None
    response_body: bytes | None
    is_stale: bool = False


class Result(Struct, frozen=True, gc=False):
    """An attempt and what becomes of its delivery, by the owner of a lane at an epoch."""

    lane_pk: LanePk
    epoch: int
    delivery_id: DeliveryId
    attempt: AttemptRow
    state: DeliveryState
    due_at: int
    finished_at: int | None
    reason: str | None
    probe_count: int = 0
    queue_pk: int | None = None


_COLUMNS = ("pk", *Delivery._fields)


def insert_deliveries(tx: Tx, new: Sequence[Delivery]) -> list[DeliveryPk]:
    """Add these deliveries, and give their keys. Wake their lanes after it, in the same transaction."""
    pks = places(tx, [each.lane_pk for each in new])
    insert_rows(tx, deliveries, _COLUMNS, [(pk, *each) for pk, each in zip(pks, new, strict=True)])
    return pks


Position = tuple[int, int]
"""A place in a lane: due instant and key of a delivery."""

START: Position = (-1, 0)
END: Position = (NEVER_AT, 0)


class Look(NamedTuple):
    """What is wanted of a lane: the level whose body is to be read, the most to read, and from behind which place."""

    level: Level
    most: int
    after: Position = START


def due(tx: Tx, wanted: Mapping[LanePk, Look], *, now: int) -> dict[LanePk, list[Due]]:
    """What is due in these lanes, at most LOOK_LANES_MAX of them; each lane's longest due first."""
    asked = [
        {"lane": lane_pk, "level": level.value, "count": most, "due_at": due_at, "pk": pk, "now": now}
        for lane_pk, (level, most, (due_at, pk)) in wanted.items()
    ]
    found: dict[LanePk, list[Due]] = {lane_pk: [] for lane_pk in wanted}
    for row in _DUE.of_each(tx, asked, {**asked[0], "count": 0}):
        found[row[2]].append(_as_due(row))
    for items in found.values():
        items.sort(key=_in_order)
    return found


_as_due = partial(tuple.__new__, Due)
_in_order = attrgetter("due_at", "pk")


def _has_earlier(row: Any) -> ColumnElement[bool]:
    """Whether an earlier delivery of this one's book is pending in its lane."""
    earlier = deliveries.alias("earlier")
    return exists().where(
        earlier.c.lane_pk == row.c.lane_pk,
        earlier.c.queue_pk == row.c.queue_pk,
        earlier.c.queue_pk.is_not(None),
        earlier.c.state == PENDING,
        earlier.c.id < row.c.id,
    )


_number = partial(bindparam, type_=BigInteger)
_HEAD = (
    select(
        deliveries.c.pk,
        deliveries.c.id,
        deliveries.c.lane_pk,
        deliveries.c.event_id,
        deliveries.c.attempt_count,
        deliveries.c.due_at,
        deliveries.c.created_at,
        deliveries.c.probe_count,
        deliveries.c.queue_pk,
    )
    .where(
        deliveries.c.lane_pk == bindparam("lane"),
        deliveries.c.state == PENDING,
        deliveries.c.due_at <= bindparam("now"),
        tuple_(deliveries.c.due_at, deliveries.c.pk) > tuple_(_number("due_at"), _number("pk")),
    )
    .order_by(deliveries.c.due_at, deliveries.c.pk)
    .limit(bindparam("count"))
    .subquery()
)
_IS_ORG = bindparam("level") == literal_column(f"'{Level.ORG.value}'")
_DUE = Prepared(
    select(
        _HEAD.c.pk,
        _HEAD.c.id,
        _HEAD.c.lane_pk,
        events.c.type,
        _HEAD.c.attempt_count,
        _HEAD.c.due_at,
        _HEAD.c.created_at,
        case((_IS_ORG, events.c.body_org), else_=events.c.body_account).label("body"),
        _HEAD.c.probe_count,
        _HEAD.c.queue_pk,
        case((_HEAD.c.queue_pk.is_(None), 1), (_has_earlier(_HEAD), 0), else_=1).label("is_head"),
    ).join(events, events.c.id == _HEAD.c.event_id)
)


_IS_CANCELLED = f"deliveries.state || '' = '{DeliveryState.CANCELLED.value}'"
_SETTLED = ("state", "attempt_count", "due_at", "finished_at", "reason", "probe_count")


_SAME = ("delivery_pk", "number", "worker", "started_at")
_same = attrgetter(*_SAME)


def unrecorded(tx: Tx, results: Sequence[Result]) -> list[Result]:
    """Those whose attempts are not recorded already: a commit may have succeeded although its answer got lost."""
    pks = [result.attempt.delivery_pk for result in results]
    asked = select(*(attempts.c[name] for name in _SAME)).where(attempts.c.delivery_pk.in_(pks))
    done = {tuple(row) for row in tx.execute(asked)}
    return [result for result in results if _same(result.attempt) not in done]


def record(tx: Tx, results: Sequence[Result], *, at: int) -> frozenset[tuple[LanePk, int]]:
    """Keep these attempts and settle their deliveries. Gives the lanes that were lost, with their epochs of then.

    A result of a lost lane is kept as history, marked stale, and settles nothing; nor does one whose delivery has
    been cancelled meanwhile, but it counts there.
    """
    epochs = lock_epochs(tx, list({result.lane_pk for result in results}))
    rows: list[Row] = []
    settled: list[Row] = []
    lost, queues = set(), set()
    for pk, result in zip(attempt_places(tx, len(results), at), results, strict=True):
        attempt = result.attempt
        if epochs.get(result.lane_pk) == result.epoch:
            rows.append((pk, *attempt))
            ended = result.finished_at, result.reason, result.probe_count
            key = attempt.delivery_pk, result.delivery_id
            settled.append((*key, result.state._value_, attempt.number, result.due_at, *ended))
            if result.queue_pk is not None and result.finished_at is not None:
                queues.add((result.lane_pk, result.queue_pk))
        else:
            rows.append((pk, *attempt._replace(is_stale=True)))
            lost.add((result.lane_pk, result.epoch))
    insert_rows(tx, attempts, ("pk", *AttemptRow._fields), rows)
    # By the id too: keys of what retention has removed are used again, and a worker may have stood still for days.
    if update_rows(tx, deliveries, ("pk", "id"), _SETTLED, settled, where=IS_STILL_PENDING.text) < len(settled):
        counted = [(pk, delivery_id, number) for pk, delivery_id, _, number, *_ in settled]
        update_rows(tx, deliveries, ("pk", "id"), ("attempt_count",), counted, where=_IS_CANCELLED)
    promote(tx, queues, at=at)
    return frozenset(lost)


_PROMOTE = (
    update(deliveries)
    .where(
        deliveries.c.id
        == select(deliveries.c.id)
        .where(
            deliveries.c.lane_pk == bindparam("lane"),
            deliveries.c.queue_pk == bindparam("queue"),
            deliveries.c.queue_pk.is_not(None),
            deliveries.c.state == PENDING,
        )
        .order_by(deliveries.c.id)
        .limit(1)
        .scalar_subquery(),
        deliveries.c.due_at == NEVER_AT,
    )
    .values(due_at=func.coalesce(bindparam("at", type_=BigInteger), deliveries.c.created_at))
)
_DEFER = (
    update(deliveries)
    .where(
        deliveries.c.pk.in_(bindparam("pks", expanding=True)),
        IS_STILL_PENDING,
        _has_earlier(deliveries),
    )
    .values(due_at=NEVER_AT)
)


def promote(tx: Tx, queues: Collection[tuple[LanePk, int]], *, at: int | None = None) -> None:
    """Let the first that waits in each of these queues (lane and book) be due. The lanes are held by the caller.

    at: since when, which what is held for an endpoint that is down goes by; None: since it was made, because the one
    before it was held itself. What was recovered may have been made long ago.
    """
    if queues:
        tx.execute(_PROMOTE, [{"lane": lane_pk, "queue": pk, "at": at} for lane_pk, pk in sorted(queues)])


def defer(tx: Tx, waiting: Sequence[Due]) -> None:
    """Take these deliveries, all of one lane, out of what is due until the earlier ones of their books have ended.

    The lane is locked first, in a statement of its own: so nothing can end between the look at it and the write.
    """
    lock_epochs(tx, [waiting[0].lane_pk])
    tx.execute(_DEFER, {"pks": [due.pk for due in waiting]})


_CLOSED_FOR = case(
    (endpoints.c.deregistered_at.is_not(None), DEREGISTERED),
    (endpoints.c.deactivated_at.is_not(None), DEACTIVATED),
    else_=None,
)
_UNWANTED = (
    select(_CLOSED_FOR.label("closed_for"), lanes.c.discard_at, lanes.c.discard_reason)
    .join(endpoints, lanes.c.endpoint_id == endpoints.c.id)
    .where(lanes.c.pk == bindparam("lane"))
)
_CANCEL = (
    update(deliveries)
    .where(
        deliveries.c.pk.in_(
            select(deliveries.c.pk)
            .where(
                deliveries.c.lane_pk == bindparam("lane"),
                deliveries.c.state == PENDING,
                deliveries.c.created_at <= bindparam("until"),
            )
            .order_by(deliveries.c.due_at, deliveries.c.pk)
            .limit(limits.HOLD_BATCH_COUNT_MAX)
        ),
        IS_STILL_PENDING,
    )
    .values(state=DeliveryState.CANCELLED.value, reason=bindparam("why"), finished_at=bindparam("at"))
    .returning(deliveries.c.queue_pk)
)
_MARK = (
    update(lanes)
    .where(lanes.c.pk == bindparam("lane"))
    .values(discard_at=bindparam("until"), discard_reason=bindparam("why"))
)


def discard(tx: Tx, lane_pk: LanePk, *, reason: str, at: int) -> int:
    """End what waits in this lane as cancelled: a batch of it now, the rest by the lane's owner. Gives how many now.

    The lane is marked until all is done, so it is not sent even if the webhook is registered again meanwhile.
    """
    lock(tx, lane_pk)
    tx.execute(_MARK, {"lane": lane_pk, "until": at, "why": reason})
    count = cancel_unwanted(tx, lane_pk, at=at)
    if count == limits.HOLD_BATCH_COUNT_MAX:
        wake_at_once(tx, lane_pk, at)
    return count


def cancel_unwanted(tx: Tx, lane_pk: LanePk, *, at: int) -> int:
    """End a batch of what waits in this lane if its webhook is deregistered or inactive, or up to the lane's mark,
    with that as the reason. Gives how many; fewer than limits.HOLD_BATCH_COUNT_MAX means that none is left.

    The lock waits for publishers in flight, and the next statements see what they left. A publisher that comes later
    makes the lane due, and its owner does this again. Once the lane is held, what is published for a webhook that was
    registered or activated meanwhile waits for the end of this transaction, so it is not cancelled with the rest.
    """
    lock(tx, lane_pk)
    found = tx.execute(_UNWANTED, {"lane": lane_pk}).one()
    if found.closed_for is None and found.discard_at is None:
        return 0
    until = NEVER_AT if found.closed_for else found.discard_at
    why = found.closed_for or found.discard_reason
    queues = tx.execute(_CANCEL, {"lane": lane_pk, "until": until, "why": why, "at": at}).scalars().all()
    if found.closed_for is None:  # by the clock of another machine, later ones of a book may be after the mark
        promote(tx, {(lane_pk, queue_pk) for queue_pk in queues if queue_pk is not None})
    count = len(queues)
    if count < limits.HOLD_BATCH_COUNT_MAX and found.discard_at is not None:
        tx.execute(_MARK, {"lane": lane_pk, "until": None, "why": None})
    return count
