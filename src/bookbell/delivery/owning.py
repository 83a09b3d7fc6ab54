"""Owning lanes: acquires those that are due, renews their leases, gives back idle ones and those beyond its share."""

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.model import LaneId
from bookbell.core.sharing import share_of, surplus
from bookbell.delivery.lane import Lane
from bookbell.delivery.parts import Hold
from bookbell.store import lanes, workers
from bookbell.store.schema import NEVER_AT

OVERSLEPT_MS = 5_000
LEFT_OVER_MS = 1_000  # a worker that has its share leaves a due lane to others for that long
SETTLING_TURNS = 3  # after handing lanes over, so long until others have taken them and said so
PRESENT_MS_MIN = 10_000


class Owning:
    """The lanes of one worker, as the database knows them."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._parts = hold.parts
        self._ambient = hold.ambient
        self._database = hold.database
        self._others: list[int] = []
        self._seen: dict[LaneId, int] = {}
        self._settling_turns = 0
        self.poll_at = 0

    async def acquire(self, rung: set[LaneId], *, is_poll: bool) -> None:
        """Take lanes that are due and free: those rung for, and at a poll whatever there is."""
        owned = self._hold.lanes
        self._hold.hungry |= dict.fromkeys(rung & owned.keys())
        room = limits.LANES_PER_WORKER_MAX - len(owned)
        wanted = list(rung - owned.keys())[:room]
        if is_poll and room > len(wanted):
            wanted = list(dict.fromkeys([*wanted, *await self._candidates(room - len(wanted))]))
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
        now = self._ambient.monotonic_ms()
        for lane_id, epoch in epochs.items():
            owned[lane_id] = Lane(lane_id, epoch, lease_end, self._hold.dispatch.meter, busy_at=now)
            self._hold.hungry[lane_id] = None
        self._hold.owning.set()
        telemetry.LANES_OWNED.set(len(owned))

    async def _candidates(self, count: int) -> list[LaneId]:
        owned, now = self._hold.lanes, self._ambient.now_ms()
        found, next_at = await self._database.read(lanes.candidates, owner=self._parts.worker, now=now, count=count)
        self._poll_by(next_at)
        free = [lane_id for lane_id in found if lane_id not in owned]
        is_full = bool(self._others) and len(owned) >= share_of(len(owned), self._others)
        return self._left_over(free) if is_full else free

    def _left_over(self, free: list[LaneId]) -> list[LaneId]:
        """Those of these lanes that no worker with fewer lanes has taken for a while."""
        now = self._ambient.monotonic_ms()
        self._seen = {lane_id: self._seen.get(lane_id, now) for lane_id in free}
        if free:
            self._poll_by(self._ambient.now_ms() + LEFT_OVER_MS)
        return [lane_id for lane_id, since in self._seen.items() if now >= since + LEFT_OVER_MS]

    def _sending_ms(self) -> int:
        """A worker that cannot renew stops sending before its lease ends."""
        return self._parts.lease_ms * 9 // 10

    async def park(self, idle: list[Lane]) -> None:
        """Give back those of these lanes that still have nothing to do."""
        given = []
        for lane in idle:
            if self._hold.is_parkable(lane):
                given.append(lane)
            else:
                self._hold.tend(lane)
        for start in range(0, len(given), limits.PARK_BATCH_COUNT_MAX):
            await self.give_back(given[start : start + limits.PARK_BATCH_COUNT_MAX])

    async def give_back(self, given: list[Lane]) -> None:
        """Give these lanes back at once, whatever they hold."""
        for lane in given:
            self._hold.dispatch.forget(lane)
        if given:
            hold_ms = {lane.id: lane.hold_ms for lane in given}
            due = await self._database.write(lanes.park, hold_ms, owner=self._parts.worker)
            self._poll_by(min(due.values(), default=NEVER_AT))
        telemetry.LANES_OWNED.set(len(self._hold.lanes))

    def _poll_by(self, instant: int) -> None:
        """Poll at this wall-clock instant at the latest."""
        wait_ms = max(0, instant - self._ambient.now_ms())
        self.poll_at = min(self.poll_at, self._ambient.monotonic_ms() + wait_ms)

    async def renew_turn(self) -> None:
        """Renew every lease a quarter of its length later."""
        await self._hold.owning.wait()
        await self._ambient.sleep_ms(self._parts.lease_ms // 4)
        held = dict(self._hold.lanes)
        if not held:
            self._hold.owning.clear()
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
                self._hold.dispatch.offer(lane)
            elif self._hold.lanes.get(lane.id) is lane:
                lost.append(lane)
        self._hold.lose(lost)
        self._hold.dispatch.start()

    async def presence_turn(self) -> None:
        """Say that this worker is there and how much it has; hand over what is beyond its share."""
        now = self._ambient.now_ms()
        since = now - max(PRESENT_MS_MIN, 3 * self._parts.presence_ms)
        count = len(self._hold.lanes)
        self._others = await self._database.write(
            workers.report, self._parts.worker, lane_count=count, at=now, since=since
        )
        self._settling_turns = max(0, self._settling_turns - 1)
        if not self._settling_turns:
            self._hand_over(surplus(len(self._hold.lanes), self._others))
        await self._ambient.sleep_ms(self._parts.presence_ms)

    def _hand_over(self, count: int) -> None:
        """Let go of that many lanes, the idlest first; each is given back once what it has in flight is recorded."""
        staying = [lane for lane in self._hold.lanes.values() if not lane.is_leaving]
        leaving = len(self._hold.lanes) - len(staying)
        for lane in sorted(staying, key=lambda lane: len(lane.held))[: max(0, count - leaving)]:
            lane.is_leaving = True
            lane.forget_buffer()
            self._hold.tend(lane)
            self._settling_turns = SETTLING_TURNS

    async def depart(self) -> None:
        """Say that this worker is not there any more."""
        await self._database.write(workers.forget, self._parts.worker)

    async def sweep_turn(self) -> None:
        """The safety net that should never find anything."""
        await self._ambient.sleep_ms(self._parts.sweep_ms)
        now = self._ambient.now_ms()
        asleep = await self._database.read(
            lanes.overslept, now=now, since=now - OVERSLEPT_MS, count=limits.PARK_BATCH_COUNT_MAX
        )
        if asleep:
            telemetry.LANES_OVERSLEPT.inc(len(asleep))
            telemetry.log().error("lanes_overslept", count=len(asleep))
            await self._database.write(lanes.wake, asleep)
