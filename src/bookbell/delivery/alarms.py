"""When to turn to which owned lane again, by the monotonic clock: its next delivery is due, or it has been idle.

A lane has at most one alarm that counts, its earliest; later ones it had before are skipped when they come.
"""

import heapq
import itertools

from bookbell.delivery.lane import Lane

NEVER = 2**62


class Alarms:
    """The alarms of one engine's lanes."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Lane]] = []
        self._order = itertools.count()

    @property
    def next_at(self) -> int:
        """When the first alarm goes off; NEVER when there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def set(self, lane: Lane, at: int) -> None:
        """Turn to this lane at that instant, unless an earlier alarm is set already."""
        if lane.alarm_at is None or at < lane.alarm_at:
            lane.alarm_at = at
            heapq.heappush(self._heap, (at, next(self._order), lane))

    def take_due(self, now: int) -> list[Lane]:
        """Take off the alarms that have gone off. Gives their lanes, each once."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, _, lane = heapq.heappop(self._heap)
            if lane.alarm_at == at:
                lane.alarm_at = None
                found.append(lane)
        return found
