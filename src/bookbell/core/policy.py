"""How deliveries of an endpoint are attempted: a preset, changed field by field.

Source: design of the two presets in docs/retries.md; contract 6 for `ocrolus`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from bookbell.core.errors import ValidationFailed

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class Success(StrEnum):
    """Which statuses mean the receiver has taken the event."""

    ANY_2XX = "any_2xx"
    ONLY_200 = "only_200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """timeout_ms_total runs from DNS to the last body byte; schedule_ms holds the delays after each attempt."""

    timeout_ms_connect: int
    timeout_ms_total: int
    success: Success
    schedule_ms: tuple[int, ...]
    jitter_ratio: float
    is_retry_after_honoured: bool
    retry_after_ms_max: int
    is_gone_final: bool
    in_flight_max: int


PRESETS = {
    "standard": Policy(
        timeout_ms_connect=5 * SECOND,
        timeout_ms_total=15 * SECOND,
        success=Success.ANY_2XX,
        schedule_ms=(
            5 * SECOND,
            MINUTE,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            10 * HOUR,
        ),
        jitter_ratio=0.2,
        is_retry_after_honoured=True,
        retry_after_ms_max=24 * HOUR,
        is_gone_final=True,
        in_flight_max=16,
    ),
    "ocrolus": Policy(
        timeout_ms_connect=5 * SECOND,
        timeout_ms_total=5 * SECOND,
        success=Success.ONLY_200,
        schedule_ms=(180 * SECOND, 180 * SECOND, 180 * SECOND),
        jitter_ratio=0.0,
        is_retry_after_honoured=False,
        retry_after_ms_max=24 * HOUR,
        is_gone_final=False,
        in_flight_max=16,
    ),
}

_BOUNDS: dict[str, tuple[int, int]] = {
    "timeout_ms_connect": (100, 30 * SECOND),
    "timeout_ms_total": (100, 60 * SECOND),
    "retry_after_ms_max": (0, 7 * 24 * HOUR),
    "in_flight_max": (1, 256),
}
_ATTEMPTS_MAX = 20
_DELAY_MS_MIN, _DELAY_MS_MAX = 100, 7 * 24 * HOUR


def policy_from(wanted: Mapping[str, Any]) -> Policy:
    """The policy that these fields describe: `preset` (default standard) and what differs from it.

    Raises: ValidationFailed that names the field and what it may be.
    """
    changes = dict(wanted)
    preset = changes.pop("preset", "standard")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValidationFailed(f"preset: one of {', '.join(PRESETS)} is expected")
    known = {each.name for each in fields(Policy)}
    for name in changes:
        if name not in known:
            raise ValidationFailed(f"{name}: no field of a policy; known are {', '.join(sorted(known))}")
    policy = replace(PRESETS[preset], **{name: _checked(name, value) for name, value in changes.items()})
    if policy.timeout_ms_connect > policy.timeout_ms_total:
        raise ValidationFailed("timeout_ms_connect: must not exceed timeout_ms_total")
    return policy


def policy_fields(policy: Policy) -> dict[str, Any]:
    """The policy as JSON-ready fields."""
    shown = {each.name: getattr(policy, each.name) for each in fields(Policy)}
    return {**shown, "success": policy.success.value, "schedule_ms": list(policy.schedule_ms)}


def _checked(name: str, value: Any) -> Any:
    match name:
        case "success":
            if value not in list(Success):
                raise ValidationFailed(f"success: one of {', '.join(Success)} is expected")
            return Success(value)
        case "schedule_ms":
            return _schedule(value)
        case "jitter_ratio":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 0.5:
                raise ValidationFailed("jitter_ratio: a number from 0 to 0.5 is expected")
            return float(value)
        case "is_retry_after_honoured" | "is_gone_final":
            if not isinstance(value, bool):
                raise ValidationFailed(f"{name}: true or false is expected")
            return value
        case _:
            low, high = _BOUNDS[name]
            if not _is_whole(value) or not low <= value <= high:
                raise ValidationFailed(f"{name}: a whole number from {low} to {high} is expected")
            return value


def _schedule(value: Any) -> tuple[int, ...]:
    is_list = isinstance(value, list | tuple) and len(value) < _ATTEMPTS_MAX
    if not is_list or not all(_is_whole(item) and _DELAY_MS_MIN <= item <= _DELAY_MS_MAX for item in value):
        raise ValidationFailed(
            f"schedule_ms: a list of at most {_ATTEMPTS_MAX - 1} delays from {_DELAY_MS_MIN} to {_DELAY_MS_MAX} "
            "milliseconds is expected"
        )
    return tuple(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
