"""Delays follow the schedule, spread by jitter; Retry-After is read in all its forms."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.policy import PRESETS
from bookbell.core.retry import next_delay_ms, retry_after_ms

STANDARD, OCROLUS = PRESETS["standard"], PRESETS["ocrolus"]
NOW_MS = 1_750_000_000_000


@pytest.mark.parametrize(("attempt", "delay"), [(1, 180_000), (2, 180_000), (3, 180_000), (4, None)])
def test_the_ocrolus_schedule_is_three_retries(attempt: int, delay: int | None) -> None:
    assert next_delay_ms(OCROLUS, attempt, 0.99) == delay


def test_the_middle_of_the_jitter_is_the_schedule() -> None:
    delays = [next_delay_ms(STANDARD, attempt, 0.5) for attempt in range(1, 10)]
    assert delays == [*STANDARD.schedule_ms, None]


@given(st.integers(1, 8), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_ratio(attempt: int, draw: float) -> None:
    delay = next_delay_ms(STANDARD, attempt, draw)
    planned = STANDARD.schedule_ms[attempt - 1]
    assert delay is not None
    assert planned * 0.8 - 1 <= delay <= planned * 1.2 + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120_000),
        (" 0 ", 0),
        ("99999999999999", 9_999_999_999_000),
        ("Sun, 15 Jun 2025 15:06:50 GMT", 10_000),
        ("Sunday, 15-Jun-25 15:06:50 GMT", 10_000),
        ("Sun Jun 15 15:06:50 2025", 10_000),
        ("Sun, 15 Jun 2025 15:06:30 GMT", 0),
        ("Sun, 15 Jun 2025 17:06:50 +0200", 10_000),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Sun, 99 Jun 2025 15:06:50 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: int | None) -> None:
    assert retry_after_ms(value, NOW_MS) == expected


def test_a_date_without_a_zone_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert retry_after_ms("Sun Jun 15 15:06:50 2025", NOW_MS) == 10_000
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=50))
def test_retry_after_never_fails(value: str) -> None:
    wait = retry_after_ms(value, NOW_MS)
    assert wait is None or wait >= 0
