"""Statements that go straight to the driver."""

import itertools

import pytest
from sqlalchemy import bindparam, select

from bookbell.store.database import Database, Tx
from bookbell.store.prepared import Among, Prepared
from bookbell.store.schema import accounts, lanes
from simulated import InlineDatabase, nth
from world import World


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_a_list_is_one_value_of_a_statement(world: World, count: int) -> None:
    pks = [world.webhook(world.account(), "DOC_VERIFIED").lane_pk for _ in range(2)]
    others = list(range(-count, 0))
    asked = Prepared(select(lanes.c.pk).where(Among(lanes.c.pk, "pks"), lanes.c.epoch < bindparam("epoch")))
    found = world.db.read_now(asked.rows, pks=[*pks, *others], epoch=1)
    assert sorted(row.pk for row in found) == sorted(pks)
    assert world.db.read_now(asked.rows, pks=others, epoch=1) == []


def test_what_fails_between_a_statement_and_its_rows_keeps_no_later_read_in_the_past(world: World) -> None:
    """Found by simulated faults: after such a look the next ones brought deliveries that had ended since."""
    database, asked = world.db, Prepared(select(accounts.c.id))
    assert isinstance(database, InlineDatabase)
    for _ in range(2):
        world.account()
    kept = []  # an error knows all that was under way
    for count in itertools.count(1):
        database.strike = nth(count)
        try:
            database.read_now(asked.rows)
            break
        except ConnectionError as error:
            kept.append(error)
        del database.strike
        before = len(database.read_now(asked.rows))
        world.account()
        assert len(database.read_now(asked.rows)) == before + 1
    assert count > 2


def test_a_snapshot_is_one_for_what_goes_straight_to_the_driver_too(db: Database, world: World) -> None:
    asked = Prepared(select(accounts.c.id))

    def look(tx: Tx) -> tuple[int, int]:
        before = len(asked.rows(tx))
        world.account()
        return before, len(asked.rows(tx))

    before, after = db.snapshot_now(look)
    assert after == before
    before, after = db.read_now(look)
    assert after == before + 1
