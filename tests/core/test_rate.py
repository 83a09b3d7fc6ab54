"""A token bucket lets a rate through and no more, whatever the pattern of asking."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from bookbell.core import rate
from bookbell.core.rate import Bucket, filled, next_token_ms


def test_the_examples_hold() -> None:
    assert doctest.testmod(rate).failed == 0


@given(st.floats(0.01, 500), st.lists(st.integers(0, 3_000), max_size=200))
def test_no_more_pass_than_the_rate_and_one_burst_allow(rate_per_s: float, pauses: list[int]) -> None:
    bucket, now, passed = Bucket(1.0, 0), 0, 0
    for pause in pauses:
        now += pause
        bucket = filled(bucket, rate_per_s, now)
        if next_token_ms(bucket, rate_per_s) == 0:
            bucket, passed = Bucket(bucket.tokens - 1, bucket.at), passed + 1
    assert passed <= rate_per_s * now / 1000 + max(1.0, rate_per_s) + 1


@given(st.floats(0.01, 500), st.floats(0, 0.99))
def test_a_token_is_there_when_it_was_promised(rate_per_s: float, tokens: float) -> None:
    bucket = Bucket(tokens, 1_000)
    later = filled(bucket, rate_per_s, 1_000 + next_token_ms(bucket, rate_per_s))
    assert later.tokens >= 1 - 1e-9


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    assert filled(Bucket(0.5, 1_000), 5, 400) == Bucket(0.5, 1_000)
