"""Pages of deliveries, newest first, at a cost that does not grow with how many there are.

Each endpoint's deliveries are read along an index and no further than SCANNED_MAX: a filter that hardly anything
passes may leave a page short, and the page then says where to go on. What an index knows is found at once, however
rare: what did not succeed, what waits (unless very much does), and what is of one book.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, select

from bookbell.core.model import DeliveryId, DeliveryState, EndpointPk
from bookbell.store.database import Tx
from bookbell.store.history import DeliveryQuery, DeliveryView, Scope, endpoints_within, views
from bookbell.store.schema import UNSUCCESSFUL, WAITING, deliveries, endpoints, events, lanes

SCANNED_MAX = 2_000
LOOKED_UP_MAX = 500
_UNSUCCESSFUL_STATES = {DeliveryState.EXHAUSTED.value, DeliveryState.CANCELLED.value}


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest first. next: what to give as `before` to go on; None: there are no more."""

    deliveries: list[DeliveryView]
    next: DeliveryId | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What passes; stopped_at: the last one looked at when the reading stopped before the end, else None."""

    ids: Sequence[str]
    stopped_at: str | None = None


def list_deliveries(tx: Tx, scope: Scope, query: DeliveryQuery) -> DeliveryPage:
    """A page of the deliveries within the scope."""
    found = _found(tx, endpoints_within(tx, scope), query)
    # What is older than where another endpoint's reading stopped is left for the next page: there may be newer ones.
    floor = max((each.stopped_at for each in found if each.stopped_at is not None), default="")
    ids = sorted((id_ for each in found for id_ in each.ids if id_ >= floor), reverse=True)
    shown = ids[: query.count]
    following = shown[-1] if len(ids) > len(shown) else floor
    return DeliveryPage(views(tx, scope, shown), DeliveryId(following) if following else None)


def _found(tx: Tx, endpoint_pks: Collection[EndpointPk], query: DeliveryQuery) -> list[_Found]:
    if query.book_pk is not None:
        return [_of_book(tx, endpoint_pks, query)]
    if query.state == DeliveryState.PENDING.value:
        return [_waiting(tx, each, query) or _along(tx, each, query) for each in endpoint_pks]
    return [_along(tx, each, query) for each in endpoint_pks]


def _along(tx: Tx, endpoint_pk: EndpointPk, query: DeliveryQuery) -> _Found:
    """What passes among the next deliveries of an endpoint."""
    wanted = _next(query).where(deliveries.c.endpoint_pk == endpoint_pk).order_by(deliveries.c.id.desc())
    is_known = query.state is None
    if query.state in _UNSUCCESSFUL_STATES:
        wanted, is_known = wanted.where(deliveries.c.state == query.state, UNSUCCESSFUL), True
    most = query.count + 1 if is_known and query.event_type is None else SCANNED_MAX
    rows = tx.execute(wanted.limit(most)).all()
    ids = [row.id for row in rows if _passes(row, query)]
    return _Found(ids, rows[-1].id if len(rows) == most else None)


def _waiting(tx: Tx, endpoint_pk: EndpointPk, query: DeliveryQuery) -> _Found | None:
    """What passes of all that waits for an endpoint; None if that is too much to sort."""
    of_endpoint = (
        select(lanes.c.pk).join(endpoints, endpoints.c.id == lanes.c.endpoint_id).where(endpoints.c.pk == endpoint_pk)
    )
    wanted = _next(query).where(deliveries.c.lane_pk.in_(of_endpoint), WAITING).limit(SCANNED_MAX + 1)
    rows = tx.execute(wanted).all()
    return None if len(rows) > SCANNED_MAX else _Found([row.id for row in rows if _passes(row, query)])


def _of_book(tx: Tx, endpoint_pks: Collection[EndpointPk], query: DeliveryQuery) -> _Found:
    """What passes of all deliveries of a book's events, by these: a planner might take the endpoint's many."""
    event_ids = tx.execute(select(events.c.id).where(events.c.book_pk == query.book_pk)).scalars().all()
    found: list[str] = []
    for start in range(0, len(event_ids), LOOKED_UP_MAX):
        some = event_ids[start : start + LOOKED_UP_MAX]
        rows = tx.execute(_next(query, deliveries.c.endpoint_pk).where(deliveries.c.event_id.in_(some)))
        found += [row.id for row in rows if row.endpoint_pk in endpoint_pks and _passes(row, query)]
    return _Found(found)


def _next(query: DeliveryQuery, *more: Column[Any]) -> Select[Any]:
    """The deliveries after the last page, with what the filters ask for."""
    wanted = select(deliveries.c.id, deliveries.c.state, *more)
    if query.event_type is not None:
        wanted = wanted.add_columns(events.c.type).join(events, events.c.id == deliveries.c.event_id)
    return wanted if query.before is None else wanted.where(deliveries.c.id < query.before)


def _passes(row: Any, query: DeliveryQuery) -> bool:
    if query.state is not None and row.state != query.state:
        return False
    return query.event_type is None or bool(row.type == query.event_type)
