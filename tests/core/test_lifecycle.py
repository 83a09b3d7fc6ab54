"""States move by the tables, and each move fires what it should, once and in order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core import lifecycle
from bookbell.core.errors import IllegalTransition, ValidationFailed
from bookbell.core.events import Draft
from bookbell.core.lifecycle import BookTally, GroupTally, Part
from bookbell.core.model import AnalyticsStatus as A
from bookbell.core.model import BookStatus
from bookbell.core.model import DocumentSource as S
from bookbell.core.model import DocumentStatus as D
from bookbell.core.model import ImageGroupStatus as G
from bookbell.core.model import MixedStatus as M
from scene import BOOK, DOCUMENT, GROUP, MIXED, REQUEST


def types(drafts: tuple[Draft, ...]) -> list[str]:
    return [draft.type for draft in drafts]


@pytest.mark.parametrize(
    ("now", "to", "fired"),
    [
        (D.QUEUED, D.PROCESSING, []),
        (D.PROCESSING, D.CLASSIFIED, ["document.classification_succeeded"]),
        (D.CLASSIFIED, D.GROOMING, []),
        (D.GROOMING, D.VERIFYING, []),
        (D.VERIFYING, D.VERIFICATION_COMPLETE, ["DOC_VERIFIED", "document.verification_succeeded"]),
        (
            D.QUEUED,
            D.VERIFICATION_COMPLETE,
            ["document.classification_succeeded", "DOC_VERIFIED", "document.verification_succeeded"],
        ),
        (D.VERIFYING, D.REJECTED, ["DOC_VERIFIED", "document.verification_failed"]),
        (D.QUEUED, D.REJECTED, ["DOC_VERIFIED", "document.verification_failed"]),
        (D.VERIFYING, D.FAILED, ["document.verification_failed"]),
        (D.PROCESSING, D.FAILED, ["document.classification_failed", "document.verification_failed"]),
    ],
)
def test_a_document_moves_and_fires(now: D, to: D, fired: list[str]) -> None:
    change = lifecycle.document_moved(replace(DOCUMENT, status=now), to, reason=None, at=7)
    assert (change.value.status, change.value.updated_at) == (to, 7)
    assert types(change.drafts) == fired


@pytest.mark.parametrize("status", list(D))
def test_reporting_a_state_again_changes_and_fires_nothing(status: D) -> None:
    document = replace(DOCUMENT, status=status)
    assert lifecycle.document_moved(document, status, reason=None, at=7) == lifecycle.Change(document)


@given(st.sampled_from(list(D)), st.sampled_from(list(D)))
def test_a_document_moves_only_as_the_table_says(now: D, to: D) -> None:
    document = replace(DOCUMENT, status=now)
    if to in lifecycle.DOCUMENT_MOVES[now] or to is now:
        assert lifecycle.document_moved(document, to, reason=None, at=7).value.status is to
    else:
        with pytest.raises(IllegalTransition):
            lifecycle.document_moved(document, to, reason=None, at=7)


def test_an_illegal_move_says_what_is_possible() -> None:
    with pytest.raises(IllegalTransition) as caught:
        lifecycle.document_moved(replace(DOCUMENT, status=D.VERIFYING), D.QUEUED, reason=None, at=7)
    assert str(caught.value) == (
        f"Document {DOCUMENT.uuid} is VERIFYING and cannot become QUEUED; from there it can become "
        "VERIFICATION_COMPLETE, REJECTED, FAILED."
    )
    with pytest.raises(IllegalTransition, match="nothing else"):
        lifecycle.document_moved(replace(DOCUMENT, status=D.DELETED), D.QUEUED, reason=None, at=7)


def test_a_rejection_has_a_reason_and_nothing_else_has() -> None:
    rejected = lifecycle.document_moved(DOCUMENT, D.REJECTED, reason="DOCUMENT IS UNREADABLE", at=7)
    assert rejected.value.rejection_reason == "DOCUMENT IS UNREADABLE"
    assert {draft.rejection_reason for draft in rejected.drafts} == {"DOCUMENT IS UNREADABLE"}
    assert lifecycle.document_moved(DOCUMENT, D.REJECTED, reason=None, at=7).value.rejection_reason == (
        "INVALID DOCUMENT"
    )
    with pytest.raises(ValidationFailed):
        lifecycle.document_moved(DOCUMENT, D.PROCESSING, reason="because", at=7)


def test_a_new_document_fires_its_upload() -> None:
    assert types(lifecycle.document_accepted(DOCUMENT)) == ["document.upload_succeeded"]
    for source in (S.PLAID, S.FINICITY):
        document = replace(DOCUMENT, source=source)
        assert types(lifecycle.document_accepted(document)) == ["plaid.upload_succeeded"]


@pytest.mark.parametrize(
    ("to", "fired"),
    [
        (D.PROCESSING, ["plaid.upload_succeeded"]),
        (D.FAILED, ["plaid.upload_failed"]),
        (D.REJECTED, ["DOC_VERIFIED", "document.verification_failed"]),
    ],
)
def test_data_that_is_pulled_has_arrived_once_the_pipeline_works_on_it(to: D, fired: list[str]) -> None:
    awaited = replace(DOCUMENT, source=S.PLAID_ASSET)
    assert lifecycle.document_accepted(awaited) == ()
    change = lifecycle.document_moved(awaited, to, reason=None, at=7)
    assert types(change.drafts) == fired
    failed_later = lifecycle.document_moved(replace(awaited, status=D.VERIFYING), D.FAILED, reason=None, at=8)
    assert types(failed_later.drafts) == ["document.verification_failed"]


def test_what_could_not_be_taken_in_fires_its_failure() -> None:
    refused = lifecycle.document_refused("a.pdf")
    assert (refused.type, refused.status, refused.name) == ("document.upload_failed", D.FAILED, "a.pdf")
    assert lifecycle.aggregator_accepted(DOCUMENT).type == "plaid.upload_succeeded"
    plaid = lifecycle.aggregator_refused("data.json")
    assert (plaid.type, plaid.status, plaid.document) == ("plaid.upload_failed", D.FAILED, None)


def test_an_open_image_group_that_cannot_be_taken_in_fails_once() -> None:
    change = lifecycle.group_refused(GROUP, at=7)
    assert (change.value.status, types(change.drafts)) == (G.FAILED, ["image_group.upload_failed"])
    assert lifecycle.group_refused(change.value, at=8) == lifecycle.Change(change.value)
    with pytest.raises(IllegalTransition, match="is QUEUED; only one that is UPLOADING"):
        lifecycle.group_refused(replace(GROUP, status=G.QUEUED), at=7)


@pytest.mark.parametrize(
    ("to", "fired"), [(M.PROCESSING, []), (M.REJECTED, ["mixed_document.rejected"]), (M.FAILED, [])]
)
def test_a_mixed_document_moves_and_fires(to: M, fired: list[str]) -> None:
    change = lifecycle.mixed_moved(MIXED, to, reason=None, at=7)
    assert change.value.status is to
    assert types(change.drafts) == fired
    assert lifecycle.mixed_moved(change.value, to, reason=None, at=8).value is change.value


def test_a_mixed_document_completes_only_by_classification() -> None:
    with pytest.raises(ValidationFailed):
        lifecycle.mixed_moved(MIXED, M.COMPLETED, reason=None, at=7)
    with pytest.raises(ValidationFailed):
        lifecycle.mixed_classified(MIXED, [], at=7)
    with pytest.raises(IllegalTransition):
        lifecycle.mixed_classified(replace(MIXED, status=M.REJECTED), [Part(uuid="a")], at=7)


def test_classification_cuts_documents_that_know_where_they_came_from() -> None:
    mixed = replace(MIXED, image_group_pk=GROUP.pk, image_group_uuid=GROUP.uuid)
    completed, documents = lifecycle.mixed_classified(
        mixed, [Part(uuid="a", form_type="W2", page_count=3), Part(uuid="b", name="pay.pdf")], at=7
    )
    assert completed.status is M.COMPLETED
    assert [document.name for document in documents] == ["stubs.pdf(0)", "pay.pdf"]
    assert {document.status for document in documents} == {D.CLASSIFIED}
    assert {document.mixed_pk for document in documents} == {mixed.pk}
    assert {document.image_group_uuid for document in documents} == {GROUP.uuid}
    assert [document.page_count for document in documents] == [3, 1]
    assert types((lifecycle.document_classified(documents[0]),)) == ["document.classification_succeeded"]


def test_an_image_group_is_finalized_once() -> None:
    change = lifecycle.group_finalized(GROUP, form_type="A_PAYSTUB", at=7)
    assert (change.value.status, change.value.form_type) == (G.QUEUED, "A_PAYSTUB")
    assert types(change.drafts) == ["image_group.upload_succeeded"]
    with pytest.raises(IllegalTransition):
        lifecycle.group_finalized(change.value, form_type=None, at=8)


@pytest.mark.parametrize(
    ("tally", "status", "fired"),
    [
        (GroupTally(in_work=1, complete=1), G.QUEUED, []),
        (GroupTally(), G.QUEUED, []),
        (
            GroupTally(complete=1, rejected=2),
            G.VERIFICATION_COMPLETE,
            ["IMAGE_GROUP_VERIFIED", "image_group.verification_succeeded"],
        ),
        (GroupTally(rejected=1, failed=1), G.REJECTED, ["IMAGE_GROUP_VERIFIED", "image_group.verification_failed"]),
        (GroupTally(failed=1), G.FAILED, ["image_group.verification_failed"]),
    ],
)
def test_an_image_group_follows_its_documents(tally: GroupTally, status: G, fired: list[str]) -> None:
    change = lifecycle.group_after(replace(GROUP, status=G.QUEUED), tally, at=7)
    assert change.value.status is status
    assert types(change.drafts) == fired


def test_an_image_group_that_is_open_or_final_stays() -> None:
    for status in (G.UPLOADING, G.REJECTED):
        group = replace(GROUP, status=status)
        assert lifecycle.group_after(group, GroupTally(complete=1), at=7).value is group


def test_analytics_fire_when_complete() -> None:
    change = lifecycle.analytics_moved(REQUEST, A.COMPLETED, result="{}", at=7)
    assert (change.value.status, change.value.result) == (A.COMPLETED, "{}")
    assert types(change.drafts) == ["ANALYTICS_COMPLETED", "book.analytics_completed"]
    assert lifecycle.analytics_moved(change.value, A.COMPLETED, result=None, at=8).drafts == ()
    expired = lifecycle.analytics_moved(change.value, A.EXPIRED, result=None, at=8)
    assert (expired.value.result, expired.drafts) == ("{}", ())


VERIFIED = ["BOOK_VERIFIED", "book.verified"]


@pytest.mark.parametrize(
    ("tally", "status", "fired"),
    [
        (BookTally(), BookStatus.CREATED, []),
        (BookTally(groups_open=1), BookStatus.UPLOAD, []),
        (BookTally(documents_in_work=1, documents_unclassified=1), BookStatus.VERIFYING, []),
        (BookTally(documents_in_work=1, documents_classified=1), BookStatus.VERIFYING, ["book.classified"]),
        (BookTally(mixed_in_work=1, documents_final=2, documents_classified=2), BookStatus.VERIFYING, []),
        (BookTally(documents_final=1, documents_classified=1), BookStatus.VERIFIED, ["book.classified", *VERIFIED]),
        (BookTally(documents_final=1), BookStatus.VERIFIED, VERIFIED),
        (BookTally(mixed_final=1), BookStatus.VERIFIED, VERIFIED),
        (BookTally(documents_final=1, documents_classified=1, groups_open=1), BookStatus.UPLOAD, []),
        (BookTally(documents_in_work=1, documents_classified=1, groups_open=1), BookStatus.VERIFYING, []),
    ],
)
def test_a_book_follows_its_contents(tally: BookTally, status: BookStatus, fired: list[str]) -> None:
    change = lifecycle.book_after(BOOK, tally, at=7)
    assert change.value.status is status
    assert types(change.drafts) == fired


def test_a_book_fires_again_after_a_later_upload_and_not_without() -> None:
    done = BookTally(documents_final=1, documents_classified=1)
    first = lifecycle.book_after(BOOK, done, at=7)
    assert lifecycle.book_after(first.value, done, at=8) == lifecycle.Change(first.value)
    reopened = lifecycle.book_after(
        first.value,
        BookTally(documents_final=1, documents_classified=1, documents_unclassified=1, documents_in_work=1),
        at=8,
    )
    assert (reopened.value.status, reopened.value.is_classified) == (BookStatus.VERIFYING, False)
    assert reopened.drafts == ()
    again = lifecycle.book_after(reopened.value, done, at=9)
    assert types(again.drafts) == ["book.classified", *VERIFIED]


def test_a_verified_book_is_open_again_with_an_image_group_that_still_takes_images() -> None:
    done = BookTally(documents_final=1, documents_classified=1)
    first = lifecycle.book_after(BOOK, done, at=7)
    opened = lifecycle.book_after(first.value, replace(done, groups_open=1), at=8)
    assert (opened.value.status, opened.value.is_classified, opened.drafts) == (BookStatus.UPLOAD, False, ())
    assert types(lifecycle.book_after(opened.value, done, at=9).drafts) == ["book.classified", *VERIFIED]


def test_drafts_are_told_documents_first() -> None:
    order = ["book.completed", "BOOK_VERIFIED", "IMAGE_GROUP_VERIFIED", "DOC_VERIFIED", "book.classified", "other"]
    drafts = [Draft(type=name, status="") for name in order]
    assert types(lifecycle.in_order(drafts)) == [
        "book.classified",
        "DOC_VERIFIED",
        "IMAGE_GROUP_VERIFIED",
        "BOOK_VERIFIED",
        "book.completed",
        "other",
    ]
