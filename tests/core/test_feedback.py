"""What a receiver asks for by header is read leniently, bounded, and only where the policy honours it."""

from dataclasses import replace

import pytest

from bookbell.core.attempt import Answered, TimedOut
from bookbell.core.circuit import CLOSED, CircuitState, after_change, is_probing
from bookbell.core.feedback import Feedback, Pause, Skip, SlowDown, feedback_of, paused
from bookbell.core.policy import PRESETS

STANDARD = PRESETS["standard"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("skip", Skip()),
        (" Skip ", Skip()),
        ("abort-message", Skip()),
        ("pause", Pause(60_000)),
        ("pause=120", Pause(120_000)),
        ("PAUSE = 5", Pause(5_000)),
        ("pause=86400", Pause(300_000)),
        ("pause=99999999999999999999", Pause(300_000)),
        ("pause=-5", Pause(60_000)),
        ("pause=٣", Pause(60_000)),
        ("slow-down", SlowDown(60_000)),
        ("slow-down=600", SlowDown(600_000)),
        ("slow-down=999999", SlowDown(3_600_000)),
        ("", None),
        ("disable", None),
        ("=", None),
        ("pause;seconds=5", None),
    ],
)
def test_the_header_says_what_is_asked_for(header: str, expected: Feedback | None) -> None:
    assert feedback_of(Answered(503, feedback=header), STANDARD) == expected


def test_without_header_answer_or_leave_nothing_is_asked_for() -> None:
    assert feedback_of(Answered(503), STANDARD) is None
    assert feedback_of(TimedOut("connect"), STANDARD) is None
    assert feedback_of(Answered(503, feedback="skip"), PRESETS["ocrolus"]) is None
    assert feedback_of(Answered(503, feedback="skip"), replace(STANDARD, is_feedback_honoured=False)) is None


def test_a_pause_opens_the_circuit_until_it_is_over() -> None:
    circuit = paused(CLOSED, Pause(120_000), now=1_000)
    assert (circuit.state, circuit.opened_at, circuit.failure_count) == (CircuitState.OPEN, 1_000, 0)
    assert not is_probing(circuit, 120_999)
    assert is_probing(circuit, 121_000)
    longer = paused(circuit, Pause(300_000), now=121_000)
    assert (longer.opened_at, longer.probe_at) == (1_000, 421_000)
    assert not is_probing(longer, 121_000)


def test_resuming_by_hand_ends_a_pause() -> None:
    circuit = paused(CLOSED, Pause(120_000), now=1_000)
    assert after_change(circuit, 2_000) == CLOSED
    assert after_change(circuit, 999) == circuit
