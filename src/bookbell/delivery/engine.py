"""The engine: owns lanes, keeps their deliveries moving, records what became of them.

A turn acquires lanes that are due, looks for their due deliveries, starts requests, and parks lanes that are idle;
then it sleeps until something is due. Loops run beside each other: turns, recording, renewing leases, saying that the
worker is there, and a sweep that should never find anything. The bell (`ring`) is a hint: losing it costs one poll.
All of it runs on one event loop, so there are no locks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.model import LanePk, Made
from bookbell.delivery.alarms import NEVER
from bookbell.delivery.looking import Looking
from bookbell.delivery.owning import Owning
from bookbell.delivery.parts import EngineParts, Hold
from bookbell.delivery.recording import Recording
from bookbell.store.deliveries import START

RETRY_MS = 200  # pause after the database failed


class Engine:
    """Delivers what is due in the lanes it owns, until it is told to stop."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._ambient = parts.ambient
        self._stopping = asyncio.Event()
        self._drain_ms = 0
        self._rung: set[LanePk] = set()
        self._hold = Hold(parts)
        self._owning = Owning(self._hold)
        self._looking = Looking(self._hold)
        self._recording = Recording(self._hold)
        self.dispatch = self._hold.dispatch
        self.on_reports = self.dispatch.on_reports

    def ring(self, lane_pks: Iterable[LanePk], made: Sequence[Made] = ()) -> None:
        """Say that these lanes have due work. made: what it is, if all of it is known; it has been committed. From the
        engine's loop only.
        """
        if self._stopping.is_set():
            return
        of_lane: dict[LanePk, list[Made]] = {}
        for each in made:
            of_lane.setdefault(each[1].lane_pk, []).append(each)
        for lane_pk in lane_pks:
            new, lane = of_lane.get(lane_pk, []), self._hold.lanes.get(lane_pk)
            if lane is None:
                self._rung.add(lane_pk)
            elif not new or not self._looking.hand_over(lane, new):
                self._hold.feed(lane, min(((each.due_at, pk) for pk, each, _, _ in new), default=START))
        self._hold.bell.set()

    def hint(self, lane_pks: Iterable[LanePk]) -> None:
        """As `ring`, for what another process published: other workers hear it too, so whoever comes first has it.

        It is taken to be due after what a lane with a backlog was read to; if the other's clock is behind, the next
        look at the lane's start finds it. Without lanes: something may have been missed. From the engine's loop only.
        """
        if self._stopping.is_set():
            return
        rung, owned = set(lane_pks), self._hold.lanes
        for lane_pk in rung & owned.keys():
            self._hold.feed(owned[lane_pk])
        if not rung:
            self._owning.poll_at = self._ambient.monotonic_ms()
        elif others := {lane_pk for lane_pk in rung if lane_pk not in owned}:
            self._owning.expect(others)
        self._hold.bell.set()

    def stop(self, drain_ms: int) -> None:
        """Start nothing more, and leave once what is in flight has been recorded, or after that time."""
        self._drain_ms = drain_ms
        self._stopping.set()
        self._hold.bell.set()

    async def run(self) -> int:
        """Work until stopped. Gives how many attempts were left unfinished at the deadline."""
        turns = (
            self._recording.record_turn,
            self._owning.renew_turn,
            self._owning.presence_turn,
            self._owning.sweep_turn,
        )
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._repeat(turn)) for turn in turns]
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

    async def _turn(self) -> None:
        hold, owning = self._hold, self._owning
        now = self._ambient.monotonic_ms()
        is_poll = now >= owning.poll_at
        if is_poll:
            owning.poll_at = now + self._parts.poll_ms
        hold.starve_all(hold.rounds.due(hold.lanes, now))
        hold.bell.clear()
        hold.more_at = NEVER
        try:
            await self._work(is_poll=is_poll)
        except BaseException:
            owning.poll_at = now
            hold.starve_all(hold.lanes)  # what was left undone is found by the next turn's look at everything
            raise
        if not hold.hungry and not self._rung:
            hold.sleeps_until = min(owning.poll_at, hold.rounds.next_at, hold.wake_at)
            await self._ambient.wait_ms(hold.bell, max(1, hold.sleeps_until - self._ambient.monotonic_ms()))
            hold.sleeps_until = 0

    async def _work(self, *, is_poll: bool) -> None:
        idle = self._hold.woken()
        rung, self._rung = self._rung | self._hold.forgotten(), set()
        await self._owning.acquire(rung, is_poll=is_poll)
        await self._looking.look()
        self.dispatch.start()
        await self._owning.park(idle)

    async def _drain(self) -> None:
        """Let what is in flight finish and be recorded, then give every lane back."""
        self._hold.is_draining = True
        deadline = self._ambient.monotonic_ms() + self._drain_ms
        for lane in self.dispatch.lanes.values():
            lane.forget_buffer()
        while self._is_busy() and self._ambient.monotonic_ms() < deadline:
            await self._ambient.sleep_ms(10)
        while self.dispatch.lanes:
            some = list(self.dispatch.lanes.values())[: limits.PARK_BATCH_COUNT_MAX]
            await self._guarded(lambda: self._owning.give_back(some))  # noqa: B023 - awaited at once
        await self._guarded(self._owning.depart)

    def _is_busy(self) -> bool:
        return bool(self.dispatch.in_flight or self.dispatch.results or self.dispatch.recording_count)
