"""Instants in ids, in days, and as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.instants import (
    DAY_MS,
    KEY_BITS,
    day_of,
    id_floor,
    instant_from,
    key_floor,
    last_key,
    made_at,
    position_of,
)
from made_ids import uuid7_text

NOW = 1_750_000_000_000
INSTANTS = st.integers(0, 253_402_300_799_999)


@given(INSTANTS, INSTANTS, st.integers(0, 2**12 - 1), st.integers(0, 2**62 - 1))
def test_a_range_of_time_is_a_range_of_ids(made: int, at: int, counter: int, tail: int) -> None:
    id_ = uuid7_text(made, counter, tail)
    assert (id_ > id_floor(at)) == (made >= at)
    assert made_at(id_) == made


@given(INSTANTS)
def test_the_floor_of_an_instant_was_made_then(at: int) -> None:
    assert made_at(id_floor(at)) == at


def test_the_empty_text_is_before_all_ids() -> None:
    assert made_at("") == 0
    assert id_floor(-1) == id_floor(0)


@given(st.integers(0, 2**43 - 1), st.integers(0, 2**43 - 1), st.integers(0, 2**KEY_BITS - 1))
def test_a_range_of_time_is_a_range_of_keys(made: int, at: int, number: int) -> None:
    key = key_floor(made) + number
    assert (key > last_key(id_floor(at))) == (made >= at)
    assert (position_of(key) > id_floor(at)) == (made >= at)
    assert last_key(position_of(key)) == key


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_positions_sort_as_their_keys(one: int, other: int) -> None:
    assert (position_of(one) < position_of(other)) == (one < other)


def test_no_key_is_too_large_for_a_database() -> None:
    assert 0 < key_floor(253_402_300_799_999) < 2**63


def test_days_begin_at_midnight_utc() -> None:
    assert day_of(NOW) % DAY_MS == 0
    assert 0 <= NOW - day_of(NOW) < DAY_MS


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90_000),
        ("5m", NOW - 300_000),
        ("24h", NOW - DAY_MS),
        ("7d", NOW - 7 * DAY_MS),
        ("2w", NOW - 14 * DAY_MS),
        ("999999999w", 0),
        ("2025-06-15T15:06:40Z", NOW),
        ("2025-06-15T15:06:40", NOW),
        ("2025-06-15T17:06:40.250+02:00", NOW + 250),
        ("2025-06-15", NOW - (15 * 3600 + 6 * 60 + 40) * 1000),
        ("0001-01-01", 0),
        ("9999-12-31T23:59:59-12:00", 253_402_300_799_999),
        ("soon", None),
        ("", None),
        ("24", None),
        ("-1h", None),
        ("٣h", None),
    ],
)
def test_an_instant_or_a_duration_before_now_is_read(text: str, at: int | None) -> None:
    assert instant_from(text, NOW) == at
