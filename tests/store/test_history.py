"""Deliveries are listed newest first, filtered, and only to their account."""

import pytest

from bookbell.actions import history
from bookbell.core.errors import IllegalTransition, NotFound
from bookbell.core.model import Account, DeliveryState
from bookbell.store import deliveries, lanes
from bookbell.store import history as stored
from bookbell.store.database import Database
from bookbell.store.history import DeliveryQuery, DeliveryView, Scope
from world import START, World, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def listed(world: World, account: Account, **query: object) -> list[DeliveryView]:
    asked = DeliveryQuery(**query)  # type: ignore[arg-type] # its fields
    return world.db.read_now(history.list_deliveries, account, asked).deliveries


def test_pages_go_from_new_to_old(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 5)
    found = listed(world, account)
    ids = [each.id for each in found]
    assert ids == sorted(ids, reverse=True)
    assert [each.id for each in listed(world, account, count=2)] == ids[:2]
    assert [each.id for each in listed(world, account, before=ids[1], count=2)] == ids[2:4]


def test_filters_restrict(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    world.publish(account, 2)
    assert len(listed(world, account, event_type="BOOK_VERIFIED")) == 1
    assert len(listed(world, account, state="pending")) == 3
    assert listed(world, account, state="delivered") == []
    assert listed(world, account, book_pk=10**9) == []


def test_another_accounts_deliveries_are_unknown(world: World) -> None:
    one, two = world.account("one"), world.account("two")
    world.webhook(one, "DOC_VERIFIED")
    world.webhook(two, "DOC_VERIFIED")
    world.publish(one, 1)
    (mine,) = listed(world, one)
    assert listed(world, two) == []
    with pytest.raises(NotFound):
        world.db.read_now(history.inspect, two, mine.id)
    with pytest.raises(NotFound):
        world.db.write_now(history.retry_now, two, mine.id, stamp())
    nobody = Scope(organization_id=one.organization_id, account_id=None)
    assert world.db.read_now(stored.views, nobody, [mine.id]) == []


def test_retry_now_makes_a_waiting_one_due_and_wakes_its_lane(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    world.publish(account, 1, at=START + 60_000)
    (delivery,) = listed(world, account)
    published = world.db.write_now(history.retry_now, account, delivery.id, stamp())
    assert (published.value.state, published.value.due_at) == (DeliveryState.PENDING, START)
    assert published.lanes == {lane_pk}
    assert world.db.read_now(lanes.candidates, owner="a", now=START, renewal_ms=(500, 2_000), count=5).free == [
        lane_pk
    ]


def test_what_ended_otherwise_is_not_tried_again(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    world.publish(account, 1)
    world.db.write_now(deliveries.discard, lane_pk, reason="deregistered", at=START)
    (delivery,) = listed(world, account)
    with pytest.raises(IllegalTransition, match="cancelled"):
        world.db.write_now(history.retry_now, account, delivery.id, stamp())
