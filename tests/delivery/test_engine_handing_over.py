"""New deliveries reach the lane's owner without being read, where it knows all else; otherwise it looks, as ever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bookbell.actions import event_reports, event_types, health
from bookbell.actions.event_types import WantedType
from bookbell.actions.signing import of_account
from bookbell.actions.stamp import Stamp
from bookbell.core.attempt import TimedOut
from bookbell.core.event_report import EventReport
from bookbell.core.model import DeliveryPk, Level
from bookbell.delivery.lane import Lane
from bookbell.store import endpoints
from bookbell.store.database import Tx
from simulated import Scene, Worker, stop
from world import World, stamp

TYPE = "loan.funded"


class Platform:
    """Publishes in the process of a worker, for one receiver."""

    def __init__(self, world: World) -> None:
        self.scene = Scene(world)
        self.url = self.scene.receiver("r")
        self.account = self.scene.accounts[self.url]
        self.which = of_account(self.account)
        wanted = WantedType(description="d", levels=frozenset({Level.ACCOUNT}), schema=None, is_active=True)
        world.db.write_now(event_types.define, TYPE, wanted, stamp())
        endpoint = world.db.read_now(endpoints.find_account_endpoint, world.organization.id, self.account.id)
        assert endpoint is not None
        self.endpoint, self.ids = endpoint, list[str]()

        def subscribe(tx: Tx) -> None:
            endpoints.replace_subscriptions(tx, world.organization.id, endpoint.id, [TYPE])

        world.db.write_now(subscribe)

    def stamp(self) -> Stamp:
        return stamp(self.scene.simulation.now_ms())

    def publish(self, worker: Worker, count: int = 1) -> list[DeliveryPk]:
        """Gives the keys of the new deliveries."""
        to = {"organization_id": self.account.organization_id, "account_id": self.account.id}
        reports = [EventReport(type=TYPE, body=b"{}", **to) for _ in range(count)]
        published = self.scene.world.db.write_now(event_reports.report_events, reports, self.stamp())
        worker.engine.ring(published.lanes, published.made)
        self.ids += [delivery.id for _, delivery, _, _ in published.made]
        return [pk for pk, *_ in published.made]

    def lane(self, worker: Worker) -> Lane:
        return worker.engine.dispatch.lanes[self.endpoint.lane_pk]

    async def arrival(self) -> None:
        """Until all has been delivered."""
        await self.scene.simulation.run_until(self.scene.is_settled, 600_000)

    def run(self, story: Callable[[Worker], Awaitable[None]]) -> None:
        """With a worker that owns the lane and has just read it."""

        async def told() -> None:
            worker = self.scene.worker()
            await self.scene.simulation.pass_ms(1_000)
            self.publish(worker)
            await self.scene.simulation.run_until(lambda: bool(self.scene.arrived(self.url)), 1_000)
            await story(worker)
            await self.arrival()
            await stop(worker, self.scene)

        self.scene.simulation.run(told)
        assert sorted(self.scene.arrived(self.url)) == sorted(self.ids)
        self.scene.check()


def test_a_new_delivery_is_in_hand_at_once(world: World) -> None:
    platform = Platform(world)

    async def story(worker: Worker) -> None:
        (new,) = platform.publish(worker)
        assert new in platform.lane(worker).held

    platform.run(story)


def test_a_new_delivery_is_in_hand_at_once_though_the_lane_was_read_a_while_ago(world: World) -> None:
    platform = Platform(world)

    async def story(worker: Worker) -> None:
        await platform.scene.simulation.pass_ms(900)
        (new,) = platform.publish(worker)
        assert new in platform.lane(worker).held

    platform.run(story)


@pytest.mark.parametrize("is_told", [True, False], ids=["rung for", "nobody rang"])
def test_once_the_endpoint_was_changed_nothing_is_handed_over_until_it_was_read(world: World, is_told: bool) -> None:
    platform = Platform(world)
    scene = platform.scene

    async def story(worker: Worker) -> None:
        paused = scene.world.db.write_now(health.pause, platform.which, platform.stamp())
        if is_told:
            worker.engine.ring(paused.lanes)
        (new,) = platform.publish(worker)
        await scene.simulation.pass_ms(500)
        assert new not in platform.lane(worker).held
        assert len(scene.arrived(platform.url)) == 1
        resumed = scene.world.db.write_now(health.resume, platform.which, is_draining=True, stamp=platform.stamp())
        worker.engine.ring(resumed.lanes)

    platform.run(story)


def test_a_paused_lane_takes_nothing(world: World) -> None:
    platform = Platform(world)
    scene = platform.scene

    async def story(worker: Worker) -> None:
        paused = scene.world.db.write_now(health.pause, platform.which, platform.stamp())
        worker.engine.ring(paused.lanes)
        await scene.simulation.run_until(lambda: platform.lane(worker).config.is_resting, 100)  # type: ignore[union-attr]
        (new,) = platform.publish(worker)
        assert new not in platform.lane(worker).held
        resumed = scene.world.db.write_now(health.resume, platform.which, is_draining=True, stamp=platform.stamp())
        worker.engine.ring(resumed.lanes)

    platform.run(story)


def test_what_a_lane_has_not_read_yet_goes_before_what_is_new(world: World) -> None:
    platform = Platform(world)

    async def story(worker: Worker) -> None:
        platform.publish(worker, 600)
        await platform.scene.simulation.run_until(lambda: platform.lane(worker).has_more, 1_000)
        await platform.scene.simulation.pass_ms(1)
        (new,) = platform.publish(worker)
        assert new not in platform.lane(worker).held

    platform.run(story)
    assert platform.scene.arrived(platform.url)[-1] == platform.ids[-1]


def test_what_is_handed_over_during_a_look_is_sent_once(world: World) -> None:
    platform = Platform(world)

    async def story(worker: Worker) -> None:
        lane = platform.lane(worker)
        worker.engine.hint([lane.pk])
        while not lane.is_looking:  # noqa: ASYNC110 - the look is over before time passes
            await asyncio.sleep(0)
        (new,) = platform.publish(worker)
        assert new in lane.held

    platform.run(story)


def test_a_stream_of_events_arrives_once_each_though_the_receiver_fails_for_a_while(world: World) -> None:
    platform = Platform(world)
    scene = platform.scene
    refuse_ms, end_ms = 300, 2_000

    async def story(worker: Worker) -> None:
        began = scene.simulation.now
        while (gone := scene.simulation.now - began) < end_ms:
            if refuse_ms <= gone < refuse_ms + 100:
                scene.answer(platform.url, TimedOut("first_byte"))
            else:
                scene.answer(platform.url)
            platform.publish(worker, 1 + gone % 3)
            await scene.simulation.pass_ms(7)

    async def told() -> None:
        worker = scene.worker()
        await story(worker)
        await platform.arrival()
        await stop(worker, scene)

    scene.simulation.run(told)
    assert set(scene.arrived(platform.url)) == set(platform.ids)
    assert scene.states() == {"delivered": len(platform.ids)}
    scene.check()
