"""What a database does not take keeps nothing else from being recorded."""

from collections import Counter

import pytest
from sqlalchemy import select

from bookbell.core.attempt import Answered, Unreachable
from bookbell.store.database import Tx
from bookbell.store.schema import attempts
from simulated import Scene, stop
from world import World

HOUR = 3_600_000
NO_TEXT = Unreachable("protocol", "a lone surrogate: \udcff")
NO_NUMBER = Answered(2**70)


def details(world: World) -> Counter[str]:
    def read(tx: Tx) -> Counter[str]:
        return Counter(tx.execute(select(attempts.c.detail)).scalars())

    return world.db.read_now(read)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_an_answer_that_cannot_be_kept_is_left_out_and_nothing_else_is_lost(world: World, count: int) -> None:
    scene = Scene(world)
    odd, good = scene.receiver("odd", NO_TEXT), scene.receiver("good")
    for url in (odd, good):
        scene.publish(url, count)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: scene.states()["delivered"] == count, 10_000)
        await scene.simulation.run_until(lambda: len(details(world)) == 2, 10_000)
        scene.answer(odd)
        await scene.simulation.run_until(scene.is_settled, HOUR)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
    assert scene.states() == {"delivered": 2 * count}
    assert len(scene.arrived(good)) == len(set(scene.arrived(good))) == count
    told = details(world)
    assert told["What came of it could not be kept."] == len(scene.arrived(odd)) - count


def test_a_result_that_cannot_be_kept_at_all_costs_its_own_lane_a_lease(world: World) -> None:
    scene = Scene(world)
    odd, good = scene.receiver("odd", NO_NUMBER), scene.receiver("good")
    for url in (odd, good):
        scene.publish(url, 20)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: scene.states()["delivered"] == 20, 10_000)
        await scene.simulation.run_until(lambda: not worker.engine.dispatch.results, 10_000)
        scene.answer(odd)
        scene.publish(good, 20)
        await scene.simulation.run_until(scene.is_settled, HOUR)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()
    assert len(scene.arrived(good)) == len(set(scene.arrived(good))) == 40
    assert scene.states() == {"delivered": 60}
    assert set(details(world)) == {"The receiver answered 200."}
