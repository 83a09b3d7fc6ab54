"""What a delivery policy looks like, read and set. Source: docs/retries.md, core/policy.py."""

from typing import Any

from bookbell.core.policy import PRESETS, Order, Policy, Success, policy_fields, schedule_at
from bookbell.web import wire
from bookbell.web.operation import may
from bookbell.web.shape import choice, exact_instant, flag, listed, nullable, record, whole

_PARTS = {
    "timeout_ms_connect": whole(5_000),
    "timeout_ms_total": whole(15_000),
    "success": choice(Success),
    "schedule_ms": listed(whole(5_000)),
    "jitter_ratio": {"type": "number", "minimum": 0, "maximum": 0.5, "examples": [0.2]},
    "is_retry_after_honoured": flag(),
    "retry_after_ms_max": whole(86_400_000),
    "is_gone_final": flag(),
    "in_flight_max": whole(16),
    "rate_per_s": {"type": ["number", "null"], "examples": [5]},
    "circuit_failures": nullable(whole(10)),
    "hold_ms_max": whole(604_800_000),
    "disable_after_ms": nullable(whole(432_000_000)),
    "order": choice(Order),
    "collapse": flag(False),
    "lanes": whole(1),
    "is_feedback_honoured": flag(),
}
POLICY = record({**_PARTS, "schedule_at": listed(exact_instant())})
POLICY_FIELDS = (
    may("preset", choice(PRESETS), "What the fields not given are; standard if not given."),
    *(may(name, schema, "See Retries and policies.") for name, schema in _PARTS.items()),
)


def shown_policy(policy: Policy, *, now: int) -> dict[str, Any]:
    """The policy, and when the attempts of an event of now would start if each failed."""
    return {**policy_fields(policy), "schedule_at": [wire.exact_instant(at) for at in schedule_at(policy, now)]}
