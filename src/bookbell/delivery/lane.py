"""A lane as its owner holds it in memory: what was read ahead, what is in flight, until when it may send.

Only the engine's event loop touches it. Times here are of the monotonic clock, in milliseconds.
"""

from collections import deque
from dataclasses import dataclass, field

from bookbell.core.attempt import Refused, Unreachable
from bookbell.core.model import DeliveryId, LaneId
from bookbell.core.policy import Policy
from bookbell.core.signing import Signing
from bookbell.store.deliveries import Due
from bookbell.store.lanes import LaneConfig
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
    version: int
    problem: Refused | Unreachable | None = None


@dataclass(slots=True)
class Lane:
    """One owned lane.

    held:     deliveries that are buffered, in flight or not yet recorded; a look must not read them again.
    settled:  deliveries recorded while a look was under way, whose older picture that look may still bring.
    has_more: the last look brought as many as it asked for.
    busy_at:  when it last had something to do.
    next_due: the wall-clock instant at which a delivery that is not in hand comes due; alarm_at: when to turn to it.
    """

    id: LaneId
    epoch: int
    lease_end: int
    config: LaneConfig | None = None
    destination: Destination | None = None
    buffer: deque[Due] = field(default_factory=deque)
    held: set[DeliveryId] = field(default_factory=set)
    settled: set[DeliveryId] = field(default_factory=set)
    is_looking: bool = False
    has_more: bool = False
    is_ready: bool = False
    in_flight: int = 0
    busy_at: int = 0
    next_due: int = NEVER_AT
    alarm_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing is read ahead, in flight or waiting to be recorded."""
        return not self.held and not self.is_looking

    def room(self) -> int:
        """How many more requests may be started now."""
        if self.destination is None:
            return 0
        return min(len(self.buffer), self.destination.policy.in_flight_max - self.in_flight)

    def take_in(self, found: list[Due]) -> None:
        """Buffer what a look brought, less what is in hand already or was settled during the look."""
        for due in found:
            if due.id not in self.held and due.id not in self.settled:
                self.held.add(due.id)
                self.buffer.append(due)

    def forget_buffer(self) -> None:
        """Drop what has not been started, so that it is read again."""
        for due in self.buffer:
            self.held.discard(due.id)
        self.buffer.clear()
