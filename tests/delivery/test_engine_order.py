"""Order per book, the rate limit, fair turns, bounds of memory, and what a dead endpoint costs the others."""

from collections import defaultdict

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import select, text

from bookbell.actions import health, replaying, replays
from bookbell.actions.replays import Asked
from bookbell.actions.signing import of_account
from bookbell.core import limits
from bookbell.core.attempt import Answered, TimedOut
from bookbell.core.model import EndpointId
from bookbell.core.replay import Selection, Wanted
from bookbell.store import lanes
from bookbell.store.database import Tx
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import endpoints
from bookbell.store.schema import events as events_table
from crowds import crowd
from simulated import OK, Scene, stop
from world import START, Plain, World, stamp, world_in

HOUR = 3_600_000


def books_of(scene: Scene) -> dict[str, tuple[int, str]]:
    """The book of each delivery, by delivery."""

    def read(tx: Tx) -> dict[str, tuple[int, str]]:
        joined = table.join(events_table, events_table.c.id == table.c.event_id)
        rows = tx.execute(joined.select().with_only_columns(table.c.id, events_table.c.book_pk, table.c.state))
        return {row.id: (row.book_pk, row.state) for row in rows}

    return scene.world.db.read_now(read)


def test_events_of_one_book_arrive_in_order_and_other_books_go_on(world: World) -> None:
    scene = Scene(world, seed=3)
    chance = scene.simulation.chance
    url = scene.receiver("r", order="book", circuit_failures=None, schedule_ms=[2_000] * 15)
    scene.network.receivers[url] = lambda _count: (
        (Answered(500) if chance.random() < 0.3 else OK),
        chance.randrange(1, 300),
    )
    for _ in range(4):
        scene.publish(url, 25)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        assert scene.states() == {"delivered": 100}
        assert scene.network.in_flight_max[url] == 4
        seen = defaultdict(list)
        for key in scene.arrived(url):
            seen[books_of(scene)[key][0]].append(key)
        for keys in seen.values():
            assert keys == sorted(keys)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_book_that_fails_holds_up_no_other_and_goes_on_once_its_event_is_given_up(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", order="book", circuit_failures=None, schedule_ms=[600_000])
    scene.publish(url, 200)
    for _ in range(3):
        scene.publish(url, 3)
    bad = min(key for key, (book, _) in books_of(scene).items() if book == 1)
    network = scene.network
    network.receivers[url] = lambda _count: ((Answered(500) if network.sent[-1][2] == bad else OK), 5)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(60_000)
        assert scene.states() == {"delivered": 9, "pending": 200}
        await scene.simulation.run_until(scene.is_settled, HOUR)
        assert scene.states() == {"delivered": 208, "exhausted": 1}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_has_waited_for_its_book_does_not_expire_because_of_that(world: World) -> None:
    """Only what is due is held for an endpoint that is down, and it is due since the one before it has ended."""
    scene = Scene(world)
    url = scene.receiver("r", Answered(500), 10_000, order="book", schedule_ms=[2 * HOUR], hold_ms_max=HOUR)
    scene.publish(url, 3)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.network.sent) == 2, 3 * HOUR)
        which, at = of_account(scene.accounts[url]), stamp(scene.simulation.now_ms())
        worker.engine.ring(world.db.write_now(health.pause, which, at).lanes)
        await scene.simulation.pass_ms(60_000)
        assert scene.reasons() == {"attempts_used_up": 1, None: 2}
        await scene.simulation.pass_ms(HOUR)
        assert scene.reasons() == {"attempts_used_up": 1, "expired": 2}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_book_goes_on_after_what_was_skipped_up_to_an_instant_of_a_slow_clock(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(500), order="book", schedule_ms=[HOUR] * 5)
    account = scene.accounts[url]
    first, *others = world.documents(account, world.book(account), 3)

    async def story() -> None:
        worker = scene.worker(poll_ms=250)
        for uuid in (first, others[0]):
            world.verify(uuid, scene.simulation.now_ms())
            await scene.simulation.pass_ms(1_000)
        at = stamp(scene.simulation.now_ms() - 1_500)
        given = world.db.write_now(health.resume, of_account(account), is_draining=False, stamp=at)
        scene.answer(url)
        worker.engine.ring(given.lanes)
        world.verify(others[1], scene.simulation.now_ms())
        await scene.simulation.run_until(lambda: scene.states() == {"cancelled": 1, "delivered": 2}, 60_000)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_the_rate_limit_holds_whatever_is_due(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", rate_per_s=5)
    scene.publish(url, 100)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        times = [at for at, _, _ in scene.network.sent]
        assert 18_500 <= times[-1] - times[0] <= 21_000
        for start in range(0, times[-1], 100):
            assert sum(1 for at in times if start <= at < start + 1_000) <= 6
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_organizations_take_turns(world: World) -> None:
    """One with many busy lanes and one with a single lane: the single lane does not wait behind them."""
    scene, small = Scene(world), world_in(world.db)
    crowded = [scene.receiver(f"r{number}", TimedOut("first_byte"), 15_000) for number in range(12)]
    for url in crowded:
        scene.publish(url, 20)
    scene.world = small
    alone = scene.receiver("alone")
    scene.publish(alone, 20)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(set(scene.arrived(alone))) == 20, 2_000)
        first = [url for _, url, _ in scene.network.sent[:200]]
        assert alone in first
        await stop(worker, scene)

    scene.simulation.run(story)


