"""How many requests a worker may start now: as many in flight as it takes, but no more.

More requests in flight help only while the worker waits for receivers. When it has its hands full with their answers,
more would just open more connections, each dearer than a request. So it starts some at once, then one for each that
has ended, and more only as long as answers come slower than it can take them.

It also has few lanes in hand at a time: of those with a backlog it reads on only as many as keep it busy, and the
others wait for their turn. A thousand in hand at once would cost more for each delivery: what was read is long out of
the processor's caches when it is sent, each connection rests, and each batch of results touches every lane's rows.
"""

AT_ONCE_COUNT = 64
GROWTH_COUNT = 64
BUSY_COUNT = 32  # answers that have come together: more than the worker had time for
SHRINKING = 8  # of so many that end while it is busy, one is not followed by another
BUSY_MS = 20  # since then it counts as busy
READY_COUNT_MIN = 32  # lanes that are ready to send: enough to keep the worker busy
READY_COUNT = 64  # when there are fewer, so many: what is read and written of lanes that go together lies together
READY_COUNT_MAX = 256  # however many organizations there are


def start_count_max(in_flight: int, ended_count: int, *, is_busy: bool) -> int:
    """The most that may be started. in_flight: now; ended_count: requests that ended since the last start.

    >>> [start_count_max(0, 0, is_busy=False), start_count_max(250, 4, is_busy=False)]
    [64, 68]
    >>> [start_count_max(1_000, 4, is_busy=False), start_count_max(1_000, 60, is_busy=True)]
    [68, 60]
    """
    if is_busy:
        return max(min(ended_count, AT_ONCE_COUNT - in_flight), ended_count - ended_count // SHRINKING)
    return max(AT_ONCE_COUNT - in_flight, ended_count + GROWTH_COUNT)


def must_wait(ready: int, own: int, organizations: int) -> bool:
    """Whether a lane with a backlog waits for its turn to be read on.

    ready: lanes that are ready to send; own: those of the same organization; organizations: that have ready lanes.
    Each of these has its part, so one with many lanes does not keep that of another waiting.

    >>> must_wait(31, 31, 1), must_wait(32, 32, 1), must_wait(32, 0, 1), must_wait(300, 0, 200)
    (False, True, False, True)
    """
    if ready < READY_COUNT_MIN:
        return False
    return ready >= READY_COUNT_MAX or own >= max(1, READY_COUNT_MIN // max(1, organizations))
