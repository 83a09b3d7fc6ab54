"""What the parts of an engine share: what it was made of, and its lanes with their alarms."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bookbell import telemetry
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.model import LanePk
from bookbell.delivery.alarms import NEVER, Alarms
from bookbell.delivery.dispatch import Calls, Dispatch, Transport
from bookbell.delivery.lane import Destination, Lane
from bookbell.delivery.rounds import Rounds
from bookbell.store.configs import LaneConfig
from bookbell.store.database import Database
from bookbell.store.deliveries import END, START, Position
from bookbell.store.schema import NEVER_AT

POLL_MS = 250  # how late work is found that no ring tells of
LOOK_MS = 1_000  # how late work in an owned lane is found that no ring and no hint tells of
SWEEP_MS = 30_000
PRESENCE_MS = 2_500
MORE_MS = 5  # until more requests are started, if answers come slowly
LINGER_MS = 5_000  # an idle lane is kept that long: to acquire and park it costs more than looking at it for so long
LINGER_MS_LEAST = 200  # the same in a worker that owns half of what it may, or more


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """open_destination: an endpoint's row made ready for sending; worker: a name unique to this process.

    poll_ms: the longest that work nobody rings for, and the database, go unlooked at; presence_ms: how often a worker
    says that it is there; is_gone: whether the process of a worker of that name has certainly ended.
    """

    database: Database
    ambient: Ambient
    transport: Transport
    open_destination: Callable[[LaneConfig], Destination]
    worker: str
    lease_ms: int
    poll_ms: int = POLL_MS
    sweep_ms: int = SWEEP_MS
    presence_ms: int = PRESENCE_MS
    is_gone: Callable[[str], bool] = lambda _: False


class Hold:
    """The lanes a worker holds, and when to turn to which: hungry ones at once, others by their alarms."""

    def __init__(self, parts: EngineParts) -> None:
        self.parts = parts
        self.ambient = parts.ambient
        self.database = parts.database
        self.bell = asyncio.Event()
        self.results = asyncio.Event()
        self.owning = asyncio.Event()
        self.alarms = Alarms()
        self.rounds = Rounds(max(LOOK_MS, parts.poll_ms))
        self.hungry: dict[LanePk, Position] = {}  # and from which place on something is new
        self.is_draining = False
        self.sleeps_until = 0  # the engine, unless its bell is rung; 0 while a turn is under way
        self.more_at = NEVER
        calls = Calls(hungry=self.feed, full=self.results.set, alarm=self._alarm, more=self._more, short=self.bell.set)
        self.dispatch = Dispatch(parts.ambient, parts.transport, parts.worker, calls)

    @property
    def lanes(self) -> dict[LanePk, Lane]:
        """The lanes that are owned."""
        return self.dispatch.lanes

    def feed(self, lane: Lane, place: Position = END) -> None:
        """Look at this lane in the next turn. place: from there on something may be new; what lies before is known."""
        self.hungry[lane.pk] = min(place, self.hungry.get(lane.pk, place))
        self.bell.set()

    def starve(self, lane: Lane) -> None:
        """Look at this lane in the next turn, from its start: something may have come to lie before what was read."""
        self.feed(lane, START)

    def starve_all(self, lane_pks: Iterable[LanePk]) -> None:
        """The same for several that are owned."""
        for lane_pk in lane_pks:
            self.starve(self.lanes[lane_pk])

    def forgotten(self) -> set[LanePk]:
        """Take the hungry lanes that are not owned any more: what they were rung for is to be seen to all the same."""
        gone = {lane_pk for lane_pk in self.hungry if lane_pk not in self.lanes}  # `-` would go through all lanes
        for lane_pk in gone:
            del self.hungry[lane_pk]
        return gone

    def woken(self) -> list[Lane]:
        """Take the alarms that have gone off: lanes with due work become hungry. Gives those that may be parked."""
        idle = []
        for lane in self.alarms.take_due(self.ambient.monotonic_ms()):
            if self.lanes.get(lane.pk) is not lane:
                continue
            self.dispatch.offer(lane)
            if lane.next_due <= self.ambient.now_ms():
                self.feed(lane, (lane.next_due, 0))
                lane.next_due = NEVER_AT
            elif self.is_parkable(lane):
                idle.append(lane)
            else:
                self.tend(lane)
        return idle

    def is_parkable(self, lane: Lane) -> bool:
        """Whether the lane has been idle for long enough to be given back."""
        return lane.is_idle and self.ambient.monotonic_ms() >= self._linger_until(lane)

    def tend(self, lane: Lane) -> None:
        """Set the lane's alarm: when its next delivery is due, or when it has been idle for long enough."""
        now = self.ambient.monotonic_ms()
        if lane.next_due < NEVER_AT:
            self._alarm(lane, now + max(0, lane.next_due - self.ambient.now_ms()))
        if lane.is_idle:
            self._alarm(lane, max(now, self._linger_until(lane)))

    def lose(self, lost: Iterable[Lane]) -> None:
        """These lanes have passed to another worker."""
        mine = [lane for lane in lost if self.lanes.get(lane.pk) is lane]
        for lane in mine:
            self.dispatch.forget(lane)
        if mine:
            telemetry.log().warning("lanes_lost", worker=self.parts.worker, count=len(mine))

    def _linger_until(self, lane: Lane) -> int:
        if lane.is_leaving:
            return 0
        is_full = len(self.lanes) >= limits.LANES_PER_WORKER_MAX // 2
        linger_ms = LINGER_MS_LEAST if is_full else LINGER_MS
        until = lane.busy_at + linger_ms
        together_ms = linger_ms // 10  # so that lanes are given back some together, in one transaction
        # Whoever takes it next does not know of a slow-down. While the circuit is open it sleeps until the probe.
        slow_until = 0 if is_full or lane.circuit.opened_at is not None else lane.slow_until
        return max(until + -until % together_ms, lane.rested_at(), slow_until)

    @property
    def wake_at(self) -> int:
        """When there is something to do again, by the alarms."""
        return min(self.alarms.next_at, self.more_at)

    def _more(self) -> None:
        if self.more_at == NEVER:
            self.more_at = self.ambient.monotonic_ms() + MORE_MS
            self._wake_by(self.more_at)

    def _alarm(self, lane: Lane, at: int) -> None:
        self.alarms.set(lane, at)
        self._wake_by(at)

    def _wake_by(self, at: int) -> None:
        """A turn that is under way sees for itself how long to sleep after it."""
        if at < self.sleeps_until:
            self.bell.set()
