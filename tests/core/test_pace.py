"""Few requests start at once; beyond that they grow only while receivers are slower than the worker."""

import pytest

from bookbell.core.pace import AT_ONCE_COUNT, BUSY_COUNT, GROWTH_COUNT, start_count_max


@pytest.mark.parametrize(
    ("in_flight", "ended", "expected"),
    [
        (0, 0, AT_ONCE_COUNT),
        (AT_ONCE_COUNT - GROWTH_COUNT, 0, GROWTH_COUNT),
        (AT_ONCE_COUNT, 0, GROWTH_COUNT),
        (4_000, 3, GROWTH_COUNT + 3),
    ],
)
def test_how_many_may_start(in_flight: int, ended: int, expected: int) -> None:
    assert start_count_max(in_flight, ended, is_busy=False) == expected


@pytest.mark.parametrize("ended", [0, 5, BUSY_COUNT + 20])
def test_a_busy_worker_starts_one_for_each_that_ends(ended: int) -> None:
    assert start_count_max(4_000, ended, is_busy=True) == ended


def test_a_busy_worker_keeps_what_it_has_in_flight() -> None:
    in_flight = 300
    for _ in range(100):
        in_flight += start_count_max(in_flight - BUSY_COUNT, BUSY_COUNT, is_busy=True) - BUSY_COUNT
    assert in_flight == 300


def test_slow_receivers_get_as_much_in_flight_as_the_bounds_allow() -> None:
    in_flight, turns = 0, 0
    while in_flight < 4_096:
        in_flight, turns = in_flight + start_count_max(in_flight, 0, is_busy=False), turns + 1
    assert turns < 70
