"""An outcome and a policy make a verdict."""

import pytest

from bookbell.core.attempt import Answered, Outcome, Oversized, Refused, TimedOut, Unreachable
from bookbell.core.policy import HOUR, PRESETS
from bookbell.core.verdict import Delivered, Exhausted, Gone, Retry, Skipped, Verdict, judge

STANDARD, OCROLUS = PRESETS["standard"], PRESETS["ocrolus"]
NOW = 1_750_000_000_000


def verdict(outcome: Outcome, preset: str = "standard", attempt: int = 1) -> Verdict:
    return judge(outcome, PRESETS[preset], attempt=attempt, now_ms=NOW, draw=0.5)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_delivers_by_default(status: int) -> None:
    assert verdict(Answered(status)) == Delivered()


@pytest.mark.parametrize("status", [100, 199, 201, 204, 300, 301, 400, 404, 410, 500])
def test_only_200_delivers_by_the_contract(status: int) -> None:
    assert verdict(Answered(200), "ocrolus") == Delivered()
    assert verdict(Answered(status), "ocrolus") == Retry(NOW + 180_000)


@pytest.mark.parametrize(
    "outcome",
    [
        Answered(301),
        Answered(500),
        Refused("loopback", "no"),
        TimedOut("body"),
        Unreachable("reset", "reset"),
        Oversized("headers"),
    ],
)
def test_every_failure_is_tried_again_until_the_schedule_ends(outcome: Outcome) -> None:
    assert verdict(outcome) == Retry(NOW + 5_000)
    assert verdict(outcome, attempt=8) == Retry(NOW + 10 * HOUR)
    assert verdict(outcome, attempt=9) == Exhausted("attempts_used_up")


def test_gone_ends_it_where_the_policy_says_so() -> None:
    assert verdict(Answered(410)) == Gone()


@pytest.mark.parametrize(
    ("header", "wait"),
    [("1", 5_000), ("60", 60_000), ("999999999", 24 * HOUR), ("soon", 5_000)],
)
def test_retry_after_is_honoured_but_never_earlier_than_the_schedule(header: str, wait: int) -> None:
    assert verdict(Answered(503, header)) == Retry(NOW + wait)
    assert verdict(Answered(503, header), "ocrolus") == Retry(NOW + 180_000)


def test_a_receiver_can_skip_a_delivery_that_it_has_not_taken() -> None:
    assert verdict(Answered(503, feedback="skip")) == Skipped()
    assert verdict(Answered(200, feedback="skip")) == Delivered()
    assert verdict(Answered(503, feedback="pause=5")) == verdict(Answered(503))
    assert verdict(Answered(503, feedback="skip"), "ocrolus") == Retry(NOW + 180_000)
