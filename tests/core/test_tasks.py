"""A book is completed once when all configured tasks are done, and again after work on it has begun again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.errors import ValidationFailed
from bookbell.core.lifecycle import BookTally, book_after
from bookbell.core.model import BookStatus, Task
from bookbell.core.tasks import TASK_OF_EVENT, completed, may_be_completed, noted, tasks_from
from scene import BOOK

VERIFIED = replace(BOOK, status=BookStatus.VERIFIED)
DONE = BookTally(documents_final=1, documents_classified=1)
WORKING = BookTally(documents_in_work=1, documents_unclassified=1, documents_final=1)


def test_capture_alone_is_done_when_the_book_is_verified() -> None:
    change = completed(VERIFIED, (Task.CAPTURE,), at=7)
    assert [draft.type for draft in change.drafts] == ["book.completed"]
    assert change.drafts[0].tasks == ("CAPTURE",)
    assert (change.value.is_completed, change.value.updated_at) == (True, 7)
    assert completed(replace(BOOK, status=BookStatus.VERIFYING), (Task.CAPTURE,), at=7).drafts == ()


@given(
    st.sets(st.sampled_from(list(Task)), min_size=1), st.lists(st.sampled_from(sorted(TASK_OF_EVENT))), st.booleans()
)
def test_it_fires_exactly_when_the_configured_tasks_are_done(
    configured: set[Task], fired: list[str], is_verified: bool
) -> None:
    book = noted(VERIFIED if is_verified else BOOK, fired, at=7)
    done = {TASK_OF_EVENT[name] for name in fired} | ({Task.CAPTURE} if is_verified else set())
    change = completed(book, configured, at=7)
    assert bool(change.drafts) == (configured <= done)
    assert may_be_completed(book) == bool(done)
    assert completed(change.value, configured, at=8).drafts == () or not change.drafts


def test_events_without_a_task_leave_the_book_as_it_is() -> None:
    assert noted(BOOK, ["book.income.updated", "DOC_VERIFIED"], at=7) is BOOK
    assert (
        noted(replace(BOOK, tasks_done=frozenset({Task.DETECT})), ["book.detect.signal_found"], at=7).updated_at == 1
    )


def test_once_completed_it_is_silent_until_work_begins_again() -> None:
    tasks = (Task.CAPTURE, Task.DETECT)
    book = completed(noted(VERIFIED, ["book.detect.signal_found"], at=2), tasks, at=2).value
    assert book.is_completed
    assert not may_be_completed(book)
    assert book_after(book, DONE, at=3).value.is_completed
    reopened = book_after(book, WORKING, at=3).value
    assert (reopened.is_completed, reopened.tasks_done) == (False, frozenset())
    again = book_after(reopened, DONE, at=4).value
    assert completed(again, tasks, at=4).drafts == ()
    assert completed(noted(again, ["book.detect.signal_not_found"], at=5), tasks, at=5).drafts != ()


def test_what_was_done_while_the_book_was_verified_for_the_first_time_counts() -> None:
    working = book_after(BOOK, WORKING, at=2).value
    detected = noted(working, ["book.detect.signal_found"], at=3)
    verified = book_after(detected, DONE, at=4).value
    assert verified.tasks_done == {Task.DETECT}


def test_nothing_configured_completes_nothing() -> None:
    assert completed(VERIFIED, (), at=7).drafts == ()


def test_configured_tasks_are_checked_and_sorted() -> None:
    assert tasks_from(["DETECT", "CAPTURE", "DETECT"]) == (Task.CAPTURE, Task.DETECT)
    for wrong in ([], ["capture"], ["CAPTURE", ""]):
        with pytest.raises(ValidationFailed, match="at least one of ANALYTICS, CAPTURE, DETECT, INCOME"):
            tasks_from(wrong)
