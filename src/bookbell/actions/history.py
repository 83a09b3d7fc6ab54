"""What a client may see of its events and deliveries, and trying one again at once.

An account sees the deliveries of its own webhook; a manager also those of the organization's webhooks, deleted ones
included. Anybody else's do not exist for them.
"""

from dataclasses import dataclass, replace

from bookbell.actions.org_webhooks import require_manager
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import IllegalTransition, NotFound, OrgWebhookNotFound
from bookbell.core.model import Account, DeliveryId, DeliveryState, Event, EventId, LaneId, Level, Role
from bookbell.store import endpoints, events, history, lanes
from bookbell.store.database import Tx
from bookbell.store.deliveries import DEACTIVATED
from bookbell.store.history import AttemptView, DeliveryQuery, DeliveryView, Scope


@dataclass(frozen=True, slots=True)
class Inspected:
    """One delivery with its event and every attempt, oldest first."""

    delivery: DeliveryView
    event: Event
    attempts: list[AttemptView]

    @property
    def body(self) -> bytes | None:
        """What this delivery's endpoint is sent; None once retention has removed it."""
        return self.event.body_org if self.delivery.level is Level.ORG else self.event.body_account


def list_deliveries(tx: Tx, account: Account, query: DeliveryQuery) -> list[DeliveryView]:
    """The deliveries of the account's webhook, newest first."""
    return history.list_deliveries(tx, Scope(organization_id=account.organization_id, account_id=account.id), query)


def list_org_deliveries(
    tx: Tx, account: Account, webhook_uuid: str | None, query: DeliveryQuery
) -> list[DeliveryView]:
    """The deliveries of the organization's webhooks, or of one, newest first, for a manager.

    Raises: NotPermittedManager, OrgWebhookNotFound; a webhook that was deleted is still known here.
    """
    require_manager(account)
    scope = Scope(organization_id=account.organization_id, account_id=None, has_org_level=True)
    if webhook_uuid is not None:
        webhook = endpoints.find_org_endpoint(tx, account.organization_id, webhook_uuid)
        if webhook is None:
            raise OrgWebhookNotFound(f"Webhook with uuid {webhook_uuid[:80]} not found")
        scope = replace(scope, endpoint_id=webhook.id)
    return history.list_deliveries(tx, scope, query)


def list_events(tx: Tx, account: Account, *, before: str | None, count: int) -> list[Event]:
    """The events of the account's books, newest first, whether or not anybody listened."""
    position = None if before is None else EventId(before)
    return events.list_events(tx, account.organization_id, account.id, before=position, count=count)


def list_org_events(tx: Tx, account: Account, *, before: str | None, count: int) -> list[Event]:
    """The events of the whole organization at org level, newest first, for a manager. Raises: NotPermittedManager."""
    require_manager(account)
    position = None if before is None else EventId(before)
    return events.list_org_events(tx, account.organization_id, before=position, count=count)


def inspect(tx: Tx, account: Account, delivery_id: str) -> Inspected:
    """One delivery that the account may see, whole. Raises: NotFound."""
    delivery = _demand(tx, account, delivery_id)
    event = events.find_event(tx, account.organization_id, delivery.event_id)
    if event is None:  # removed since the delivery was read
        raise NotFound(f"Delivery {delivery_id[:80]} not found")
    return Inspected(delivery, event, history.list_attempts(tx, account.organization_id, delivery.id))


def retry_now(tx: Tx, account: Account, delivery_id: str, stamp: Stamp) -> Published[DeliveryView]:
    """Make a delivery due now that waits, is exhausted, or was cancelled because its webhook was deactivated.

    Raises: NotFound, IllegalTransition when it has ended otherwise, nothing is sent to its webhook, or its body is
    not kept any more.
    """
    delivery = _demand(tx, account, delivery_id)
    is_dropped = delivery.state is DeliveryState.CANCELLED and delivery.reason == DEACTIVATED
    if not is_dropped and delivery.state not in {DeliveryState.PENDING, DeliveryState.EXHAUSTED}:
        raise IllegalTransition(
            f"Delivery {delivery.id} is {delivery.state}; only one that is pending or exhausted can be tried again."
        )
    if delivery.is_deregistered:
        raise IllegalTransition("The webhook is not registered any more, so there is nowhere to send this delivery.")
    if delivery.is_deactivated:
        raise IllegalTransition("The webhook is not active; activate it before this delivery is tried again.")
    if not events.hold_event(tx, account.organization_id, delivery.event_id):
        raise IllegalTransition("The body of this delivery is not kept any more, so it cannot be sent again.")
    history.make_due(tx, account.organization_id, delivery.id, at=stamp.at)
    lane_id = LaneId(delivery.lane_id)
    lanes.wake(tx, {lane_id: stamp.at})
    return Published(_demand(tx, account, delivery_id), frozenset({lane_id}))


def _demand(tx: Tx, account: Account, delivery_id: str) -> DeliveryView:
    scope = Scope(
        organization_id=account.organization_id,
        account_id=account.id,
        has_org_level=account.role is Role.MANAGER,
    )
    found = history.find_delivery(tx, scope, DeliveryId(delivery_id))
    if found is None:
        raise NotFound(f"Delivery {delivery_id[:80]} not found")
    return found
