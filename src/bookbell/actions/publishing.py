"""From what happened to deliveries that are due: the outbox, in the caller's transaction.

Cost for each event: one row, one delivery row for each endpoint that wants it, one update of each sleeping lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bookbell.actions.stamp import Stamp
from bookbell.core.events import DocumentStatuses, Draft, body, needs_documents
from bookbell.core.fanout import plan
from bookbell.core.model import Book, Delivery, DeliveryId, DeliveryState, Event, EventId, LaneId, Level, Listener
from bookbell.store import books, deliveries, events, lanes
from bookbell.store.database import Tx


@dataclass(frozen=True, slots=True)
class Told:
    """The events that were made, with how many deliveries each, in order, and the lanes to ring."""

    events: tuple[Event, ...] = ()
    lanes: frozenset[LaneId] = frozenset()


def publish(tx: Tx, book: Book, drafts: Sequence[Draft], stamp: Stamp) -> Told:
    """Make events of these drafts, in order, and a delivery for each endpoint of the book's owner that wants one."""
    if not drafts:
        return Told()
    statuses = books.document_statuses(tx, book) if any(map(needs_documents, drafts)) else ()
    happened = [_event(book, draft, statuses, stamp) for draft in drafts]
    return fan_out(tx, happened, stamp)


def fan_out(tx: Tx, happened: Sequence[Event], stamp: Stamp) -> Told:
    """Store these events, in order, and a delivery for each endpoint that wants one.

    At least one event; all are of the same organization and account.
    """
    first = happened[0]
    listening = events.listeners(tx, first.organization_id, first.account_id, {event.type for event in happened})
    planned = [(event, plan(event, listening)) for event in happened]
    stored = tuple(replace(event, matched_count=len(told)) for event, told in planned)
    events.insert_events(tx, stored)
    due = [_delivery(event, listener, stamp) for event, told in planned for listener in told]
    if not due:
        return Told(stored)
    deliveries.insert_deliveries(tx, due)
    woken = frozenset(delivery.lane_id for delivery in due)
    lanes.wake(tx, dict.fromkeys(woken, stamp.at))
    return Told(stored, woken)


def _event(book: Book, draft: Draft, statuses: DocumentStatuses, stamp: Stamp) -> Event:
    return Event(
        id=EventId(stamp.new_id()),
        organization_id=book.organization_id,
        account_id=book.account_id,
        book_pk=book.pk,
        type=draft.type,
        body_account=body(draft, Level.ACCOUNT, book, statuses),
        body_org=body(draft, Level.ORG, book, statuses),
        matched_count=0,
        created_at=stamp.at,
    )


def _delivery(event: Event, listener: Listener, stamp: Stamp) -> Delivery:
    return Delivery(
        id=DeliveryId(stamp.new_id()),
        organization_id=event.organization_id,
        endpoint_id=listener.endpoint_id,
        lane_id=listener.lane_id,
        event_id=event.id,
        state=DeliveryState.PENDING,
        attempt_count=0,
        due_at=stamp.at,
        created_at=stamp.at,
    )
