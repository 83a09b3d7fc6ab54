"""What may go: until when bodies are kept, until when whole deliveries, and how much is removed at a time.

Bodies go first, by age or because there are too many bytes of them; deliveries and events go whole, by day, once
everything about them has ended and balances. Source: docs/operating.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bookbell.core import limits
from bookbell.core.instants import DAY_MS, HOUR_MS, day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What the operator wants kept. bytes_max: of bodies, 0 for no bound."""

    days_bodies: int = 30
    days_history: int = 90
    bytes_max: int = 0


def history_before(keeping: Keeping, now: int) -> int:
    """Events from before that instant, the start of a day, need not be kept."""
    return day_of(max(0, now - keeping.days_history * DAY_MS))


def forgotten_before(keeping: Keeping, now: int) -> dict[str, int]:
    """Before which instant rows that go by their own age need not be kept; by kind, in the order in which they go."""
    history = history_before(keeping, now)
    return {
        "idempotency_keys": now - limits.IDEMPOTENCY_KEPT_MS,
        "analytics_jobs": now - limits.ANALYTICS_JOB_KEPT_MS,
        "replays": history,
        "notices": history,
        "workers": now - limits.WORKER_KEPT_MS,
    }


def bodies_before(keeping: Keeping, now: int, bytes_by_hour: Mapping[int, int]) -> int:
    """Bodies from before that instant need not be kept, for their age or their size.

    bytes_by_hour: how much is kept, by the start of the hour. Whole hours go, oldest first, until the rest is within
    the bound; the present hour stays whatever its size.
    """
    before = max(now - keeping.days_bodies * DAY_MS, history_before(keeping, now))
    if not keeping.bytes_max:
        return before
    present = now - now % HOUR_MS
    kept = 0
    for hour in sorted(bytes_by_hour, reverse=True):
        kept += bytes_by_hour[hour]
        if kept > keeping.bytes_max:
            return max(before, min(hour + HOUR_MS, present))
    return before


def next_batch_count(count: int, took_ms: int) -> int:
    """How many rows the next batch takes, so that none holds its locks for long."""
    if took_ms > limits.CHORE_BATCH_MS_MAX:
        return max(1, count // 2)
    if took_ms < limits.CHORE_BATCH_MS_MAX // 4:
        return min(limits.PRUNE_BATCH_COUNT_MAX, count * 2)
    return count


def fitting(sizes: Sequence[int], most: int) -> int:
    """How many of these, from the first, are together no more than that; at least one if there is one."""
    total = 0
    for index, size in enumerate(sizes):
        total += size
        if total > most:
            return max(1, index)
    return len(sizes)
