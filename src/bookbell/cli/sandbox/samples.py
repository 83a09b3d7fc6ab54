"""A sample body of any event of the catalogue, for trying a receiver without a service."""

import json
from dataclasses import replace
from typing import Any

from bookbell.core import events
from bookbell.core.catalogue import TYPES, Subject
from bookbell.core.events import Draft
from bookbell.core.lifecycle import BOOK_COMPLETE
from bookbell.core.model import (
    AccountId,
    Book,
    BookStatus,
    Document,
    DocumentStatus,
    ImageGroup,
    ImageGroupStatus,
    Level,
    MixedDocument,
    MixedStatus,
    OrganizationId,
)

AT = 1_780_000_000_000
ORGANIZATION = OrganizationId("0197a6c0-0000-7000-8000-000000000001")
BOOK = Book(
    pk=40120077,
    uuid="7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11",
    organization_id=ORGANIZATION,
    account_id=AccountId("0197a6c0-0000-7000-8000-000000000002"),
    name="Loan 2210",
    status=BookStatus.VERIFIED,
    is_classified=True,
    book_class="COMPLETE",
    book_type="DEFAULT",
    is_public=False,
    xid=None,
    created_at=AT,
    updated_at=AT,
)
_DOCUMENT = Document(
    pk=88100231,
    uuid="c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    name="statement.pdf",
    form_type=None,
    status=DocumentStatus.VERIFICATION_COMPLETE,
    rejection_reason=None,
    page_count=3,
    md5="5e0d3a9c41f7b2686d1c7f0a9b3e8d24",
    blob=None,
    mixed_pk=None,
    mixed_uuid=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=AT,
    updated_at=AT,
)
_MIXED = MixedDocument(
    pk=12200450,
    uuid="9f2e4d6c-8b1a-4c3d-a5e7-0f1b2c3d4e5f",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    name="tax-forms.pdf",
    status=MixedStatus.REJECTED,
    rejection_reason="INVALID DOCUMENT",
    page_count=6,
    md5="a94f0c2be871d35640f1e2d3c4b5a697",
    blob=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=AT,
    updated_at=AT,
)
_GROUP = ImageGroup(
    pk=903311,
    uuid="0e7c4a1d-52b8-4f6a-b6c1-2d3e4f5a6b7c",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    form_type=None,
    status=ImageGroupStatus.VERIFICATION_COMPLETE,
    created_at=AT,
    updated_at=AT,
)


def sample(name: str, level: Level | None = None) -> bytes:
    """A body of this event, as the level is sent it; the level that knows it when None is named.

    An event outside the catalogue gets the little that every body has, as a later version might send it.
    """
    kind = TYPES.get(name)
    if kind is None or (level is not None and level not in kind.levels):
        unknown = {"event_name": name, "status": "OK", "book_pk": BOOK.pk, "book_uuid": BOOK.uuid}
        return json.dumps(unknown, separators=(",", ":")).encode()
    chosen = level or (Level.ACCOUNT if Level.ACCOUNT in kind.levels else Level.ORG)
    written = events.body(_draft(name, kind.subject), chosen, BOOK, [(_DOCUMENT.uuid, _DOCUMENT.status)])
    assert written is not None
    return written


def _draft(name: str, subject: Subject) -> Draft:
    status = _status(name)
    reason = "INVALID DOCUMENT" if status == DocumentStatus.REJECTED else None
    subjects: dict[str, Any] = {}
    match subject:
        case Subject.DOCUMENT:
            subjects["document"] = replace(_DOCUMENT, status=DocumentStatus(status), rejection_reason=reason)
        case Subject.MIXED:
            subjects["mixed"] = _MIXED
        case Subject.GROUP:
            subjects["group"] = _GROUP
        case Subject.ANALYTICS:
            status, subjects["analytics_request_id"] = "COMPLETED", "5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b"
        case _:
            status = BookStatus.VERIFYING if name == "book.classified" else BOOK_COMPLETE
    if name == "book.completed":
        subjects["tasks"] = ("ANALYTICS", "CAPTURE", "DETECT")
    return Draft(type=name, status=status, rejection_reason=reason, **subjects)


def _status(name: str) -> str:
    _, _, outcome = name.rpartition(".")
    match outcome:
        case "upload_succeeded":
            return DocumentStatus.QUEUED
        case "classification_succeeded":
            return DocumentStatus.CLASSIFIED
        case "upload_failed" | "classification_failed":
            return DocumentStatus.FAILED
        case "verification_failed" | "rejected":
            return DocumentStatus.REJECTED
        case _:
            return DocumentStatus.VERIFICATION_COMPLETE
