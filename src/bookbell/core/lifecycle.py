"""How resources change state, and what each change fires.

The tables are the rules; the code looks up. A report of the state a thing is in already changes nothing and fires
nothing, so that reports can be repeated; a move the table does not know is refused with one precise error.

    Document        QUEUED > PROCESSING > CLASSIFIED > GROOMING > VERIFYING > VERIFICATION_COMPLETE
                       \\__________ any of these __________/ \\--> REJECTED | FAILED
    Mixed document  QUEUED > PROCESSING > CLASSIFIED > COMPLETED | REJECTED | FAILED
    Image group     UPLOADING > QUEUED > VERIFICATION_COMPLETE | REJECTED | FAILED
    Book            CREATED > UPLOAD > VERIFYING > VERIFIED (> UPLOAD, VERIFYING again on a new upload) > DELETED

A pipeline may skip forward. What clients do (cancel, remove, upgrade) is in core.client_moves: what they remove goes
on to DELETING and, once its file is gone, DELETED. No pipeline may report that, for the file would stay.
Source: contract 9.2–9.4, 14.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar, assert_never

from bookbell.core.errors import IllegalTransition, ValidationFailed
from bookbell.core.events import Draft
from bookbell.core.model import (
    AnalyticsRequest,
    AnalyticsStatus,
    Book,
    BookStatus,
    Document,
    DocumentSource,
    DocumentStatus,
    ImageGroup,
    ImageGroupStatus,
    MixedDocument,
    MixedStatus,
)

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S", bound=StrEnum)

D, M, G = DocumentStatus, MixedStatus, ImageGroupStatus

DOCUMENT_IN_WORK = (D.QUEUED, D.PROCESSING, D.CLASSIFIED, D.GROOMING, D.VERIFYING)
DOCUMENT_UNCLASSIFIED = (D.QUEUED, D.PROCESSING)
DOCUMENT_CLASSIFIED = (D.CLASSIFIED, D.GROOMING, D.VERIFYING, D.VERIFICATION_COMPLETE)
DOCUMENT_FINAL = (D.VERIFICATION_COMPLETE, D.REJECTED, D.FAILED)
MIXED_IN_WORK = (M.QUEUED, M.PROCESSING, M.CLASSIFIED)
MIXED_FINAL = (M.COMPLETED, M.REJECTED, M.FAILED)

DOCUMENT_MOVES: dict[DocumentStatus, tuple[DocumentStatus, ...]] = {
    **{each: (*DOCUMENT_IN_WORK[index + 1 :], *DOCUMENT_FINAL) for index, each in enumerate(DOCUMENT_IN_WORK)},
    **dict.fromkeys((*DOCUMENT_FINAL, D.DELETING, D.DELETED), ()),
}
MIXED_MOVES: dict[MixedStatus, tuple[MixedStatus, ...]] = {
    **{each: (*MIXED_IN_WORK[index + 1 :], *MIXED_FINAL) for index, each in enumerate(MIXED_IN_WORK)},
    **dict.fromkeys((*MIXED_FINAL, M.DELETING, M.DELETED), ()),
}
GROUP_MOVES: dict[ImageGroupStatus, tuple[ImageGroupStatus, ...]] = {
    G.UPLOADING: (G.QUEUED, G.FAILED),
    G.QUEUED: (G.VERIFICATION_COMPLETE, G.REJECTED, G.FAILED),
    G.VERIFICATION_COMPLETE: (),
    G.REJECTED: (),
    G.FAILED: (),
}
ANALYTICS_MOVES: dict[AnalyticsStatus, tuple[AnalyticsStatus, ...]] = {
    AnalyticsStatus.PROCESSING: (AnalyticsStatus.COMPLETED, AnalyticsStatus.EXPIRED),
    AnalyticsStatus.COMPLETED: (AnalyticsStatus.EXPIRED,),
    AnalyticsStatus.EXPIRED: (),
}

REJECTION_DEFAULT = "INVALID DOCUMENT"
CANCELLATION_REASON = "Customer Requested Cancellation (not billable)"
REJECTION_REASONS = (
    "INCOMPLETE TRANSACTION DATA",
    "NO_TRANSACTIONS",
    "DOCUMENT CONTAINS UNEXPECTED PII DATA",
    "DOCUMENT IS UNREADABLE",
    "DOCUMENT TYPE NOT SUPPORTED",
    REJECTION_DEFAULT,
    "INSTANT NOT SUPPORTED",
    "NO_PERIOD_SUMMARY",
    "STATEMENT_UNRECONCILED",
    CANCELLATION_REASON,
)
BOOK_COMPLETE = "BOOK_COMPLETE"


@dataclass(frozen=True, slots=True)
class Change(Generic[T_co]):
    """The value after a move, and what the move fires, in order."""

    value: T_co
    drafts: tuple[Draft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One document cut out of a mixed document. uuid: its new id; name: None takes `<file name>(index)`."""

    uuid: str
    name: str | None = None
    form_type: str | None = None
    page_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTally:
    """How many things a book holds, after a change was written. Deleted ones do not count."""

    documents_unclassified: int = 0
    documents_classified: int = 0
    documents_in_work: int = 0
    documents_final: int = 0
    mixed_in_work: int = 0
    mixed_final: int = 0
    groups_open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTally:
    """How many documents (and unclassified mixed documents) came of an image group, by where they stand."""

    in_work: int = 0
    complete: int = 0
    rejected: int = 0
    failed: int = 0


