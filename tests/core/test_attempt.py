"""Outcomes have stable names and sentences."""

import pytest

from bookbell.core.attempt import Answered, Outcome, Oversized, Refused, TimedOut, Unreachable, describe, kind_of


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