def test_large_bodies_are_read_ahead_by_bytes_and_not_by_count(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 50)
    scene.publish(url, 60)

    def fatten(tx: Tx) -> None:
        tx.execute(events_table.update().values(body_account=b"x" * 500_000))

    world.db.write_now(fatten)

    async def story() -> None:
        worker = scene.worker()
        seen = []
        for _ in range(40):
            await scene.simulation.pass_ms(10)
            seen.append(worker.engine.dispatch.meter.bytes)
        assert max(seen) <= limits.LANE_BUFFER_COUNT * 500_000 // 2
        assert sorted(seen)[len(seen) // 2] <= 2 * limits.LANE_BUFFER_BYTES
        await scene.simulation.run_until(scene.is_settled, HOUR)
        assert worker.engine.dispatch.meter.bytes == 0
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_dead_endpoint_with_a_long_backlog_costs_the_others_nothing(world: World) -> None:
    scene = Scene(world)
    dead = scene.receiver("dead", TimedOut("connect"), 5_000)
    crowd(scene, dead, 20_000)
    good = scene.receiver("good")
    scene.publish(good, 200)
    statements: list[str] = []
    sql_event.listen(world.db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]), named=False)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(good)) == 200, 2_000)
        await scene.simulation.pass_ms(60_000)
        statements.clear()
        await scene.simulation.pass_ms(HOUR)
        assert len(statements) < 600, "a probe each five minutes, and a renewal now and then"
        await stop(worker, scene)

    scene.simulation.run(story)


