"""Endpoints that are down: the circuit, what is held, when it ends, disabling, and stopping by hand."""

import itertools
from typing import Any

from bookbell.actions import health as acting
from bookbell.actions import webhooks
from bookbell.actions.health import Examined
from bookbell.actions.signing import of_account
from bookbell.core.attempt import Answered, Outcome, Request, TimedOut, Unreachable
from bookbell.core.health import HealthState
from bookbell.core.model import LanePk
from bookbell.store import history, lanes
from bookbell.store.database import Tx
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import lanes as lanes_table
from crowds import crowd, like
from hours import all_lanes
from simulated import OK, InlineDatabase, Line, Scene, Worker, stop
from world import World, stamp

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
DOWN: Outcome = Unreachable("connect", "refused")


def examined(scene: Scene, url: str) -> Examined:
    which = of_account(scene.accounts[url])
    return scene.world.db.read_now(acting.examine, which, now=scene.simulation.now_ms())


def pause(scene: Scene, url: str, worker: Worker) -> None:
    which, at = of_account(scene.accounts[url]), stamp(scene.simulation.now_ms())
    worker.engine.ring(scene.world.db.write_now(acting.pause, which, at).lanes)


def resume(scene: Scene, url: str, worker: Worker, *, is_draining: bool = True) -> None:
    which, at = of_account(scene.accounts[url]), stamp(scene.simulation.now_ms())
    worker.engine.ring(scene.world.db.write_now(acting.resume, which, is_draining=is_draining, stamp=at).lanes)


def attempt_counts(scene: Scene) -> list[int]:
    def read(tx: Tx) -> list[int]:
        return sorted(row.attempt_count - row.probe_count for row in tx.execute(table.select()))

    return scene.world.db.read_now(read)


def test_an_open_circuit_probes_and_uses_up_no_attempts(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN)
    scene.publish(url, 200)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(6 * HOUR)
        assert len(scene.arrived(url)) < 110
        assert attempt_counts(scene)[-1] <= 2
        found = examined(scene, url)
        assert found.health.state is HealthState.WAITING
        assert "failures in a row since" in found.health.sentence
        assert "next probe in" in found.health.sentence
        assert len(set(scene.arrived(url)[40:])) > 30, "probes take turns"
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_probes_come_at_five_seconds_doubling_to_five_minutes(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN, schedule_ms=[HOUR] * 3, jitter_ratio=0)
    scene.publish(url, 30)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(30 * 60 * SECOND)
        probes = [at for at, _, _ in scene.network.sent if at > SECOND]
        distances = [round((later - earlier) / SECOND) for earlier, later in itertools.pairwise(probes)]
        assert distances[:8] == [10, 20, 40, 80, 160, 300, 300, 300]
        await stop(worker, scene)

    scene.simulation.run(story)


def test_a_recovered_receiver_is_drained_at_a_growing_rate(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN, 100)
    scene.publish(url, 300)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        before = len(scene.network.sent)
        scene.answer(url, OK, 100)
        await scene.simulation.run_until(scene.is_settled, 12 * HOUR)
        assert scene.states() == {"delivered": 300}
        times = [at for at, _, _ in scene.network.sent[before:]]
        rates = [sum(1 for at in times if start <= at - times[0] < start + 200) for start in (0, 200, 400)]
        assert rates[0] < rates[1] < rates[2]
        assert examined(scene, url).health.state is HealthState.DELIVERING
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_circuit_survives_the_takeover_by_another_worker(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN)
    scene.publish(url, 60)

    async def story() -> None:
        first = scene.worker("a")
        await scene.simulation.pass_ms(HOUR)
        await first.die()
        before = len(scene.network.sent)
        second = scene.worker("b")
        await scene.simulation.pass_ms(HOUR)
        assert 8 <= len(scene.network.sent) - before <= 14
        await stop(second, scene)

    scene.simulation.run(story)


