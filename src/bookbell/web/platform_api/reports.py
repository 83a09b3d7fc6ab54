"""The pipeline's calls: outcomes one by one or as a batch.

With an Idempotency-Key a report is carried out once however often it is sent: its answer is kept in the transaction
that made it. Source: docs/reporting-outcomes.md.
"""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from bookbell.actions import reports
from bookbell.actions.reports import Report, Reported
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.errors import (
    BookNotFound,
    DocumentNotFound,
    IdempotencyMismatch,
    IllegalTransition,
    NotFound,
    TooManyDocuments,
)
from bookbell.core.model import AnalyticsStatus, DocumentStatus, JobStatus, MixedStatus
from bookbell.store.database import Tx
from bookbell.web import wire
from bookbell.web.auth import require_pipeline
from bookbell.web.http import Response
from bookbell.web.idempotency import carried_out
from bookbell.web.operation import Access, Operation, Tag, described, enveloped
from bookbell.web.platform_api.report_shapes import BASE, KEY, REPORTED, reporting
from bookbell.web.routing import post
from bookbell.web.shape import listed, record

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]


class StatusBody(msgspec.Struct, forbid_unknown_fields=True):
    """The state a document (or all documents in work of an image group) has reached."""

    status: DocumentStatus
    reason: Reason | None = None


class MixedBody(msgspec.Struct, forbid_unknown_fields=True):
    """The state a mixed document has reached."""

    status: MixedStatus
    reason: Reason | None = None


class PartBody(msgspec.Struct, forbid_unknown_fields=True):
    """One document found in a mixed document."""

    name: Reason | None = None
    form_type: Reason | None = None
    page_count: Annotated[int, msgspec.Meta(ge=1, le=limits.PAGES_PER_DOCUMENT_MAX)] = 1


class ClassifiedBody(msgspec.Struct, forbid_unknown_fields=True):
    """The documents a mixed document was cut into."""

    documents: Annotated[list[PartBody], msgspec.Meta(min_length=1, max_length=limits.DOCUMENTS_PER_MIXED_MAX)]


class AnalyticsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The state an analytics request has reached, with its result."""

    status: AnalyticsStatus
    result: dict[str, Any] | None = None


class BookAnalyticsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The second-generation analytics of a book: DONE with results by view, or FAILED."""

    status: JobStatus
    results: dict[str, dict[str, Any]] = {}


class DocumentItem(StatusBody, tag_field="subject", tag="document", forbid_unknown_fields=True, kw_only=True):
    """A document's outcome in a batch."""

    uuid: str


class MixedItem(MixedBody, tag_field="subject", tag="mixed_document", forbid_unknown_fields=True, kw_only=True):
    """A mixed document's outcome in a batch."""

    uuid: str


class ClassifiedItem(ClassifiedBody, tag_field="subject", tag="classified", forbid_unknown_fields=True, kw_only=True):
    """A mixed document's classification in a batch."""

    uuid: str


class GroupItem(StatusBody, tag_field="subject", tag="image_group", forbid_unknown_fields=True, kw_only=True):
    """An image group's outcome in a batch."""

    uuid: str


class AnalyticsItem(
    AnalyticsBody, tag_field="subject", tag="analytics_request", forbid_unknown_fields=True, kw_only=True
):
    """An analytics request's outcome in a batch."""

    id: str


class BookAnalyticsItem(
    BookAnalyticsBody, tag_field="subject", tag="book_analytics", forbid_unknown_fields=True, kw_only=True
):
    """The second-generation analytics of a book in a batch."""

    uuid: str


