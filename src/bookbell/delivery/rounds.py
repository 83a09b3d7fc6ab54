"""Looks that nothing asks for: each owned lane once in a while, a few at a time.

All at once, two thousand lanes would keep one that is rung for waiting for a quarter of a second. What one look costs
however few lanes it is for speaks for several at once, all the same.
"""

from collections.abc import Collection, Iterator

from bookbell.core.model import LaneId
from bookbell.store.deliveries import LOOK_LANES_MAX

COUNT_MIN = 8  # lanes looked at together
EVERY_MS = 25  # while there are more lanes than one such look after another gets through


class Rounds:
    """Goes through the lanes again and again. next_at: when the next few are due."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._left: Iterator[LaneId] = iter(())
        self.next_at = 0

    def due(self, lanes: Collection[LaneId], now: int) -> list[LaneId]:
        """Of these lanes those whose turn it is by now. Every lane has one in each period."""
        if now < self.next_at:
            return []
        count = min(LOOK_LANES_MAX, max(COUNT_MIN, len(lanes) * EVERY_MS // self._period_ms))
        some = self._next(lanes, count)
        if not some:
            self._left = iter(list(lanes))
            some = self._next(lanes, count)
        self.next_at = now + (self._period_ms * len(some) // len(lanes) if some else self._period_ms)
        return some

    def _next(self, lanes: Collection[LaneId], count: int) -> list[LaneId]:
        some: list[LaneId] = []
        for lane_id in self._left:
            if lane_id in lanes:
                some.append(lane_id)
            if len(some) == count:
                break
        return some
