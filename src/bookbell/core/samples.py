"""A sample body of every event type: for the test call of an org-level webhook, the docs and the API's examples."""

from dataclasses import replace

from bookbell.core.catalogue import TYPES, EventType
from bookbell.core.events import Draft, body
from bookbell.core.lifecycle import REJECTION_DEFAULT
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
    Task,
)

ORGANIZATION = OrganizationId("01976f0e-0000-7000-8000-000000000001")
BOOK = Book(
    pk=40120077,
    uuid="7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11",
    organization_id=ORGANIZATION,
    account_id=AccountId("01976f0e-0000-7000-8000-000000000002"),
    name="Loan 2210",
    status=BookStatus.VERIFIED,
    is_classified=True,
    book_class="COMPLETE",
    book_type="DEFAULT",
    is_public=False,
    xid=None,
    created_at=1,
    updated_at=1,
)
DOCUMENT = Document(
    pk=88100231,
    uuid="c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    name="statement-03.pdf",
    form_type=None,
    status=DocumentStatus.VERIFICATION_COMPLETE,
    rejection_reason=None,
    page_count=4,
    md5="5e0d3a9c41f7b2686d1c7f0a9b3e8d24",
    blob=None,
    mixed_pk=None,
    mixed_uuid=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=1,
    updated_at=1,
)
MIXED = MixedDocument(
    pk=12200450,
    uuid="9f2e4d6c-8b1a-4c3d-a5e7-0f1b2c3d4e5f",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    name="stubs.pdf",
    status=MixedStatus.REJECTED,
    rejection_reason=REJECTION_DEFAULT,
    page_count=2,
    md5="a94f0c2be871d35640f1e2d3c4b5a697",
    blob=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=1,
    updated_at=1,
)
GROUP = ImageGroup(
    pk=903311,
    uuid="0e7c4a1d-52b8-4f6a-b6c1-2d3e4f5a6b7c",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    form_type=None,
    status=ImageGroupStatus.VERIFICATION_COMPLETE,
    created_at=1,
    updated_at=1,
)
ANALYTICS_REQUEST_ID = "5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b"
STATUSES = ((DOCUMENT.uuid, str(DOCUMENT.status)),)

DEFINED_BODY = b'{"event":"test"}'
"""What a test of a type that an operator defined sends; what its bodies look like is the publisher's business."""


def sample_draft(kind: EventType, status: str | None = None) -> Draft:
    """A draft of this contract type. status: None takes the usual one."""
    chosen = status or "".join(kind.statuses[:1])
    is_rejected = chosen == "REJECTED" and not kind.name.startswith(("book.", "image_group."))
    rejection = REJECTION_DEFAULT if is_rejected else None
    return Draft(
        type=kind.name,
        status=chosen,
        document=replace(DOCUMENT, rejection_reason=rejection),
        mixed=MIXED,
        group=GROUP,
        analytics_request_id=ANALYTICS_REQUEST_ID,
        rejection_reason=rejection,
        organization_id=ORGANIZATION,
        tasks=(Task.ANALYTICS, Task.CAPTURE, Task.DETECT) if kind.name == "book.completed" else (),
    )


def sample_body(name: str, level: Level) -> bytes | None:
    """A body of the type of this name, as a receiver would get it; None where this level does not know the type.

    name: of the contract, or of a defined type, whose sample says only that it is one.
    """
    kind = TYPES.get(name)
    if kind is None:
        return DEFINED_BODY
    return body(sample_draft(kind), level, BOOK, STATUSES)
