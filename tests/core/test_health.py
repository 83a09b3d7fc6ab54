"""How an endpoint is doing is told in one sentence."""

import pytest

from bookbell.core.circuit import Circuit
from bookbell.core.health import Condition, HealthState, health

AT = 1_750_000_000_000  # 2025-06-15 15:06:40 UTC
OPEN = Circuit(failure_count=10, failing_since=AT, opened_at=AT, probe_at=AT + 45_000)


def told(*circuits: Circuit, now: int = AT + 5_000, paused: int | None = None, disabled: int | None = None) -> str:
    reason = "the receiver answered 410 Gone" if disabled else None
    found = health(Condition(circuits=circuits, paused_at=paused, disabled_at=disabled, disabled_reason=reason), now)
    return f"{found.state} | {found.sentence}"


@pytest.mark.parametrize(
    ("circuits", "sentence"),
    [
        ([], "delivering | delivering"),
        ([Circuit()], "delivering | delivering"),
        ([Circuit(failure_count=1, failing_since=AT)], "failing | failing: 1 failure in a row since 15:06"),
        ([OPEN], "waiting | paused: 10 failures in a row since 15:06, next probe in 40 s"),
        ([Circuit(allowance=4)], "recovering | recovering: 4 in flight at most"),
        (
            [Circuit(), OPEN, Circuit(allowance=4)],
            "waiting | paused: 10 failures in a row since 15:06, next probe in 40 s",
        ),
    ],
)
def test_the_sentence_says_what_and_since_when(circuits: list[Circuit], sentence: str) -> None:
    assert told(*circuits) == sentence


def test_long_waits_are_told_in_minutes_and_other_days_with_their_date() -> None:
    circuit = Circuit(failure_count=99, failing_since=AT - 86_400_000, opened_at=AT, probe_at=AT + 305_000)
    assert told(circuit) == "waiting | paused: 99 failures in a row since 2025-06-14 15:06, next probe in 5 min"
    assert told(circuit, now=AT + 305_000).endswith("next probe now")


def test_a_hand_outranks_the_circuit_and_disabled_outranks_all() -> None:
    assert told(OPEN, paused=AT) == "paused | paused by hand since 15:06"
    assert told(OPEN, paused=AT, disabled=AT) == "disabled | disabled since 15:06: the receiver answered 410 Gone"
    bare = Condition(circuits=(), paused_at=None, disabled_at=AT, disabled_reason=None)
    assert health(bare, AT).sentence.endswith("no reason given")
    assert health(bare, AT).state is HealthState.DISABLED
