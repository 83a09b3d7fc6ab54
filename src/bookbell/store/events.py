"""Events and who listens for them."""

from collections.abc import Collection, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal, or_, select, tuple_, union_all

from bookbell.core.model import AccountId, EndpointPk, Event, EventId, LanePk, Level, Listener, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import endpoints, events, lanes, subscriptions
from bookbell.store.stream import Stream, Stretch, are_of, insert_placed, looked_through

_SELECTED = tuple(events.c[name] for name in Event._fields)


def insert_events(tx: Tx, new: Sequence[Event]) -> None:
    """Add these events, in order; their place in the stream is that of this transaction."""
    insert_placed(tx, Event._fields, new)


_TYPES_AT_ONCE = tuple(f"type_{number}" for number in range(8))


def _those(whose: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            endpoints.c.pk,
            endpoints.c.level,
            endpoints.c.account_id,
            endpoints.c.policy,
            endpoints.c.updated_at,
            lanes.c.pk.label("lane_pk"),
            lanes.c.part,
            subscriptions.c.event_type,
        )
        .join(subscriptions, subscriptions.c.endpoint_id == endpoints.c.id)
        .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
        .where(
            endpoints.c.organization_id == bindparam("organization"),
            whose,
            endpoints.c.deregistered_at.is_(None),
            endpoints.c.deactivated_at.is_(None),
            or_(*(subscriptions.c.event_type == bindparam(each) for each in _TYPES_AT_ONCE)),
        )
    )


# In two parts, each of which is found by its keys. Asked for by one condition with OR, SQLite looks at the webhooks of
# all accounts of the organization.
_LISTENERS = Prepared(
    union_all(
        _those(endpoints.c.account_id == bindparam("account")),
        _those(endpoints.c.account_id.is_(None)),
    )
)


def listeners(
    tx: Tx, organization_id: OrganizationId, account_id: AccountId | None, event_types: Collection[str]
) -> list[Listener]:
    """Endpoints that want some of these types of events of this account (None: of no account), in a stable order."""
    wanted, of = sorted(set(event_types)), {"organization": organization_id, "account": account_id}
    found: list[Any] = []
    for start in range(0, len(wanted), len(_TYPES_AT_ONCE)):
        some = dict(zip_longest(_TYPES_AT_ONCE, wanted[start : start + len(_TYPES_AT_ONCE)], fillvalue=wanted[start]))
        found += _LISTENERS.rows(tx, **of, **some)
    types: dict[EndpointPk, set[str]] = {}
    lane_pks: dict[EndpointPk, dict[LanePk, None]] = {}
    rows: dict[EndpointPk, Any] = {}
    for row in sorted(found, key=attrgetter("pk", "part")):
        rows.setdefault(row.pk, row)
        types.setdefault(row.pk, set()).add(row.event_type)
        lane_pks.setdefault(row.pk, {})[row.lane_pk] = None
    return [
        Listener(
            endpoint_pk=row.pk,
            lane_pk=row.lane_pk,
            level=Level(row.level),
            account_id=None if row.account_id is None else AccountId(row.account_id),
            event_types=frozenset(types[row.pk]),
            lanes=tuple(lane_pks[row.pk]),
            policy=row.policy,
            version=row.updated_at,
        )
        for row in rows.values()
    ]


def list_events(
    tx: Tx, organization_id: OrganizationId, account_id: AccountId, *, before: EventId | None, count: int
) -> list[Event]:
    """Events of this account's books, newest first, older than `before`."""
    return _newest(tx, are_of(organization_id, account_id), before, count)


def read_stretch(tx: Tx, stream: Stream, stretch: Stretch) -> tuple[list[Event], EventId | None]:
    """The events of a stretch of a stream, in the order of their commits, as far as one reading looks.

    And the last one that needs not be looked at again, wanted or not; None if there is none.
    """
    rows = tx.execute(looked_through(tx, stream, stretch, *_SELECTED, events.c.position)).all()
    found = [Event._make(row[: len(Event._fields)]) for row in rows if row.is_wanted]
    return found, EventId(rows[-1].id) if rows else None


def list_org_events(tx: Tx, organization_id: OrganizationId, *, before: EventId | None, count: int) -> list[Event]:
    """Events that the organization's webhooks are told of, of all its accounts and of none, newest first."""
    told = [events.c.organization_id == organization_id, events.c.body_org.is_not(None)]
    return _newest(tx, told, before, count)


def _newest(tx: Tx, wanted: Sequence[ColumnElement[bool]], before: EventId | None, count: int) -> list[Event]:
    query = select(*_SELECTED).where(*wanted)
    if before is not None:
        place = select(events.c.position).where(events.c.id == before).scalar_subquery()
        query = query.where(tuple_(events.c.position, events.c.id) < tuple_(place, literal(before)))
    rows = tx.execute(query.order_by(events.c.position.desc(), events.c.id.desc()).limit(count))
    return [Event._make(row) for row in rows]


def find_event(tx: Tx, organization_id: OrganizationId, event_id: EventId) -> Event | None:
    """One event of this organization."""
    row = tx.execute(
        select(*_SELECTED).where(events.c.organization_id == organization_id, events.c.id == event_id)
    ).first()
    return None if row is None else Event._make(row)


_HOLD = (
    select(events.c.body_account, events.c.body_org)
    .where(events.c.organization_id == bindparam("organization"), events.c.id == bindparam("event"))
    .with_for_update(read=True)
)


def hold_event(tx: Tx, organization_id: OrganizationId, event_id: EventId) -> bool:
    """Keep retention from an event until the transaction ends. Gives whether its body is still there to be sent.

    For whoever makes a delivery of an old event wait, before doing so.
    """
    row = tx.execute(_HOLD, {"organization": organization_id, "event": event_id}).first()
    return row is not None and any(body is not None for body in row)
