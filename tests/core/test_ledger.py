"""The ledger says what does not balance."""

from dataclasses import replace

import pytest

from bookbell.core import limits
from bookbell.core.ledger import (
    DeliveryFacts,
    Ledger,
    Problem,
    gathered,
    judge_delivery,
    judge_event,
    of_findings,
    of_organizations,
)

SOUND = DeliveryFacts(
    id="d",
    organization_id="o",
    event_id="e",
    event_organization_id="o",
    state="delivered",
    attempt_count=2,
    finished_at=5,
    reason=None,
    recorded=2,
    is_answered=True,
)
PENDING = replace(SOUND, state="pending", finished_at=None, attempt_count=0, recorded=0, is_answered=False)


def test_a_balanced_ledger_has_no_problems() -> None:
    ledger = Ledger(organization_id="o", matched=10, delivered=4, pending=3, exhausted=2, cancelled=1)
    assert ledger.is_balanced
    assert ledger.problems() == ()


def test_an_imbalance_is_said() -> None:
    ledger = Ledger(organization_id="o", matched=3, delivered=1)
    assert not ledger.is_balanced
    assert ledger.problems() == ("3 deliveries were matched, but 1 are accounted for.",)


@pytest.mark.parametrize("facts", [SOUND, PENDING, replace(SOUND, state="cancelled", reason="deregistered")])
def test_a_sound_delivery_has_no_findings(facts: DeliveryFacts) -> None:
    assert judge_delivery(facts) == ()


@pytest.mark.parametrize(
    ("facts", "problem", "said"),
    [
        (replace(SOUND, event_organization_id=None), Problem.ORPHANED, "its event e does not exist"),
        (replace(SOUND, event_organization_id="p"), Problem.ORPHANED, "its event e is another organization's"),
        (replace(SOUND, state="lost"), Problem.IMPOSSIBLE, "there is no state lost"),
        (replace(PENDING, finished_at=1), Problem.IMPOSSIBLE, "it is pending and has ended"),
        (replace(SOUND, finished_at=None), Problem.IMPOSSIBLE, "when it ended is not on record"),
        (replace(SOUND, state="exhausted"), Problem.UNEXPLAINED, "it is exhausted without a recorded reason"),
        (replace(SOUND, state="cancelled", reason=""), Problem.UNEXPLAINED, "it is cancelled without"),
        (replace(SOUND, is_answered=False), Problem.UNPROVEN, "no attempt of it was answered"),
        (replace(SOUND, recorded=1), Problem.UNRECORDED, "2 attempts were counted, but 1 of them are on record"),
    ],
)
def test_each_thing_wrong_with_a_delivery_is_a_finding(facts: DeliveryFacts, problem: Problem, said: str) -> None:
    (found,) = judge_delivery(facts)
    assert (found.problem, found.organization_id, found.event_id, found.delivery_id) == (problem, "o", "e", "d")
    assert found.detail.startswith("Delivery d: ")
    assert said in found.detail


def test_an_event_that_does_not_balance_is_named_with_both_numbers() -> None:
    found = judge_event("o", "e", matched=3, found=2)
    assert (found.problem, found.delivery_id) == (Problem.UNBALANCED, None)
    assert found.detail == "Event e: 3 deliveries were matched, but 2 are accounted for."


def test_an_organization_is_set_against_the_deliveries_of_its_endpoints() -> None:
    endpoints = [
        Ledger(organization_id="o", endpoint_id="a", matched=2, delivered=2),
        Ledger(organization_id="o", endpoint_id="b", matched=1, pending=1),
    ]
    found = gathered(of_organizations([Ledger(organization_id="o", matched=4)], endpoints))
    assert found["o", ""] == Ledger(organization_id="o", matched=4, delivered=2, pending=1)
    assert (found["o", "a"], found["o", "b"]) == tuple(endpoints)
    more = gathered([replace(endpoints[0], cancelled=1)], found)
    assert more["o", "a"] == Ledger(organization_id="o", endpoint_id="a", matched=4, delivered=4, cancelled=1)


def test_a_bounded_number_of_findings_is_named_and_all_are_counted() -> None:
    findings = [judge_event("o", f"e{number}", matched=1, found=0) for number in range(limits.AUDIT_FINDINGS_MAX + 2)]
    ledger = gathered(of_findings(findings))["o", ""]
    assert not ledger.is_balanced
    assert len(ledger.problems()) == limits.AUDIT_FINDINGS_MAX + 1
    assert ledger.problems()[-1] == "2 more rows do not balance."
