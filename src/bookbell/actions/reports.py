"""What the pipeline reports: outcomes of documents, mixed documents, image groups and analytics.

A report holds the row of its book, so reports on one book come one after another: of two that finish the last two
documents of a book, exactly one sees the other and fires BOOK_VERIFIED. Reporting a state again changes nothing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar, assert_never

from bookbell.actions.settling import settle
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.analytics import check_report, generated
from bookbell.core.errors import BookbellError, BookNotFound, DocumentNotFound, NotFound
from bookbell.core.events import Draft
from bookbell.core.lifecycle import (
    Part,
    analytics_moved,
    document_classified,
    document_moved,
    mixed_classified,
    mixed_moved,
)
from bookbell.core.model import (
    AnalyticsRequest,
    AnalyticsStatus,
    Book,
    Document,
    DocumentStatus,
    ImageGroup,
    JobStatus,
    LanePk,
    Made,
    MixedDocument,
    MixedStatus,
    OrganizationId,
)
from bookbell.store import analytics, books, documents, images
from bookbell.store.database import Tx

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReport:
    """A document has reached a state."""

    uuid: str
    status: DocumentStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedReport:
    """A mixed document has reached a state other than COMPLETED."""

    uuid: str
    status: MixedStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedPart:
    """One document found in a mixed document. name None: `<file name>(index)`."""

    name: str | None = None
    form_type: str | None = None
    page_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedReport:
    """A mixed document has been cut into documents."""

    uuid: str
    parts: tuple[ClassifiedPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """All documents in work of an image group have reached this final state."""

    uuid: str
    status: DocumentStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsReport:
    """An analytics request has its result, or has expired."""

    id: str
    status: AnalyticsStatus
    result: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookAnalyticsReport:
    """The second-generation analytics of a book: DONE with results by view, or FAILED."""

    book_uuid: str
    status: JobStatus
    results: dict[str, dict[str, Any]] = field(default_factory=dict)


Report = DocumentReport | MixedReport | ClassifiedReport | GroupReport | AnalyticsReport | BookAnalyticsReport


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report did: the subject's id and state now, the book's state, and the documents that came to be."""

    subject: str
    id: str
    status: str
    book_uuid: str
    book_status: str
    documents: tuple[tuple[str, str], ...] = ()


class ReportRefused(BookbellError):
    """One report of a batch was refused, and with it the batch"""

    def __init__(self, place: str, cause: BookbellError) -> None:
        super().__init__(f"{place}: {cause.message}", details=cause.details)
        self.status, self.code = cause.status, cause.code


def apply(tx: Tx, report: Report, stamp: Stamp) -> Published[Reported]:
    """Carry out one report. Raises: NotFound of its subject, IllegalTransition, ValidationFailed."""
    book = _lock_book_of(tx, report)
    match report:
        case DocumentReport():
            return _document(tx, book, report, stamp)
        case MixedReport():
            return _mixed(tx, book, report, stamp)
        case ClassifiedReport():
            return _classified(tx, book, report, stamp)
        case GroupReport():
            return _group(tx, book, report, stamp)
        case AnalyticsReport():
            return _analytics(tx, book, report, stamp)
        case BookAnalyticsReport():
            return _book_analytics(tx, book, report, stamp)
        case _:
            assert_never(report)


def apply_all(tx: Tx, reports: Sequence[Report], stamp: Stamp) -> Published[list[Reported]]:
    """Carry out a batch, all of it or nothing. Raises: ReportRefused that names the report.

    The books are locked in ascending order first, so that two batches cannot wait for each other.
    """
    found = [named("reports", index, _book_of, tx, report) for index, report in enumerate(reports)]
    for pk, organization_id in sorted(set(found)):
        books.lock_book(tx, organization_id, pk)
    done, rung = [], frozenset[LanePk]()
    made: list[Made] = []
    for index, report in enumerate(reports):
        published = named("reports", index, apply, tx, report, stamp)
        done.append(published.value)
        rung |= published.lanes
        made += published.made
    return Published(done, rung, made)


