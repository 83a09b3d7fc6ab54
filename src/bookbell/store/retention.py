"""What retention reads and removes, a bounded number of rows by index at a time.

Events are locked before their deliveries are looked at. Whoever makes a settled delivery wait again holds its event
first (`events.hold_event`), so either it finds the body gone or retention finds the delivery waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, delete, func, select, update

from bookbell.core import limits
from bookbell.core.instants import position_of
from bookbell.core.model import DeliveryState
from bookbell.store import kept
from bookbell.store.database import Tx
from bookbell.store.lanes import PENDING
from bookbell.store.schema import (
    IS_DELETED,
    attempts,
    books,
    deliveries,
    documents,
    endpoints,
    events,
    image_groups,
    images,
    mixed_documents,
)
from bookbell.store.schema_analytics import analytics_jobs, analytics_requests, book_analytics

PARAMETERS_MAX = 5_000  # of one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class OldEvent:
    """An event as retention sees it. byte_count: of its bodies, in that hour."""

    id: str
    organization_id: str
    matched_count: int
    created_at: int
    hour: int
    byte_count: int


def _old(kind: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(kept.between(kind)).order_by(columns[0]).limit(bindparam("count"))


_OLD_EVENTS = _old(
    "events",
    events.c.id,
    events.c.organization_id,
    (events.c.matched_count + events.c.replayed_count).label("matched_count"),
    events.c.created_at,
    kept.EVENT_HOUR,
    kept.EVENT_BYTES.label("byte_count"),
)


def old_events(tx: Tx, *, after: str, until: str, count: int) -> list[OldEvent]:
    """Events behind one id and up to another, oldest first, held until the transaction ends."""
    rows = tx.execute(_OLD_EVENTS.with_for_update(), {"after": after, "until": until, "count": count})
    return [OldEvent(**row._mapping) for row in rows]


# Not as a condition on rows: the index over pending deliveries would be used and read from end to end.
IS_ANY_PENDING = func.sum(case((deliveries.c.state == PENDING, 1), else_=0)) > 0
_WAITING = (
    select(deliveries.c.event_id)
    .where(deliveries.c.event_id.in_(bindparam("ids", expanding=True)))
    .group_by(deliveries.c.event_id)
    .having(IS_ANY_PENDING)
)


def waiting(tx: Tx, event_ids: Sequence[str]) -> set[str]:
    """Those of these events of which a delivery is pending."""
    return {row.event_id for row in tx.execute(_WAITING, {"ids": list(event_ids)})}


def empty_events(tx: Tx, gone: Sequence[OldEvent]) -> int:
    """Remove the bodies of these events. Gives their bytes."""
    emptied = [event.id for event in gone if event.byte_count]
    if emptied:
        tx.execute(update(events).where(events.c.id.in_(emptied)).values(body_account=None, body_org=None))
    return kept.subtract(tx, [(event.hour, event.byte_count) for event in gone])


_OLD_ATTEMPTS = _old("attempts", attempts.c.pk, kept.ATTEMPT_HOUR, kept.ATTEMPT_BYTES.label("byte_count"))


def empty_attempts(tx: Tx, *, after: str, until: str, count: int) -> tuple[str | None, int, int]:
    """Remove what receivers answered to attempts behind one position and up to another, oldest first.

    Gives the last position seen, None when there are no more, how many attempts were emptied, and their bytes.
    """
    rows = tx.execute(_OLD_ATTEMPTS, {**kept.ends("attempts", after, until), "count": count}).all()
    emptied = [row.pk for row in rows if row.byte_count]
    if emptied:
        tx.execute(update(attempts).where(attempts.c.pk.in_(emptied)).values(response_head=None, response_body=None))
    byte_count = kept.subtract(tx, [(row.hour, row.byte_count) for row in rows])
    return (position_of(rows[-1].pk) if len(rows) == count else None), len(emptied), byte_count


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDelivery:
    """A settled delivery as retention sees it."""

    pk: int
    organization_id: str
    endpoint_id: str
    event_id: str
    state: DeliveryState
    is_replay: bool


_OLD_DELIVERIES = (
    select(
        deliveries.c.pk,
        deliveries.c.organization_id,
        endpoints.c.id.label("endpoint_id"),
        deliveries.c.event_id,
        deliveries.c.state,
        deliveries.c.replay_of.is_not(None).label("is_replay"),
    )
    .join(endpoints, endpoints.c.pk == deliveries.c.endpoint_pk)
    .where(deliveries.c.event_id.in_(bindparam("ids", expanding=True)))
)


def deliveries_of(tx: Tx, event_ids: Sequence[str]) -> list[OldDelivery]:
    """The deliveries of these events, all of which have ended; no order."""
    rows = tx.execute(_OLD_DELIVERIES, {"ids": list(event_ids)})
    return [OldDelivery(**{**row._mapping, "state": DeliveryState(row.state)}) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How much went."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    byte_count: int = 0


def remove(tx: Tx, gone: Sequence[OldEvent], their: Sequence[OldDelivery]) -> Removed:
    """Remove these events, these deliveries of theirs, and the attempts of those."""
    attempt_count, sizes = 0, [(event.hour, event.byte_count) for event in gone]
    for start in range(0, len(their), PARAMETERS_MAX):
        pks = [each.pk for each in their[start : start + PARAMETERS_MAX]]
        bodies = select(kept.ATTEMPT_HOUR, kept.ATTEMPT_BYTES.label("byte_count")).where(
            attempts.c.delivery_pk.in_(pks), kept.ATTEMPT_BYTES > 0
        )
        sizes += [(row.hour, row.byte_count) for row in tx.execute(bodies)]
        attempt_count += tx.execute(delete(attempts).where(attempts.c.delivery_pk.in_(pks))).rowcount
        tx.execute(delete(deliveries).where(deliveries.c.pk.in_(pks)))
    tx.execute(delete(events).where(events.c.id.in_([event.id for event in gone])))
    return Removed(
        events=len(gone), deliveries=len(their), attempts=attempt_count, byte_count=kept.subtract(tx, sizes)
    )


def remove_books(tx: Tx, *, before: int, count: int = limits.PRUNE_BATCH_BOOKS_MAX) -> int:
    """Remove the rows of books that were deleted before that instant, with all that was in them. Gives how many."""
    old = select(books.c.pk).where(_is_old_book(before)).order_by(books.c.updated_at).limit(count)
    pks = [row.pk for row in tx.execute(old)]
    if pks:
        for table in (
            analytics_requests,
            analytics_jobs,
            book_analytics,
            documents,
            mixed_documents,
            images,
            image_groups,
        ):
            tx.execute(delete(table).where(table.c.book_pk.in_(pks)))
        tx.execute(delete(books).where(books.c.pk.in_(pks)))
    return len(pks)


def count_books(tx: Tx, *, before: int) -> int:
    """How many books were deleted before that instant."""
    return tx.execute(select(func.count()).select_from(books).where(_is_old_book(before))).scalar_one()


def _is_old_book(before: int) -> ColumnElement[bool]:
    return and_(IS_DELETED, books.c.updated_at < before)


def oldest_event(tx: Tx) -> str | None:
    """The id of the oldest event that is kept."""
    return tx.execute(select(events.c.id).order_by(events.c.id).limit(1)).scalar()
