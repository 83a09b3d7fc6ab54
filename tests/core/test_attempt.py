"""Outcomes have stable names and sentences."""

import pytest

from bookbell.core.attempt import (
    Answered,
    Outcome,
    Oversized,
    Refused,
    TimedOut,
    Unreachable,
    describe,
    header_pairs,
    kind_of,
)


@pytest.mark.parametrize(
    ("outcome", "kind", "sentence"),
    [
        (Answered(503), "answered", "The receiver answered 503."),
        (Refused("private", "No."), "refused:private", "No."),
        (TimedOut("dns"), "timed_out:dns", "The deadline passed while waiting for the name to resolve."),
        (TimedOut("tls"), "timed_out:tls", "The deadline passed while waiting for the TLS handshake."),
        (Unreachable("reset", "Reset."), "unreachable:reset", "Reset."),
        (Oversized("headers"), "oversized:headers", "The response headers exceeded the size limit."),
    ],
)
def test_an_outcome_says_what_it_is(outcome: Outcome, kind: str, sentence: str) -> None:
    assert kind_of(outcome) == kind
    assert describe(outcome) == sentence


def test_header_lines_are_read_as_they_came() -> None:
    head = b"HTTP/1.1 200 OK\r\nRetry-After: 5\r\nx-empty:\r\nno colon\r\nX-Caf\xe9:  a: b \r\n\r\n"
    assert header_pairs(head) == [("Retry-After", "5"), ("x-empty", ""), ("X-Caf\u00e9", "a: b")]
    assert header_pairs(b"") == []
