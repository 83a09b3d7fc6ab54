"""The engine under a false clock and a false network: what it promises holds, whatever receivers and workers do."""

import itertools
from collections import Counter

import pytest
from sqlalchemy import select

from bookbell import telemetry
from bookbell.actions import history, webhooks
from bookbell.core.attempt import Answered, TimedOut, Unreachable
from bookbell.core.model import DeliveryState
from bookbell.store import circuits
from bookbell.store.database import Tx
from bookbell.store.history import DeliveryQuery
from bookbell.store.schema import attempts, endpoints
from bookbell.store.schema import deliveries as table
from simulated import OK, InlineDatabase, Scene, stop
from world import START, World, seal, stamp

HOUR = 3_600_000


def test_everything_due_is_delivered_once_and_lanes_are_given_back(world: World) -> None:
    scene = Scene(world)
    urls = [scene.receiver(f"r{number}") for number in range(5)]
    for url in urls:
        scene.publish(url, 40)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        assert scene.states() == {"delivered": 200}
        assert all(len(scene.arrived(url)) == len(set(scene.arrived(url))) == 40 for url in urls)
        await scene.simulation.pass_ms(6_000)
        assert worker.engine.dispatch.lanes == {}
        assert await stop(worker, scene) == 0

    scene.simulation.run(story)
    scene.check()


def test_failures_follow_the_schedule_until_it_is_used_up(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", Answered(500))
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, 48 * HOUR)
        assert scene.states() == {"exhausted": 1}
        assert len(scene.arrived(url)) == 9
        at = [instant for instant, _, _ in scene.network.sent]
        delays = [later - earlier for earlier, later in itertools.pairwise(at)]
        planned = [5_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000]
        assert all(0.8 * plan <= delay <= 1.2 * plan + 10 for plan, delay in zip(planned, delays, strict=True))
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_the_time_of_a_request_during_which_the_worker_stood_still_is_kept_as_the_longest(
    world: World,
) -> None:
    scene = Scene(world)
    url = scene.receiver("frozen", OK, HOUR)
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
    assert world.db.read_now(lambda tx: tx.execute(select(attempts.c.total_us)).scalars().all()) == [2**31 - 1]


