"""What can be asked of analytics: the extra fields of a v1 request, and the parts that v2 reads.

What is in a result is the pipeline's business. Source: contract 10.9, 17; the published API description.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bookbell.core.errors import ValidationFailed
from bookbell.core.events import Draft
from bookbell.core.lifecycle import Change
from bookbell.core.model import Book, JobStatus

_COUNTED_AND_SUMMED = (
    "atm_withdrawals",
    "branch_withdrawals",
    "casino_lottery",
    "credit_card_payments",
    "equipment_lease_payments",
    "insurance_payments",
    "lottery_withdrawals",
    "merchant_service_deposits",
    "paypal",
    "payroll",
    "remote_deposits",
    "state_tax_payments",
    "tolls",
    "transfer",
    "usa_tax_payments",
    "venmo_zelle_cashapp",
)
EXTRA_FIELDS = tuple(
    sorted(
        [
            "checks_highest_incidence",
            "checks_num",
            "daily_cash_flows_weekday",
            "txn_four_zeros",
            *(f"{name}_{what}" for name in _COUNTED_AND_SUMMED for what in ("num", "sum")),
        ]
    )
)
"""A closed enumeration, in order."""

VIEWS = ("summary", "enriched_txns", "cash_flow_features", "cash_flow_risk_score", "benchmarking")
"""What of a book's second-generation analytics can be read, each under its own path."""


def check_extra_fields(names: Sequence[str]) -> None:
    """Raises: ValidationFailed for a name that is not known, or is there twice."""
    for name in names:
        if name not in EXTRA_FIELDS:
            raise ValidationFailed(f"extra_fields: {name[:80]} is not known; known are {', '.join(EXTRA_FIELDS)}")
    if len(set(names)) != len(names):
        raise ValidationFailed("extra_fields: each name is expected once")


def check_report(status: JobStatus, views: Collection[str]) -> None:
    """Raises: ValidationFailed for a report that cannot be: DONE comes with results, FAILED without."""
    if status is JobStatus.PENDING:
        raise ValidationFailed("status: DONE or FAILED is expected")
    if (status is JobStatus.DONE) is not bool(views):
        raise ValidationFailed("results: expected with DONE, and only with it")
    for name in views:
        if name not in VIEWS:
            raise ValidationFailed(f"results: {name[:80]} is not known; known are {', '.join(VIEWS)}")


def generated(book: Book, *, at: int) -> Change[Book]:
    """The book once its second-generation analytics are there."""
    draft = Draft(type="book.analytics_v2.generated", status="COMPLETED")
    return Change(replace(book, analyzed_at=at, updated_at=at), (draft,))
