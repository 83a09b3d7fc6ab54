"""The bodies of events: exact bytes for each level.

A Draft says what happened; a body is what a receiver gets told: the keys that core.fields names, in that order, with
the values found here. Source: contract 3.2–3.5, 4.2–4.5.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookbell.core.catalogue import TYPES, EventType, Subject
from bookbell.core.fields import fields_of
from bookbell.core.model import Book, Document, ImageGroup, Level, MixedDocument, OrganizationId

TEST_BODY = b'{"status": "VERIFICATION_COMPLETE", "uploaded_doc_pk": 0, "book_pk": 0}'
"""What the account-level test call sends, exactly (contract 3.3)."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

DocumentStatuses = Sequence[tuple[str, str]]
"""uuid and status of each document of a book, in order of creation."""

REJECTED_REASON = "Document rejected"
"""The notification_reason of DOC_VERIFIED when the document was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Something that happened, not yet an event. status: the subject's, as the body tells it.

    name: of the file that was not taken in, where there is no document. organization_id: whom it is about, where there
    is no book.
    """

    type: str
    status: str
    document: Document | None = None
    mixed: MixedDocument | None = None
    group: ImageGroup | None = None
    analytics_request_id: str | None = None
    rejection_reason: str | None = None
    name: str | None = None
    organization_id: OrganizationId | None = None
    tasks: tuple[str, ...] = ()


def subject_pk(draft: Draft) -> int | None:
    """The document whose state this tells, so that a later event of it supersedes this one; None if it tells another
    thing, such as a finding.
    """
    is_finding = draft.type.startswith("document.detect.")
    return None if draft.document is None or is_finding else draft.document.pk


_LISTING = {
    kind.name
    for kind in TYPES.values()
    if any(field.name == "uploaded_docs" for level in kind.levels for field in fields_of(kind, level))
}


def needs_documents(draft: Draft) -> bool:
    """Whether a body lists the documents of the book."""
    return draft.type in _LISTING


def body(draft: Draft, level: Level, book: Book | None, documents: DocumentStatuses) -> bytes | None:
    """The bytes this level is sent, None if it does not know the event type. book None: about the organization."""
    kind = TYPES[draft.type]
    if level not in kind.levels:
        return None
    about = {} if book is None else _of_book(book, documents)
    values = {**_said(kind, draft), **about, **_of_subject(kind, draft)}
    chosen = {
        field.name: values[field.name]
        for field in fields_of(kind, level)
        if not (field.is_optional and values[field.name] is None)
    }
    return _ENCODER.encode(chosen).encode()


def _said(kind: EventType, draft: Draft) -> dict[str, Any]:
    is_rejected = draft.rejection_reason is not None and kind.name == "DOC_VERIFIED"
    tasks = sorted(draft.tasks)
    reason = f"{kind.reason} {','.join(tasks)}" if tasks else kind.reason
    return {
        "event_name": kind.name,
        "event": kind.name,
        "severity": kind.severity,
        "notification_type": kind.notification,
        "notification_reason": REJECTED_REASON if is_rejected else reason,
        "status": draft.status,
        "rejection_reason": draft.rejection_reason,
        "tasks": tasks,
        "is_cloud_compliant": True,  # contract C18
        "analytics_request_id": draft.analytics_request_id,
        "organization_id": draft.organization_id,
    }


def _of_book(book: Book, documents: DocumentStatuses) -> dict[str, Any]:
    return {
        "book_pk": book.pk,
        "book_uuid": book.uuid,
        "book_name": book.name,
        "uploaded_docs": [{"uuid": uuid, "status": status} for uuid, status in documents],
    }


def _of_subject(kind: EventType, draft: Draft) -> dict[str, Any]:
    match kind.subject:
        case Subject.MIXED:
            assert draft.mixed is not None
            return {"mixed_uploaded_doc_pk": draft.mixed.pk, "mixed_uploaded_doc_uuid": draft.mixed.uuid}
        case Subject.GROUP:
            assert draft.group is not None
            return {"uploaded_image_group_pk": draft.group.pk, "uploaded_image_group_uuid": draft.group.uuid}
        case Subject.DOCUMENT:
            return _of_document(draft.document, draft.name)
        case _:
            return {}


def _of_document(document: Document | None, name: str | None) -> dict[str, Any]:
    """The document's keys; all null for one that was not taken in."""
    return {
        "uploaded_doc_pk": document and document.pk,
        "uploaded_doc_uuid": document and document.uuid,
        "doc_uuid": document and document.uuid,
        "uploaded_doc_name": document.name if document else name,
        "mixed_uploaded_doc_pk": document and document.mixed_pk,
        "mixed_uploaded_doc_uuid": document and document.mixed_uuid,
        "uploaded_image_group_pk": document and document.image_group_pk,
        "uploaded_image_group_uuid": document and document.image_group_uuid,
    }
