"""The engine: owns lanes, keeps their deliveries moving, records what became of them.

A turn acquires lanes that are due, looks for their due deliveries, starts requests, and parks lanes that are idle.
Four loops run beside each other: turns, recording, renewing leases, and a sweep that should never find anything.
The bell (`ring`) is a hint: losing it costs one poll. All of it runs on one event loop, so there are no locks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bookbell import telemetry
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.model import DeliveryState, LaneId, Level
from bookbell.delivery.alarms import Alarms
from bookbell.delivery.dispatch import Dispatch, Transport
from bookbell.delivery.lane import Destination, Lane
from bookbell.store import deliveries, lanes
from bookbell.store.database import Database, Tx
from bookbell.store.deliveries import LOOK_LANES_MAX, Due, Result
from bookbell.store.lanes import LaneConfig
from bookbell.store.schema import NEVER_AT

POLL_MS = 250  # how late work is found that no ring tells of
LINGER_MS = 200  # an idle lane is kept that long, so that steady traffic does not acquire and park all the time
RETRY_MS = 200  # pause after the database failed
SWEEP_MS = 30_000
OVERSLEPT_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """open_destination: an endpoint's row made ready for sending; worker: a name unique to this process.

    poll_ms: the longest that work nobody rings for, and the database, go unlooked at.
    """

    database: Database
    ambient: Ambient
    transport: Transport
    open_destination: Callable[[LaneConfig], Destination]
    worker: str
    lease_ms: int
    poll_ms: int = POLL_MS
    sweep_ms: int = SWEEP_MS


class Engine:
    """Delivers what is due in the lanes it owns, until it is told to stop."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._ambient = parts.ambient
        self._database = parts.database
        self._bell = asyncio.Event()
        self._results = asyncio.Event()
        self._stopping = asyncio.Event()
        self._drain_ms = 0
        self._rung: set[LaneId] = set()
        self._hungry: dict[LaneId, None] = {}
        self._poll_at = 0
        self._alarms = Alarms()
        self._owning = asyncio.Event()
        self.dispatch = Dispatch(
            parts.ambient, parts.transport, parts.worker, hungry=self._on_hungry, full=self._results.set
        )
        self.on_reports = self.dispatch.on_reports

    def ring(self, lane_ids: Iterable[LaneId]) -> None:
        """Say that these lanes have due work. From the engine's loop only."""
        self._rung.update(lane_ids)
        self._bell.set()

    def stop(self, drain_ms: int) -> None:
        """Start nothing more, and leave once what is in flight has been recorded, or after that time."""
        self._drain_ms = drain_ms
        self._stopping.set()
        self._bell.set()

    async def run(self) -> int:
        """Work until stopped. Gives how many attempts were left unfinished at the deadline."""
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(self._repeat(self._record_turn)),
                group.create_task(self._repeat(self._renew_turn)),
                group.create_task(self._repeat(self._sweep_turn)),
            ]
            while not self._stopping.is_set():
                await self._guarded(self._turn)
            await self._drain()
            for task in others:
                task.cancel()
        return self.dispatch.abandon()

    async def _repeat(self, turn: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._guarded(turn)

    async def _guarded(self, turn: Callable[[], Awaitable[None]]) -> None:
        """One border: a failing turn (mostly: the database is away) is logged and tried again."""
        try:
            await turn()
        except Exception:  # noqa: BLE001 - the border of a loop's turn
            telemetry.log().error("loop_failed", loop=getattr(turn, "__name__", "?"), exc_info=True)
            await self._ambient.sleep_ms(RETRY_MS)

    # -- turns ---------------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        now = self._ambient.monotonic_ms()
        is_poll = now >= self._poll_at
        if is_poll:
            self._poll_at = now + self._parts.poll_ms
            self._hungry |= dict.fromkeys(self.dispatch.lanes)
        try:
            await self._work(is_poll=is_poll)
        except BaseException:
            self._poll_at = now  # what was left undone is found by the next turn's look at everything
            raise
        if not self._hungry:
            wake_at = min(self._poll_at, self._alarms.next_at)
            await self._ambient.wait_ms(self._bell, max(1, wake_at - self._ambient.monotonic_ms()))
        self._bell.clear()

    async def _work(self, *, is_poll: bool) -> None:
        idle = self._woken()
        await self._acquire(is_poll=is_poll)
        await self._look()
        self.dispatch.start()
        await self._park(idle)

    def _woken(self) -> list[Lane]:
        """Take the alarms that have gone off: lanes with due work become hungry, idle ones are given."""
        idle = []
        for lane in self._alarms.take_due(self._ambient.monotonic_ms()):
            if self.dispatch.lanes.get(lane.id) is not lane:
                continue
            if lane.next_due <= self._ambient.now_ms():
                lane.next_due = NEVER_AT
                self._hungry[lane.id] = None
            elif self._is_parkable(lane):
                idle.append(lane)
            else:
                self._tend(lane)
        return idle

    def _is_parkable(self, lane: Lane) -> bool:
        return lane.is_idle and self._ambient.monotonic_ms() >= lane.busy_at + LINGER_MS

    def _tend(self, lane: Lane) -> None:
        """Set the lane's alarm: when its next delivery is due, or when it has been idle for long enough."""
        now = self._ambient.monotonic_ms()
        if lane.next_due < NEVER_AT:
            self._alarms.set(lane, now + max(0, lane.next_due - self._ambient.now_ms()))
        if lane.is_idle:
            self._alarms.set(lane, max(now, lane.busy_at + LINGER_MS))

    def _on_hungry(self, lane: Lane) -> None:
        self._hungry[lane.id] = None
        self._bell.set()

    async def _acquire(self, *, is_poll: bool) -> None:
        rung, self._rung = self._rung, set()
        owned = self.dispatch.lanes
        self._hungry |= dict.fromkeys(rung & owned.keys())
        room = limits.LANES_PER_WORKER_MAX - len(owned)
        wanted = list(rung - owned.keys())[:room]
        now = self._ambient.now_ms()
        if is_poll and room > len(wanted):
            found, next_at = await self._database.read(
                lanes.candidates, owner=self._parts.worker, now=now, count=room - len(wanted)
            )
            wanted = list(dict.fromkeys([*wanted, *(lane_id for lane_id in found if lane_id not in owned)]))
            self._look_again_at(next_at)
        if not wanted:
            return
        lease_end = self._ambient.monotonic_ms() + self._sending_ms()
        epochs = await self._database.write(
            lanes.acquire,
            wanted,
            owner=self._parts.worker,
            now=self._ambient.now_ms(),
            lease_until=self._ambient.now_ms() + self._parts.lease_ms,
        )
        for lane_id, epoch in epochs.items():
            owned[lane_id] = Lane(lane_id, epoch, lease_end, busy_at=self._ambient.monotonic_ms())
            self._hungry[lane_id] = None
        self._owning.set()
        telemetry.LANES_OWNED.set(len(owned))

    def _sending_ms(self) -> int:
        """A worker that cannot renew stops sending before its lease ends."""
        return self._parts.lease_ms * 9 // 10

    async def _look(self) -> None:
        hungry, self._hungry = self._hungry, {}
        wanted = []
        for lane_id in hungry:
            lane = self.dispatch.lanes.get(lane_id)
            if lane is not None and _is_short(lane):
                wanted.append(lane)
            elif lane is not None:
                lane.has_more = True
        for start in range(0, len(wanted), LOOK_LANES_MAX):
            await self._look_at(wanted[start : start + LOOK_LANES_MAX])

    async def _look_at(self, wanted: list[Lane]) -> None:
        counts = {lane.id: len(lane.held) + limits.LANE_BUFFER_COUNT for lane in wanted}
        for lane in wanted:
            lane.is_looking = True
            lane.next_due = NEVER_AT
        found: dict[LaneId, tuple[LaneConfig, list[Due]]] = {}
        try:
            found = await self._database.read(_read, counts, now=self._ambient.now_ms())
        finally:
            # No await until every lane has taken in what was found for it: `settled` covers just this stretch.
            closed = [lane for lane in wanted if lane.id in found and self._take_in(lane, *found[lane.id])]
            for lane in wanted:
                lane.is_looking = False
                lane.settled.clear()
                self._tend(lane)
        for lane in closed:
            await self._database.write(deliveries.cancel_unwanted, lane.id, at=self._ambient.now_ms())

    def _take_in(self, lane: Lane, config: LaneConfig, due: list[Due]) -> bool:
        """Make use of what a look brought. Gives whether it all must be cancelled instead."""
        if config.epoch != lane.epoch:
            self._lose([lane])
            return False
        if config.closed_at is not None or config.disabled_at is not None:
            lane.forget_buffer()
            return bool(due) and config.closed_at is not None
        if lane.config is None or lane.config.updated_at != config.updated_at:
            lane.config, lane.destination = config, self._parts.open_destination(config)
        lane.next_due = min(lane.next_due, config.next_due_at)
        lane.has_more = len(due) >= limits.LANE_BUFFER_COUNT
        lane.take_in([item for item in due if item.id not in self.dispatch.in_flight])
        if lane.buffer:
            lane.busy_at = self._ambient.monotonic_ms()
        self.dispatch.offer(lane)
        return False

    async def _park(self, idle: list[Lane]) -> None:
        """Give back those of these lanes that still have nothing to do."""
        given = []
        for lane in idle:
            if self._is_parkable(lane):
                given.append(lane)
            else:
                self._tend(lane)
        for start in range(0, len(given), limits.PARK_BATCH_COUNT_MAX):
            await self._give_back(given[start : start + limits.PARK_BATCH_COUNT_MAX])

    async def _give_back(self, given: list[Lane]) -> None:
        for lane in given:
            self.dispatch.forget(lane)
        if given:
            due = await self._database.write(lanes.park, [lane.id for lane in given], owner=self._parts.worker)
            self._look_again_at(min(due.values(), default=NEVER_AT))
        telemetry.LANES_OWNED.set(len(self.dispatch.lanes))

    def _look_again_at(self, instant: int) -> None:
        """Poll at this wall-clock instant at the latest."""
        self._poll_at = min(self._poll_at, self._ambient.monotonic_ms() + max(0, instant - self._ambient.now_ms()))

    # -- recording -----------------------------------------------------------------------------------------------

    async def _record_turn(self) -> None:
        await self._results.wait()
        waiting = self.dispatch.results
        batch = [waiting.popleft() for _ in range(min(len(waiting), limits.RECORD_BATCH_COUNT_MAX))]
        if not waiting:
            self._results.clear()
        if not batch:
            return
        self.dispatch.recording_count = len(batch)
        try:
            rows = [result for _, result, _ in batch]
            gone = [lane.id for lane, _, is_gone in batch if is_gone]
            lost = await self._database.write(_record, rows, gone, at=self._ambient.now_ms())
        except BaseException:
            waiting.extendleft(reversed(batch))
            self._results.set()
            raise
        finally:
            self.dispatch.recording_count = 0
        for lane, result, _ in batch:
            lane.held.discard(result.attempt.delivery_id)
            if lane.is_looking:
                lane.settled.add(result.attempt.delivery_id)
            if result.state is DeliveryState.PENDING:
                lane.next_due = min(lane.next_due, result.due_at)
            self._tend(lane)
        self._bell.set()
        self._lose([lane for lane in {id(lane): lane for lane, _, _ in batch}.values() if lane.id in lost])
        self.dispatch.start()

    # -- leases --------------------------------------------------------------------------------------------------

    async def _renew_turn(self) -> None:
        await self._owning.wait()
        await self._ambient.sleep_ms(self._parts.lease_ms // 4)
        held = dict(self.dispatch.lanes)
        if not held:
            self._owning.clear()
            return
        lease_end = self._ambient.monotonic_ms() + self._sending_ms()
        epochs = await self._database.write(
            lanes.renew,
            held,
            owner=self._parts.worker,
            lease_until=self._ambient.now_ms() + self._parts.lease_ms,
        )
        lost = []
        for lane in held.values():
            if epochs.get(lane.id) == lane.epoch:
                lane.lease_end = lease_end
                self.dispatch.offer(lane)
            elif self.dispatch.lanes.get(lane.id) is lane:
                lost.append(lane)
        self._lose(lost)
        self.dispatch.start()

    def _lose(self, lost: list[Lane]) -> None:
        mine = [lane for lane in lost if self.dispatch.lanes.get(lane.id) is lane]
        for lane in mine:
            self.dispatch.forget(lane)
        if mine:
            telemetry.log().warning("lanes_lost", worker=self._parts.worker, count=len(mine))

    async def _sweep_turn(self) -> None:
        await self._ambient.sleep_ms(self._parts.sweep_ms)
        now = self._ambient.now_ms()
        asleep = await self._database.read(
            lanes.overslept, now=now, since=now - OVERSLEPT_MS, count=limits.PARK_BATCH_COUNT_MAX
        )
        if asleep:
            telemetry.LANES_OVERSLEPT.inc(len(asleep))
            telemetry.log().error("lanes_overslept", count=len(asleep))
            await self._database.write(lanes.wake, asleep)

    # -- stopping ------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let what is in flight finish and be recorded, then give every lane back."""
        deadline = self._ambient.monotonic_ms() + self._drain_ms
        for lane in self.dispatch.lanes.values():
            lane.forget_buffer()
        while self._is_busy() and self._ambient.monotonic_ms() < deadline:
            await self._ambient.sleep_ms(10)
        while self.dispatch.lanes:
            some = list(self.dispatch.lanes.values())[: limits.PARK_BATCH_COUNT_MAX]
            await self._guarded(lambda: self._give_back(some))  # noqa: B023 - awaited at once

    def _is_busy(self) -> bool:
        return bool(self.dispatch.in_flight or self.dispatch.results or self.dispatch.recording_count)


def _is_short(lane: Lane) -> bool:
    return not lane.is_looking and len(lane.buffer) * 2 <= limits.LANE_BUFFER_COUNT


def _read(tx: Tx, counts: dict[LaneId, int], *, now: int) -> dict[LaneId, tuple[LaneConfig, list[Due]]]:
    configs = {config.lane_id: config for config in lanes.configs(tx, counts, now=now)}
    wanted: dict[LaneId, tuple[Level, int]] = {
        lane_id: (configs[lane_id].level, count) for lane_id, count in counts.items()
    }
    found = deliveries.due(tx, wanted, now=now)
    return {lane_id: (configs[lane_id], found[lane_id]) for lane_id in counts}


def _record(tx: Tx, results: list[Result], gone: list[LaneId], *, at: int) -> frozenset[LaneId]:
    lost = deliveries.record(tx, results)
    for lane_id in gone:
        lanes.disable_endpoint(tx, lane_id, reason="the receiver answered 410 Gone", at=at)
    return lost
