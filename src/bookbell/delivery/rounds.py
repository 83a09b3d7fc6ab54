"""Looks that nothing asks for: at each owned lane that was not read from its start for a while, a few at a time.

So what nobody told of is found, also what came to lie before the place to which a lane with a backlog was read.

All at once, two thousand lanes would keep one that is rung for waiting; one by one, a hundred would be as many reads.
"""

from collections.abc import Collection

from bookbell.core.model import LanePk
from bookbell.store.deliveries import LOOK_LANES_MAX

LOOK_COUNT_MIN = 20  # in a period, when there are enough lanes for so many


class Rounds:
    """Remembers when each lane was read from its start last. next_at: when the next few are due."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._looked_at: dict[LanePk, int] = {}  # longest ago first
        self.next_at = 0

    def note(self, lane_pk: LanePk, now: int) -> None:
        """This lane is being read from its start."""
        self._looked_at.pop(lane_pk, None)
        self._looked_at[lane_pk] = now

    def due(self, lanes: Collection[LanePk], now: int) -> list[LanePk]:
        """Those of these lanes that were read a period ago, which is noted; others of before are forgotten."""
        if now < self.next_at:
            return []
        some, gone = self._longest_ago(lanes, now - self._period_ms)
        for lane_pk in gone:
            del self._looked_at[lane_pk]
        for lane_pk in some:
            self.note(lane_pk, now)
        first = next(iter(self._looked_at.values()), now)
        shared = max(len(lanes), LOOK_COUNT_MIN * LOOK_LANES_MAX)
        self.next_at = max(first + self._period_ms, now + self._period_ms * LOOK_LANES_MAX // shared)
        return some

    def _longest_ago(self, lanes: Collection[LanePk], until: int) -> tuple[list[LanePk], list[LanePk]]:
        some: list[LanePk] = []
        gone: list[LanePk] = []
        for lane_pk, at in self._looked_at.items():
            if lane_pk not in lanes:
                gone.append(lane_pk)
            elif at > until or len(some) == LOOK_LANES_MAX:
                break
            else:
                some.append(lane_pk)
        return some, gone
