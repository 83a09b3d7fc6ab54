"""Due deliveries are read lane by lane, and recording demands the lane's epoch."""

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from bookbell.core.limits import HOLD_BATCH_COUNT_MAX
from bookbell.core.model import DeliveryId, DeliveryState, LanePk, Level
from bookbell.store import configs, deliveries, holding, lanes
from bookbell.store.database import Database, Tx
from bookbell.store.deliveries import Due, Look, Result
from bookbell.store.lanes import Suspect
from bookbell.store.schema import attempts
from bookbell.store.schema import deliveries as table
from bygone import ATTEMPT
from crowds import like, rows_read
from world import START, World, new_id, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def lane_with(world: World, count: int, at: int = START) -> LanePk:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    world.publish(account, count, at)
    world.db.write_now(lanes.acquire, [lane_pk], owner="a", now=START, lease_until=START + 1_000)
    return lane_pk


def look(world: World, lane_pk: LanePk, count: int = 100, now: int = START) -> list[Due]:
    return world.db.read_now(deliveries.due, {lane_pk: Look(Level.ACCOUNT, count)}, now=now)[lane_pk]


def result(due: Due, epoch: int, state: DeliveryState = DeliveryState.DELIVERED, **changes: Any) -> Result:
    attempt = ATTEMPT._replace(delivery_pk=due.pk, number=due.attempt_count + 1)
    base = Result(
        lane_pk=due.lane_pk,
        epoch=epoch,
        delivery_id=due.id,
        attempt=attempt,
        state=state,
        due_at=START,
        finished_at=START,
        reason=None,
    )
    return replace(base, **changes)


def states(world: World) -> dict[str, str]:
    def read(tx: Tx) -> dict[str, str]:
        return {row.id: row.state for row in tx.execute(table.select())}

    return world.db.read_now(read)


def stale(world: World) -> list[bool]:
    def read(tx: Tx) -> list[bool]:
        return [row.is_stale for row in tx.execute(attempts.select().order_by(attempts.c.pk))]

    return world.db.read_now(read)


def test_due_deliveries_come_in_order_with_their_bytes(world: World) -> None:
    lane_pk = lane_with(world, 3)
    found = look(world, lane_pk)
    assert [due.id for due in found] == sorted(due.id for due in found)
    assert {due.event_type for due in found} == {"DOC_VERIFIED"}
    assert all(due.body.startswith(b'{"status":"VERIFICATION_COMPLETE"') for due in found)
    assert look(world, lane_pk, now=START - 1) == []
    assert look(world, lane_pk, count=2) == found[:2]


@pytest.mark.parametrize("lane_count", [2, deliveries.LOOK_LANES_MAX])
def test_one_look_serves_many_lanes_and_none_at_the_cost_of_another(world: World, lane_count: int) -> None:
    long = lane_with(world, 5)
    others = [lane_with(world, 1) for _ in range(2)]
    unknown = [LanePk(10_000 + number) for number in range(lane_count - 3 if lane_count > 3 else 0)]
    wanted = dict.fromkeys([long, *others, *unknown], Look(Level.ACCOUNT, 2))
    found = world.db.read_now(deliveries.due, wanted, now=START)
    assert [len(found[lane_pk]) for lane_pk in [long, *others]] == [2, 1, 1]
    assert all(found[lane_pk] == [] for lane_pk in unknown)


def test_recording_settles_the_delivery_and_keeps_the_attempt(world: World) -> None:
    lane_pk = lane_with(world, 2)
    first, second = look(world, lane_pk)
    retry = result(second, 1, DeliveryState.PENDING, due_at=START + 5_000, finished_at=None)
    assert world.db.write_now(deliveries.record, [result(first, 1), retry], at=START) == frozenset()
    assert states(world) == {first.id: "delivered", second.id: "pending"}
    assert stale(world) == [False, False]
    assert look(world, lane_pk) == []
    (again,) = look(world, lane_pk, now=START + 5_000)
    assert (again.id, again.attempt_count) == (second.id, 1)


def test_what_has_the_key_of_a_removed_delivery_is_not_settled_in_its_place(world: World) -> None:
    lane_pk = lane_with(world, 1)
    (due,) = look(world, lane_pk)
    later = DeliveryId(new_id())
    world.db.write_now(lambda tx: tx.execute(table.update().values(id=later)))
    assert world.db.write_now(deliveries.record, [result(due, 1)], at=START) == frozenset()
    assert states(world) == {later: "pending"}


def test_what_may_have_been_recorded_is_told_from_what_was_not(world: World) -> None:
    lane_pk = lane_with(world, 2)
    first, second = (result(due, 1) for due in look(world, lane_pk))
    world.db.write_now(deliveries.record, [first], at=START)
    later = replace(first, attempt=first.attempt._replace(number=2))
    by_another = replace(first, attempt=first.attempt._replace(worker="b"))
    asked = [first, second, later, by_another]
    assert world.db.read_now(deliveries.unrecorded, asked) == [second, later, by_another]


