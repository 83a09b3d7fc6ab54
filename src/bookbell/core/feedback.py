"""What a receiver asks for in the response header `Webhook-Delivery`: skip this delivery, pause, slow down.

    Webhook-Delivery: skip          (or abort-message, as others spell it)
    Webhook-Delivery: pause=120     seconds, 60 if not said, at most 300: ask again with the answer to the next probe
    Webhook-Delivery: slow-down=600 seconds, 60 if not said, at most an hour: one request a second, one at a time

Anything else is ignored, and everything where the policy does not honour it. Source: docs/retries.md.
"""

from dataclasses import dataclass, replace

from bookbell.core.attempt import Answered, Outcome
from bookbell.core.circuit import PROBE_MS_MAX, Circuit
from bookbell.core.policy import Policy

SKIPPED = "skipped_by_receiver"
DEFAULT_MS = 60_000
SLOW_MS_MAX = 3_600_000
SLOW_RATE_PER_S = 1.0
_SECONDS_DIGITS_MAX = 6


@dataclass(frozen=True, slots=True)
class Skip:
    """End this delivery; it is not to be tried again."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for that long."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Send one request a second at most for that long, and one at a time."""

    duration_ms: int


Feedback = Skip | Pause | SlowDown


def feedback_of(outcome: Outcome, policy: Policy) -> Feedback | None:
    """What the receiver asks for with this answer, if anything.

    >>> from bookbell.core.policy import PRESETS
    >>> feedback_of(Answered(503, feedback="pause=120"), PRESETS["standard"])
    Pause(duration_ms=120000)
    """
    if not isinstance(outcome, Answered) or outcome.feedback is None or not policy.is_feedback_honoured:
        return None
    name, _, value = outcome.feedback.strip().lower().partition("=")
    match name.strip():
        case "skip" | "abort-message":
            return Skip()
        case "pause":
            return Pause(_duration_ms(value.strip(), PROBE_MS_MAX))
        case "slow-down":
            return SlowDown(_duration_ms(value.strip(), SLOW_MS_MAX))
        case _:
            return None


def paused(circuit: Circuit, pause: Pause, now: int) -> Circuit:
    """The circuit opened by the receiver's wish until the pause is over; then a probe decides."""
    return replace(circuit, opened_at=circuit.opened_at or now, probe_at=now + pause.duration_ms, allowance=None)


def _duration_ms(text: str, most_ms: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        return DEFAULT_MS
    return min(int(text[:_SECONDS_DIGITS_MAX]) * 1000, most_ms)
