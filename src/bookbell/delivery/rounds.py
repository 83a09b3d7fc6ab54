"""Looks that nothing asks for: each owned lane once in a while, a few at a time.

All at once, two thousand lanes would keep one that is rung for waiting for a quarter of a second.
"""

from collections.abc import Collection, Iterator

from bookbell.core.model import LaneId
from bookbell.store.deliveries import LOOK_LANES_MAX


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
        some = self._next(lanes)
        if not some:
            self._left = iter(list(lanes))
            some = self._next(lanes)
        self.next_at = now + (self._period_ms * len(some) // len(lanes) if some else self._period_ms)
        return some

    def _next(self, lanes: Collection[LaneId]) -> list[LaneId]:
        some: list[LaneId] = []
        for lane_id in self._left:
            if lane_id in lanes:
                some.append(lane_id)
            if len(some) == LOOK_LANES_MAX:
                break
        return some
