"""How deliveries of an endpoint are attempted: a preset, changed field by field.

Source: design of the two presets in docs/retries.md; contract 6 for `ocrolus`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any, TypeVar

from bookbell.core.errors import ValidationFailed

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Success(StrEnum):
    """Which statuses mean the receiver has taken the event."""

    ANY_2XX = "any_2xx"
    ONLY_200 = "only_200"


class Order(StrEnum):
    """`none`: in order of creation, without waiting; `book`: an event waits for the earlier ones of its book."""

    NONE = "none"
    BOOK = "book"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """timeout_ms_total runs from DNS to the last body byte; schedule_ms holds the delays after each attempt.

    rate_per_s, circuit_failures, disable_after_ms: None for no limit, no circuit, never; hold_ms_max: how long a
    delivery waits for an endpoint that is down; collapse: while it is down, keep the newest status event of a document
    only; lanes: queues the endpoint's books are spread over; is_feedback_honoured: whether the receiver may ask for
    something by header (core.feedback).
    """

    timeout_ms_connect: int
    timeout_ms_total: int
    success: Success
    schedule_ms: tuple[int, ...]
    jitter_ratio: float
    is_retry_after_honoured: bool
    retry_after_ms_max: int
    is_gone_final: bool
    in_flight_max: int
    rate_per_s: float | None
    circuit_failures: int | None
    hold_ms_max: int
    disable_after_ms: int | None
    order: Order
    collapse: bool
    lanes: int
    is_feedback_honoured: bool


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
        rate_per_s=None,
        circuit_failures=10,
        hold_ms_max=7 * DAY,
        disable_after_ms=5 * DAY,
        order=Order.NONE,
        collapse=False,
        lanes=1,
        is_feedback_honoured=True,
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
        rate_per_s=None,
        circuit_failures=None,
        hold_ms_max=7 * DAY,
        disable_after_ms=None,
        order=Order.NONE,
        collapse=False,
        lanes=1,
        is_feedback_honoured=False,
    ),
}

_BOUNDS: dict[str, tuple[int, int]] = {
    "timeout_ms_connect": (100, 30 * SECOND),
    "timeout_ms_total": (100, 60 * SECOND),
    "retry_after_ms_max": (0, 7 * 24 * HOUR),
    "in_flight_max": (1, 256),
    "circuit_failures": (2, 1_000),
    "hold_ms_max": (MINUTE, 30 * DAY),
    "disable_after_ms": (HOUR, 90 * DAY),
    "lanes": (1, 16),
}
_MAY_BE_NONE = {"rate_per_s", "circuit_failures", "disable_after_ms"}
_RATE_MIN, _RATE_MAX = 0.01, 10_000
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
    values = {"success": policy.success.value, "order": policy.order.value, "schedule_ms": list(policy.schedule_ms)}
    return {**shown, **values}


def schedule_at(policy: Policy, now: int) -> tuple[int, ...]:
    """When the attempts of an event of now would start, as instants, if each failed at once and nothing spread them.

    >>> schedule_at(PRESETS["ocrolus"], 1_000)
    (1000, 181000, 361000, 541000)
    """
    return tuple(accumulate(policy.schedule_ms, initial=now))


def _checked(name: str, value: Any) -> Any:
    if value is None and name in _MAY_BE_NONE:
        return None
    match name:
        case "success":
            return _one_of(Success, name, value)
        case "order":
            return _one_of(Order, name, value)
        case "rate_per_s":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not _RATE_MIN <= value <= _RATE_MAX:
                raise ValidationFailed(f"rate_per_s: null or a number from {_RATE_MIN} to {_RATE_MAX} is expected")
            return float(value)
        case "schedule_ms":
            return _schedule(value)
        case "jitter_ratio":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 0.5:
                raise ValidationFailed("jitter_ratio: a number from 0 to 0.5 is expected")
            return float(value)
        case "is_retry_after_honoured" | "is_gone_final" | "collapse" | "is_feedback_honoured":
            if not isinstance(value, bool):
                raise ValidationFailed(f"{name}: true or false is expected")
            return value
        case _:
            low, high = _BOUNDS[name]
            if not _is_whole(value) or not low <= value <= high:
                prefix = "null or " if name in _MAY_BE_NONE else ""
                raise ValidationFailed(f"{name}: {prefix}a whole number from {low} to {high} is expected")
            return value


_E = TypeVar("_E", bound=StrEnum)


def _one_of(kind: type[_E], name: str, value: Any) -> _E:
    if value not in list(kind):
        raise ValidationFailed(f"{name}: one of {', '.join(kind)} is expected")
    return kind(value)


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
