"""The ledger balances, and shows it when a row is missing or unexplained."""

import pytest

from bookbell.core.ledger import Ledger
from bookbell.core.model import LaneId
from bookbell.store import deliveries, ledger
from bookbell.store.database import Database, Tx
from bookbell.store.schema import deliveries as table
from world import START, World, world_in

FOREVER = 2**52


@pytest.fixture
def world(db: Database) -> World:
    world = world_in(db)
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    world.publish(account, 3)
    return world


def the(world: World, since: int = 0, until: int = FOREVER) -> list[Ledger]:
    return world.db.read_now(ledger.ledgers, since=since, until=until)


def change(world: World, statement: object) -> None:
    def run(tx: Tx) -> None:
        tx.execute(statement)  # type: ignore[call-overload] # any statement

    world.db.write_now(run)


def test_what_waits_is_matched(world: World) -> None:
    (found,) = the(world)
    assert found == Ledger(organization_id=world.organization.id, matched=4, pending=4)
    assert found.problems() == ()


def test_events_without_listeners_match_nothing(world: World) -> None:
    world.publish(world.account(), 2)
    assert [each.matched for each in the(world)] == [4]


def test_only_the_range_and_the_organization_count(world: World) -> None:
    assert the(world, since=START + 1) == []
    assert the(world, until=START) == []
    assert world.db.read_now(ledger.ledgers, since=0, until=FOREVER, organization_id="another") == []


def test_a_missing_row_shows(world: World) -> None:
    change(
        world,
        table.delete().where(table.c.id == table.select().with_only_columns(table.c.id).limit(1).scalar_subquery()),
    )
    (found,) = the(world)
    assert found.problems() == ("4 deliveries were matched, but 3 are accounted for.",)


def test_unproven_and_unexplained_ends_show(world: World) -> None:
    change(world, table.update().values(state="delivered"))
    (found,) = the(world)
    assert (found.delivered, found.unproven) == (4, 4)
    change(world, table.update().values(state="exhausted"))
    (found,) = the(world)
    assert (found.exhausted, found.unexplained) == (4, 4)
    assert len(found.problems()) == 1


def test_cancelled_ones_have_their_reason(world: World) -> None:
    def lanes_of(tx: Tx) -> list[str]:
        return [row.lane_id for row in tx.execute(table.select())]

    lane_id = LaneId(world.db.read_now(lanes_of)[0])
    world.db.write_now(deliveries.discard, lane_id, reason="deregistered", at=START)
    (found,) = the(world)
    assert (found.cancelled, found.problems()) == (4, ())
