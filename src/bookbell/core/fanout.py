"""Which endpoints are told of an event."""

from collections.abc import Iterable, Sequence

from bookbell.core.model import Event, LanePk, Level, Listener
from bookbell.core.policy import Policy


def plan(event: Event, listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """Those of the listeners that get this event, in their order.

    An account-level endpoint hears of its own account's books only, an org-level one of all books of the
    organization (the listeners given are already those of the organization). Source: contract 1.3, 1.4.
    """
    return tuple(listener for listener in listeners if _hears(listener, event))


def lane_of(listener: Listener, policy: Policy, book_pk: int | None) -> LanePk:
    """The lane in which events of this book queue: always the same one, as long as the policy asks for as many."""
    if book_pk is None or len(listener.lanes[: policy.lanes]) < 2:
        return listener.lane_pk
    return lane_for(listener.lanes, policy, book_pk)


def lane_for(lanes: Sequence[LanePk], policy: Policy, book_pk: int | None) -> LanePk:
    """`lane_of` among the lanes of an endpoint, of which there is at least one, in their order."""
    used = lanes[: policy.lanes]
    return used[0] if book_pk is None else used[book_pk % len(used)]


def _hears(listener: Listener, event: Event) -> bool:
    if event.type not in listener.event_types:
        return False
    if listener.level is Level.ORG:
        return event.body_org is not None
    return event.body_account is not None and listener.account_id == event.account_id
