"""What a client may see of its events and deliveries, and trying one again at once."""

from dataclasses import dataclass

from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import IllegalTransition, NotFound
from bookbell.core.model import Account, DeliveryId, DeliveryState, Event, EventId, LaneId
from bookbell.store import events, history, lanes
from bookbell.store.database import Tx
from bookbell.store.history import AttemptView, DeliveryQuery, DeliveryView


@dataclass(frozen=True, slots=True)
class Inspected:
    """One delivery with its event and every attempt, oldest first."""

    delivery: DeliveryView
    event: Event
    attempts: list[AttemptView]


def list_deliveries(tx: Tx, account: Account, query: DeliveryQuery) -> list[DeliveryView]:
    """The deliveries of the account's webhook, newest first."""
    return history.list_deliveries(tx, account.organization_id, account.id, query)


def list_events(tx: Tx, account: Account, *, before: str | None, count: int) -> list[Event]:
    """The events of the account's books, newest first, whether or not anybody listened."""
    position = None if before is None else EventId(before)
    return events.list_events(tx, account.organization_id, account.id, before=position, count=count)


def inspect(tx: Tx, account: Account, delivery_id: str) -> Inspected:
    """One delivery of the account's webhook, whole. Raises: NotFound."""
    delivery = _demand(tx, account, delivery_id)
    event = events.find_event(tx, account.organization_id, delivery.event_id)
    assert event is not None
    return Inspected(delivery, event, history.list_attempts(tx, account.organization_id, delivery.id))


def retry_now(tx: Tx, account: Account, delivery_id: str, stamp: Stamp) -> Published[DeliveryView]:
    """Make a waiting or exhausted delivery due now. Raises: NotFound, IllegalTransition when it has ended well."""
    delivery = _demand(tx, account, delivery_id)
    if delivery.state not in {DeliveryState.PENDING, DeliveryState.EXHAUSTED}:
        raise IllegalTransition(
            f"Delivery {delivery.id} is {delivery.state}; only one that is pending or exhausted can be tried again."
        )
    if delivery.is_deregistered:
        raise IllegalTransition("The webhook is not registered any more, so there is nowhere to send this delivery.")
    history.make_due(tx, account.organization_id, delivery.id, at=stamp.at)
    lane_id = LaneId(delivery.lane_id)
    lanes.wake(tx, {lane_id: stamp.at})
    return Published(_demand(tx, account, delivery_id), frozenset({lane_id}))


def _demand(tx: Tx, account: Account, delivery_id: str) -> DeliveryView:
    found = history.find_delivery(tx, account.organization_id, account.id, DeliveryId(delivery_id))
    if found is None:
        raise NotFound(f"Delivery {delivery_id[:80]} not found")
    return found
