"""Few requests start at once; beyond that they grow only while receivers are slower than the worker."""

import pytest

from bookbell.core.pace import (
    AT_ONCE_COUNT,
    BUSY_COUNT,
    GROWTH_COUNT,
    READY_COUNT_MAX,
    READY_COUNT_MIN,
    must_wait,
    start_count_max,
)


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
def test_a_busy_worker_starts_no_more_than_end(ended: int) -> None:
    assert ended * 3 // 4 <= start_count_max(4_000, ended, is_busy=True) <= ended


def test_a_busy_worker_comes_down_to_what_it_starts_at_once() -> None:
    in_flight = 4_000
    for _ in range(2_000):
        in_flight += start_count_max(in_flight - BUSY_COUNT, BUSY_COUNT, is_busy=True) - BUSY_COUNT
    assert in_flight == AT_ONCE_COUNT


def test_lanes_with_a_backlog_wait_once_enough_are_ready() -> None:
    assert not must_wait(READY_COUNT_MIN - 1, READY_COUNT_MIN - 1, 1)
    assert must_wait(READY_COUNT_MIN, READY_COUNT_MIN, 1)


def test_each_organization_has_its_part_of_what_is_ready() -> None:
    assert not must_wait(READY_COUNT_MIN, READY_COUNT_MIN // 2 - 1, 2)
    assert must_wait(READY_COUNT_MIN, READY_COUNT_MIN // 2, 2)
    assert not must_wait(READY_COUNT_MIN, 0, 200)


def test_however_many_organizations_there_are_some_wait() -> None:
    assert must_wait(READY_COUNT_MAX, 0, 2_000)


def test_slow_receivers_get_as_much_in_flight_as_the_bounds_allow() -> None:
    in_flight, turns = 0, 0
    while in_flight < 4_096:
        in_flight, turns = in_flight + start_count_max(in_flight, 0, is_busy=False), turns + 1
    assert turns < 70
