"""Clients cancel what is in work, remove and upgrade what is final, and change or remove their books."""

from dataclasses import replace

import pytest

from bookbell.core import client_moves, lifecycle
from bookbell.core.errors import BookPending, MixedPending, NotAcceptable, NotPermittedBook, ValidationFailed
from bookbell.core.lifecycle import BookTally
from bookbell.core.model import BookStatus
from bookbell.core.model import DocumentStatus as D
from bookbell.core.model import ImageGroupStatus as G
from bookbell.core.model import MixedStatus as M
from scene import BOOK, DOCUMENT, GROUP, MIXED

REASON = "Customer Requested Cancellation (not billable)"


@pytest.mark.parametrize("status", list(D))
def test_a_document_is_cancelled_while_it_is_in_work_and_never_after(status: D) -> None:
    document = replace(DOCUMENT, status=status)
    if status in lifecycle.DOCUMENT_IN_WORK:
        change = client_moves.document_cancelled(document, at=7)
        assert (change.value.status, change.value.rejection_reason, change.value.blob) == (D.REJECTED, REASON, None)
        assert [draft.type for draft in change.drafts] == ["DOC_VERIFIED", "document.verification_failed"]
    else:
        with pytest.raises(NotAcceptable):
            client_moves.document_cancelled(document, at=7)


@pytest.mark.parametrize("status", list(M))
def test_a_mixed_document_is_cancelled_until_it_is_classified(status: M) -> None:
    mixed = replace(MIXED, status=status)
    if status in lifecycle.MIXED_IN_WORK:
        change = client_moves.mixed_cancelled(mixed, at=7)
        assert (change.value.status, change.value.rejection_reason, change.value.blob) == (M.REJECTED, REASON, None)
        assert [draft.type for draft in change.drafts] == ["mixed_document.rejected"]
    else:
        with pytest.raises(NotAcceptable):
            client_moves.mixed_cancelled(mixed, at=7)


@pytest.mark.parametrize("status", list(D))
def test_a_document_is_removed_once_it_is_final(status: D) -> None:
    document = replace(DOCUMENT, status=status)
    if status in lifecycle.DOCUMENT_FINAL:
        assert client_moves.document_removed(document, at=7) == replace(document, status=D.DELETING, updated_at=7)
    else:
        with pytest.raises(NotAcceptable):
            client_moves.document_removed(document, at=7)


def test_a_mixed_document_is_removed_with_all_that_was_cut_out_of_it() -> None:
    verified = replace(DOCUMENT, status=D.VERIFICATION_COMPLETE)
    mixed, parts = client_moves.mixed_removed(replace(MIXED, status=M.COMPLETED), [verified], at=7)
    assert (mixed.status, [part.status for part in parts]) == (M.DELETING, [D.DELETING])
    with pytest.raises(MixedPending):
        client_moves.mixed_removed(MIXED, [], at=7)
    with pytest.raises(NotAcceptable):
        client_moves.mixed_removed(replace(MIXED, status=M.COMPLETED), [verified, DOCUMENT], at=7)


@pytest.mark.parametrize("status", list(D))
def test_a_document_is_upgraded_from_a_final_state(status: D) -> None:
    document = replace(DOCUMENT, status=status, rejection_reason="INVALID DOCUMENT", document_class="INSTANT")
    if status in lifecycle.DOCUMENT_FINAL:
        upgraded = client_moves.document_upgraded(document, "COMPLETE", at=7)
        assert (upgraded.status, upgraded.document_class, upgraded.rejection_reason) == (D.GROOMING, "COMPLETE", None)
    else:
        with pytest.raises(NotAcceptable):
            client_moves.document_upgraded(document, "COMPLETE", at=7)


def test_an_upgrade_needs_a_known_class_and_data_to_work_on() -> None:
    final = replace(DOCUMENT, status=D.REJECTED)
    with pytest.raises(ValidationFailed):
        client_moves.document_upgraded(final, "BETTER", at=7)
    with pytest.raises(NotAcceptable):
        client_moves.document_upgraded(replace(final, blob=None), "COMPLETE", at=7)
    pulled = replace(final, blob=None, token_sealed=b"token")
    assert client_moves.document_upgraded(pulled, "COMPLETE", at=7).status is D.GROOMING


def test_a_classified_mixed_document_is_upgraded_through_its_documents() -> None:
    completed = replace(MIXED, status=M.COMPLETED)
    parts = [replace(DOCUMENT, status=D.VERIFICATION_COMPLETE), DOCUMENT]
    mixed, reopened = client_moves.mixed_upgraded(completed, parts, "INSTANT", at=7)
    assert (mixed.status, mixed.document_class) == (M.COMPLETED, "INSTANT")
    assert [part.status for part in reopened] == [D.GROOMING]
    with pytest.raises(NotAcceptable):
        client_moves.mixed_upgraded(completed, [DOCUMENT], "INSTANT", at=7)


@pytest.mark.parametrize("status", [M.REJECTED, M.FAILED])
def test_a_mixed_document_that_came_to_nothing_is_classified_anew(status: M) -> None:
    rejected = replace(MIXED, status=status, rejection_reason="INVALID DOCUMENT")
    mixed, reopened = client_moves.mixed_upgraded(rejected, [], "COMPLETE", at=7)
    assert (mixed.status, mixed.rejection_reason, reopened) == (M.PROCESSING, None, ())
    with pytest.raises(NotAcceptable):
        client_moves.mixed_upgraded(replace(rejected, blob=None), [], "COMPLETE", at=7)


def test_a_book_whose_document_is_upgraded_opens_and_fires_again() -> None:
    verified = replace(BOOK, status=BookStatus.VERIFIED, is_classified=True)
    reopened = lifecycle.book_after(verified, BookTally(documents_in_work=1, documents_classified=1), at=7)
    assert (reopened.value.status, reopened.drafts) == (BookStatus.VERIFYING, ())
    again = lifecycle.book_after(reopened.value, BookTally(documents_final=1, documents_classified=1), at=8)
    assert [draft.type for draft in again.drafts] == ["BOOK_VERIFIED", "book.verified"]


def test_an_image_group_opens_again_with_its_document() -> None:
    assert client_moves.group_reopened(replace(GROUP, status=G.REJECTED), at=7).status is G.QUEUED
    queued = replace(GROUP, status=G.QUEUED)
    assert client_moves.group_reopened(queued, at=7) is queued


def test_only_a_machine_only_book_changes_its_class() -> None:
    instant = replace(BOOK, book_class="INSTANT")
    assert client_moves.book_reclassed(instant, "COMPLETE").book_class == "COMPLETE"
    assert client_moves.book_reclassed(BOOK, "COMPLETE") is BOOK
    with pytest.raises(NotPermittedBook, match="Book is not in MACHINE_ONLY context"):
        client_moves.book_reclassed(BOOK, "INSTANT")
    with pytest.raises(ValidationFailed):
        client_moves.book_reclassed(instant, "QUALIFY")


def test_a_book_is_removed_once_nothing_in_it_is_in_work() -> None:
    assert client_moves.book_removed(BOOK, BookTally(documents_final=1), at=7).status is BookStatus.DELETED
    for tally in (BookTally(documents_in_work=1), BookTally(mixed_in_work=1)):
        with pytest.raises(BookPending):
            client_moves.book_removed(BOOK, tally, at=7)
