"""What the operator's page shows of deliveries and attempts. Every statement walks one index, and not far."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Select, bindparam, func, select, union_all

from bookbell.core import limits
from bookbell.core.instants import made_at
from bookbell.core.model import DeliveryState, EndpointId
from bookbell.store.database import Tx
from bookbell.store.endpoints import key_of
from bookbell.store.lanes import PENDING
from bookbell.store.schema import NEVER_AT, attempts, deliveries, events, lanes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that wait. count: limits.DASHBOARD_WAITING_COUNT_MAX if is_more, and then there are more of them.

    oldest_at: when the oldest that was counted was made; None if none waits.
    """

    count: int
    oldest_at: int | None
    is_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAttempt:
    """An attempt without what the receiver said; durations in microseconds. is_stale: recorded by a former owner."""

    number: int
    worker: str
    started_at: int
    is_stale: bool
    outcome: str
    status_code: int | None
    detail: str
    dns_us: int
    connect_us: int
    tls_us: int
    first_byte_us: int
    total_us: int
    remote_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDelivery:
    """A delivery with the type and book of its event, None if the event is not there; last: its latest attempt.

    due_at: None while it waits for earlier ones of its book.
    """

    pk: int
    id: str
    event_id: str
    event_type: str | None
    book_pk: int | None
    state: DeliveryState
    attempt_count: int
    due_at: int | None
    created_at: int
    finished_at: int | None
    reason: str | None
    last: TimedAttempt | None


_SOME = (
    select(deliveries.c.id)
    .where(deliveries.c.lane_pk == lanes.c.pk, deliveries.c.state == PENDING)
    .order_by(deliveries.c.due_at, deliveries.c.pk)
    .limit(limits.DASHBOARD_WAITING_COUNT_MAX + 1)
    .correlate(lanes)
    .subquery()
)
_WAITING = select(
    lanes.c.endpoint_id,
    select(func.count()).select_from(_SOME).scalar_subquery().label("number"),
    select(func.min(_SOME.c.id)).scalar_subquery().label("oldest"),
).where(lanes.c.endpoint_id.in_(bindparam("ids", expanding=True)))


def waiting(tx: Tx, endpoint_ids: Collection[EndpointId]) -> dict[EndpointId, Waiting]:
    """What waits for each of these endpoints, counted up to a bound in each of its lanes; one statement for all."""
    of: dict[EndpointId, list[Any]] = {each: [] for each in endpoint_ids}
    for row in tx.execute(_WAITING, {"ids": list(endpoint_ids)}):
        of[EndpointId(row.endpoint_id)].append(row)
    return {endpoint_id: _waiting(rows) for endpoint_id, rows in of.items()}


def _waiting(rows: Sequence[Any]) -> Waiting:
    count, bound = sum(row.number for row in rows), limits.DASHBOARD_WAITING_COUNT_MAX
    oldest = min((row.oldest for row in rows if row.oldest is not None), default=None)
    return Waiting(min(count, bound), None if oldest is None else made_at(oldest), count > bound)


def latest_deliveries(
    tx: Tx, organization_id: str, endpoint_id: str, *, before: str | None, count: int
) -> list[SentDelivery]:
    """The deliveries of an endpoint with an id before this one, if given, newest first."""
    query = _of_endpoint(organization_id, endpoint_id).order_by(deliveries.c.id.desc()).limit(count)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    rows = tx.execute(query).all()
    last = _last_attempts(tx, organization_id, [row.pk for row in rows])
    return [_sent(row, last.get(row.pk)) for row in rows]


def find_delivery(tx: Tx, organization_id: str, endpoint_id: str, delivery_id: str) -> SentDelivery | None:
    """One delivery of this endpoint."""
    row = tx.execute(_of_endpoint(organization_id, endpoint_id).where(deliveries.c.id == delivery_id)).first()
    return None if row is None else _sent(row, _last_attempts(tx, organization_id, [row.pk]).get(row.pk))


_TIMED = select(*(attempts.c[name] for name in TimedAttempt.__dataclass_fields__))
_LATEST = (
    _TIMED.where(
        attempts.c.delivery_pk == bindparam("delivery"), attempts.c.organization_id == bindparam("organization")
    )
    .order_by(attempts.c.number.desc(), attempts.c.pk.desc())
    .limit(bindparam("count", type_=Integer))
)


def latest_attempts(tx: Tx, organization_id: str, delivery_pk: int, *, count: int) -> list[TimedAttempt]:
    """The attempts of a delivery, newest first."""
    values = {"delivery": delivery_pk, "organization": organization_id, "count": count}
    return [TimedAttempt(**row._mapping) for row in tx.execute(_LATEST, values)]


def _of_endpoint(organization_id: str, endpoint_id: str) -> Select[Any]:
    return (
        select(
            deliveries.c.pk,
            deliveries.c.id,
            deliveries.c.event_id,
            events.c.type.label("event_type"),
            events.c.book_pk,
            deliveries.c.state,
            deliveries.c.attempt_count,
            deliveries.c.due_at,
            deliveries.c.created_at,
            deliveries.c.finished_at,
            deliveries.c.reason,
        )
        .outerjoin(events, events.c.id == deliveries.c.event_id)
        .where(deliveries.c.endpoint_pk == key_of(endpoint_id), deliveries.c.organization_id == organization_id)
    )


def _last_attempts(tx: Tx, organization_id: str, delivery_pks: Sequence[int]) -> dict[int, TimedAttempt]:
    """The latest attempt of each of these deliveries that has one; one statement for all."""
    if not delivery_pks:
        return {}
    parts = [
        select(attempts.c.delivery_pk, *_TIMED.selected_columns)
        .where(attempts.c.delivery_pk == delivery_pk, attempts.c.organization_id == organization_id)
        .order_by(attempts.c.number.desc(), attempts.c.pk.desc())
        .limit(1)
        .subquery()
        for delivery_pk in delivery_pks
    ]
    found = [row._asdict() for row in tx.execute(union_all(*(select(part) for part in parts)))]
    return {each.pop("delivery_pk"): TimedAttempt(**each) for each in found}


def _sent(row: Row[Any], last: TimedAttempt | None) -> SentDelivery:
    due_at = row.due_at if row.due_at < NEVER_AT else None
    return SentDelivery(**{**row._asdict(), "state": DeliveryState(row.state), "due_at": due_at, "last": last})
