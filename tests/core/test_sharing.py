"""Workers give back what is beyond their share, and sharing comes to rest."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from bookbell.core import sharing
from bookbell.core.sharing import share_of, surplus


def test_the_examples_hold() -> None:
    assert doctest.testmod(sharing).failed == 0


@given(st.lists(st.integers(0, 3_000), min_size=2, max_size=8))
def test_a_worker_that_gave_its_surplus_back_has_none_any_more(counts: list[int]) -> None:
    own, others = counts[0], counts[1:]
    given_back = surplus(own, others)
    assert 0 <= given_back <= own
    others[others.index(min(others))] += given_back
    assert surplus(own - given_back, others) == 0
    assert own - given_back <= share_of(own - given_back, others)
