"""Deliveries and attempts as people read them; everything here but `make_due` only reads."""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, Select, select, update

from bookbell.core.model import AccountId, DeliveryId, DeliveryState, EventId, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema import attempts, deliveries, endpoints, events


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """What a list of deliveries is asked for; None does not restrict. before: an id, for the next page."""

    state: str | None = None
    event_type: str | None = None
    book_pk: int | None = None
    before: str | None = None
    count: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A delivery with what one wants to know of its event and endpoint."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    book_pk: int | None
    endpoint_id: str
    lane_id: str
    state: DeliveryState
    attempt_count: int
    due_at: int
    created_at: int
    finished_at: int | None
    reason: str | None
    is_deregistered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """An attempt as it was recorded; durations in microseconds."""

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
    response_head: bytes | None
    response_body: bytes | None


def list_deliveries(
    tx: Tx, organization_id: OrganizationId, account_id: AccountId, query: DeliveryQuery
) -> list[DeliveryView]:
    """Deliveries of the account's webhook, newest first."""
    wanted = _of_account(organization_id, account_id)
    if query.state is not None:
        wanted = wanted.where(deliveries.c.state == query.state)
    if query.event_type is not None:
        wanted = wanted.where(events.c.type == query.event_type)
    if query.book_pk is not None:
        wanted = wanted.where(events.c.book_pk == query.book_pk)
    if query.before is not None:
        wanted = wanted.where(deliveries.c.id < query.before)
    return [_view(row) for row in tx.execute(wanted.order_by(deliveries.c.id.desc()).limit(query.count))]


def find_delivery(
    tx: Tx, organization_id: OrganizationId, account_id: AccountId, delivery_id: DeliveryId
) -> DeliveryView | None:
    """One delivery of the account's webhook."""
    row = tx.execute(_of_account(organization_id, account_id).where(deliveries.c.id == delivery_id)).first()
    return None if row is None else _view(row)


def list_attempts(tx: Tx, organization_id: OrganizationId, delivery_id: DeliveryId) -> list[AttemptView]:
    """The attempts of a delivery, oldest first."""
    names = [each.name for each in fields(AttemptView)]
    query = (
        select(*(attempts.c[name] for name in names))
        .where(attempts.c.organization_id == organization_id, attempts.c.delivery_id == delivery_id)
        .order_by(attempts.c.number, attempts.c.id)
    )
    return [AttemptView(**row._mapping) for row in tx.execute(query)]


def make_due(tx: Tx, organization_id: OrganizationId, delivery_id: DeliveryId, *, at: int) -> None:
    """Let a delivery wait for its next attempt now. Wake its lane after it, in the same transaction."""
    tx.execute(
        update(deliveries)
        .where(
            deliveries.c.organization_id == organization_id,
            deliveries.c.id == delivery_id,
            deliveries.c.state.in_([DeliveryState.PENDING.value, DeliveryState.EXHAUSTED.value]),
        )
        .values(state=DeliveryState.PENDING.value, due_at=at, finished_at=None, reason=None)
    )


def _of_account(organization_id: OrganizationId, account_id: AccountId) -> Select[Any]:
    return (
        select(
            deliveries.c.id,
            deliveries.c.event_id,
            events.c.type.label("event_type"),
            events.c.book_pk,
            deliveries.c.endpoint_id,
            deliveries.c.lane_id,
            deliveries.c.state,
            deliveries.c.attempt_count,
            deliveries.c.due_at,
            deliveries.c.created_at,
            deliveries.c.finished_at,
            deliveries.c.reason,
            endpoints.c.deregistered_at.is_not(None).label("is_deregistered"),
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(endpoints.c.organization_id == organization_id, endpoints.c.account_id == account_id)
    )


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        **{**row._mapping, "state": DeliveryState(row.state), "is_deregistered": bool(row.is_deregistered)}
    )