def document_accepted(document: Document) -> tuple[Draft, ...]:
    """What a new document fires: nothing yet, if its data has still to be pulled."""
    match document.source:
        case DocumentSource.FILE:
            return (Draft(type="document.upload_succeeded", status=document.status, document=document),)
        case DocumentSource.PLAID | DocumentSource.FINICITY:
            return (aggregator_accepted(document),)
        case DocumentSource.PLAID_ASSET:
            return ()
        case _:
            assert_never(document.source)


def document_refused(name: str, document: Document | None = None) -> Draft:
    """What a document fires that could not be taken in. name: of the file, where no document exists."""
    return Draft(type="document.upload_failed", status=D.FAILED, document=document, name=name)


def aggregator_accepted(document: Document) -> Draft:
    """What a document made of aggregator data (Plaid and the like) fires instead of document.upload_succeeded."""
    return Draft(type="plaid.upload_succeeded", status=D.QUEUED, document=document)


def aggregator_refused(name: str, document: Document | None = None) -> Draft:
    """What aggregator data fires that could not be taken in. name: of the file, where no document exists."""
    return Draft(type="plaid.upload_failed", status=D.FAILED, document=document, name=name)


def document_moved(document: Document, to: DocumentStatus, *, reason: str | None, at: int) -> Change[Document]:
    """The document in its new state. reason: why it was rejected. Raises: IllegalTransition, ValidationFailed."""
    if document.status is to:
        return Change(document)
    _demand(f"Document {document.uuid}", document.status, to, DOCUMENT_MOVES)
    why = _rejection(reason, is_rejected=to is D.REJECTED)
    moved = replace(document, status=to, rejection_reason=why or document.rejection_reason, updated_at=at)
    is_pull = document.source is DocumentSource.PLAID_ASSET and document.status is D.QUEUED
    if is_pull and to is D.FAILED:
        return Change(moved, (aggregator_refused(moved.name, moved),))
    pulled = (aggregator_accepted(moved),)
    is_pulled = is_pull and to is not D.REJECTED
    return Change(moved, (*(pulled if is_pulled else ()), *_classification(document, moved), *_verification(moved)))


def mixed_moved(mixed: MixedDocument, to: MixedStatus, *, reason: str | None, at: int) -> Change[MixedDocument]:
    """The mixed document in its new state; COMPLETED is reached by `mixed_classified` only."""
    if mixed.status is to:
        return Change(mixed)
    _demand(f"Mixed document {mixed.uuid}", mixed.status, to, MIXED_MOVES)
    if to is M.COMPLETED:
        raise ValidationFailed("A mixed document becomes COMPLETED by reporting the documents it was classified into.")
    why = _rejection(reason, is_rejected=to is M.REJECTED)
    moved = replace(mixed, status=to, rejection_reason=why or mixed.rejection_reason, updated_at=at)
    if to is M.REJECTED:
        return Change(moved, (Draft(type="mixed_document.rejected", status=to, mixed=moved, rejection_reason=why),))
    return Change(moved)


