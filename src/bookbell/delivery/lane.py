"""A lane as its owner holds it in memory: what was read ahead, what is in flight, until when it may send.

Only the engine's event loop touches it. Times here are of the monotonic clock, in milliseconds, unless said otherwise.
"""

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field

from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.attempt import Refused, Unreachable
from bookbell.core.circuit import CLOSED, Circuit, allowed, is_probing
from bookbell.core.feedback import SLOW_RATE_PER_S
from bookbell.core.model import DeliveryId, DeliveryPk, LanePk, OrganizationId
from bookbell.core.pace import READY_COUNT_MAX
from bookbell.core.policy import Policy
from bookbell.core.rate import Bucket, filled, full_ms, next_token_ms
from bookbell.core.signing import Signing
from bookbell.store.configs import LaneConfig
from bookbell.store.deliveries import START, Due, Position
from bookbell.store.holding import Walked
from bookbell.store.schema import NEVER_AT


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where and how a lane's deliveries are sent, opened from the endpoint's row.

    problem: why nothing can be sent (an address the guard refuses, a secret that does not open), else None.
    """

    url: str
    authorization: str | None
    signing: Signing | None
    policy: Policy
    problem: Refused | Unreachable | None = None


MIN_BODY_BYTES = 1024  # bodies count as that large, at least
FULL = Bucket(1.0, 0)


@dataclass(slots=True)
class Meter:
    """Bytes of bodies that all lanes of a worker have read ahead."""

    bytes: int = 0


@dataclass(slots=True)
class Lane:
    """One owned lane.

    held:     deliveries that are buffered, in flight or not yet recorded; a look must not read them again.
    settled:  deliveries recorded while a look was under way, whose older picture that look may still bring.
    has_more: the last look brought as many as it asked for; the next one may go on behind read_to then.
    busy_at:  when it last had something to do.
    next_due: the wall-clock instant at which a delivery that is not in hand comes due; alarm_at: when to turn to it.
    circuit:  as it is now; saved_circuit: as it stands in the lane's row.
    body_bytes: the largest body the last look brought, to judge how many the next may bring; 0 before the first.
    low_count: more is read when no more than so many are left in the buffer; an open circuit's probes want a choice.
    slow_until: the monotonic instant to which the receiver has asked to be sent less, 0 if it has not;
    paused_until: the wall-clock instant to which it has asked to be sent nothing.
    walk:     how far the walk over superseded events has come; None once it is done.
    is_behind: it has a backlog, as far as is known: the last look brought as many as it asked for, and they may be
    sent, or it was found due and has not been looked at.
    is_waiting: it is behind, and waits for its turn to be read on.
    is_leaving: it is being given to another worker: nothing more is started.
    succeeded_at: when its last success was kept in its row, by this worker; known_at: when its endpoint was last read.
    """

    pk: LanePk
    epoch: int
    lease_end: int
    meter: Meter = field(default_factory=Meter)
    config: LaneConfig | None = None
    destination: Destination | None = None
    buffer: deque[Due] = field(default_factory=deque)
    held: set[DeliveryPk] = field(default_factory=set)
    settled: set[DeliveryPk] = field(default_factory=set)
    is_looking: bool = False
    has_more: bool = False
    read_to: Position = START
    is_ready: bool = False
    is_behind: bool = False
    is_waiting: bool = False
    is_leaving: bool = False
    in_flight: int = 0
    busy_at: int = 0
    next_due: int = NEVER_AT
    alarm_at: int | None = None
    circuit: Circuit = CLOSED
    saved_circuit: Circuit = CLOSED
    bucket: Bucket = FULL
    body_bytes: int = 0
    low_count: int = limits.LANE_BUFFER_COUNT
    slow_until: int = 0
    paused_until: int = 0
    walk: Walked | None = (-1, "")
    succeeded_at: int | None = None
    known_at: int = 0

    @property
    def organization_id(self) -> OrganizationId:
        """Whose lane it is; nobody's until it has been looked at."""
        return self.config.organization_id if self.config is not None else OrganizationId("")

    @property
    def is_idle(self) -> bool:
        """Nothing is read ahead, in flight or waiting to be recorded, nor is it behind."""
        return not self.held and not self.is_looking and (not self.is_waiting or self.is_leaving)

    @property
    def has_moved(self) -> bool:
        """Whether its circuit is not as in its row; mostly both are CLOSED itself, which is seen without comparing."""
        return self.circuit is not self.saved_circuit and self.circuit != self.saved_circuit

    @property
    def hold_ms(self) -> int:
        """How long deliveries are held for an endpoint that is down."""
        return self.destination.policy.hold_ms_max if self.destination is not None else 0

    @property
    def is_short(self) -> bool:
        """Whether more is to be read, if there is more."""
        if self.destination is None:
            return True
        count, most = len(self.buffer), self.destination.policy.in_flight_max
        return count <= most and (count <= self.low_count or self.circuit is not CLOSED)

    def may_send(self, now: int) -> bool:
        """Whether anything may be started at this wall-clock instant, in flight or not."""
        if self.config is None or self.is_leaving or self.config.is_resting:
            return False
        return self.circuit.opened_at is None or is_probing(self.circuit, now)

    def room(self, ambient: Ambient) -> int:
        """How many more requests may be started now."""
        destination = self.destination
        if destination is None or not self.buffer or self.is_leaving:
            return 0
        policy = destination.policy
        if self.circuit is CLOSED and policy.rate_per_s is None and not self.slow_until:
            return min(len(self.buffer), policy.in_flight_max - self.in_flight)
        room = min(len(self.buffer), allowed(self.circuit, policy, ambient.now_ms()) - self.in_flight)
        rate = self._rate(ambient.monotonic_ms())
        if rate is not None:
            self.bucket = filled(self.bucket, rate, ambient.monotonic_ms())
            room = min(room, int(self.bucket.tokens + 1e-9))
        return max(0, room if not self.slow_until else min(room, 1 - self.in_flight))

    def token_wait_ms(self) -> int:
        """How long the rate limit keeps the next request waiting, 0 if it does not."""
        rate = self._rate(self.bucket.at)
        return 0 if rate is None else next_token_ms(self.bucket, rate)

    def slow_down(self, duration_ms: int, now: int) -> None:
        """Send less for that long from this monotonic instant on, as the receiver asks. A new owner does not know."""
        self.slow_until = now + duration_ms
        self.bucket = Bucket(0.0, now)

    def _rate(self, now: int) -> float | None:
        """Requests in a second, None for no limit."""
        policy = self.destination.policy if self.destination is not None else None
        rate = None if policy is None or policy.rate_per_s is None else policy.rate_per_s / policy.lanes
        if self.slow_until and now >= self.slow_until:
            self.slow_until = 0
        return rate if not self.slow_until else min(SLOW_RATE_PER_S, rate or SLOW_RATE_PER_S)

    def rested_at(self) -> int:
        """When the rate limit has forgotten what was sent: given back before, the lane could be used to exceed it."""
        rate = self._rate(self.bucket.at)
        return 0 if rate is None else self.bucket.at + full_ms(self.bucket, rate)

    def look_count(self, now: int, lane_count: int) -> int:
        """How many due deliveries a look should bring: as many as fit, but one where nothing may be sent.

        lane_count: the worker's lanes; the more of them may have a backlog in hand, the less is read ahead of each.
        """
        if self.config is not None and not self.may_send(now):
            return 1
        if self.meter.bytes >= limits.BUFFERS_BYTES_MAX:
            return 1
        if not self.body_bytes:
            return limits.FIRST_LOOK_COUNT
        sharing = max(1, min(lane_count, READY_COUNT_MAX))
        share_bytes = min(limits.LANE_BUFFER_BYTES, limits.BUFFERS_BYTES_MAX // sharing)
        return min(limits.LANE_BUFFER_COUNT, max(1, share_bytes // self.body_bytes))

    def take_in(self, found: list[Due], in_flight: Container[DeliveryId]) -> None:
        """Buffer what a look brought, less what must wait for another, is in hand, or was settled during the look.

        in_flight: of all lanes, former ones too.
        """
        held, settled = self.held, self.settled
        new = [
            due
            for due in found
            if due.is_head and due.pk not in held and due.pk not in settled and due.id not in in_flight
        ]
        held.update([due.pk for due in new])
        self.buffer.extend(new)
        self.meter.bytes += sum([len(due.body) for due in new])
        if found:
            self.body_bytes = max(MIN_BODY_BYTES, *[len(due.body) for due in found])

    def pick(self) -> Due:
        """Take the next from the buffer. Probes take turns, so that one bad delivery cannot keep the circuit open."""
        if self.circuit.opened_at is not None:
            self.buffer.rotate(-(self.circuit.probe_count % len(self.buffer)))
        due = self.buffer.popleft()
        self.meter.bytes -= len(due.body)
        is_metered = self.slow_until or (
            self.destination is not None and self.destination.policy.rate_per_s is not None
        )
        if is_metered:
            self.bucket = Bucket(self.bucket.tokens - 1, self.bucket.at)
        return due

    def forget_buffer(self) -> None:
        """Drop what has not been started, so that it is read again."""
        for due in self.buffer:
            self.held.discard(due.pk)
            self.meter.bytes -= len(due.body)
        self.buffer.clear()
        self.read_to = START
