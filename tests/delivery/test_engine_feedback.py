"""What a receiver asks for by response header is done: skip, pause, slow down."""

import pytest

from bookbell.actions import health as acting
from bookbell.actions import webhooks
from bookbell.actions.signing import of_account
from bookbell.core.attempt import Answered
from hours import all_lanes
from simulated import Scene, stop
from world import World, stamp

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def test_a_skipped_delivery_is_cancelled_at_once(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(500, feedback="skip"))
    scene.publish(url, 3)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: scene.states() == {"cancelled": 3}, 10 * SECOND)
        assert scene.reasons() == {"skipped_by_receiver": 3}
        assert len(scene.network.sent) == 3
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


@pytest.mark.parametrize("status", [200, 503])
def test_a_pause_keeps_everything_until_it_is_over(world: World, status: int) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(status, feedback="pause=120"))
    scene.publish(url, 40)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(10 * SECOND)
        before = len(scene.network.sent)
        assert before <= 16, "only what was under way when it asked"

        which, now = of_account(scene.accounts[url]), scene.simulation.now_ms()
        examined = scene.world.db.read_now(acting.examine, which, now=now)
        assert examined.health.sentence.startswith("paused: ")
        scene.answer(url)
        await scene.simulation.pass_ms(100 * SECOND)
        assert len(scene.network.sent) == before
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 40}, HOUR)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_pause_holds_without_a_circuit_too_and_ends_with_one_probe(world: World) -> None:
    """It outlives its lane's being given back, a kill of its owner, and a change that has nothing to do with it."""
    scene = Scene(world)
    url = scene.receiver("r", Answered(503, feedback="pause=120"), circuit_failures=None, in_flight_max=4)
    scene.publish(url, 40)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(SECOND)
        await worker.die()
        worker = scene.worker("b")
        policy = {"circuit_failures": None, "in_flight_max": 5}
        given = world.db.write_now(webhooks.set_policy, scene.accounts[url], policy, stamp(scene.simulation.now_ms()))
        worker.engine.ring(given.lanes)
        await scene.simulation.pass_ms(110 * SECOND)
        assert len(scene.network.sent) == 4, "only what was under way when it asked"
        await scene.simulation.pass_ms(20 * SECOND)
        assert len(scene.network.sent) == 5, "the probe, which was answered with a pause again"
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_slowing_down_sends_one_a_second_for_a_while(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(200, feedback="slow-down=30"))
    scene.publish(url, 60)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(100)
        before = len(scene.network.sent)
        assert before <= 16, "only what was under way when it asked"
        scene.answer(url)
        await scene.simulation.pass_ms(20 * SECOND)
        assert 15 <= len(scene.network.sent) - before <= 21
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 60}, 15 * SECOND)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_slowing_down_is_not_forgotten_in_between(world: World) -> None:
    """Nothing is to be sent for longer than a lane without work is kept otherwise."""
    scene = Scene(world)
    url = scene.receiver("r", Answered(200, feedback="slow-down=120"))
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(30 * SECOND)
        scene.answer(url)
        scene.publish(url, 40)
        worker.engine.ring(world.db.read_now(all_lanes))
        await scene.simulation.pass_ms(10 * SECOND)
        assert 9 <= len(scene.network.sent) <= 12
        await scene.simulation.run_until(lambda: not worker.engine.dispatch.lanes, 100 * SECOND)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_the_policy_does_not_honour_is_ignored(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", Answered(200, feedback="pause=300"), is_feedback_honoured=False)
    scene.publish(url, 40)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 40}, 10 * SECOND)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
