"""The bodies of events: exact bytes for each level.

A Draft says what happened; a body is what a receiver gets told. Account-level bodies of dotted events are the
org-level ones without `severity`; the four legacy events have their own shapes. Source: contract 3.2, 3.3, 4.2–4.5.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookbell.core.catalogue import TYPES, EventType, Subject
from bookbell.core.model import Book, Document, ImageGroup, Level, MixedDocument

TEST_BODY = b'{"status": "VERIFICATION_COMPLETE", "uploaded_doc_pk": 0, "book_pk": 0}'
"""What the account-level test call sends, exactly (contract 3.3)."""

DocumentStatuses = Sequence[tuple[str, str]]
"""uuid and status of each document of a book, in order of creation."""

_WITH_DOCUMENTS = {Subject.BOOK}
_DETECT_PREFIX = "document.detect."


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Something that happened, not yet an event. status: the subject's, as the body tells it."""

    type: str
    status: str
    document: Document | None = None
    mixed: MixedDocument | None = None
    group: ImageGroup | None = None
    analytics_request_id: str | None = None
    rejection_reason: str | None = None
    tasks: tuple[str, ...] = ()


def subject_pk(draft: Draft) -> int | None:
    """The document whose state this tells, so that a later event of it supersedes this one; None if it tells another
    thing, such as a finding.
    """
    is_status = draft.document is not None and not draft.type.startswith(_DETECT_PREFIX)
    return draft.document.pk if is_status and draft.document is not None else None


def needs_documents(draft: Draft) -> bool:
    """Whether the body lists the documents of the book."""
    return TYPES[draft.type].subject in _WITH_DOCUMENTS


def body(draft: Draft, level: Level, book: Book, documents: DocumentStatuses) -> bytes | None:
    """The bytes this level is sent, None if it does not know the event type."""
    kind = TYPES[draft.type]
    if level not in kind.levels:
        return None
    fields = _legacy(kind, draft, book) if "." not in kind.name else _dotted(kind, draft, book, level)
    if needs_documents(draft):
        fields["uploaded_docs"] = [{"uuid": uuid, "status": status} for uuid, status in documents]
    if draft.tasks:
        fields["tasks"] = sorted(draft.tasks)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _legacy(kind: EventType, draft: Draft, book: Book) -> dict[str, Any]:
    match kind.subject:
        case Subject.DOCUMENT:
            assert draft.document is not None
            head = {"status": draft.status, "uploaded_doc_pk": draft.document.pk, **_of_book(book)}
            return {**head, **_of_document(draft.document), **_named(kind, draft), **_rejected(draft)}
        case Subject.GROUP:
            assert draft.group is not None
            head = {"status": draft.status, **_of_book(book), **_of_group(draft.group)}
            return {**head, **_named(kind, draft)}
        case Subject.ANALYTICS:
            head = {"event": kind.name, "status": draft.status, **_of_book(book), "event_name": kind.name}
            return {**head, "analytics_request_id": draft.analytics_request_id}
        case _:
            named = _named(kind, draft)
            names = {"event_name": named.pop("event_name"), "event": named.pop("event")}
            return {"status": draft.status, **_of_book(book), **names, "book_name": book.name, **named}


def _dotted(kind: EventType, draft: Draft, book: Book, level: Level) -> dict[str, Any]:
    fields: dict[str, Any] = {"event_name": kind.name}
    if level is Level.ORG:
        fields["severity"] = kind.severity
    fields |= {
        "notification_type": kind.notification,
        "notification_reason": kind.reason + ",".join(sorted(draft.tasks)),
        "status": draft.status,
        **_of_book(book),
    }
    if kind.subject is Subject.BOOK or kind.name.startswith(_DETECT_PREFIX):
        fields["book_name"] = book.name
    if draft.analytics_request_id is not None:
        fields["analytics_request_id"] = draft.analytics_request_id
    if draft.document is not None:
        if kind.name.startswith(_DETECT_PREFIX):
            fields |= {"uploaded_doc_name": draft.document.name, "is_cloud_compliant": True}
        fields |= _of_document(draft.document)
    if draft.mixed is not None:
        fields |= {"mixed_uploaded_doc_pk": draft.mixed.pk, "mixed_uploaded_doc_uuid": draft.mixed.uuid}
    if draft.group is not None:
        fields |= _of_group(draft.group)
    return {**fields, **_rejected(draft)}


def _of_book(book: Book) -> dict[str, Any]:
    return {"book_pk": book.pk, "book_uuid": book.uuid}


def _of_document(document: Document) -> dict[str, Any]:
    return {
        "uploaded_doc_pk": document.pk,
        "uploaded_doc_uuid": document.uuid,
        "doc_uuid": document.uuid,
        "mixed_uploaded_doc_pk": document.mixed_pk,
        "mixed_uploaded_doc_uuid": document.mixed_uuid,
        "uploaded_image_group_pk": document.image_group_pk,
        "uploaded_image_group_uuid": document.image_group_uuid,
    }


def _of_group(group: ImageGroup) -> dict[str, Any]:
    return {"uploaded_image_group_pk": group.pk, "uploaded_image_group_uuid": group.uuid}


def _named(kind: EventType, draft: Draft) -> dict[str, Any]:
    reason = "Document rejected" if draft.rejection_reason and kind.subject is Subject.DOCUMENT else kind.reason
    return {
        "event_name": kind.name,
        "event": kind.name,
        "notification_type": kind.notification,
        "notification_reason": reason,
    }


def _rejected(draft: Draft) -> dict[str, Any]:
    return {} if draft.rejection_reason is None else {"rejection_reason": draft.rejection_reason}
