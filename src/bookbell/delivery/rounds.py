"""Looks that nothing asks for: at each owned lane that was not read from its start for a while, a few at a time.

So what nobody told of is found, also what came to lie before the place to which a lane with a backlog was read.

All at once, two thousand lanes would keep one that is rung for waiting.
"""

from collections.abc import Collection

from bookbell.core.model import LaneId
from bookbell.store.deliveries import LOOK_LANES_MAX


class Rounds:
    """Remembers when each lane was read from its start last. next_at: when the next few are due."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._looked_at: dict[LaneId, int] = {}  # longest ago first
        self.next_at = 0

    def note(self, lane_id: LaneId, now: int) -> None:
        """This lane is being read from its start."""
        self._looked_at.pop(lane_id, None)
        self._looked_at[lane_id] = now

    def due(self, lanes: Collection[LaneId], now: int) -> list[LaneId]:
        """Those of these lanes that were read a period ago, which is noted; others of before are forgotten."""
        if now < self.next_at:
            return []
        some, gone = self._longest_ago(lanes, now - self._period_ms)
        for lane_id in gone:
            del self._looked_at[lane_id]
        for lane_id in some:
            self.note(lane_id, now)
        first = next(iter(self._looked_at.values()), now)
        self.next_at = max(first + self._period_ms, now + self._period_ms * len(some) // max(1, len(lanes)))
        return some

    def _longest_ago(self, lanes: Collection[LaneId], until: int) -> tuple[list[LaneId], list[LaneId]]:
        some: list[LaneId] = []
        gone: list[LaneId] = []
        for lane_id, at in self._looked_at.items():
            if lane_id not in lanes:
                gone.append(lane_id)
            elif at > until or len(some) == LOOK_LANES_MAX:
                break
            else:
                some.append(lane_id)
        return some, gone
