"""How lanes are spread over workers: nobody keeps many more than its share while another has fewer."""

from collections.abc import Sequence


def share_of(own: int, others: Sequence[int]) -> int:
    """The most lanes a worker keeps: an even share of all, and a quarter more so that work does not go to and fro.

    own: the lanes it has; others: the lanes of each other living worker.

    >>> share_of(10, [0, 2])
    5
    """
    if not others:
        return own
    even = -(-(own + sum(others)) // (len(others) + 1))
    return even + max(1, even // 4)


def surplus(own: int, others: Sequence[int]) -> int:
    """How many lanes a worker should give back, down to an even share.

    >>> surplus(10, [0, 2]), surplus(3, [0, 2]), surplus(10, [])
    (6, 0, 0)
    """
    if own <= share_of(own, others):
        return 0
    return own - -(-(own + sum(others)) // (len(others) + 1))
