"""How many requests a worker may start now: as many in flight as it takes, but no more.

More requests in flight help only while the worker waits for receivers. When it has its hands full with their answers,
more would just open more connections, each dearer than a request. So it starts some at once, then one for each that
has ended, and more only as long as answers come slower than it can take them.
"""

AT_ONCE_COUNT = 64
GROWTH_COUNT = 64
BUSY_COUNT = 32  # answers that have come together: more than the worker had time for
BUSY_MS = 20  # since then it counts as busy


def start_count_max(in_flight: int, ended_count: int, *, is_busy: bool) -> int:
    """The most that may be started. in_flight: now; ended_count: requests that ended since the last start.

    >>> [start_count_max(0, 0, is_busy=False), start_count_max(250, 4, is_busy=False)]
    [64, 68]
    >>> [start_count_max(1_000, 4, is_busy=False), start_count_max(1_000, 60, is_busy=True)]
    [68, 60]
    """
    if is_busy:
        return ended_count
    return max(AT_ONCE_COUNT - in_flight, ended_count + GROWTH_COUNT)
