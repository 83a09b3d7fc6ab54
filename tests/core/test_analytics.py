"""The closed list of extra fields, and what a report of a book's analytics may say."""

import pytest

from bookbell.core.analytics import EXTRA_FIELDS, check_extra_fields, check_report, generated
from bookbell.core.errors import ValidationFailed
from bookbell.core.model import JobStatus
from scene import BOOK


def test_every_published_extra_field_may_be_asked_for_once() -> None:
    assert len(EXTRA_FIELDS) == 36
    check_extra_fields(EXTRA_FIELDS)
    check_extra_fields([])
    for names, message in ((["tolls_sum", "tolls_sum"], "once"), (["tolls"], "tolls is not known; known are atm_")):
        with pytest.raises(ValidationFailed, match=message):
            check_extra_fields(names)


@pytest.mark.parametrize(
    ("status", "views", "message"),
    [
        (JobStatus.PENDING, [], "DONE or FAILED"),
        (JobStatus.DONE, [], "with DONE"),
        (JobStatus.FAILED, ["summary"], "only with it"),
        (JobStatus.DONE, ["summary", "weather"], "weather is not known"),
    ],
)
def test_a_report_that_cannot_be_is_refused(status: JobStatus, views: list[str], message: str) -> None:
    with pytest.raises(ValidationFailed, match=message):
        check_report(status, views)


def test_analytics_that_are_there_fire_and_mark_the_book() -> None:
    check_report(JobStatus.FAILED, [])
    check_report(JobStatus.DONE, ["summary"])
    change = generated(BOOK, at=7)
    assert (change.value.analyzed_at, [draft.type for draft in change.drafts]) == (7, ["book.analytics_v2.generated"])