def test_late_worker_cannot_overwrite(world: World) -> None:
    lane_pk = lane_with(world, 1)
    (due,) = look(world, lane_pk)
    seen = Suspect(lane_pk, "a", START + 1_000)
    world.db.write_now(lanes.take_over, [seen], owner="b", lease_until=START + 2_000)
    assert world.db.write_now(deliveries.record, [result(due, 1)], at=START) == {(lane_pk, 1)}
    assert states(world) == {due.id: "pending"}
    assert stale(world) == [True]
    exhausted = result(due, 2, DeliveryState.EXHAUSTED, reason="attempts_used_up")
    assert world.db.write_now(deliveries.record, [exhausted], at=START) == frozenset()
    assert world.db.write_now(deliveries.record, [result(due, 1)], at=START) == {(lane_pk, 1)}
    assert states(world) == {due.id: "exhausted"}


def test_a_late_result_beside_it_does_not_keep_the_next_of_a_book_waiting(world: World) -> None:
    lane_pk = lane_with(world, 3)
    first, second, third = look(world, lane_pk)
    world.db.write_now(lambda tx: tx.execute(table.update().values(queue_pk=7)))
    world.db.write_now(deliveries.defer, [second, third])
    seen = Suspect(lane_pk, "a", START + 1_000)
    world.db.write_now(lanes.take_over, [seen], owner="a", lease_until=START + 2_000)
    late, settled = result(third, 1, queue_pk=7), result(first, 2, queue_pk=7)
    assert world.db.write_now(deliveries.record, [late, settled], at=START) == {(lane_pk, 1)}
    assert [due.id for due in look(world, lane_pk)] == [second.id]


def test_what_was_cancelled_meanwhile_stays_cancelled(world: World) -> None:
    lane_pk = lane_with(world, 1)
    (due,) = look(world, lane_pk)
    assert world.db.write_now(deliveries.discard, lane_pk, reason="deregistered", at=START) == 1
    world.db.write_now(deliveries.record, [result(due, 1)], at=START)
    assert states(world) == {due.id: "cancelled"}
    assert stale(world) == [False]
    assert world.db.read_now(lambda tx: tx.execute(table.select()).one().attempt_count) == 1


def test_a_long_backlog_is_cancelled_in_batches_and_what_comes_later_is_spared(world: World) -> None:
    lane_pk = lane_with(world, HOLD_BATCH_COUNT_MAX + 30)
    assert world.db.write_now(deliveries.discard, lane_pk, reason="skipped", at=START) == HOLD_BATCH_COUNT_MAX

    def publish_later(tx: Tx) -> None:
        row = tx.execute(table.select()).first()
        assert row is not None
        later = like(row, state="pending", created_at=START + 1, reason=None, finished_at=None)
        tx.execute(table.insert().values(later))

    world.db.write_now(publish_later)
    (config,) = world.db.read_now(configs.configs, [lane_pk], now=START)
    assert config.is_unwanted
    assert world.db.write_now(deliveries.cancel_unwanted, lane_pk, at=START) == 30
    assert world.db.write_now(deliveries.cancel_unwanted, lane_pk, at=START) == 0
    (config,) = world.db.read_now(configs.configs, [lane_pk], now=START)
    assert not config.is_unwanted
    assert Counter(states(world).values()) == {"cancelled": HOLD_BATCH_COUNT_MAX + 30, "pending": 1}


def pile_up(world: World, count: int) -> None:
    """So many more like the one that is there and was delivered, pending, and none that the planner knows of."""

    def add(tx: Tx) -> None:
        tx.execute(text("VACUUM ANALYZE deliveries"))
        (row,) = tx.execute(table.select())
        rows = [like(row, state="pending", attempt_count=0, finished_at=None) for _ in range(count)]
        tx.execute(table.insert(), rows)

    with world.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add(connection)


@pytest.mark.parametrize("ending", ["read", "recorded", "deferred", "expired", "cancelled"])
def test_what_is_read_or_ends_is_found_without_reading_all_that_waits(world: World, ending: str) -> None:
    if world.db.is_sqlite:
        pytest.skip("SQLite plans without statistics")
    lane_pk = lane_with(world, 1)
    (first,) = look(world, lane_pk)
    world.db.write_now(deliveries.record, [result(first, 1)], at=START)
    pile_up(world, 20_000)
    some = look(world, lane_pk, count=3)

    def end(tx: Tx) -> int:
        tx.execute(text("SET LOCAL enable_seqscan = off"))  # a table as small as here is read from end to end
        if ending == "read":
            assert len(deliveries.due(tx, {lane_pk: Look(Level.ACCOUNT, 3)}, now=START)[lane_pk]) == 3
        elif ending == "recorded":
            deliveries.record(tx, [result(due, 1) for due in some], at=START)
        elif ending == "deferred":
            deliveries.defer(tx, some)
        elif ending == "expired":
            assert holding.expire(tx, lane_pk, 1, before=START, at=START) == HOLD_BATCH_COUNT_MAX
        else:
            assert deliveries.discard(tx, lane_pk, reason="skipped", at=START) == HOLD_BATCH_COUNT_MAX
        return rows_read(tx, table)

    ended = HOLD_BATCH_COUNT_MAX if ending in ("expired", "cancelled") else 3
    assert world.db.write_now(end) < 4 * ended + 20
