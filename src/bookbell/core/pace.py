"""How many requests a worker may start now: as many in flight as it takes, but no more.

More requests in flight help only while the worker waits for receivers. When it has its hands full with their answers,
more would just open more connections, each dearer than a request. So it starts some at once, then one for each that
has ended, and more only as long as answers come slower than it can take them.
"""

AT_ONCE_COUNT = 256
GROWTH_COUNT = 64
BUSY_COUNT = 32


def start_count_max(in_flight: int, ended_count: int) -> int:
    """The most that may be started. in_flight: now; ended_count: requests that ended since the last start.

    >>> [start_count_max(0, 0), start_count_max(250, 4), start_count_max(1_000, 4), start_count_max(1_000, 60)]
    [256, 68, 68, 60]
    """
    if ended_count >= BUSY_COUNT:
        return ended_count
    return max(AT_ONCE_COUNT - in_flight, ended_count + GROWTH_COUNT)
