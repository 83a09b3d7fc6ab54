"""Which endpoints are told of an event."""

from collections.abc import Iterable

from bookbell.core.model import Event, LaneId, Level, Listener
from bookbell.core.policy import Policy


def plan(event: Event, listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """Those of the listeners that get this event, in their order.

    An account-level endpoint hears of its own account's books only, an org-level one of all books of the
    organization (the listeners given are already those of the organization). Source: contract 1.3, 1.4.
    """
    return tuple(listener for listener in listeners if _hears(listener, event))


def lane_of(listener: Listener, policy: Policy, book_pk: int | None) -> LaneId:
    """The lane in which events of this book queue: always the same one, as long as the policy asks for as many."""
    lanes = listener.lanes[: policy.lanes]
    if book_pk is None or len(lanes) < 2:
        return listener.lane_id
    return lanes[book_pk % len(lanes)]


def _hears(listener: Listener, event: Event) -> bool:
    if event.type not in listener.event_types:
        return False
    if listener.level is Level.ORG:
        return event.body_org is not None
    return event.body_account is not None and listener.account_id == event.account_id