def test_looks_at_a_long_backlog_are_index_ordered_and_limited(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")
    lane_pk = crowd(scene, url, 20_000)

    def plan(tx: Tx) -> str:
        is_sqlite = tx.dialect.name == "sqlite"
        if not is_sqlite:
            tx.execute(text("ANALYZE deliveries"))
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        query = (
            f"{explain} SELECT id FROM deliveries WHERE lane_pk = {lane_pk} AND state = 'pending' "
            f"AND due_at <= {START} ORDER BY due_at, pk LIMIT 64"
        )
        return "\n".join(str(tuple(row)) for row in tx.execute(text(query)))

    told = world.db.write_now(plan)
    assert "deliveries_due" in told
    assert "Sort" not in told
    assert "TEMP B-TREE" not in told


def test_a_lane_for_each_part_keeps_a_book_in_one_of_them(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", lanes=4, order="book")
    for _ in range(12):
        scene.publish(url, 4)

    def read(tx: Tx) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for row in tx.execute(table.select()):
            found[row.queue_pk].add(row.lane_pk)
        return found

    lanes_of_book = world.db.read_now(read)
    assert all(len(found) == 1 for found in lanes_of_book.values())
    assert len({lane for found in lanes_of_book.values() for lane in found}) == 4

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        assert scene.states() == {"delivered": 48}
        assert len(world.db.read_now(lanes.of_endpoint, _endpoint_id(scene))) == 4
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def _endpoint_id(scene: Scene) -> EndpointId:
    def read(tx: Tx) -> EndpointId:
        return EndpointId(tx.execute(select(endpoints.c.id)).scalar_one())

    return scene.world.db.read_now(read)


@pytest.mark.parametrize("fast_ms", [(0, 0), (0, 3 * HOUR), (3 * HOUR, 0)])
def test_lanes_move_from_a_loaded_worker_to_an_idle_one_without_repeating_anything(
    world: World, fast_ms: tuple[int, int]
) -> None:
    """Whether their clocks agree, or one is fast by hours."""
    scene = Scene(world)
    urls = [scene.receiver(f"r{number}", OK, 900, in_flight_max=2) for number in range(8)]
    for url in urls:
        scene.publish(url, 30)

    async def story() -> None:
        first = scene.worker("a", presence_ms=500, poll_ms=250)
        first.clock.skew = fast_ms[0]
        await scene.simulation.pass_ms(1_000)
        assert len(first.engine.dispatch.lanes) == 8
        second = scene.worker("b", presence_ms=500, poll_ms=250)
        second.clock.skew = fast_ms[1]
        await scene.simulation.run_until(lambda: len(second.engine.dispatch.lanes) == 4, 10_000)
        assert len(first.engine.dispatch.lanes) == 4
        await scene.simulation.run_until(scene.is_settled, HOUR)
        sent = [key for _, _, key in scene.network.sent]
        assert len(sent) == len(set(sent)) == 240
        for worker in (first, second):
            await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_the_row_of_a_dead_worker_takes_no_share(world: World) -> None:
    scene = Scene(world)
    urls = [scene.receiver(f"r{number}", OK, 900, in_flight_max=2) for number in range(8)]

    async def story() -> None:
        dead = scene.worker("dead", presence_ms=500)
        dead.clock.skew = 3 * HOUR  # what it has said last looks recent for long
        await scene.simulation.pass_ms(8_000)
        await dead.die()
        for url in urls:
            scene.publish(url, 30)
        alone = scene.worker("alone", presence_ms=500, poll_ms=250)
        await scene.simulation.pass_ms(500)
        assert len(alone.engine.dispatch.lanes) == 8
        await stop(alone, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize("how", ["stops", "dies"])
def test_a_new_owner_does_not_begin_the_rate_anew(world: World, how: str) -> None:
    scene, rate = Scene(world), 20
    url = scene.receiver("r", rate_per_s=rate)
    scene.publish(url, 100)

    async def story() -> None:
        await scene.simulation.pass_ms(5_000)
        first = scene.worker("a", poll_ms=250)
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) >= rate + 3, 10_000)
        await (stop(first, scene) if how == "stops" else first.die())
        second = scene.worker("b", poll_ms=250)
        await scene.simulation.run_until(scene.is_settled, HOUR)
        at = [instant for instant, _, _ in scene.network.sent]
        for count, instant in enumerate(at, start=1):
            assert count <= rate + rate * (instant - at[0]) / 1_000 + 1
        await stop(second, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_receiver_that_asks_for_less_is_sent_less_than_its_rate_and_then_its_rate_again(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(200, feedback="slow-down=20"), rate_per_s=5)
    scene.publish(url, 100)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.network.sent) > 0, 1_000)
        scene.answer(url)
        await scene.simulation.run_until(scene.is_settled, HOUR)
        at = [instant - scene.network.sent[0][0] for instant, _, _ in scene.network.sent]
        early = [instant for instant in at if 1_000 <= instant < 20_000]
        assert len(early) <= 20, "one a second, although its rate allows five"
        later = [instant for instant in at if instant >= 20_000]
        assert all(sum(begin <= instant < begin + 1_000 for instant in later) <= 10 for begin in later)
        assert later[-1] - later[0] <= 1_000 * len(later) / 5
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize("is_told", [True, False], ids=["rung for", "found"])
def test_what_a_replay_recovers_comes_before_what_was_read_ahead_of_its_book(world: World, is_told: bool) -> None:
    scene = Scene(world)
    url = scene.receiver("r", order="book", rate_per_s=0.5)
    for _ in range(10):
        scene.publish(url, 2)
    books: defaultdict[int, list[str]] = defaultdict(list)
    for key, (book, _) in sorted(books_of(scene).items()):
        books[book].append(key)
    firsts = [keys[0] for keys in books.values()]

    def fail(tx: Tx) -> None:
        ended = {"state": "exhausted", "reason": "attempts_used_up", "finished_at": START}
        tx.execute(table.update().where(table.c.id.in_(firsts)).values(**ended))

    async def story() -> None:
        world.db.write_now(fail)
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) >= 1, HOUR)
        now, account = scene.simulation.now_ms(), scene.accounts[url]
        asked = Asked(wanted=Wanted(selection=Selection.FAILED, since_at=START, until_at=now))
        plan = world.db.read_now(replays.plan_own, account, asked, None)
        job = world.db.write_now(replays.start, plan, account, Plain(), stamp(now))
        published = world.db.write_now(replaying.work, job.id, stamp(now))
        assert published.value is not None
        assert published.value.recovered_count == 10
        (worker.engine.ring if is_told else worker.engine.hint)(published.lanes)
        early = set(scene.arrived(url))
        await scene.simulation.run_until(scene.is_settled, HOUR)
        arrived = scene.arrived(url)
        for first, second in books.values():
            assert second in early or arrived.index(first) < arrived.index(second)
        assert len(early) < 5
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