def mixed_classified(
    mixed: MixedDocument, parts: Sequence[Part], *, at: int
) -> tuple[MixedDocument, tuple[Document, ...]]:
    """The completed mixed document and the documents it was cut into, CLASSIFIED and without pk.

    Raises: IllegalTransition, ValidationFailed when there is no part.
    """
    _demand(f"Mixed document {mixed.uuid}", mixed.status, M.COMPLETED, MIXED_MOVES)
    if not parts:
        raise ValidationFailed("A mixed document is classified into at least one document; otherwise reject it.")
    documents = tuple(
        Document(
            pk=0,
            uuid=part.uuid,
            organization_id=mixed.organization_id,
            book_pk=mixed.book_pk,
            name=part.name or f"{mixed.name}({index})",
            form_type=part.form_type,
            status=D.CLASSIFIED,
            rejection_reason=None,
            page_count=part.page_count,
            md5=mixed.md5,
            blob=mixed.blob,
            mixed_pk=mixed.pk,
            mixed_uuid=mixed.uuid,
            image_group_pk=mixed.image_group_pk,
            image_group_uuid=mixed.image_group_uuid,
            created_at=at,
            updated_at=at,
            document_class=mixed.document_class,
        )
        for index, part in enumerate(parts)
    )
    return replace(mixed, status=M.COMPLETED, updated_at=at), documents


def document_classified(document: Document) -> Draft:
    """What a document cut out of a mixed document fires once it exists."""
    return Draft(type="document.classification_succeeded", status=D.CLASSIFIED, document=document)


def group_finalized(group: ImageGroup, *, form_type: str | None, at: int) -> Change[ImageGroup]:
    """The image group once its last image is in. Raises: IllegalTransition."""
    _demand(f"Image group {group.uuid}", group.status, G.QUEUED, GROUP_MOVES)
    moved = replace(group, status=G.QUEUED, form_type=form_type, updated_at=at)
    return Change(moved, (Draft(type="image_group.upload_succeeded", status=moved.status, group=moved),))


def group_refused(group: ImageGroup, *, at: int) -> Change[ImageGroup]:
    """The open image group once it could not be taken in; the next image opens another. Raises: IllegalTransition."""
    if group.status is G.FAILED:
        return Change(group)
    if group.status is not G.UPLOADING:
        raise IllegalTransition(f"Image group {group.uuid} is {group.status}; only one that is UPLOADING can fail.")
    moved = replace(group, status=G.FAILED, updated_at=at)
    return Change(moved, (Draft(type="image_group.upload_failed", status=G.FAILED, group=moved),))


def group_after(group: ImageGroup, tally: GroupTally, *, at: int) -> Change[ImageGroup]:
    """The image group once its documents have moved: final when all of them are, verified when one is."""
    if group.status is not G.QUEUED or tally.in_work or not (tally.complete or tally.rejected or tally.failed):
        return Change(group)
    if tally.complete:
        return _group_ended(group, G.VERIFICATION_COMPLETE, at)
    return _group_ended(group, G.REJECTED if tally.rejected else G.FAILED, at)


def analytics_moved(
    request: AnalyticsRequest, to: AnalyticsStatus, *, result: str | None, at: int
) -> Change[AnalyticsRequest]:
    """The analytics request with its result (JSON text), or expired."""
    if request.status is to:
        return Change(request)
    _demand(f"Analytics request {request.id}", request.status, to, ANALYTICS_MOVES)
    moved = replace(request, status=to, result=result or request.result, updated_at=at)
    if to is not AnalyticsStatus.COMPLETED:
        return Change(moved)
    fired = ("ANALYTICS_COMPLETED", "book.analytics_completed")
    return Change(moved, tuple(Draft(type=name, status=to, analytics_request_id=request.id) for name in fired))


def book_after(book: Book, tally: BookTally, *, at: int) -> Change[Book]:
    """The book once something in it has changed.

    It is VERIFIED when nothing is left in work or being uploaded and at least one document (or mixed document)
    exists; rejected and failed ones are final and count. Each time it becomes VERIFIED it fires; without documents it
    never does. When work begins again, the tasks done and the analytics from before count no more.
    """
    status = _book_status(tally)
    is_unsettled = bool(tally.documents_unclassified or tally.mixed_in_work or tally.groups_open)
    is_classified = not is_unsettled and (book.is_classified or tally.documents_classified > 0)
    if status is book.status and is_classified == book.is_classified:
        return Change(book)
    moved = replace(book, status=status, is_classified=is_classified, updated_at=at)
    if status is not book.status and status is not BookStatus.VERIFIED:
        moved = replace(moved, tasks_done=frozenset(), is_completed=False, analyzed_at=None)
    drafts: list[Draft] = []
    if is_classified and not book.is_classified:
        drafts.append(Draft(type="book.classified", status=BookStatus.VERIFYING))
    if status is BookStatus.VERIFIED and book.status is not BookStatus.VERIFIED:
        drafts += [
            Draft(type="BOOK_VERIFIED", status=BOOK_COMPLETE),
            Draft(type="book.verified", status=BOOK_COMPLETE),
        ]
    return Change(moved, tuple(drafts))


