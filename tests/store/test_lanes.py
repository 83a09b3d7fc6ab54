"""A lane has one owner; its lease ends; parking never leaves due work asleep."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from bookbell.actions import reports
from bookbell.actions.reports import DocumentReport
from bookbell.core.model import DocumentStatus, LanePk, Level
from bookbell.store import circuits, configs, deliveries, lanes
from bookbell.store.database import Database, Tx
from bookbell.store.lanes import Candidates, Suspect
from bookbell.store.prepared import Prepared
from bookbell.store.schema import NEVER_AT
from bookbell.store.schema import deliveries as rows
from bookbell.store.schema import lanes as table
from crowds import rows_read
from processes import until
from world import START, World, stamp, world_in

LATER = START + 60_000


def due_lane(world: World) -> LanePk:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    return endpoint.lane_pk


def candidates(db: Database, now: int) -> list[LanePk]:
    return looked(db, now).free


def looked(db: Database, now: int, owner: str = "z") -> Candidates:
    return db.read_now(lanes.candidates, owner=owner, now=now, renewal_ms=(500, 2_000), count=10)


def take(db: Database, lane_pk: LanePk, owner: str, now: int = START) -> int | None:
    found = db.write_now(lanes.acquire, [lane_pk], owner=owner, now=now, lease_until=now + 1_000)
    return found.get(lane_pk)


def due_at(db: Database, lane_pk: LanePk) -> int:
    def look(tx: Tx) -> int:
        return int(tx.execute(table.select().where(table.c.pk == lane_pk)).one().due_at)

    return db.read_now(look)


def test_a_due_lane_is_a_candidate_until_it_is_taken(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    assert candidates(db, START) == [lane_pk]
    assert candidates(db, START - 1) == []
    assert take(db, lane_pk, "a") == 1
    assert candidates(db, START) == []


def test_looking_for_lanes_tells_when_to_look_next(db: Database) -> None:
    world = world_in(db)
    due, sleeping = due_lane(world), due_lane(world)

    def sleep(tx: Tx) -> None:
        tx.execute(table.update().where(table.c.pk == sleeping).values(due_at=LATER))

    def look_next(owner: str) -> int:
        return looked(db, START, owner).next_at

    assert look_next("a") == NEVER_AT
    db.write_now(sleep)
    assert look_next("a") == LATER
    take(db, due, "b")
    assert look_next("a") == START + 500
    assert look_next("b") == LATER


def test_a_lane_that_is_owned_is_suspect_once_its_lease_looks_wrong(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    assert take(db, lane_pk, "a") == 1
    seen = Suspect(lane_pk, "a", START + 1_000)
    assert looked(db, START + 499).suspects == []
    assert looked(db, START + 500).suspects == [seen]
    assert looked(db, START - 1_000).suspects == [], "not due yet, by this clock"
    db.write_now(lanes.renew, [lane_pk], owner="a", lease_until=START + 9_000)
    assert looked(db, START + 500).suspects == [Suspect(lane_pk, "a", START + 9_000)], "too long to be true"


def test_a_lane_that_is_owned_can_only_be_taken_over_as_it_was_seen(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    assert take(db, lane_pk, "a") == 1
    assert take(db, lane_pk, "b", LATER) is None
    seen = Suspect(lane_pk, "a", START + 1_000)
    db.write_now(lanes.renew, [lane_pk], owner="a", lease_until=START + 1_250)
    assert db.write_now(lanes.take_over, [seen], owner="b", lease_until=LATER) == {}
    renewed = Suspect(lane_pk, "a", START + 1_250)
    assert db.write_now(lanes.take_over, [renewed], owner="b", lease_until=LATER) == {lane_pk: 2}
    assert db.write_now(lanes.take_over, [renewed], owner="c", lease_until=LATER) == {}


def test_of_many_that_race_for_a_lane_one_gets_it(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    gate = threading.Barrier(6)

    def race(name: str) -> int | None:
        gate.wait()
        return take(db, lane_pk, name)

    with ThreadPoolExecutor(6) as pool:
        epochs = [epoch for epoch in pool.map(race, "abcdef") if epoch is not None]
    assert epochs == [1]


def test_renewing_extends_only_ones_own_leases(db: Database) -> None:
    world = world_in(db)
    mine, other = due_lane(world), due_lane(world)
    take(db, mine, "a")
    take(db, other, "b")
    assert db.write_now(lanes.renew, [mine, other], owner="a", lease_until=START + 5_000) == {mine: 1}
    assert take(db, mine, "b", START + 4_999) is None
    assert looked(db, START + 4_000).suspects == [Suspect(other, "b", START + 1_000)]


def test_parking_gives_the_lane_back_with_its_next_due_time(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    take(db, lane_pk, "a")
    assert db.write_now(lanes.park, {lane_pk: 0}, owner="a") == {lane_pk: START}
    assert take(db, lane_pk, "b") == 2
    db.write_now(deliveries.discard, lane_pk, reason="deregistered", at=START)
    assert db.write_now(lanes.park, {lane_pk: 0}, owner="b") == {lane_pk: NEVER_AT}
    assert candidates(db, LATER) == []


def test_a_lane_of_another_is_not_parked(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    take(db, lane_pk, "a")
    assert db.write_now(lanes.park, {lane_pk: 0}, owner="b") == {}


def test_a_lane_of_a_disabled_endpoint_sleeps_until_what_it_holds_expires(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    take(db, lane_pk, "a")
    db.write_now(circuits.disable_endpoint, lane_pk, resumed_at=START, reason="gone", at=START)
    assert db.write_now(lanes.park, {lane_pk: 1_000_000}, owner="a") == {lane_pk: START + 1_000_000}
    assert db.read_now(lanes.overslept, now=LATER, since=LATER, count=10) == {}


def test_a_lane_in_which_something_is_to_be_cancelled_does_not_sleep_that_long(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    take(db, lane_pk, "a")
    db.write_now(circuits.disable_endpoint, lane_pk, resumed_at=START, reason="gone", at=START)
    db.write_now(lambda tx: tx.execute(table.update().values(discard_at=START)))
    assert db.write_now(lanes.park, {lane_pk: 1_000_000}, owner="a") == {lane_pk: START}


def test_waking_only_lowers(db: Database) -> None:
    lane_pk = due_lane(world_in(db))
    db.write_now(lanes.wake, {lane_pk: LATER})
    assert due_at(db, lane_pk) == START
    db.write_now(lanes.wake, {lane_pk: START - 5})
    assert due_at(db, lane_pk) == START - 5
    db.write_now(lanes.wake, {})


def test_the_sweep_finds_a_lane_that_sleeps_over_due_work(db: Database) -> None:
    lane_pk = due_lane(world_in(db))

    def oversleep(tx: Tx) -> None:
        tx.execute(table.update().where(table.c.pk == lane_pk).values(due_at=NEVER_AT))

    assert db.read_now(lanes.overslept, now=LATER, since=LATER, count=10) == {}
    db.write_now(oversleep)
    assert db.read_now(lanes.overslept, now=LATER, since=LATER, count=10) == {lane_pk: START}


def test_no_wake_up_is_lost_between_publishing_and_parking(db: Database) -> None:
    """Publishers and an owner that acquires and parks all the time: at the end everything due is awake."""
    world = world_in(db)
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    uuids = world.documents(account, world.book(account), 60)
    stop = threading.Event()

    def own() -> None:
        while not stop.is_set():
            if take(db, lane_pk, "a") is not None:
                found = db.read_now(deliveries.due, {lane_pk: deliveries.Look(Level.ACCOUNT, 100)}, now=START)[lane_pk]
                for each in found:
                    db.write_now(finish, each.id)
                db.write_now(lanes.park, {lane_pk: 0}, owner="a")

    def finish(tx: Tx, delivery_id: str) -> None:
        tx.execute(rows.update().where(rows.c.id == delivery_id).values(state="delivered"))

    with ThreadPoolExecutor(5) as pool:
        owner = pool.submit(own)
        list(pool.map(world.verify, uuids))
        stop.set()
        owner.result()
    assert db.read_now(lanes.overslept, now=LATER, since=LATER, count=10) == {}


def test_who_ends_what_waits_in_a_lane_sees_what_a_publisher_in_flight_leaves(postgresql_url: str) -> None:
    db = Database(postgresql_url)
    world = world_in(db)
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    first, second = world.documents(account, world.book(account), 2)
    world.verify(first)
    has_published, may_commit = threading.Event(), threading.Event()

    def publish(tx: Tx) -> None:
        reports.apply(tx, DocumentReport(uuid=second, status=DocumentStatus.VERIFICATION_COMPLETE), stamp())
        has_published.set()
        assert may_commit.wait(30)

    def waits(tx: Tx) -> bool:
        return bool(tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())

    with ThreadPoolExecutor(2) as pool:
        publishing = pool.submit(db.write_now, publish)
        assert has_published.wait(30)
        ending = pool.submit(db.write_now, deliveries.discard, lane_pk, reason="deregistered", at=START)
        until("it waits", lambda: ending.done() or db.read_now(waits))
        may_commit.set()
        publishing.result()
        assert ending.result() == 2
    db.close()


def test_configs_say_what_the_owner_needs(db: Database) -> None:
    world = world_in(db)
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    (config,) = db.read_now(configs.configs, [endpoint.lane_pk], now=START)
    assert (config.endpoint_id, config.account_id) == (endpoint.id, account.id)
    assert (config.epoch, config.closed_at, config.disabled_at) == (0, None, None)


def plan(tx: Tx, /, statement: Prepared, **values: Any) -> str:
    """How it would be carried out."""
    if tx.dialect.name != "sqlite":
        tx.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table as small as here is read from end to end
    explain = "EXPLAIN QUERY PLAN" if tx.dialect.name == "sqlite" else "EXPLAIN"
    explained = Prepared(statement._statement)
    sql, order, fixed = explained._made(tx)
    explained._sql[tx.dialect.name] = f"{explain} {sql}", order, fixed
    return str(explained.tuples(tx, values))


@pytest.mark.parametrize("statement", [lanes._LATE, lanes._EARLY, lanes._NEXT], ids=["late", "early", "next"])
def test_owned_lanes_are_found_without_reading_all_that_are_due(db: Database, statement: Prepared) -> None:
    values = {"now": START, "late": START, "early": START, "least": 1, "by": "a", "count": 5}
    assert "lanes_owned" in db.write_now(plan, statement, **values)


BY_KEYS = [lanes._ACQUIRE, lanes._TAKE_OVER, lanes._RENEW, lanes._LOCK_OWNED, lanes._NEXT_DUE, lanes._EPOCHS]


@pytest.mark.parametrize("statement", BY_KEYS, ids=["acquire", "take over", "renew", "lock", "next due", "epochs"])
def test_lanes_with_these_keys_are_found_without_reading_others(db: Database, statement: Prepared) -> None:
    values = {"pks": [1, 2], "now": START, "by": "a", "of": "b", "seen": START, "until": START}
    told = db.write_now(plan, statement, **values)
    assert "INTEGER PRIMARY KEY" in told or "lanes_pk" in told
    assert not any(other in told for other in ("SCAN lanes", "lanes_free", "lanes_owned"))


def test_lanes_are_given_back_without_reading_others(db: Database) -> None:
    if db.is_sqlite:
        pytest.skip("SQLite plans without statistics")
    lane_pk = due_lane(world_in(db))
    own_many(db, lane_pk, 2_000)

    def park(tx: Tx) -> int:
        tx.execute(text("SET LOCAL enable_seqscan = off"))  # a table as small as here is read from end to end
        assert lanes.park(tx, {lane_pk: 0}, owner="a") == {lane_pk: START}
        return rows_read(tx, table)

    assert db.write_now(park) < 20


def own_many(db: Database, lane_pk: LanePk, count: int) -> None:
    """Own this lane and so many more, of which the planner does not know: it knows of one that nobody owned."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE lanes"))
        take(db, lane_pk, "a")
        (row,) = connection.execute(table.select()).mappings()
        like = {name: value for name, value in row.items() if name != "pk"}
        connection.execute(table.insert(), [{**like, "part": part} for part in range(1, count + 1)])
