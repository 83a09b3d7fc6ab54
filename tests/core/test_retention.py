"""What may go, and how much at a time."""

from dataclasses import replace

import pytest

from bookbell.core import limits
from bookbell.core.instants import DAY_MS, HOUR_MS
from bookbell.core.retention import (
    Keeping,
    bodies_before,
    fitting,
    forgotten_before,
    history_before,
    next_batch_count,
)

KEEPING = Keeping(days_bodies=2, days_history=5)
NOW = 20_000 * DAY_MS + 5 * HOUR_MS + 7


def hour(ago: int) -> int:
    return NOW - NOW % HOUR_MS - ago * HOUR_MS


def test_history_goes_by_whole_days() -> None:
    assert history_before(KEEPING, NOW) == NOW - 5 * HOUR_MS - 7 - 5 * DAY_MS
    assert history_before(KEEPING, 1) == 0


def test_what_goes_by_its_own_age_goes_after_a_day_or_with_the_history() -> None:
    ages = {kind: NOW - before for kind, before in forgotten_before(KEEPING, NOW).items()}
    assert ages.pop("replays") == ages.pop("notices") == NOW - history_before(KEEPING, NOW)
    assert set(ages) == {"idempotency_keys", "analytics_jobs", "workers"}
    assert set(ages.values()) == {DAY_MS}


def test_bodies_go_by_age() -> None:
    assert bodies_before(KEEPING, NOW, {hour(0): 10**9}) == NOW - 2 * DAY_MS


def test_bodies_go_with_the_history_at_the_latest() -> None:
    keeping = Keeping(days_bodies=9, days_history=5)
    assert bodies_before(keeping, NOW, {}) == history_before(keeping, NOW)


@pytest.mark.parametrize(
    ("bytes_max", "before"),
    [
        (60, NOW - 2 * DAY_MS),
        (59, hour(2)),
        (30, hour(2)),
        (29, hour(0)),
        (9, hour(0)),
    ],
)
def test_whole_hours_go_oldest_first_until_the_rest_fits(bytes_max: int, before: int) -> None:
    sizes = {hour(3): 30, hour(1): 20, hour(0): 10}
    assert bodies_before(replace(KEEPING, bytes_max=bytes_max), NOW, sizes) == before


def test_the_present_hour_stays_whatever_its_size() -> None:
    assert bodies_before(replace(KEEPING, bytes_max=1), NOW, {hour(0): 2}) == hour(0)


@pytest.mark.parametrize(
    ("count", "took", "following"),
    [
        (100, limits.CHORE_BATCH_MS_MAX + 1, 50),
        (1, 10_000, 1),
        (100, limits.CHORE_BATCH_MS_MAX, 100),
        (100, 0, 200),
        (limits.PRUNE_BATCH_COUNT_MAX, 0, limits.PRUNE_BATCH_COUNT_MAX),
    ],
)
def test_a_batch_follows_the_time_the_last_one_took(count: int, took: int, following: int) -> None:
    assert next_batch_count(count, took) == following


@pytest.mark.parametrize(
    ("sizes", "count"), [([], 0), ([1, 1], 2), ([2, 2, 2], 2), ([9], 1), ([9, 9], 1), ([0, 0, 9], 2)]
)
def test_a_batch_holds_what_fits_and_at_least_one(sizes: list[int], count: int) -> None:
    assert fitting(sizes, 5) == count
