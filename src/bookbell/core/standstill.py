"""Since when something has looked as it does, by the clock of who watches: what stands still for long has no owner.

It needs no clock but one's own, so it does not matter what the clocks of those say that are watched.
"""

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

Watched = dict[K, tuple[V, int]]
"""What each looked like when it was last seen, and the monotonic instant since which it has looked so, in ms."""


def watch(before: Mapping[K, tuple[V, int]], seen: Mapping[K, V], now: int) -> Watched[K, V]:
    """What is known once this was seen.

    >>> watch({"a": (1, 100), "b": (1, 100)}, {"a": 1, "b": 2, "c": 7}, 200)
    {'a': (1, 100), 'b': (2, 200), 'c': (7, 200)}
    """
    return {
        key: before[key] if key in before and before[key][0] == value else (value, now) for key, value in seen.items()
    }
