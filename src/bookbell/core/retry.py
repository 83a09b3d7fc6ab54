"""When to try again.

Knows the schedule and nothing else: no clock, no randomness, no store. Source: docs/retries.md, RFC 9110 10.2.3.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime

from bookbell.core.policy import Policy

_SECONDS_DIGITS_MAX = 10


def next_delay_ms(policy: Policy, attempt: int, draw: float) -> int | None:
    """Delay before the next attempt, or None when none is left.

    attempt: attempts already made, from 1.
    draw:    in [0, 1), spreads the delay by ±policy.jitter_ratio.
    """
    assert attempt >= 1
    if attempt > len(policy.schedule_ms):
        return None
    spread = 1 + policy.jitter_ratio * (2 * draw - 1)
    return round(policy.schedule_ms[attempt - 1] * spread)


def retry_after_ms(value: str, now_ms: int) -> int | None:
    """How long a Retry-After header asks to wait: seconds or a date, never negative; None if it is neither."""
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return int(text[:_SECONDS_DIGITS_MAX]) * 1000
    try:
        found = parsedate_to_datetime(text)
        at = found if found.tzinfo else found.replace(tzinfo=UTC)  # the oldest of HTTP's forms names no zone
        return max(0, round(at.timestamp() * 1000) - now_ms)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
