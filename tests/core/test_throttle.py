"""The token bucket: a second's worth at once, then the rate, exactly."""

from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.throttle import Bucket, full, is_full, take


def test_a_second_s_worth_may_come_at_once_and_no_more() -> None:
    bucket = full(20, 0)
    for _ in range(20):
        bucket, wait_ms = take(bucket, 20, 0)
        assert wait_ms == 0
    bucket, wait_ms = take(bucket, 20, 0)
    assert wait_ms == 50


def test_after_the_wait_one_request_is_taken() -> None:
    empty = Bucket(0, 0)
    assert take(empty, 20, 49)[1] == 1
    assert take(empty, 20, 50) == (Bucket(0, 50), 0)


def test_a_bucket_fills_no_further_than_full() -> None:
    bucket, wait_ms = take(full(3, 0), 3, 1_000_000)
    assert (bucket, wait_ms) == (Bucket(2_000, 1_000_000), 0)


def test_a_bucket_is_full_again_after_a_second() -> None:
    assert not is_full(Bucket(0, 0), 20, 999)
    assert is_full(Bucket(0, 0), 20, 1_000)


@given(rate=st.integers(1, 200), gaps=st.lists(st.integers(0, 500), max_size=200))
def test_no_span_of_time_lets_more_through_than_the_rate_and_one_burst(rate: int, gaps: list[int]) -> None:
    bucket, now, taken = full(rate, 0), 0, 0
    for gap in gaps:
        now += gap
        bucket, wait_ms = take(bucket, rate, now)
        taken += wait_ms == 0
        assert wait_ms >= 0
    assert taken * 1_000 <= rate * (now + 1_000)


@given(rate=st.integers(1, 200), left=st.integers(0, 999), now=st.integers(0, 10_000))
def test_the_wait_it_names_is_enough_and_the_shortest(rate: int, left: int, now: int) -> None:
    bucket, wait_ms = take(Bucket(left, now), rate, now)
    assert wait_ms > 0
    assert take(bucket, rate, now + wait_ms)[1] == 0
    assert take(bucket, rate, now + wait_ms - 1)[1] == 1
