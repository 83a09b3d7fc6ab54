"""What becomes of a delivery after an attempt.

One function from outcome and policy to verdict. Source: docs/retries.md.
"""

from dataclasses import dataclass
from typing import assert_never

from bookbell.core.attempt import Answered, Outcome, Oversized, Refused, TimedOut, Unreachable
from bookbell.core.feedback import Skip, feedback_of
from bookbell.core.policy import Policy, Success
from bookbell.core.retry import next_delay_ms, retry_after_ms

GONE = 410


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has taken it."""


DELIVERED = Delivered()


@dataclass(frozen=True, slots=True)
class Retry:
    """It is tried again at this instant."""

    due_at: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No attempt is left. reason: stable, e.g. `attempts_used_up`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver says it will never take anything again: the delivery ends and the endpoint is disabled."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The receiver does not want it: the delivery is cancelled."""


Verdict = Delivered | Retry | Exhausted | Gone | Skipped


def judge(outcome: Outcome, policy: Policy, *, attempt: int, now_ms: int, draw: float) -> Verdict:
    """Judge an attempt. attempt: its number, from 1; draw: in [0, 1), spreads the next delay."""
    retry_after: str | None = None
    match outcome:
        case Answered():
            if _is_success(outcome.status_code, policy):
                return DELIVERED
            if isinstance(feedback_of(outcome, policy), Skip):
                return Skipped()
            if outcome.status_code == GONE and policy.is_gone_final:
                return Gone()
            retry_after = outcome.retry_after
        case Refused() | TimedOut() | Unreachable() | Oversized():
            pass
        case _:
            assert_never(outcome)
    delay = next_delay_ms(policy, attempt, draw)
    if delay is None:
        return Exhausted("attempts_used_up")
    return Retry(now_ms + max(delay, _asked_ms(retry_after, policy, now_ms)))


def _is_success(status_code: int, policy: Policy) -> bool:
    match policy.success:
        case Success.ANY_2XX:
            return 200 <= status_code <= 299
        case Success.ONLY_200:
            return status_code == 200
        case _:
            assert_never(policy.success)


def _asked_ms(retry_after: str | None, policy: Policy, now_ms: int) -> int:
    if retry_after is None or not policy.is_retry_after_honoured:
        return 0
    return min(retry_after_ms(retry_after, now_ms) or 0, policy.retry_after_ms_max)
