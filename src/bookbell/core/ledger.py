"""The ledger: what was matched must be accounted for.

matched is counted when an event is published, replayed when a replay adds a delivery to it; both are kept with the
event. The rest is counted from the deliveries as they are now. So a delivery that vanished, or was never written,
shows.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The deliveries of one organization's events in a range of time.

    unexplained: ended without being sent and without a recorded reason; unproven: delivered, but no attempt of it
    was answered.
    """

    organization_id: str
    matched: int
    replayed: int = 0
    delivered: int = 0
    pending: int = 0
    exhausted: int = 0
    cancelled: int = 0
    unexplained: int = 0
    unproven: int = 0

    def problems(self) -> tuple[str, ...]:
        """Sentences saying what does not balance; none if all does."""
        accounted = self.delivered + self.pending + self.exhausted + self.cancelled
        found = []
        if accounted != self.matched + self.replayed:
            more = f" and {self.replayed} replayed" if self.replayed else ""
            found.append(f"{self.matched} deliveries were matched{more}, but {accounted} are accounted for.")
        if self.unexplained:
            found.append(f"{self.unexplained} deliveries ended unsent without a recorded reason.")
        if self.unproven:
            found.append(f"{self.unproven} deliveries count as delivered without an answered attempt.")
        return tuple(found)
