"""File names choose what the simulator reports."""

import pytest

from bookbell.core.model import DocumentSource
from bookbell.core.model import DocumentStatus as D
from bookbell.core.model import MixedStatus as M
from bookbell.core.simulation import Step, document_step, mixed_step, step_ms


def walk(name: str) -> list[str]:
    status, seen = D.QUEUED, []
    while (step := document_step(name, status)) is not None:
        status = D(step.status)
        seen.append(str(status))
    return seen


def test_a_plain_document_goes_through_every_state() -> None:
    assert walk("march.pdf") == ["PROCESSING", "CLASSIFIED", "GROOMING", "VERIFYING", "VERIFICATION_COMPLETE"]


def test_names_choose_failure_and_rejection() -> None:
    assert walk("will-FAIL.pdf")[-1] == "FAILED"
    assert walk("reject.pdf")[-1] == "REJECTED"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("reject.pdf", "INVALID DOCUMENT"),
        ("reject-unreadable.pdf", "DOCUMENT IS UNREADABLE"),
        ("reject-no_transactions.pdf", "NO_TRANSACTIONS"),
        ("reject-xyz.pdf", "INVALID DOCUMENT"),
    ],
)
def test_the_name_chooses_the_reason(name: str, reason: str) -> None:
    assert document_step(name, D.VERIFYING) == Step(D.REJECTED, reason)
    assert mixed_step(name, M.PROCESSING) == Step(M.REJECTED, reason)


@pytest.mark.parametrize(("name", "parts"), [("a.pdf", 2), ("a-x3.pdf", 3), ("a-x0.pdf", 1), ("a-x99.pdf", 20)])
def test_the_name_chooses_the_number_of_parts(name: str, parts: int) -> None:
    assert mixed_step(name, M.QUEUED) == Step(M.PROCESSING)
    assert mixed_step(name, M.PROCESSING) == Step(M.COMPLETED, None, parts)
    assert mixed_step("fail.pdf", M.PROCESSING) == Step(M.FAILED)
    assert mixed_step(name, M.COMPLETED) is None


def test_a_pull_fails_before_work_begins() -> None:
    assert document_step("fail", D.QUEUED, DocumentSource.PLAID_ASSET) == Step(D.FAILED)
    assert document_step("fail", D.QUEUED) == Step(D.PROCESSING)
    assert document_step("token", D.QUEUED, DocumentSource.PLAID_ASSET) == Step(D.PROCESSING)


def test_slow_names_take_ten_times_as_long() -> None:
    assert step_ms("a.pdf", 100) == 100
    assert step_ms("Slow.pdf", 100) == 1000
