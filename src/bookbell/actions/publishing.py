"""From what happened to deliveries that are due: the outbox, in the caller's transaction.

Cost for each event: one row, one delivery row for each endpoint that wants it, one update of each sleeping lane.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from bookbell.actions.stamp import Published, Stamp
from bookbell.core.events import DocumentStatuses, Draft, body, needs_documents, subject_pk
from bookbell.core.fanout import lane_of, plan
from bookbell.core.model import (
    AccountId,
    Book,
    Delivery,
    DeliveryId,
    DeliveryState,
    Event,
    EventId,
    LanePk,
    Level,
    Listener,
    Made,
    OrganizationId,
)
from bookbell.core.policy import Order, Policy, policy_from
from bookbell.store import books, deliveries, events, lanes
from bookbell.store.database import Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """The events that were made, with how many deliveries each, in order; the lanes to ring; the deliveries, in the
    order of their events.
    """

    events: Sequence[Event] = ()
    lanes: frozenset[LanePk] = frozenset()
    made: Sequence[Made] = ()

    def published(self, value: T) -> Published[T]:
        """What an action gives that has told this."""
        return Published(value, self.lanes, self.made)


def publish(tx: Tx, book: Book, drafts: Sequence[Draft], stamp: Stamp) -> Told:
    """Make events of these drafts, in order, and a delivery for each endpoint of the book's owner that wants one."""
    if not drafts:
        return Told()
    statuses = books.document_statuses(tx, book) if any(map(needs_documents, drafts)) else ()
    happened = [_event(book, draft, statuses, stamp) for draft in drafts]
    subjects = {event.id: subject_pk(draft) for event, draft in zip(happened, drafts, strict=True)}
    return fan_out(tx, happened, stamp, subjects)


NO_SUBJECTS: Mapping[EventId, int | None] = {}


def fan_out(
    tx: Tx, happened: Sequence[Event], stamp: Stamp, subjects: Mapping[EventId, int | None] = NO_SUBJECTS
) -> Told:
    """Store these events, in order, and a delivery for each endpoint that wants one.

    At least one event; all were made by the time of the stamp. subjects: the documents whose state they tell.
    """
    wanted: dict[_Audience, set[str]] = {}
    for event in happened:
        wanted.setdefault((event.organization_id, event.account_id), set()).add(event.type)
    listening = {audience: events.listeners(tx, *audience, types) for audience, types in wanted.items()}
    plans: dict[_Shape, tuple[Listener, ...]] = {}
    stored: list[Event] = []
    new: list[tuple[Delivery, Event, int]] = []
    for event in happened:
        audience = event.organization_id, event.account_id
        shape = audience, event.type, event.body_account is None, event.body_org is None
        if (told := plans.get(shape)) is None:
            told = plans[shape] = plan(event, listening[audience])
        stored.append(event.matched(len(told)))
        subject = subjects.get(event.id)
        new += [(_delivery(event, listener, subject, stamp), event, listener.version) for listener in told]
    events.insert_events(tx, stored)
    if not new:
        return Told(stored)
    due = [delivery for delivery, _, _ in new]
    pks = deliveries.insert_deliveries(tx, due)
    woken = frozenset([delivery.lane_pk for delivery in due])
    lanes.wake(tx, dict.fromkeys(woken, happened[0].created_at))
    return Told(stored, woken, [(pk, *each) for pk, each in zip(pks, new, strict=True)])


_Audience = tuple[OrganizationId, AccountId | None]
_Shape = tuple[_Audience, str, bool, bool]
"""What decides which endpoints are told of an event: whose it is, its type, and which bodies it lacks."""


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


@lru_cache(1_024)
def _policy(text: str) -> Policy:
    return policy_from(json.loads(text))


def _delivery(event: Event, listener: Listener, subject: int | None, stamp: Stamp) -> Delivery:
    policy = _policy(listener.policy)
    return Delivery(
        DeliveryId(stamp.new_id()),
        event.organization_id,
        listener.endpoint_pk,
        lane_of(listener, policy, event.book_pk),
        event.id,
        DeliveryState.PENDING,
        attempt_count=0,
        due_at=event.created_at,
        created_at=event.created_at,
        queue_pk=event.book_pk if policy.order is Order.BOOK else None,
        subject_pk=subject if policy.collapse else None,
    )