def named(batch: str, index: int, run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What this gives, for one item of a batch. Raises: ReportRefused that says which item was refused."""
    try:
        return run(*args, **kwargs)
    except BookbellError as error:
        raise ReportRefused(f"{batch}[{index}]", error) from error


def _document(tx: Tx, book: Book, report: DocumentReport, stamp: Stamp) -> Published[Reported]:
    document = _demand_document(tx, report.uuid)
    change = document_moved(document, report.status, reason=report.reason, at=stamp.at)
    if change.value is document:
        return Published(_reported("document", document.uuid, document.status, book))
    documents.save_document(tx, change.value)
    book, told = settle(tx, book, change.drafts, stamp, groups=[document.image_group_pk])
    return told.published(_reported("document", document.uuid, change.value.status, book))


def _mixed(tx: Tx, book: Book, report: MixedReport, stamp: Stamp) -> Published[Reported]:
    mixed = _demand_mixed(tx, report.uuid)
    change = mixed_moved(mixed, report.status, reason=report.reason, at=stamp.at)
    if change.value is mixed:
        return Published(_reported("mixed_document", mixed.uuid, mixed.status, book))
    documents.save_mixed(tx, change.value)
    book, told = settle(tx, book, change.drafts, stamp, groups=[mixed.image_group_pk])
    return told.published(_reported("mixed_document", mixed.uuid, change.value.status, book))


def _classified(tx: Tx, book: Book, report: ClassifiedReport, stamp: Stamp) -> Published[Reported]:
    mixed = _demand_mixed(tx, report.uuid)
    if mixed.status is MixedStatus.COMPLETED:
        existing = documents.documents_of_mixed(tx, mixed)
        return Published(_reported("mixed_document", mixed.uuid, mixed.status, book, existing))
    parts = [
        Part(uuid=stamp.new_id(), name=part.name, form_type=part.form_type, page_count=part.page_count)
        for part in report.parts
    ]
    completed, cut = mixed_classified(mixed, parts, at=stamp.at)
    documents.save_mixed(tx, completed)
    made = [replace(document, pk=documents.insert_document(tx, document)) for document in cut]
    book, told = settle(tx, book, [document_classified(document) for document in made], stamp)
    return told.published(_reported("mixed_document", mixed.uuid, completed.status, book, made))


def _group(tx: Tx, book: Book, report: GroupReport, stamp: Stamp) -> Published[Reported]:
    group = images.find_group(tx, book.organization_id, uuid=report.uuid)
    assert group is not None
    drafts: list[Draft] = []
    for document in documents.in_work_of_group(tx, group):
        change = document_moved(document, report.status, reason=report.reason, at=stamp.at)
        documents.save_document(tx, change.value)
        drafts += change.drafts
    book, told = settle(tx, book, drafts, stamp, groups=[group.pk])
    after = images.find_group(tx, book.organization_id, pk=group.pk)
    assert after is not None
    return told.published(_reported("image_group", group.uuid, after.status, book))


def _analytics(tx: Tx, book: Book, report: AnalyticsReport, stamp: Stamp) -> Published[Reported]:
    request = _demand_request(tx, report.id)
    result = None if report.result is None else json.dumps(report.result, ensure_ascii=False)
    change = analytics_moved(request, report.status, result=result, at=stamp.at)
    if change.value is request:
        return Published(_reported("analytics_request", request.id, request.status, book))
    analytics.save_request(tx, change.value)
    book, told = settle(tx, book, change.drafts, stamp)
    return told.published(_reported("analytics_request", request.id, change.value.status, book))


def _book_analytics(tx: Tx, book: Book, report: BookAnalyticsReport, stamp: Stamp) -> Published[Reported]:
    check_report(report.status, report.results)
    results = {view: json.dumps(result, ensure_ascii=False) for view, result in report.results.items()}
    analytics.end_jobs(tx, book, results, at=stamp.at)
    is_known = book.analyzed_at is not None and analytics.results_of(tx, book) == results
    if report.status is JobStatus.FAILED or is_known:
        return Published(_reported("book_analytics", book.uuid, report.status, book))
    analytics.save_results(tx, book, results)
    change = generated(book, at=stamp.at)
    books.save_book(tx, change.value)
    book, told = settle(tx, change.value, change.drafts, stamp)
    return told.published(_reported("book_analytics", book.uuid, report.status, book))


def _reported(subject: str, id_: str, status: str, book: Book, made: Sequence[Document] = ()) -> Reported:
    return Reported(
        subject, id_, str(status), book.uuid, str(book.status), tuple((each.uuid, each.name) for each in made)
    )


def _lock_book_of(tx: Tx, report: Report) -> Book:
    pk, organization_id = _book_of(tx, report)
    locked = books.lock_book(tx, organization_id, pk)
    if locked is None:
        raise BookNotFound
    return locked


def _book_of(tx: Tx, report: Report) -> tuple[int, OrganizationId]:
    """The pk of the book a report is about; the pipeline serves every organization, the subject's row says which."""
    subject: Document | MixedDocument | AnalyticsRequest | ImageGroup
    match report:
        case BookAnalyticsReport(book_uuid=uuid):
            book = books.find_book_anywhere(tx, uuid)
            if book is None:
                raise BookNotFound(f"Book {uuid[:80]} not found")
            return book.pk, book.organization_id
        case DocumentReport(uuid=uuid):
            subject = _demand_document(tx, uuid)
        case MixedReport(uuid=uuid) | ClassifiedReport(uuid=uuid):
            subject = _demand_mixed(tx, uuid)
        case GroupReport(uuid=uuid):
            group = images.find_group(tx, None, uuid=uuid)
            if group is None:
                raise NotFound(f"Image group {uuid[:80]} not found")
            subject = group
        case AnalyticsReport(id=id_):
            subject = _demand_request(tx, id_)
        case _:
            assert_never(report)
    return subject.book_pk, subject.organization_id


def _demand_document(tx: Tx, uuid: str) -> Document:
    found = documents.find_document(tx, None, uuid=uuid)
    if found is None:
        raise DocumentNotFound(f"Document {uuid[:80]} not found")
    return found


def _demand_mixed(tx: Tx, uuid: str) -> MixedDocument:
    found = documents.find_mixed(tx, None, uuid=uuid)
    if found is None:
        raise DocumentNotFound(f"Mixed document {uuid[:80]} not found")
    return found


def _demand_request(tx: Tx, request_id: str) -> AnalyticsRequest:
    found = analytics.find_request(tx, None, request_id)
    if found is None:
        raise NotFound(f"Analytics request {request_id[:80]} not found")
    return found
