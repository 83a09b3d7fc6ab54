"""Who is told: account-level endpoints of their own books, org-level ones of all."""

from dataclasses import replace

from bookbell.core.fanout import lane_of, plan
from bookbell.core.model import AccountId, EndpointPk, Event, EventId, LanePk, Level, Listener, OrganizationId
from bookbell.core.policy import policy_from

EVENT = Event(
    id=EventId("e"),
    organization_id=OrganizationId("o"),
    account_id=AccountId("one"),
    book_pk=1,
    type="book.completed",
    body_account=b"{}",
    body_org=b"{}",
    matched_count=0,
    created_at=0,
)


KEYS = {"own": 1, "other": 2, "org": 3, "deaf": 4, "one": 9}


def listener(name: str, level: Level, account: str | None, *types: str) -> Listener:
    return Listener(
        endpoint_pk=EndpointPk(KEYS[name]),
        lane_pk=LanePk(KEYS[name]),
        level=level,
        account_id=None if account is None else AccountId(account),
        event_types=frozenset(types or ["book.completed"]),
    )


OWN = listener("own", Level.ACCOUNT, "one")
OTHER = listener("other", Level.ACCOUNT, "two")
ORG = listener("org", Level.ORG, None)
DEAF = listener("deaf", Level.ORG, None, "book.classified")


def test_own_account_and_organization_hear_in_order() -> None:
    assert plan(EVENT, [ORG, OTHER, OWN, DEAF]) == (ORG, OWN)


def test_a_level_without_a_body_hears_nothing() -> None:
    assert plan(EVENT._replace(body_account=None), [OWN, ORG]) == (ORG,)
    assert plan(EVENT._replace(body_org=None), [OWN, ORG]) == (OWN,)


def test_a_book_always_queues_in_the_same_of_the_lanes_that_the_policy_asks_for() -> None:
    found = replace(listener("one", Level.ORG, None), lanes=(LanePk(5), LanePk(6), LanePk(7)))
    policy = policy_from({"lanes": 2})
    assert [lane_of(found, policy, pk) for pk in (4, 5, 4)] == [5, 6, 5]
    assert lane_of(found, policy, None) == 9
    assert lane_of(found, policy_from({}), 5) == 9


def test_a_matched_event_differs_by_its_count_alone() -> None:
    assert EVENT.matched(3) == EVENT._replace(matched_count=3)
