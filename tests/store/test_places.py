"""Every delivery has a key of its own; on SQLite, those of a lane with a backlog follow each other."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from sqlalchemy import update

from bookbell.core.instants import DAY_MS, KEY_BITS
from bookbell.core.model import Account, LanePk
from bookbell.store.bulk import insert_rows
from bookbell.store.database import Database, Tx
from bookbell.store.deliveries import AttemptRow
from bookbell.store.places import BACKLOG_COUNT, attempt_places, places
from bookbell.store.schema import attempts, deliveries
from bygone import ATTEMPT
from world import START, World, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def hooked(world: World, count: int) -> list[tuple[Account, LanePk]]:
    accounts = [world.account(f"account {number}") for number in range(count)]
    return [(account, world.webhook(account, "DOC_VERIFIED").lane_pk) for account in accounts]


def keys(world: World, lane_pk: LanePk) -> list[int]:
    """In the order in which the lane's deliveries were made."""

    def read(tx: Tx) -> list[int]:
        rows = tx.execute(deliveries.select().where(deliveries.c.lane_pk == lane_pk).order_by(deliveries.c.id))
        return [row.pk for row in rows]

    return world.db.read_now(read)


def end_all(world: World) -> None:
    world.db.write_now(lambda tx: tx.execute(update(deliveries).values(state="delivered", finished_at=1)))


def are_together(found: list[int]) -> bool:
    return found == list(range(found[0], found[0] + len(found)))


def test_keys_of_a_batch_are_as_many_as_asked_for_and_in_order(world: World) -> None:
    (_, one), (_, two) = hooked(world, 2)
    asked = [one, two, two, one, two]
    found = world.db.write_now(places, asked)
    assert found == sorted(set(found))
    assert len(found) == len(asked)


def test_what_comes_and_goes_lies_together_whosever_it_is(world: World) -> None:
    hooks = hooked(world, 3)
    for _ in range(BACKLOG_COUNT - 1):
        for account, _ in hooks:
            world.publish(account, 1)
    found = sorted(chain.from_iterable(keys(world, lane_pk) for _, lane_pk in hooks))
    assert are_together(found)


def test_a_backlog_lies_together_until_it_has_ended(world: World) -> None:
    hooks = hooked(world, 3)
    for account, _ in hooks:
        world.publish(account, BACKLOG_COUNT)
    for _ in range(10):
        for account, _ in hooks:
            world.publish(account, 2)
    if world.db.is_sqlite:
        for _, lane_pk in hooks:
            assert are_together(keys(world, lane_pk)[:BACKLOG_COUNT])
            assert are_together(keys(world, lane_pk)[BACKLOG_COUNT:])
    last = max(chain.from_iterable(keys(world, lane_pk) for _, lane_pk in hooks))
    end_all(world)
    for account, _ in hooks:
        world.publish(account, 1)
    assert [keys(world, lane_pk)[-1] for _, lane_pk in hooks] == [last + 1, last + 2, last + 3]


def test_one_batch_may_have_lanes_of_both_kinds(world: World) -> None:
    (behind, one), (_, two) = hooked(world, 2)
    world.publish(behind, BACKLOG_COUNT)
    asked = [one, two] * 3
    found = dict(zip(world.db.write_now(places, asked), asked, strict=True))
    assert len(found) == len(asked)
    if world.db.is_sqlite:
        assert are_together([key for key, lane_pk in found.items() if lane_pk == one])
        assert are_together([key for key, lane_pk in found.items() if lane_pk == two])


def test_several_publish_for_one_lane_at_once(world: World) -> None:
    ((account, lane_pk),) = hooked(world, 1)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: world.publish(account, 5), range(16)))
    assert len(set(keys(world, lane_pk))) == 80


def test_keys_of_attempts_tell_when_they_were_recorded_and_follow_each_other(db: Database) -> None:
    first = list(db.write_now(attempt_places, 3, START))
    assert len(set(first)) == 3
    assert {key >> KEY_BITS for key in first} == {START}
    assert {key >> KEY_BITS for key in db.write_now(attempt_places, 3, START + 1)} == {START + 1}


def test_keys_of_attempts_go_on_when_the_clock_went_back(db: Database) -> None:
    found = [key for at in (START, START - 5_000, START, START + 1) for key in db.write_now(recorded, at)]
    assert len(set(found)) == len(found)
    if db.read_now(lambda tx: tx.dialect.name) == "sqlite":
        assert found == sorted(found)


def test_a_clock_that_was_far_ahead_does_not_keep_the_keys_of_attempts_there(db: Database) -> None:
    found = [key for at in (START, START + 2 * DAY_MS, START, START + 1) for key in db.write_now(recorded, at)]
    assert len(set(found)) == len(found)
    assert [key >> KEY_BITS for key in found[4:]] == [START, START, START + 1, START + 1]


def recorded(tx: Tx, at: int) -> list[int]:
    """Two attempts are recorded at that instant. Gives their keys."""
    found = list(attempt_places(tx, 2, at))
    insert_rows(tx, attempts, ("pk", *AttemptRow._fields), [(key, *ATTEMPT) for key in found])
    return found