def test_what_is_held_for_too_long_expires_and_nothing_younger_does(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN, disable_after_ms=None, hold_ms_max=2 * DAY, schedule_ms=[HOUR] * 10)
    scene.publish(url, 560)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(DAY)
        scene.publish(url, 40)
        await scene.simulation.pass_ms(DAY + 3 * HOUR)
        assert scene.reasons()["expired"] == 560
        assert scene.states()["pending"] == 40
        await scene.simulation.pass_ms(DAY)
        assert scene.reasons()["expired"] == 600
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_five_days_of_nothing_but_failure_disable_with_notices_before(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN)
    scene.publish(url, 30)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(5 * DAY + HOUR)
        found = examined(scene, url)
        assert [notice.kind for notice in reversed(found.notices)] == [
            "failing_50",
            "failing_70",
            "failing_90",
            "disabled",
        ]
        days = [(notice.created_at - found.notices[-1].created_at) / DAY for notice in reversed(found.notices)]
        assert [round(day, 1) for day in days] == [0, 1, 2, 2.5]
        assert found.health.state is HealthState.DISABLED
        sent = len(scene.network.sent)
        await scene.simulation.pass_ms(DAY)
        assert len(scene.network.sent) == sent
        scene.answer(url)
        resume(scene, url, worker)
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 30}, DAY)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_many_answers_or_lanes_tell_is_told_once(world: World) -> None:
    scene = Scene(world)
    gone = scene.receiver("gone", Answered(410), 50)
    down = scene.receiver("down", DOWN, lanes=4, in_flight_max=4, disable_after_ms=2 * HOUR)
    for _ in range(8):
        scene.publish(gone, 5)
        scene.publish(down, 5)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(3 * HOUR)
        assert scene.reasons()["gone"] == 16
        assert [notice.kind for notice in examined(scene, gone).notices] == ["disabled"]
        kinds = [notice.kind for notice in reversed(examined(scene, down).notices)]
        assert kinds == ["failing_50", "failing_70", "failing_90", "disabled"]
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_success_in_between_keeps_an_endpoint_from_being_disabled(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("down", DOWN)
    scene.publish(url, 30)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(4 * DAY)
        scene.answer(url)
        await scene.simulation.pass_ms(HOUR)
        scene.answer(url, DOWN)
        scene.publish(url, 30)
        await scene.simulation.pass_ms(2 * DAY)
        assert examined(scene, url).health.state is HealthState.WAITING
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_a_disabled_endpoint_holds_expires_too(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("gone", Answered(410), hold_ms_max=DAY)
    scene.publish(url, 1)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        scene.publish(url, 5)
        await scene.simulation.pass_ms(DAY - HOUR)
        assert scene.states() == {"exhausted": 1, "pending": 5}
        await scene.simulation.pass_ms(2 * HOUR)
        assert scene.reasons() == {"gone": 1, "expired": 5}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_pausing_by_hand_keeps_what_comes_and_resuming_sends_it(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")

    async def story() -> None:
        worker = scene.worker()
        pause(scene, url, worker)
        scene.publish(url, 20)
        await scene.simulation.pass_ms(HOUR)
        assert scene.network.sent == []
        assert examined(scene, url).health.sentence == "paused by hand since 15:06"
        resume(scene, url, worker)
        await scene.simulation.run_until(lambda: scene.states() == {"delivered": 20}, 10 * SECOND)
        assert [notice.kind for notice in examined(scene, url).notices] == ["resumed", "paused"]
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_resuming_without_draining_skips_what_was_held(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN)
    scene.publish(url, 20)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        scene.answer(url)
        resume(scene, url, worker, is_draining=False)
        scene.publish(url, 3)
        await scene.simulation.run_until(scene.is_settled, 2 * 60 * SECOND)
        assert scene.states() == {"cancelled": 20, "delivered": 3}
        assert scene.reasons()["skipped"] == 20
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_resuming_by_hand_closes_the_circuit_at_once(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN, schedule_ms=[2 * HOUR] * 3)
    scene.publish(url, 60)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        scene.answer(url)
        resume(scene, url, worker)
        await scene.simulation.pass_ms(SECOND)
        assert scene.states()["delivered"] >= 30
        assert examined(scene, url).health.state is HealthState.DELIVERING
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_while_an_endpoint_is_down_only_the_newest_status_of_a_document_is_kept(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN, collapse=True)
    scene.publish(url, 30)

    newest: set[str] = set()

    def repeat(tx: Tx) -> None:
        """The same documents report again, twice."""
        for row in tx.execute(table.select().where(table.c.subject_pk.is_not(None))).all():
            copies = [like(row, attempt_count=0, probe_count=0) for _ in range(2)]
            tx.execute(table.insert(), copies)
            newest.add(str(copies[-1]["id"]))

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(10 * 60 * SECOND)
        world.db.write_now(repeat)
        await scene.simulation.pass_ms(10 * 60 * SECOND)
        scene.answer(url)
        await scene.simulation.run_until(scene.is_settled, DAY)
        assert newest <= set(scene.arrived(url))
        assert scene.states() == {"delivered": 30, "cancelled": 60}
        assert scene.reasons()["superseded"] == 60
        await stop(worker, scene)

    scene.simulation.run(story)


def test_what_is_superseded_by_what_came_since_the_circuit_opened_is_not_sent(world: World) -> None:
    """The lane stays with its owner until the first probe, for requests are under way for longer than that."""
    scene = Scene(world)
    url = scene.receiver("r", collapse=True, circuit_failures=2)
    world.webhook(scene.accounts[url], "document.classification_succeeded", "DOC_VERIFIED", url=url)
    answers: list[tuple[Outcome, int]] = [(DOWN, 20)] * 2 + [(TimedOut("first_byte"), 15_000)] * 4 + [(OK, 5)] * 99
    scene.network.receivers[url] = lambda count: answers[count - 1]
    scene.publish(url, 3)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(8 * SECOND)
        assert examined(scene, url).health.state is HealthState.WAITING
        scene.publish(url, 3)
        worker.engine.ring(world.db.read_now(all_lanes))
        await scene.simulation.pass_ms(8 * SECOND)
        worker.engine.ring(world.db.read_now(all_lanes))
        await scene.simulation.pass_ms(20 * SECOND)
        assert scene.reasons()["superseded"] == 6, "each of these documents was classified, then verified"
        assert scene.states() == {"delivered": 6, "cancelled": 6}
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def change_policy(scene: Scene, url: str, worker: Worker, **policy: Any) -> None:
    at = stamp(scene.simulation.now_ms())
    worker.engine.ring(scene.world.db.write_now(webhooks.set_policy, scene.accounts[url], policy, at).lanes)


def test_a_policy_that_gives_the_circuit_up_sends_at_once(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN, schedule_ms=[HOUR] * 3)
    scene.publish(url, 40)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(20 * 60 * SECOND)
        assert not worker.engine.dispatch.lanes, "it sleeps until the next probe, minutes later"
        scene.answer(url)
        change_policy(scene, url, worker, circuit_failures=None)
        await scene.simulation.pass_ms(SECOND)
        assert scene.states()["delivered"] > 10, "all that is due; what failed before the circuit opened is not yet"
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_what_is_held_expires_at_once_by_a_policy_that_holds_it_for_less(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r")

    async def story() -> None:
        worker = scene.worker()
        pause(scene, url, worker)
        scene.publish(url, 3)
        await scene.simulation.pass_ms(HOUR)
        assert scene.states() == {"pending": 3}
        change_policy(scene, url, worker, hold_ms_max=60 * SECOND)
        await scene.simulation.run_until(lambda: scene.reasons() == {"expired": 3}, SECOND)
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_trying_one_again_by_hand_waits_for_the_probe_of_an_open_circuit(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN, schedule_ms=[1_000])
    scene.publish(url, 12)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        sent = len(scene.network.sent)

        def due_now(tx: Tx) -> None:
            (first, *_) = tx.execute(table.select()).all()
            history.make_due(tx, first.organization_id, first.id, at=scene.simulation.now_ms())

        world.db.write_now(due_now)
        await scene.simulation.pass_ms(10 * 60 * SECOND)
        assert sent < len(scene.network.sent) <= sent + 3
        await stop(worker, scene)

    scene.simulation.run(story)


def test_a_lane_that_only_fails_does_not_disable_an_endpoint_whose_other_lane_succeeds(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", lanes=2, schedule_ms=[HOUR] * 19, jitter_ratio=0)
    for _ in range(6):
        scene.publish(url, 3)
    lane_pks = world.db.read_now(all_lanes)
    chosen = min(lane_pks)

    def spread(tx: Tx) -> None:
        """Half of it on each lane, whatever the hash of the books says."""
        for number, row in enumerate(tx.execute(table.select().order_by(table.c.id)).all()):
            tx.execute(table.update().where(table.c.id == row.id).values(lane_pk=sorted(lane_pks)[number % 2]))
        tx.execute(lanes_table.update().values(due_at=scene.simulation.now_ms()))

    def lane_of(key: str) -> int:
        return world.db.read_now(lambda tx: int(tx.execute(table.select().where(table.c.id == key)).one().lane_pk))

    async def story() -> None:
        worker = scene.worker()
        begin = scene.network.begin

        def by_lane(request: Request, line: Line) -> None:
            is_bad = lane_of(request.key) == chosen
            scene.answer(url, DOWN if is_bad else OK)
            begin(request, line)

        scene.network.begin = by_lane  # type: ignore[method-assign] # a receiver that looks at the book
        for _ in range(6):
            await scene.simulation.pass_ms(DAY)
            if scene.simulation.now < 5 * DAY:
                scene.publish(url, 2)
                world.db.write_now(spread_last, lane_pks)
        assert examined(scene, url).health.state is not HealthState.DISABLED
        assert "disabled" not in [notice.kind for notice in examined(scene, url).notices]
        await scene.simulation.pass_ms(8 * DAY)
        assert "disabled" in [notice.kind for notice in examined(scene, url).notices], "nothing succeeds any more"
        await stop(worker, scene)

    world.db.write_now(spread)
    scene.simulation.run(story)


def spread_last(tx: Tx, lane_pks: list[LanePk]) -> None:
    """Of what was published last, one goes to each lane."""
    last = tx.execute(table.select().order_by(table.c.id.desc()).limit(2)).all()
    for row, lane_pk in zip(last, lane_pks, strict=True):
        tx.execute(table.update().where(table.c.id == row.id).values(lane_pk=lane_pk))
    lanes.wake(tx, dict.fromkeys(lane_pks, last[0].due_at))


def test_after_deregistration_nothing_is_sent_but_what_is_in_flight(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 1_000, in_flight_max=2)
    scene.publish(url, 150)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 36, 60_000)
        (lane,) = worker.engine.dispatch.lanes.values()
        assert len(lane.buffer) > 32, "the lane has enough and does not look by itself"
        gone = world.db.write_now(webhooks.deregister, scene.accounts[url], stamp(scene.simulation.now_ms()))
        worker.engine.ring(gone.lanes)
        await scene.simulation.pass_ms(10 * SECOND)
        assert len(scene.arrived(url)) == 36
        await stop(worker, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_long_backlog_is_cancelled_although_its_owner_dies_in_between(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN, schedule_ms=[HOUR] * 3)
    scene.publish(url, 1_700)
    database = world.db
    assert isinstance(database, InlineDatabase)

    async def story() -> None:
        gone = world.db.write_now(webhooks.deregister, scene.accounts[url], stamp(scene.simulation.now_ms()))
        assert scene.states() == {"cancelled": 500, "pending": 1_200}
        world.webhook(scene.accounts[url], "DOC_VERIFIED", url=url)
        first = scene.worker("a")
        first.engine.ring(gone.lanes)
        database.fails = lambda: scene.states()["cancelled"] >= 1_000
        await scene.simulation.pass_ms(SECOND)
        await first.die()
        database.fails = lambda: False
        assert scene.states() == {"cancelled": 1_000, "pending": 700}
        scene.answer(url)
        scene.publish(url, 3)
        second = scene.worker("b")
        await scene.simulation.run_until(scene.is_settled, 60 * SECOND)
        assert scene.reasons() == {"deregistered": 1_700, None: 3}
        assert len(scene.arrived(url)) == 3
        await stop(second, scene)

    scene.simulation.run(story)
    scene.check()


def test_a_long_backlog_behind_an_open_circuit_is_cancelled_at_once(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", DOWN)
    crowd(scene, url, 1_700)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(HOUR)
        sent_count = len(scene.network.sent)
        gone = world.db.write_now(webhooks.deregister, scene.accounts[url], stamp(scene.simulation.now_ms()))
        worker.engine.ring(gone.lanes)
        await scene.simulation.run_until(scene.is_settled, SECOND)
        assert scene.states()["cancelled"] == 1_701
        assert len(scene.network.sent) == sent_count
        await stop(worker, scene)

    scene.simulation.run(story)