Item = DocumentItem | MixedItem | ClassifiedItem | GroupItem | AnalyticsItem | BookAnalyticsItem


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Reports that are carried out together, all or none."""

    reports: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=limits.REPORT_BATCH_COUNT_MAX)]


@post(
    BASE + "/documents/{uuid:str}/status",
    opt=reporting(StatusBody, {"status": "VERIFICATION_COMPLETE"}, DocumentNotFound),
)
async def report_document(request: wire.Wire) -> Response:
    """A document has reached a state."""
    return await _one(request, StatusBody, lambda body: _document(wire.path_uuid(request, "uuid"), body))


@post(
    BASE + "/mixed-documents/{uuid:str}/status",
    opt=reporting(MixedBody, {"status": "REJECTED", "reason": "DOCUMENT IS UNREADABLE"}, DocumentNotFound),
)
async def report_mixed(request: wire.Wire) -> Response:
    """A mixed document has reached a state other than COMPLETED."""
    return await _one(request, MixedBody, lambda body: _mixed(wire.path_uuid(request, "uuid"), body))


@post(
    BASE + "/mixed-documents/{uuid:str}/classified",
    opt=reporting(
        ClassifiedBody, {"documents": [{"form_type": "W2", "page_count": 2}]}, DocumentNotFound, TooManyDocuments
    ),
)
async def report_classified(request: wire.Wire) -> Response:
    """A mixed document has been cut into documents."""
    return await _one(request, ClassifiedBody, lambda body: _classified(wire.path_uuid(request, "uuid"), body))


@post(
    BASE + "/image-groups/{uuid:str}/status", opt=reporting(StatusBody, {"status": "VERIFICATION_COMPLETE"}, NotFound)
)
async def report_group(request: wire.Wire) -> Response:
    """All documents in work of an image group have reached a state."""
    return await _one(request, StatusBody, lambda body: _group(wire.path_uuid(request, "uuid"), body))


@post(
    BASE + "/analytics-requests/{request_id:str}/status",
    opt=reporting(AnalyticsBody, {"status": "COMPLETED", "result": {"score": 1}}, NotFound),
)
async def report_analytics(request: wire.Wire) -> Response:
    """An analytics request has its result, or has expired."""
    return await _one(request, AnalyticsBody, lambda body: _analytics(wire.path_uuid(request, "request_id"), body))


@post(
    BASE + "/books/{uuid:str}/analytics",
    opt=reporting(BookAnalyticsBody, {"status": "DONE", "results": {"summary": {"txn_count": 324}}}),
)
async def report_book_analytics(request: wire.Wire) -> Response:
    """The second-generation analytics of a book are there, or could not be made."""
    return await _one(request, BookAnalyticsBody, lambda body: _book_analytics(wire.path_uuid(request, "uuid"), body))


@post(
    BASE + "/reports",
    opt=described(
        Operation(
            tag=Tag.PIPELINE,
            access=Access.PIPELINE,
            fields=KEY,
            body=BatchBody,
            example={
                "reports": [
                    {"subject": "document", "uuid": "c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10", "status": "GROOMING"}
                ]
            },
            answer=enveloped(record({"reports": listed(REPORTED)})),
            errors=(
                BookNotFound,
                DocumentNotFound,
                NotFound,
                TooManyDocuments,
                IllegalTransition,
                IdempotencyMismatch,
            ),
        )
    ),
)
async def report_batch(request: wire.Wire) -> Response:
    """Many reports as one transaction."""
    require_pipeline(request)
    raw = await wire.read_body(request)
    batch: BatchBody = wire.converted(raw, BatchBody)
    wanted = [_of_item(item) for item in batch.reports]

    def carry_out(tx: Tx, stamp: Stamp) -> Published[Any]:
        published = reports.apply_all(tx, wanted, stamp)
        return published.showing({"reports": [_shown(each) for each in published.value]})

    return await carried_out(request, raw, carry_out)


async def _one(request: wire.Wire, kind: type[msgspec.Struct], to_report: Callable[[Any], Report]) -> Response:
    require_pipeline(request)
    raw = await wire.read_body(request)
    report = to_report(wire.converted(raw, kind))

    def carry_out(tx: Tx, stamp: Stamp) -> Published[Any]:
        published = reports.apply(tx, report, stamp)
        return published.showing(_shown(published.value))

    return await carried_out(request, raw, carry_out)


def _of_item(item: Item) -> Report:
    match item:
        case DocumentItem():
            return _document(item.uuid.lower(), item)
        case MixedItem():
            return _mixed(item.uuid.lower(), item)
        case ClassifiedItem():
            return _classified(item.uuid.lower(), item)
        case GroupItem():
            return _group(item.uuid.lower(), item)
        case AnalyticsItem():
            return _analytics(item.id.lower(), item)
        case BookAnalyticsItem():
            return _book_analytics(item.uuid.lower(), item)


def _document(uuid: str, body: StatusBody) -> Report:
    return reports.DocumentReport(uuid=uuid, status=body.status, reason=body.reason)


def _mixed(uuid: str, body: MixedBody) -> Report:
    return reports.MixedReport(uuid=uuid, status=body.status, reason=body.reason)


def _classified(uuid: str, body: ClassifiedBody) -> Report:
    parts = tuple(
        reports.ClassifiedPart(name=part.name, form_type=part.form_type, page_count=part.page_count)
        for part in body.documents
    )
    return reports.ClassifiedReport(uuid=uuid, parts=parts)


def _group(uuid: str, body: StatusBody) -> Report:
    return reports.GroupReport(uuid=uuid, status=body.status, reason=body.reason)


def _analytics(request_id: str, body: AnalyticsBody) -> Report:
    return reports.AnalyticsReport(id=request_id, status=body.status, result=body.result)


def _book_analytics(uuid: str, body: BookAnalyticsBody) -> Report:
    return reports.BookAnalyticsReport(book_uuid=uuid, status=body.status, results=body.results)


def _shown(reported: Reported) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "subject": reported.subject,
        "id": reported.id,
        "status": reported.status,
        "book_uuid": reported.book_uuid,
        "book_status": reported.book_status,
    }
    if reported.documents:
        shown["documents"] = [{"uuid": uuid, "name": name} for uuid, name in reported.documents]
    return shown


routes = [
    report_document,
    report_mixed,
    report_classified,
    report_group,
    report_analytics,
    report_book_analytics,
    report_batch,
]
