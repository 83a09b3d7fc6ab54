"""Lanes with a backlog take turns at being read on; nobody else waits for them."""

from collections.abc import Collection, Mapping

import pytest

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.attempt import Outcome, TimedOut
from bookbell.core.limits import LANE_BUFFER_COUNT
from bookbell.core.model import LanePk
from bookbell.core.pace import READY_COUNT
from bookbell.delivery.looking import LOOK_ROWS
from bookbell.delivery.parts import LOOK_MS, POLL_MS
from bookbell.store import deliveries
from bookbell.store.database import Tx
from bookbell.store.deliveries import Due, Look
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import lanes
from crowds import crowd, like
from simulated import OK, Scene, Worker, stop
from world import START, World, new_id

LANES, EACH = 200, 40
HOUR = 3_600_000


@pytest.fixture
def busy(world: World, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An organization with more lanes than are ready at a time, each with more than its first look brings."""
    monkeypatch.setattr(limits, "FIRST_LOOK_COUNT", 1)
    scene = Scene(world)
    for number in range(LANES):
        crowd(scene, scene.receiver(f"r{number}"), EACH)
    return scene


def test_they_take_turns_and_all_get_on(busy: Scene) -> None:
    """That some wait is seen while requests begin: simulated computing takes no time, so it is over at once."""
    waiting: list[int] = []

    async def story() -> None:
        worker = busy.worker()

        def answer(_count: int) -> tuple[Outcome, int]:
            waiting.append(worker.engine.dispatch.waiting.count)
            return OK, 5

        busy.network.receivers.update(dict.fromkeys(busy.network.receivers, answer))
        await busy.simulation.run_until(lambda: len(busy.network.sent) > LANES * EACH * 2 // 3, HOUR)
        assert max(waiting) >= READY_COUNT
        assert min(len(busy.arrived(url)) for url in busy.network.receivers) >= EACH // 4
        await busy.simulation.run_until(busy.is_settled, HOUR)
        assert not worker.engine.dispatch.waiting.count
        await busy.simulation.pass_ms(6_000)
        assert not worker.engine.dispatch.lanes, "all were given back"
        await stop(worker, busy)

    busy.simulation.run(story)
    assert set(busy.attempt_numbers().values()) == {1}


def test_hanging_receivers_with_backlogs_do_not_keep_a_good_one_from_being_read_on(world: World) -> None:
    scene = Scene(world)
    for number in range(LANES // 2):
        crowd(scene, scene.receiver(f"r{number}", TimedOut("first_byte"), 15_000), EACH)
    good = scene.receiver("good")
    crowd(scene, good, 10 * EACH)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(good)) > 10 * EACH, 10_000)
        await stop(worker, scene)

    scene.simulation.run(story)


def test_who_is_rung_for_waits_for_one_look_at_lanes_with_a_backlog(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(world)
    slow = [scene.receiver(f"slow{number}") for number in range(READY_COUNT)]
    accounts = [scene.accounts[scene.receiver(f"quick{number}")] for number in range(4)]
    uuids = [world.documents(account, world.book(account), 1)[0] for account in accounts]
    looks: list[Collection[LanePk]] = []
    rung: dict[LanePk, int] = {}
    workers: list[Worker] = []

    def seen(tx: Tx, wanted: Mapping[LanePk, Look], *, now: int) -> dict[LanePk, list[Due]]:
        found = due(tx, wanted, now=now)
        looks.append(wanted)
        row_count = sum(map(len, found.values()))
        assert row_count < LOOK_ROWS + LANE_BUFFER_COUNT
        if row_count > LOOK_ROWS // 2 and uuids:
            lanes = world.verify(uuids.pop(), scene.simulation.now_ms()).lanes
            rung.update(dict.fromkeys(lanes, len(looks)))
            workers[0].engine.ring(lanes)
        return found

    due = deliveries.due
    monkeypatch.setattr(deliveries, "due", seen)

    async def story() -> None:
        workers.append(scene.worker())
        await scene.simulation.pass_ms(5_000)
        assert not workers[0].engine.dispatch.lanes
        for url in slow:
            crowd(scene, url, 200)
        await scene.simulation.run_until(scene.is_settled, HOUR)
        await stop(workers[0], scene)

    scene.simulation.run(story)
    assert len(rung) == 4
    assert all(lane_pk in looks[index] for lane_pk, index in rung.items())


@pytest.mark.parametrize("is_here", [True, False], ids=["in this process", "in another"])
def test_what_is_published_into_a_backlog_makes_nothing_be_read_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, is_here: bool
) -> None:
    scene, backlog, count = Scene(world), 700, 70
    url = scene.receiver("r", OK, 20)
    account = scene.accounts[url]
    crowd(scene, url, backlog)
    uuids, read = world.documents(account, world.book(account), count), 0

    def counted(tx: Tx, wanted: Mapping[LanePk, Look], *, now: int) -> dict[LanePk, list[Due]]:
        nonlocal read
        found = due(tx, wanted, now=now)
        read += sum(map(len, found.values()))
        return found

    due = deliveries.due
    monkeypatch.setattr(deliveries, "due", counted)

    async def story() -> None:
        worker = scene.worker()
        for uuid in uuids:
            await scene.simulation.pass_ms(10)
            published = world.verify(uuid, scene.simulation.now_ms())
            if is_here:
                worker.engine.ring(published.lanes, published.made)
            else:
                worker.engine.hint(published.lanes)
        assert len(scene.arrived(url)) < backlog
        await scene.simulation.run_until(scene.is_settled, HOUR)
        await stop(worker, scene)

    scene.simulation.run(story)
    assert len(scene.arrived(url)) == backlog + 1 + count
    assert read - len(scene.arrived(url)) < LANE_BUFFER_COUNT // 4, "what is in hand is read again once a second"


def test_what_nobody_told_of_is_found_within_two_looks_though_it_lies_before_the_place_read_to(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 20)
    lane_pk = crowd(scene, url, 4_000)

    async def story() -> None:
        worker = scene.worker(poll_ms=POLL_MS)
        await scene.simulation.pass_ms(700)
        assert worker.engine.dispatch.lanes[lane_pk].read_to > (START, 0)
        world.db.write_now(like_the_first, before)
        await scene.simulation.run_until(lambda: before in scene.arrived(url), 2 * LOOK_MS)
        assert len(scene.arrived(url)) < 3_000
        await stop(worker, scene)

    before = new_id()
    scene.simulation.run(story)


def like_the_first(tx: Tx, id_: str) -> None:
    """Another delivery that is due before all others."""
    row = tx.execute(table.select().order_by(table.c.due_at, table.c.id).limit(1)).one()
    values = like(row, id=id_, due_at=row.due_at - 1_000, state="pending", attempt_count=0, finished_at=None)
    tx.execute(table.insert().values(pk=1 << 40, **values))


def test_what_a_lane_with_enough_to_send_is_rung_for_follows_without_a_pause(world: World) -> None:
    """Its endpoint is read at once, for that was long ago; the new delivery once the buffer is short."""
    scene = Scene(world)
    url = scene.receiver("r", OK, 300)
    crowd(scene, url, 28)

    async def story() -> None:
        worker = scene.worker()
        await scene.simulation.pass_ms(60)
        (lane,) = worker.engine.dispatch.lanes.values()
        worker.engine.ring(
            [lane.pk]
        )  # the first look did not know how large bodies are, so it is short until the next
        await scene.simulation.pass_ms(60)
        assert len(lane.buffer) > lane.low_count
        assert not lane.has_more
        scene.publish(url, 1)
        worker.engine.ring([lane.pk])
        await scene.simulation.pass_ms(5)
        assert lane.has_more, "it is read on once the buffer is short"
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 30, 600)
        await stop(worker, scene)

    scene.simulation.run(story)


def test_what_ends_after_its_lane_was_lost_is_counted(world: World) -> None:
    scene = Scene(world)
    url = scene.receiver("r", OK, 1_000)
    scene.publish(url, 3)

    def counted() -> float:
        return telemetry.REGISTRY.get_sample_value("bookbell_attempts_stale_total") or 0

    def owned() -> float | None:
        return telemetry.REGISTRY.get_sample_value("bookbell_lanes_owned")

    def take_it_away(tx: Tx) -> None:
        tx.execute(lanes.update().values(owner="another", epoch=lanes.c.epoch + 1))

    async def story() -> None:
        before, worker = counted(), scene.worker()
        await scene.simulation.run_until(lambda: len(scene.arrived(url)) == 3, 5_000)
        assert owned() == 1
        world.db.write_now(take_it_away)
        await scene.simulation.pass_ms(2_000)
        assert counted() == before + 3
        assert owned() == 0
        assert scene.states() == {"pending": 3}
        await worker.die()

    scene.simulation.run(story)