def in_order(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """Drafts of one transaction as they are told: documents before their group and book (contract 4.6).

    `book.completed` comes after all of them, see core.tasks.
    """
    return tuple(sorted(drafts, key=lambda draft: _ORDER.get(draft.type, len(_ORDER))))


_ORDER = {
    name: index
    for index, name in enumerate(
        (
            "document.upload_failed",
            "plaid.upload_failed",
            "image_group.upload_failed",
            "document.upload_succeeded",
            "plaid.upload_succeeded",
            "image_group.upload_succeeded",
            "document.classification_succeeded",
            "document.classification_failed",
            "mixed_document.rejected",
            "book.classified",
            "DOC_VERIFIED",
            "document.verification_succeeded",
            "document.verification_failed",
            "IMAGE_GROUP_VERIFIED",
            "image_group.verification_succeeded",
            "image_group.verification_failed",
            "BOOK_VERIFIED",
            "book.verified",
            "ANALYTICS_COMPLETED",
            "book.analytics_completed",
            "book.analytics_v2.generated",
            "book.income.generated",
            "book.income.updated",
            "document.detect.signal_found",
            "document.detect.signal_not_found",
            "document.detect.unable_to_process",
            "book.detect.signal_found",
            "book.detect.signal_not_found",
        )
    )
}


def _book_status(tally: BookTally) -> BookStatus:
    if tally.documents_in_work or tally.mixed_in_work:
        return BookStatus.VERIFYING
    if tally.groups_open:
        return BookStatus.UPLOAD
    return BookStatus.VERIFIED if tally.documents_final or tally.mixed_final else BookStatus.CREATED


def _classification(before: Document, after: Document) -> tuple[Draft, ...]:
    if before.status not in DOCUMENT_UNCLASSIFIED:
        return ()
    if after.status in DOCUMENT_CLASSIFIED:
        return (Draft(type="document.classification_succeeded", status=D.CLASSIFIED, document=after),)
    if after.status is D.FAILED:
        return (Draft(type="document.classification_failed", status=D.FAILED, document=after),)
    return ()


def _verification(document: Document) -> tuple[Draft, ...]:
    def draft(name: str) -> Draft:
        reason = document.rejection_reason if document.status is D.REJECTED else None
        return Draft(type=name, status=document.status, document=document, rejection_reason=reason)

    match document.status:
        case D.VERIFICATION_COMPLETE:
            return draft("DOC_VERIFIED"), draft("document.verification_succeeded")
        case D.REJECTED:
            return draft("DOC_VERIFIED"), draft("document.verification_failed")
        case D.FAILED:
            return (draft("document.verification_failed"),)
        case _:
            return ()


def _group_ended(group: ImageGroup, to: ImageGroupStatus, at: int) -> Change[ImageGroup]:
    moved = replace(group, status=to, updated_at=at)
    outcome = "succeeded" if to is G.VERIFICATION_COMPLETE else "failed"
    org = Draft(type=f"image_group.verification_{outcome}", status=to, group=moved)
    if to is G.FAILED:
        return Change(moved, (org,))
    return Change(moved, (Draft(type="IMAGE_GROUP_VERIFIED", status=to, group=moved), org))


def _rejection(reason: str | None, *, is_rejected: bool) -> str | None:
    if reason is not None and not is_rejected:
        raise ValidationFailed("reason: only a rejection has one")
    return (reason or REJECTION_DEFAULT) if is_rejected else None


def _demand(what: str, now: S, to: S, moves: dict[S, tuple[S, ...]]) -> None:
    if to not in moves[now]:
        options = ", ".join(moves[now]) or "nothing else"
        raise IllegalTransition(f"{what} is {now} and cannot become {to}; from there it can become {options}.")
