"""The ledger balances, and shows it when a row is missing or unexplained."""

import pytest

from bookbell.core.instants import id_floor
from bookbell.core.ledger import Ledger
from bookbell.core.model import LanePk
from bookbell.store import deliveries, ledger
from bookbell.store.database import Database, Tx
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import endpoints
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


def test_a_missing_row_shows_and_its_event_is_named(world: World) -> None:
    change(
        world,
        table.delete().where(table.c.id == table.select().with_only_columns(table.c.id).limit(1).scalar_subquery()),
    )
    (found,) = the(world)
    said, named = found.problems()
    assert said == "4 deliveries were matched, but 3 are accounted for."
    assert named == f"Event {found.findings[0].event_id}: 1 deliveries were matched, but 0 are accounted for."


def test_ends_without_proof_or_reason_show(world: World) -> None:
    change(world, table.update().values(state="delivered", finished_at=START))
    (found,) = the(world)
    assert (found.delivered, [each.problem for each in found.findings]) == (4, ["unproven"] * 4)
    change(world, table.update().values(state="exhausted"))
    (found,) = the(world)
    assert (found.exhausted, [each.problem for each in found.findings]) == (4, ["unexplained"] * 4)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"state": "lost"}, "impossible"),
        ({"finished_at": 1}, "impossible"),
        ({"state": "cancelled", "reason": "x"}, "impossible"),
        ({"attempt_count": 1}, "unrecorded"),
        ({"event_id": "01977420-dc00-7fff-bfff-ffffffffffff"}, "orphaned"),
    ],
)
def test_what_is_wrong_with_a_delivery_is_found(world: World, values: dict[str, object], problem: str) -> None:
    first = table.select().with_only_columns(table.c.id).order_by(table.c.id).limit(1).scalar_subquery()
    change(world, table.update().where(table.c.id == first).values(**values))
    (found,) = the(world)
    assert problem in {each.problem for each in found.findings}


def test_an_endpoints_own_ledger_counts_its_deliveries_in_a_range_of_ids(world: World) -> None:
    (row,) = world.db.read_now(lambda tx: tx.execute(endpoints.select()).all())
    organization_id, endpoint_id = row.organization_id, row.id

    def counted(since: int, before: int) -> Ledger:
        return world.db.read_now(
            ledger.of_endpoint, organization_id, endpoint_id, since=id_floor(since), before=id_floor(before)
        )

    expected = Ledger(organization_id=organization_id, endpoint_id=endpoint_id, matched=4, pending=4)
    assert counted(START, START + 1) == expected
    assert counted(START + 1, FOREVER).matched == counted(0, START).matched == 0


def test_cancelled_ones_have_their_reason(world: World) -> None:
    def lanes_of(tx: Tx) -> list[LanePk]:
        return [row.lane_pk for row in tx.execute(table.select())]

    lane_pk = world.db.read_now(lanes_of)[0]
    world.db.write_now(deliveries.discard, lane_pk, reason="deregistered", at=START)
    (found,) = the(world)
    assert (found.cancelled, found.problems()) == (4, ())
