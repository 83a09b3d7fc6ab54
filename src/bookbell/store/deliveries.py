"""Deliveries as their owner sees them: what is due, and what became of it.

Per delivery there is one inserted row, one attempt row and one update, all in batches. Nothing is written to claim a
delivery: its lane has one owner, and recording demands the lane's epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Executable, bindparam, case, literal, select, union_all, update

from bookbell.core.model import (
    AttemptId,
    Delivery,
    DeliveryId,
    DeliveryState,
    EventId,
    LaneId,
    Level,
    OrganizationId,
)
from bookbell.store.bulk import Row, insert_rows, update_rows
from bookbell.store.database import Tx
from bookbell.store.lanes import PENDING, lock, lock_epochs
from bookbell.store.schema import attempts, deliveries, endpoints, events, lanes

DEREGISTERED, DEACTIVATED = "deregistered", "deactivated"
"""Why a delivery was cancelled: its webhook was given up, or its owner wants nothing sent for now."""

LOOK_LANES_MAX = 32
"""Lanes in one statement of `due`; a compound SELECT is bounded, and so is the planner's patience."""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is due, with the exact bytes to send. attempt_count: attempts made before."""

    id: DeliveryId
    lane_id: LaneId
    event_id: EventId
    event_type: str
    attempt_count: int
    due_at: int
    created_at: int
    body: bytes


class AttemptRow(NamedTuple):
    """One attempt as it is kept, in the order of its columns. Durations in microseconds."""

    id: AttemptId
    organization_id: OrganizationId
    delivery_id: DeliveryId
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


class Result(NamedTuple):
    """An attempt and what becomes of its delivery, by the owner of a lane at an epoch."""

    lane_id: LaneId
    epoch: int
    attempt: AttemptRow
    state: DeliveryState
    due_at: int
    finished_at: int | None
    reason: str | None


_COLUMNS = tuple(each.name for each in fields(Delivery))


def insert_deliveries(tx: Tx, new: Sequence[Delivery]) -> None:
    """Add these deliveries. Wake their lanes after it, in the same transaction."""
    insert_rows(tx, deliveries, _COLUMNS, [_values(each) for each in new])


def _values(new: Delivery) -> Row:
    head = new.id, new.organization_id, new.endpoint_id, new.lane_id, new.event_id, new.state.value
    return *head, new.attempt_count, new.due_at, new.created_at, new.finished_at, new.reason


def due(tx: Tx, wanted: Mapping[LaneId, tuple[Level, int]], *, now: int) -> dict[LaneId, list[Due]]:
    """What is due in these lanes, each lane's longest due first, up to the number wanted of it.

    wanted: at most LOOK_LANES_MAX lanes, with the level whose body is to be read and the most to read.
    """
    values: dict[str, object] = {"now": now}
    for index, (lane_id, (level, count)) in enumerate(wanted.items()):
        values |= {f"lane_{index}": lane_id, f"level_{index}": level.value, f"count_{index}": count}
    found: dict[LaneId, list[Due]] = {lane_id: [] for lane_id in wanted}
    for row in tx.execute(_due(len(wanted)), values):
        each = Due(*tuple(row))
        found[each.lane_id].append(each)
    for items in found.values():
        items.sort(key=lambda item: (item.due_at, item.id))
    return found


@lru_cache(LOOK_LANES_MAX)
def _due(lane_count: int) -> Executable:
    """One limited, index-ordered look for each lane: a lane with a long backlog takes nothing from another."""
    parts = []
    for index in range(lane_count):
        head = (
            select(
                deliveries.c.id,
                deliveries.c.lane_id,
                deliveries.c.event_id,
                deliveries.c.attempt_count,
                deliveries.c.due_at,
                deliveries.c.created_at,
            )
            .where(
                deliveries.c.lane_id == bindparam(f"lane_{index}"),
                deliveries.c.state == PENDING,
                deliveries.c.due_at <= bindparam("now"),
            )
            .order_by(deliveries.c.due_at, deliveries.c.id)
            .limit(bindparam(f"count_{index}"))
            .subquery()
        )
        is_org = bindparam(f"level_{index}") == literal(Level.ORG.value)
        parts.append(
            select(
                head.c.id,
                head.c.lane_id,
                head.c.event_id,
                events.c.type,
                head.c.attempt_count,
                head.c.due_at,
                head.c.created_at,
                case((is_org, events.c.body_org), else_=events.c.body_account),
            ).join(events, events.c.id == head.c.event_id)
        )
    if lane_count == 1:
        return parts[0]
    return union_all(*parts)


_SETTLED = ("id", "state", "attempt_count", "due_at", "finished_at", "reason")


def record(tx: Tx, results: Sequence[Result]) -> frozenset[LaneId]:
    """Keep these attempts and settle their deliveries. Gives the lanes that have been lost to another owner.

    A result of a lost lane is kept as history, marked stale, and settles nothing; nor does one whose delivery has
    been cancelled meanwhile.
    """
    epochs = lock_epochs(tx, list({result.lane_id for result in results}))
    rows: list[AttemptRow] = []
    settled: list[Row] = []
    lost = set()
    for result in results:
        attempt = result.attempt
        if epochs.get(result.lane_id) == result.epoch:
            rows.append(attempt)
            ended = result.finished_at, result.reason
            settled.append((attempt.delivery_id, result.state.value, attempt.number, result.due_at, *ended))
        else:
            rows.append(attempt._replace(is_stale=True))
            lost.add(result.lane_id)
    insert_rows(tx, attempts, AttemptRow._fields, rows)
    update_rows(tx, deliveries, _SETTLED, settled, where="state = 'pending'")
    return frozenset(lost)


_CANCEL = (
    update(deliveries)
    .where(deliveries.c.lane_id == bindparam("lane"), deliveries.c.state == PENDING)
    .values(state=DeliveryState.CANCELLED.value, reason=bindparam("why"), finished_at=bindparam("at"))
)


def cancel_pending(tx: Tx, lane_id: LaneId, *, reason: str, at: int) -> int:
    """End everything that waits in this lane as cancelled. Gives how many."""
    return tx.execute(_CANCEL, {"lane": lane_id, "why": reason, "at": at}).rowcount


_CLOSED_FOR = (
    select(
        case(
            (endpoints.c.deregistered_at.is_not(None), DEREGISTERED),
            (endpoints.c.deactivated_at.is_not(None), DEACTIVATED),
            else_=None,
        )
    )
    .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
    .where(lanes.c.id == bindparam("lane"))
)


def cancel_unwanted(tx: Tx, lane_id: LaneId, *, at: int) -> int:
    """End what waits in this lane if its webhook is deregistered or inactive, with that as the reason. Gives how many.

    The lock waits for publishers in flight, and the next statements see what they left. A publisher that comes later
    makes the lane due, and its owner does this again. Once the lane is held, what is published for a webhook that was
    registered or activated meanwhile waits for the end of this transaction, so it is not cancelled with the rest.
    """
    lock(tx, lane_id)
    reason = tx.execute(_CLOSED_FOR, {"lane": lane_id}).scalar()
    return 0 if reason is None else cancel_pending(tx, lane_id, reason=reason, at=at)