def test_a_dead_receiver_delays_no_other(world: World) -> None:
    scene = Scene(world)
    dead = scene.receiver("dead", TimedOut("first_byte"), 15_000)
    good = scene.receiver("good")
    scene.publish(dead, 100)
    scene.publish(good, 100)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(set(scene.arrived(good))) == 100, 2_000)
        assert scene.network.in_flight_max[dead] == 16
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_the_metrics_say_what_is_in_flight_and_what_has_ended(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("slow", OK, 1_000)
    scene.publish(url, 10)

    def delivered() -> float:
        return telemetry.REGISTRY.get_sample_value("bookbell_deliveries_settled_total", {"state": "delivered"}) or 0

    def in_flight() -> float | None:
        return telemetry.REGISTRY.get_sample_value("bookbell_requests_in_flight")

    async def story() -> None:
        before, worker = delivered(), scene.worker()
        await scene.simulation.pass_ms(500)
        assert (in_flight(), delivered()) == (10, before)
        await scene.simulation.run_until(scene.is_settled, 5_000)
        assert (in_flight(), delivered()) == (0, before + 10)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_ring_is_answered_without_waiting_for_a_poll(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(10_010)
        scene.publish(url, 1)
        worker.engine.ring([world.webhook(scene.accounts[url], "DOC_VERIFIED", url=url).lane_pk])
        began = scene.simulation.now
        await scene.simulation.run_until(lambda: scene.arrived(url) != [], 1_000)
        assert scene.simulation.now == began
        await stop(worker, scene)

    scene.simulation.run(story)


def test_without_a_ring_the_poll_finds_it(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")

    async def story() -> None:
        worker = scene.worker(poll_ms=250)
        await scene.simulation.pass_ms(10_000)
        scene.publish(url, 1)
        await scene.simulation.run_until(scene.is_settled, 1_000)
        await stop(worker, scene)

    scene.simulation.run(story)


def test_a_dead_workers_lanes_move_after_its_lease(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 3_000)
    scene.publish(url, 40)

    async def story() -> None:
        first = scene.worker("a")
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 16, 5_000)
        second = scene.worker("b")
        await scene.simulation.pass_ms(1_000)
        assert len(scene.arrived(url)) == 16
        await first.die()
        await scene.simulation.run_until(scene.is_settled, 60_000)
        assert scene.states() == {"delivered": 40}
        repeats = [key for key, count in Counter(scene.arrived(url)).items() if count > 1]
        assert len(repeats) <= 16
        await stop(second, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize("is_there", [True, False], ids=["beside it", "after it"])
def test_a_dead_workers_lanes_move_at_once_where_it_is_seen_to_be_gone(world: World, is_there: bool) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 100)
    scene.publish(url, 200)

    async def story() -> None:
        first = scene.worker("a", presence_ms=500)
        second = scene.worker("b", poll_ms=250, presence_ms=500) if is_there else None
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) >= 100, 5_000)
        await first.die()
        scene.network.gone.add("a")
        second = second or scene.worker("b", poll_ms=250, presence_ms=500)
        await scene.simulation.run_until(scene.is_settled, 3_000)
        await stop(second, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_stop_lets_requests_finish_and_hands_over_the_rest(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 400)
    scene.publish(url, 40)

    async def story() -> None:
        first = scene.worker("a")
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 16, 5_000)
        assert await stop(first, scene) == 0
        assert scene.states() == {"delivered": 16, "pending": 24}
        second = scene.worker("b")
        await scene.simulation.run_until(scene.is_settled, 2_500)
        assert Counter(scene.arrived(url)).most_common(1)[0][1] == 1
        await stop(second, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_is_not_answered_by_the_deadline_is_released_unrecorded(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("slow", OK, 14_000)
    scene.publish(url, 3)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 3, 5_000)
        assert await stop(worker, scene) == 3

    scene.simulation.run(story)
    assert scene.states() == {"pending": 3}
    assert scene.attempt_numbers() == {}


def test_a_database_that_is_away_loses_and_repeats_nothing_recorded(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 50)
    scene.publish(url, 60)
    database = world.db
    assert isinstance(database, InlineDatabase)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) >= 16, 5_000)
        database.fails = lambda: True
        await scene.simulation.pass_ms(5_000)
        sent = len(scene.arrived(url))
        database.fails = lambda: False
        await scene.simulation.run_until(scene.is_settled, 60_000)
        assert scene.states() == {"delivered": 60}
        assert len(set(scene.arrived(url))) == len(scene.arrived(url)) == 60 >= sent
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_worker_cut_off_from_the_database_stops_before_its_lease_ends(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(200), 900)
    scene.publish(url, 64)
    database = world.db
    assert isinstance(database, InlineDatabase)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 16, 5_000)
        cut_at = scene.simulation.now
        database.fails = lambda: True
        await scene.simulation.pass_ms(60_000)
        last = max(instant for instant, _, _ in scene.network.sent)
        assert last < cut_at + 10_000
        database.fails = lambda: False
        await scene.simulation.run_until(scene.is_settled, 60_000)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_gone_disables_the_endpoint_and_configuring_it_again_drains_what_waited(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("gone", Answered(410))
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, HOUR)
        scene.publish(url, 5)
        await scene.simulation.pass_ms(HOUR)
        assert scene.states() == {"exhausted": 1, "pending": 5}
        assert len(scene.arrived(url)) == 1
        scene.network.receivers[url] = lambda _count: (OK, 5)
        worker.engine.ring([world.webhook(scene.accounts[url], "DOC_VERIFIED", url=url).lane_pk])
        await scene.simulation.run_until(scene.is_settled, 5_000)
        assert scene.states() == {"exhausted": 1, "delivered": 5}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize(
    "outcome", [Answered(410), Answered(503, feedback="pause=300"), Answered(503, feedback="skip")]
)
def test_what_a_former_receiver_says_late_does_not_count_against_the_present_one(
    world: World, outcome: Answered
) -> None:
    scene = Scene(world)
    old, new = scene.receiver("old", outcome, 10_000), scene.receiver("new")
    scene.publish(old, 10)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(old)) == 10, 5_000)
        await scene.simulation.pass_ms(1_000)
        account = scene.accounts[old]
        wanted = webhooks.Wanted(url=new, masked=new, event_types=("DOC_VERIFIED",), preset="standard")
        at = stamp(scene.simulation.now_ms())
        worker.engine.ring([world.db.write_now(webhooks.configure, account, wanted, seal, at).value.lane_pk])
        await scene.simulation.pass_ms(15_000)
        scene.publish(old, 5)  # by the webhook's account
        await scene.simulation.run_until(lambda: len(set(scene.arrived(new))) >= 5, 5_000)
        await scene.simulation.run_until(scene.is_settled, 60_000)
        assert scene.states() == {"delivered": 15}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_410_recorded_after_the_webhook_was_configured_again_does_not_disable_it(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    before = world.db.read_now(webhooks.find, account)
    assert before is not None
    wanted = webhooks.Wanted(url="http://new", masked="http://new", event_types=("DOC_VERIFIED",), preset="standard")
    world.db.write_now(webhooks.configure, account, wanted, seal, stamp(START + 1))
    for resumed_at, is_done in ((before.resumed_at, False), (None, False), (START + 1, True), (START + 1, False)):
        disabled = world.db.write_now(
            circuits.disable_endpoint, lane_pk, resumed_at=resumed_at, reason="gone", at=START + 2
        )
        assert disabled is is_done


def test_deregistering_cancels_what_waits(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Unreachable("connect", "no"))
    scene.publish(url, 20)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) >= 20, 5_000)
        world.db.write_now(webhooks.deregister, scene.accounts[url], stamp(scene.simulation.now_ms()))
        await scene.simulation.run_until(scene.is_settled, 5_000)
        count = len(scene.arrived(url))
        await scene.simulation.pass_ms(HOUR)
        assert len(scene.arrived(url)) == count
        assert scene.states() == {"cancelled": 20}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_delivery_published_behind_a_deregistration_is_cancelled_by_the_owner(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")
    scene.publish(url, 3)
    world.db.write_now(webhooks.deregister, scene.accounts[url], stamp())

    def revive(tx: Tx) -> None:
        tx.execute(table.update().values(state="pending", reason=None))

    world.db.write_now(revive)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, 5_000)
        assert (scene.states(), scene.arrived(url)) == ({"cancelled": 3}, [])
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_delivery_published_behind_a_deactivation_is_cancelled_by_the_owner(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")
    scene.publish(url, 3)

    def deactivate(tx: Tx) -> None:
        tx.execute(endpoints.update().values(deactivated_at=START))

    world.db.write_now(deactivate)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, 5_000)
        assert (scene.states(), scene.arrived(url)) == ({"cancelled": 3}, [])
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_retry_now_sends_an_exhausted_delivery_again(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(500))
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(scene.is_settled, 48 * HOUR)
        scene.network.receivers[url] = lambda _count: (OK, 5)
        account = scene.accounts[url]
        (delivery,) = world.db.read_now(history.list_deliveries, account, DeliveryQuery()).deliveries
        assert delivery.state is DeliveryState.EXHAUSTED
        now = scene.simulation.now_ms()
        worker.engine.ring(world.db.write_now(history.retry_now, account, delivery.id, stamp(now)).lanes)
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 1}, 5_000)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize("seed", range(6))
def test_hours_of_random_failure_settle_everything(world: World, seed: int) -> None:
    """Receivers that fail, hang and recover; workers that die and are replaced; a database that comes and goes."""
    scene = Scene(world, seed)
    chance = scene.simulation.chance
    database = world.db
    assert isinstance(database, InlineDatabase)
    urls = [scene.receiver(f"r{number}") for number in range(6)]
    for url in urls:
        odds = chance.random() * 0.6
        scene.network.receivers[url] = lambda _count, odds=odds: (  # type: ignore[misc,assignment] # odds is bound now
            (
                chance.choice([Answered(500), TimedOut("first_byte"), Unreachable("reset", "r")]),
                chance.randrange(9_000),
            )
            if chance.random() < odds
            else (OK, chance.randrange(1, 400))
        )

    async def story() -> None:
        workers = [scene.worker("w0"), scene.worker("w1")]
        for turn in range(12):
            scene.publish(chance.choice(urls), chance.randrange(1, 25))
            await scene.simulation.pass_ms(chance.randrange(1, 20_000))
            if chance.random() < 0.4:
                await workers.pop(chance.randrange(len(workers))).die()
                workers.append(scene.worker(f"w{turn + 2}"))
            if chance.random() < 0.3:
                database.fails = lambda: chance.random() < 0.5
                await scene.simulation.pass_ms(chance.randrange(1, 8_000))
                database.fails = lambda: False
        await scene.simulation.run_until(scene.is_settled, 60 * HOUR)
        for worker in workers:
            await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
    assert scene.states()["pending"] == 0
