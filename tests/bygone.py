"""Events of long ago with their deliveries and attempts, written as rows: for retention and the ledger."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bookbell.ambient import RealAmbient
from bookbell.core.instants import DAY_MS, key_floor
from bookbell.core.model import Delivery, DeliveryId, DeliveryPk, DeliveryState, Event, EventId, OrganizationId
from bookbell.store.bulk import insert_rows
from bookbell.store.database import Database, Tx
from bookbell.store.deliveries import AttemptRow, insert_deliveries
from bookbell.store.endpoints import Endpoint
from bookbell.store.events import insert_events
from bookbell.store.schema import attempts
from made_ids import uuid7_text
from world import START

BODY, ANSWER = b'{"status": "BOOK_COMPLETE"}', b"ok"
NOW = START + 200 * DAY_MS
ATTEMPT = AttemptRow(
    organization_id=OrganizationId("o"),
    delivery_pk=DeliveryPk(0),
    number=1,
    worker="w",
    started_at=START,
    outcome="answered",
    status_code=200,
    detail="",
    dns_us=0,
    connect_us=0,
    tls_us=0,
    first_byte_us=0,
    total_us=0,
    remote_address=None,
    response_head=None,
    response_body=ANSWER,
)
_numbers = itertools.count(1)


class Later(RealAmbient):
    """The world as it is, at another time and without rests."""

    def now_ms(self) -> int:
        return NOW

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Bygone:
    """One event with one delivery to each endpoint, all with the same end."""

    event: Event
    deliveries: list[Delivery]
    attempts: list[AttemptRow]

    @property
    def byte_count(self) -> int:
        return len(self.event.body_account or b"") + sum(len(each.response_body or b"") for each in self.attempts)


def bygone(
    endpoints: list[Endpoint],
    at: int,
    state: DeliveryState = DeliveryState.DELIVERED,
    *,
    reason: str | None = None,
    body: bytes = BODY,
) -> Bygone:
    """An event made at that instant. Every delivery of it was tried once, and answered if it was delivered."""
    event = Event(
        id=EventId(_id(at)),
        organization_id=endpoints[0].organization_id,
        account_id=endpoints[0].account_id,
        book_pk=None,
        type="BOOK_VERIFIED",
        body_account=body,
        body_org=None,
        matched_count=len(endpoints),
        created_at=at,
    )
    made = [_delivery(event, endpoint, state, reason) for endpoint in endpoints]
    return Bygone(event, made, [_attempt(each) for each in made])


def write(db: Database, *each: Bygone) -> None:
    """Put them into the database."""

    def run(tx: Tx) -> None:
        insert_events(tx, [one.event for one in each])
        for one in each:
            pks = insert_deliveries(tx, one.deliveries)
            told = zip(one.attempts, pks, strict=False)
            keep_attempts(tx, [attempt._replace(delivery_pk=pk) for attempt, pk in told])

    db.write_now(run)


def keep_attempts(tx: Tx, rows: Sequence[AttemptRow]) -> None:
    """As if each had been recorded when it began."""
    keyed = [(key_floor(row.started_at) + next(_numbers), *row) for row in rows]
    insert_rows(tx, attempts, ("pk", *AttemptRow._fields), keyed)


def _id(at: int) -> str:
    return uuid7_text(at, 0, next(_numbers))


def _delivery(event: Event, endpoint: Endpoint, state: DeliveryState, reason: str | None) -> Delivery:
    is_pending = state is DeliveryState.PENDING
    return Delivery(
        id=DeliveryId(_id(event.created_at)),
        organization_id=event.organization_id,
        endpoint_pk=endpoint.pk,
        lane_pk=endpoint.lane_pk,
        event_id=event.id,
        state=state,
        attempt_count=1,
        due_at=event.created_at,
        created_at=event.created_at,
        finished_at=None if is_pending else event.created_at,
        reason=None if is_pending or state is DeliveryState.DELIVERED else reason or "attempts",
    )


def _attempt(delivery: Delivery) -> AttemptRow:
    attempt = ATTEMPT._replace(organization_id=delivery.organization_id, started_at=delivery.created_at)
    if delivery.state is DeliveryState.DELIVERED:
        return attempt
    return attempt._replace(outcome="unreachable", status_code=None)
