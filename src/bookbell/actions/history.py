"""What a client may see of its events and deliveries, and trying one again at once.

An account sees the deliveries of its own webhook; a manager also those of the organization's webhooks, deleted ones
included. Anybody else's do not exist for them.
"""

from dataclasses import dataclass, replace

from bookbell.actions.org_webhooks import find_any, require_manager
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import IllegalTransition, NotFound
from bookbell.core.model import Account, DeliveryId, DeliveryState, Event, EventId, Level, Role
from bookbell.store import delivery_pages, endpoints, events, history, lanes
from bookbell.store.database import Tx
from bookbell.store.deliveries import DEACTIVATED
from bookbell.store.delivery_pages import DeliveryPage
from bookbell.store.history import AttemptView, DeliveryQuery, DeliveryView, Scope
from bookbell.store.stream import Stream, Stretch, is_known


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


def list_deliveries(tx: Tx, account: Account, query: DeliveryQuery) -> DeliveryPage:
    """The deliveries of the account's webhook, newest first."""
    scope = Scope(organization_id=account.organization_id, account_id=account.id)
    return delivery_pages.list_deliveries(tx, scope, query)


def list_org_deliveries(tx: Tx, account: Account, webhook_uuid: str | None, query: DeliveryQuery) -> DeliveryPage:
    """The deliveries of the organization's webhooks, or of one, newest first, for a manager.

    Raises: NotPermittedManager, OrgWebhookNotFound; a webhook that was deleted is still known here.
    """
    require_manager(account)
    scope = Scope(organization_id=account.organization_id, account_id=None, has_org_level=True)
    if webhook_uuid is not None:
        scope = replace(scope, endpoint_id=find_any(tx, account, webhook_uuid).id)
    return delivery_pages.list_deliveries(tx, scope, query)


def list_events(tx: Tx, account: Account, *, before: str | None, count: int) -> list[Event]:
    """The events of the account's books, newest first, whether or not anybody listened."""
    position = None if before is None else EventId(before)
    return events.list_events(tx, account.organization_id, account.id, before=position, count=count)


def list_org_events(tx: Tx, account: Account, *, before: str | None, count: int) -> list[Event]:
    """The events of the whole organization at org level, newest first, for a manager. Raises: NotPermittedManager."""
    require_manager(account)
    position = None if before is None else EventId(before)
    return events.list_org_events(tx, account.organization_id, before=position, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a client goes on reading its events in order. after: the last one it has; None: from the beginning.

    is_org: those of the organization, for managers; webhook_uuid: those of this webhook of it. is_subscribed: only
    types that the webhook subscribes to now.
    """

    after: str | None = None
    since_at: int | None = None
    event_types: frozenset[str] | None = None
    book_pk: int | None = None
    is_org: bool = False
    webhook_uuid: str | None = None
    is_subscribed: bool = False
    count: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event with the body that a webhook is sent, and its deliveries to that webhook, oldest first."""

    event: Event
    body: bytes
    deliveries: list[DeliveryView]


@dataclass(frozen=True, slots=True)
class ReadOn:
    """Events in order. next: what to go on after, unchanged while nothing is new; if it moved, there may be more."""

    told: list[Told]
    next: str | None


def read_on(tx: Tx, account: Account, reading: Reading) -> ReadOn:
    """The next events in the order of their commits: who goes on after the last one misses none.

    Raises: NotFound when `after` is not known (any more), NotPermittedManager, OrgWebhookNotFound.
    """
    scope, subscribed = _reader(tx, account, reading)
    level = Level.ORG if scope.has_org_level else Level.ACCOUNT
    stream = Stream(organization_id=account.organization_id, account_id=scope.account_id, level=level)
    if reading.after is not None and not is_known(tx, stream, reading.after):
        raise NotFound(f"Event {reading.after[:80]} is not known, or not kept any more; go on with `since`.")
    wanted = reading.event_types
    if subscribed is not None:
        wanted = subscribed if wanted is None else wanted & subscribed
    stretch = Stretch(
        after=reading.after,
        since_at=reading.since_at,
        event_types=wanted,
        book_pk=reading.book_pk,
        count=reading.count,
    )
    found, looked_to = events.read_stretch(tx, stream, stretch)
    made = history.deliveries_of(tx, scope, [event.id for event in found])
    bodies = [event.body_org if level is Level.ORG else event.body_account for event in found]
    told = [Told(event, body or b"", made[event.id]) for event, body in zip(found, bodies, strict=True)]
    return ReadOn(told, looked_to or reading.after)


def _reader(tx: Tx, account: Account, reading: Reading) -> tuple[Scope, frozenset[str] | None]:
    """Whose deliveries are shown, and the event types subscribed to, None if that does not matter."""
    if not reading.is_org and reading.webhook_uuid is None:
        own = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
        subscribed = frozenset(own.event_types if own is not None else ())
        scope = Scope(organization_id=account.organization_id, account_id=account.id)
        return scope, subscribed if reading.is_subscribed else None
    require_manager(account)
    scope = Scope(organization_id=account.organization_id, account_id=None, has_org_level=True)
    if reading.webhook_uuid is None:
        listed = endpoints.list_org_endpoints(tx, account.organization_id)
    else:
        listed = [find_any(tx, account, reading.webhook_uuid)]
        scope = replace(scope, endpoint_id=listed[0].id)
    subscribed = frozenset(name for each in listed for name in each.event_types)
    return scope, subscribed if reading.is_subscribed else None


def inspect(tx: Tx, account: Account, delivery_id: str) -> Inspected:
    """One delivery that the account may see, whole. Raises: NotFound."""
    delivery = _demand(tx, account, delivery_id)
    event = events.find_event(tx, account.organization_id, delivery.event_id)
    if event is None:  # removed since the delivery was read
        raise NotFound(f"Delivery {delivery_id[:80]} not found")
    return Inspected(delivery, event, history.list_attempts(tx, account.organization_id, delivery.pk))


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
    lanes.wake(tx, {delivery.lane_pk: stamp.at})
    return Published(_demand(tx, account, delivery_id), frozenset({delivery.lane_pk}))


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
