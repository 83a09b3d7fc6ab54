"""Owning lanes: acquires those that are due, renews their leases, gives back idle ones and those beyond its share.

Another's lane is taken over once its row has not changed for longer than its owner may send without renewing, by this
worker's monotonic clock, or as soon as it is seen that the owner, on the same machine, is gone. Wall clocks only say
which lanes are worth watching, so one that is wrong, or jumps, makes a takeover late and costs some reading; it never
makes two owners. Whether another worker is there is judged alike.
"""

from collections.abc import Mapping

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.model import LanePk
from bookbell.core.sharing import share_of, surplus
from bookbell.core.standstill import Watched, watch
from bookbell.delivery.alarms import NEVER
from bookbell.delivery.lane import Lane
from bookbell.delivery.parts import Hold
from bookbell.store import lanes, workers
from bookbell.store.database import Tx
from bookbell.store.lanes import Suspect
from bookbell.store.schema import NEVER_AT
from bookbell.store.workers import Presence

OVERSLEPT_MS = 5_000
LEFT_OVER_MS = 1_000  # a worker that has its share leaves a due lane to others for that long
EXPECT_MS = 20  # however often others ring, free lanes are not looked for more often than that because of it
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
        self._presences: Watched[str, Presence] = {}
        self._has_reported = False
        self._has_lost_other = False
        self._seen: dict[LanePk, int] = {}
        self._settling_turns = 0
        self._watched: Watched[LanePk, Suspect] = {}
        self._began_at = hold.ambient.monotonic_ms()
        self._looked_at = 0
        self._expected: set[LanePk] = set()
        self.poll_at = 0
        self.expected_at = NEVER

    def expect(self, lane_pks: set[LanePk]) -> None:
        """These lanes may be free; others have heard of them too."""
        self._expected |= lane_pks
        now = self._ambient.monotonic_ms()
        self.expected_at = min(self.expected_at, max(now, self._looked_at + EXPECT_MS))

    async def acquire(self, rung: set[LanePk], *, is_poll: bool) -> None:
        """Take lanes that are due and free: those rung for, and at a poll whatever there is.

        What nobody has told of is taken to have been due for long: it takes turns with lanes that have a backlog.
        """
        owned = self._hold.lanes
        self._hold.starve_all(rung & owned.keys())
        room = limits.LANES_PER_WORKER_MAX - len(owned)
        wanted = [lane_pk for lane_pk in rung if lane_pk not in owned][:room]
        if (is_poll or self._ambient.monotonic_ms() >= self.expected_at) and room > len(wanted):
            told, self._expected = rung | self._expected, set()
            wanted = list(dict.fromkeys([*wanted, *await self._candidates(room - len(wanted))]))
        else:
            told = rung
        if not wanted:
            return
        chosen = set(wanted)
        silent = [self._watched[lane_pk][0] for lane_pk in self._silent() if lane_pk in chosen]
        lease_end = self._ambient.monotonic_ms() + self._sending_ms()
        epochs = await self._database.write_promptly(
            _take,
            wanted,
            silent,
            owner=self._parts.worker,
            now=self._ambient.now_ms(),
            lease_ms=self._parts.lease_ms,
        )
        now = self._ambient.monotonic_ms()
        for lane_pk, epoch in epochs.items():
            lane = owned[lane_pk] = Lane(
                lane_pk, epoch, lease_end, self._hold.dispatch.meter, busy_at=now, is_behind=lane_pk not in told
            )
            self._hold.starve(lane)
        self._hold.owning.set()

    async def _candidates(self, count: int) -> list[LanePk]:
        owned, now = self._hold.lanes, self._ambient.now_ms()
        self._looked_at, self.expected_at = self._ambient.monotonic_ms(), NEVER
        found = await self._database.read(
            lanes.candidates, owner=self._parts.worker, now=now, renewal_ms=self._renewal_ms(), count=count
        )
        self._poll_by(found.next_at)
        self._watch([suspect for suspect in found.suspects if suspect.lane_pk not in owned])
        free = [lane_pk for lane_pk in found.free if lane_pk not in owned] + self._silent()
        is_full = bool(self._others) and len(owned) >= share_of(len(owned), self._others)
        return (self._left_over(free) if is_full else free)[:count]

    def _watch(self, suspects: list[Suspect]) -> None:
        """Remember since when each of these lanes has looked as it does."""
        now = self._ambient.monotonic_ms()
        self._watched = watch(self._watched, {each.lane_pk: each for each in suspects}, now)
        if self._watched:
            first = min(since for _, since in self._watched.values())
            self.poll_at = min(self.poll_at, max(now + 1, first + self._silence_ms()))

    def _silent(self) -> list[LanePk]:
        """The lanes whose owner has been silent for so long that it cannot be sending any more, or is gone."""
        until = self._ambient.monotonic_ms() - self._silence_ms()
        gone = {owner for owner in {seen.owner for seen, _ in self._watched.values()} if self._parts.is_gone(owner)}
        return [pk for pk, (seen, since) in self._watched.items() if since <= until or seen.owner in gone]

    def _renewal_ms(self) -> tuple[int, int]:
        """Between these bounds a lease is believed. A worker that has just started believes none: it may follow one
        that crashed, and watches at once. So does one that has seen another go.
        """
        lease_ms = self._parts.lease_ms
        is_new = self._ambient.monotonic_ms() < self._began_at + lease_ms
        return (2 * lease_ms if is_new or self._has_lost_other else lease_ms // 2), 2 * lease_ms

    def _silence_ms(self) -> int:
        """Longer than `_sending_ms` by what the speeds of two clocks may differ."""
        return self._parts.lease_ms * 8 // 10

    def _sending_ms(self) -> int:
        """A worker that cannot renew stops sending that long after it last could."""
        return self._parts.lease_ms * 3 // 4

    def _left_over(self, free: list[LanePk]) -> list[LanePk]:
        """Those of these lanes that no worker with fewer lanes has taken for a while."""
        now = self._ambient.monotonic_ms()
        self._seen = {lane_pk: self._seen.get(lane_pk, now) for lane_pk in free}
        if free:
            self._poll_by(self._ambient.now_ms() + LEFT_OVER_MS)
        return [lane_pk for lane_pk, since in self._seen.items() if now >= since + LEFT_OVER_MS]

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
            hold_ms = {lane.pk: lane.hold_ms for lane in given}
            now = self._ambient.monotonic_ms()
            spent = {lane.pk for lane in given if lane.rested_at() > now}
            due = await self._database.write_promptly(lanes.park, hold_ms, owner=self._parts.worker, spent=spent)
            self._poll_by(min(due.values(), default=NEVER_AT))

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
        epochs = await self._database.write_promptly(
            lanes.renew,
            held,
            owner=self._parts.worker,
            lease_until=self._ambient.now_ms() + self._parts.lease_ms,
        )
        lost = []
        for lane in held.values():
            if epochs.get(lane.pk) == lane.epoch:
                lane.lease_end = lease_end
                self._hold.dispatch.offer(lane)
            elif self._hold.lanes.get(lane.pk) is lane:
                lost.append(lane)
        self._hold.lose(lost)
        self._hold.dispatch.start()

    async def presence_turn(self) -> None:
        """Say that this worker is there and how much it has; hand over what is beyond its share."""
        now, count = self._ambient.now_ms(), len(self._hold.lanes)
        said = await self._database.write(workers.report, self._parts.worker, lane_count=count, at=now)
        self._others = self._present(said)
        self._settling_turns = max(0, self._settling_turns - 1)
        if not self._settling_turns:
            self._hand_over(surplus(len(self._hold.lanes), self._others))
        await self._ambient.sleep_ms(self._parts.presence_ms)

    def _present(self, said: Mapping[str, Presence]) -> list[int]:
        """The lanes of each other worker that is there: whose row is new, or has changed not long ago.

        What is there before one's own first report may be left over from the dead, until it changes.
        """
        now = self._ambient.monotonic_ms()
        silence_ms = max(PRESENT_MS_MIN, 3 * self._parts.presence_ms)
        self._presences = watch(self._presences, said, now if self._has_reported else now - silence_ms)
        self._has_reported = True
        recent = {name: each for name, (each, since) in self._presences.items() if now < since + silence_ms}
        there = {name: each for name, each in recent.items() if not self._parts.is_gone(name)}
        self._has_lost_other = len(there) < len(recent)
        return [each.lane_count for each in there.values()]

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


def _take(
    tx: Tx, free: list[LanePk], silent: list[Suspect], *, owner: str, now: int, lease_ms: int
) -> dict[LanePk, int]:
    lease_until = now + lease_ms
    taken = lanes.acquire(tx, free, owner=owner, now=now, lease_until=lease_until)
    return taken | lanes.take_over(tx, silent, owner=owner, lease_until=lease_until)
