"""Policies: two presets, changed field by field, within bounds."""

import doctest
from typing import Any

import pytest

from bookbell.core import policy as policy_module
from bookbell.core.errors import ValidationFailed
from bookbell.core.policy import HOUR, MINUTE, PRESETS, SECOND, Success, policy_fields, policy_from


def test_the_standard_preset_is_what_the_docs_say() -> None:
    policy = policy_from({})
    assert policy == PRESETS["standard"]
    assert (policy.timeout_ms_connect, policy.timeout_ms_total) == (5_000, 15_000)
    assert policy.schedule_ms == (
        5 * SECOND,
        MINUTE,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        10 * HOUR,
    )
    assert (policy.success, policy.jitter_ratio, policy.in_flight_max) == (Success.ANY_2XX, 0.2, 16)
    assert policy.is_retry_after_honoured
    assert policy.is_gone_final


def test_the_ocrolus_preset_is_what_the_contract_documents() -> None:
    policy = policy_from({"preset": "ocrolus"})
    assert policy.schedule_ms == (180_000, 180_000, 180_000)
    assert (policy.timeout_ms_total, policy.success, policy.jitter_ratio) == (5_000, Success.ONLY_200, 0.0)
    assert not policy.is_retry_after_honoured
    assert not policy.is_gone_final


def test_fields_change_a_preset_and_survive_a_round_trip() -> None:
    wanted = {
        "preset": "ocrolus",
        "schedule_ms": [1000, 2000],
        "jitter_ratio": 0,
        "success": "any_2xx",
        "is_gone_final": True,
        "in_flight_max": 3,
        "rate_per_s": 2,
        "circuit_failures": 5,
        "order": "book",
        "collapse": True,
        "disable_after_ms": 7 * 24 * HOUR,
        "lanes": 4,
    }
    policy = policy_from(wanted)
    assert policy.schedule_ms == (1000, 2000)
    assert policy.success is Success.ANY_2XX
    assert policy_from(policy_fields(policy)) == policy


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"preset": "none"}, "preset"),
        ({"preset": ["standard"]}, "preset"),
        ({"colour": 1}, "colour"),
        ({"success": "200"}, "success"),
        ({"schedule_ms": "5"}, "schedule_ms"),
        ({"schedule_ms": [50]}, "schedule_ms"),
        ({"schedule_ms": [1000.5]}, "schedule_ms"),
        ({"schedule_ms": [1000] * 20}, "schedule_ms"),
        ({"jitter_ratio": 0.6}, "jitter_ratio"),
        ({"jitter_ratio": True}, "jitter_ratio"),
        ({"jitter_ratio": "0.1"}, "jitter_ratio"),
        ({"is_gone_final": 1}, "is_gone_final"),
        ({"timeout_ms_total": 10}, "timeout_ms_total"),
        ({"timeout_ms_total": True}, "timeout_ms_total"),
        ({"timeout_ms_connect": 6000, "timeout_ms_total": 5000}, "timeout_ms_connect"),
        ({"in_flight_max": 0}, "in_flight_max"),
        ({"in_flight_max": None}, "in_flight_max"),
        ({"rate_per_s": 0}, "rate_per_s"),
        ({"rate_per_s": "1"}, "rate_per_s"),
        ({"rate_per_s": True}, "rate_per_s"),
        ({"circuit_failures": 1}, "circuit_failures: null or"),
        ({"hold_ms_max": 1}, "hold_ms_max"),
        ({"disable_after_ms": 1}, "disable_after_ms"),
        ({"order": "creation"}, "order"),
        ({"collapse": 1}, "collapse"),
        ({"lanes": 17}, "lanes"),
    ],
)
def test_what_is_no_policy_is_refused_by_field(wanted: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationFailed, match=named):
        policy_from(wanted)


def test_limits_can_be_switched_off() -> None:
    policy = policy_from({"rate_per_s": None, "circuit_failures": None, "disable_after_ms": None})
    assert (policy.rate_per_s, policy.circuit_failures, policy.disable_after_ms) == (None, None, None)
    assert policy_from(policy_fields(policy)) == policy


def test_the_examples_hold() -> None:
    assert doctest.testmod(policy_module).failed == 0
