"""Receivers can tell a genuine request from every kind of wrong one."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.signing import delivery_headers, signature
from bookbell.receiver import Mistake, VerificationError, Verified, verify

SECRET = "contract-demo-secret-01"
BODY = b'{"status":"BOOK_COMPLETE"}'
NOW = 1_750_000_000
ID = "01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"
HEADERS = dict(delivery_headers(ID, NOW, BODY, SECRET, None, "ua"))


def mistake(headers: Any, body: bytes = BODY, secret: Any = SECRET, now: float = NOW) -> Mistake:
    with pytest.raises(VerificationError) as caught:
        verify(headers, body, secret, now_s=now)
    assert str(caught.value)
    return caught.value.mistake


def test_a_genuine_request_is_verified() -> None:
    assert verify(HEADERS, BODY, SECRET, now_s=NOW) == Verified(ID, NOW, 0)


def test_the_clock_is_asked_when_no_time_is_given() -> None:
    assert mistake_of_now() is Mistake.STALE


def mistake_of_now() -> Mistake:
    with pytest.raises(VerificationError) as caught:
        verify(HEADERS, BODY, SECRET)
    return caught.value.mistake


@pytest.mark.parametrize(
    "headers",
    [
        {name.lower(): value for name, value in HEADERS.items()},
        {name.upper(): value for name, value in HEADERS.items()},
        list(HEADERS.items()),
        [(name.encode(), value.encode()) for name, value in HEADERS.items()],
    ],
)
def test_headers_come_in_any_form(headers: Any) -> None:
    assert verify(headers, BODY, SECRET, now_s=NOW).request_id == ID


def test_during_rotation_either_secret_fits_and_says_which() -> None:
    assert verify(HEADERS, BODY, ["new-secret-0123456789", SECRET], now_s=NOW).secret_index == 1
    assert verify(HEADERS, BODY, [SECRET, SECRET], now_s=NOW).secret_index == 0


def test_each_mistake_is_told_apart() -> None:
    unsigned = {name: value for name, value in HEADERS.items() if name != "Webhook-Signature"}
    assert mistake(unsigned) is Mistake.NO_SIGNATURE
    assert mistake(HEADERS, secret="another-secret-000000") is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(HEADERS, body=BODY + b" ") is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(HEADERS, secret=[]) is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake({**HEADERS, "Webhook-Timestamp": "soon"}) is Mistake.MALFORMED
    assert mistake({**HEADERS, "Webhook-Request-Id": ""}) is Mistake.MALFORMED
    assert mistake({**HEADERS, "Webhook-Signature": 7}) is Mistake.NO_SIGNATURE
    assert mistake([*HEADERS.items(), ("webhook-timestamp", "1")]) is Mistake.MALFORMED


@pytest.mark.parametrize("now", [NOW + 301, NOW - 301])
def test_a_request_from_another_time_is_stale(now: float) -> None:
    assert mistake(HEADERS, now=now) is Mistake.STALE


@pytest.mark.parametrize("now", [NOW + 300, NOW - 300])
def test_the_window_is_open_both_ways(now: float) -> None:
    assert verify(HEADERS, BODY, SECRET, now_s=now).timestamp_s == NOW


def test_milliseconds_are_recognised() -> None:
    stamp = str(NOW * 1000)
    headers = {**HEADERS, "Webhook-Timestamp": stamp, "Webhook-Signature": signature(SECRET, stamp, ID, BODY)}
    with pytest.raises(VerificationError, match="milliseconds"):
        verify(headers, BODY, SECRET, now_s=NOW)


def test_a_request_id_that_no_header_can_hold_is_refused() -> None:
    assert mistake({**HEADERS, "Webhook-Request-Id": "\ud800"}) is Mistake.WRONG_SECRET_OR_ALTERED


anything = st.one_of(st.text(), st.binary(), st.integers(), st.none())


@given(st.dictionaries(st.sampled_from([*HEADERS, "webhook-signature", b"x"]), anything), st.binary(), st.text())
def test_random_requests_raise_nothing_else(headers: Any, body: bytes, secret: str) -> None:
    with contextlib.suppress(VerificationError):
        verify({**HEADERS, **headers}, body, secret, now_s=NOW)


@given(st.lists(st.tuples(anything, anything)), st.binary())
def test_random_pairs_raise_nothing_else(headers: Any, body: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(headers, body, SECRET, now_s=NOW)
