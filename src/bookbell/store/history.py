"""Deliveries and attempts as people read them; everything here but `make_due` only reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, false, or_, select, update

from bookbell.core.model import (
    AccountId,
    DeliveryId,
    DeliveryPk,
    DeliveryState,
    EndpointId,
    EndpointPk,
    EventId,
    LanePk,
    Level,
    OrganizationId,
)
from bookbell.store.database import Tx
from bookbell.store.deliveries import DEACTIVATED
from bookbell.store.schema import NEVER_AT, attempts, deliveries, endpoints, events


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose deliveries may be seen: those of one account's webhook, of the organization's own webhooks, or of both.

    account_id None: of no account. endpoint_id: of that one webhook of the organization; None does not restrict.
    is_whole: for the operator, all of the organization.
    """

    organization_id: OrganizationId
    account_id: AccountId | None
    has_org_level: bool = False
    endpoint_id: EndpointId | None = None
    is_whole: bool = False


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
    """A delivery with what one wants to know of its event and endpoint.

    due_at: None while it waits for earlier ones of its book.
    """

    pk: DeliveryPk
    id: DeliveryId
    event_id: EventId
    event_type: str
    book_pk: int | None
    endpoint_id: str
    level: Level
    lane_pk: LanePk
    state: DeliveryState
    attempt_count: int
    due_at: int | None
    created_at: int
    finished_at: int | None
    reason: str | None
    replay_of: str | None
    replay_job_id: str | None
    is_deregistered: bool
    is_deactivated: bool


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


def endpoints_within(tx: Tx, scope: Scope) -> Sequence[EndpointPk]:
    """Keys of the endpoints whose deliveries are within the scope."""
    return tx.execute(select(endpoints.c.pk).where(_is_within(scope))).scalars().all()


def views(tx: Tx, scope: Scope, delivery_ids: Collection[str]) -> list[DeliveryView]:
    """Those of these deliveries that are within the scope, newest first."""
    query = _within(scope).where(deliveries.c.id.in_(list(delivery_ids))).order_by(deliveries.c.id.desc())
    return [_view(row) for row in tx.execute(query)] if delivery_ids else []


def deliveries_of(tx: Tx, scope: Scope, event_ids: Collection[EventId]) -> dict[str, list[DeliveryView]]:
    """The deliveries of these events within the scope, by event, oldest first."""
    found: dict[str, list[DeliveryView]] = {event_id: [] for event_id in event_ids}
    query = _within(scope).where(deliveries.c.event_id.in_(list(event_ids))).order_by(deliveries.c.id)
    for row in tx.execute(query) if event_ids else ():
        found[row.event_id].append(_view(row))
    return found


def find_delivery(tx: Tx, scope: Scope, delivery_id: DeliveryId) -> DeliveryView | None:
    """One delivery, if it is within the scope."""
    row = tx.execute(_within(scope).where(deliveries.c.id == delivery_id)).first()
    return None if row is None else _view(row)


def list_attempts(tx: Tx, organization_id: OrganizationId, delivery_pk: DeliveryPk) -> list[AttemptView]:
    """The attempts of a delivery, oldest first."""
    names = [each.name for each in fields(AttemptView)]
    query = (
        select(*(attempts.c[name] for name in names))
        .where(attempts.c.organization_id == organization_id, attempts.c.delivery_pk == delivery_pk)
        .order_by(attempts.c.number, attempts.c.pk)
    )
    return [AttemptView(**row._mapping) for row in tx.execute(query)]


def make_due(tx: Tx, organization_id: OrganizationId, delivery_id: DeliveryId, *, at: int) -> None:
    """Let a delivery wait for its next attempt now. Wake its lane after it, in the same transaction."""
    tx.execute(
        update(deliveries)
        .where(
            deliveries.c.organization_id == organization_id,
            deliveries.c.id == delivery_id,
            or_(
                deliveries.c.state.in_([DeliveryState.PENDING.value, DeliveryState.EXHAUSTED.value]),
                and_(deliveries.c.state == DeliveryState.CANCELLED.value, deliveries.c.reason == DEACTIVATED),
            ),
        )
        .values(state=DeliveryState.PENDING.value, due_at=at, finished_at=None, reason=None)
    )


def _is_within(scope: Scope) -> ColumnElement[bool]:
    is_org_level = and_(
        endpoints.c.level == Level.ORG.value, endpoints.c.account_id.is_(None), endpoints.c.replay_job_id.is_(None)
    )
    if scope.endpoint_id is not None:
        is_org_level = and_(is_org_level, endpoints.c.id == scope.endpoint_id)
    seen = [endpoints.c.account_id == scope.account_id] if scope.account_id is not None else []
    return and_(
        endpoints.c.organization_id == scope.organization_id,
        or_(false(), *seen, *([is_org_level] if scope.has_org_level else [])),  # of neither: nothing
    )


def _within(scope: Scope) -> Select[Any]:
    return (
        select(
            deliveries.c.pk,
            deliveries.c.id,
            deliveries.c.event_id,
            events.c.type.label("event_type"),
            events.c.book_pk,
            endpoints.c.id.label("endpoint_id"),
            endpoints.c.level,
            deliveries.c.lane_pk,
            deliveries.c.state,
            deliveries.c.attempt_count,
            deliveries.c.due_at,
            deliveries.c.created_at,
            deliveries.c.finished_at,
            deliveries.c.reason,
            deliveries.c.replay_of,
            deliveries.c.replay_job_id,
            endpoints.c.deregistered_at.is_not(None).label("is_deregistered"),
            endpoints.c.deactivated_at.is_not(None).label("is_deactivated"),
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .join(endpoints, endpoints.c.pk == deliveries.c.endpoint_pk)
        .where(_is_within(scope))
    )


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        **{
            **row._mapping,
            "state": DeliveryState(row.state),
            "level": Level(row.level),
            "due_at": row.due_at if row.due_at < NEVER_AT else None,
            "is_deregistered": bool(row.is_deregistered),
            "is_deactivated": bool(row.is_deactivated),
        }
    )
