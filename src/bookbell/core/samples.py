"""A sample of every org-level event, as the test call sends it: made like the real ones, of a book that never was.

Source: contract 4, 8.7.
"""

from typing import assert_never

from bookbell.core.catalogue import TYPES, Subject
from bookbell.core.events import Draft, body
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

_AT = 1_750_000_000_000
_ORGANIZATION = OrganizationId("01976f0e-5a00-7000-8000-000000000001")
_BOOK = Book(
    pk=0,
    uuid="01976f0e-5a00-7000-8000-000000000002",
    organization_id=_ORGANIZATION,
    account_id=AccountId("01976f0e-5a00-7000-8000-000000000003"),
    name="Sample book",
    status=BookStatus.VERIFIED,
    is_classified=True,
    book_class="COMPLETE",
    book_type="DEFAULT",
    is_public=False,
    xid=None,
    created_at=_AT,
    updated_at=_AT,
)
_DOCUMENT = Document(
    pk=0,
    uuid="01976f0e-5a00-7000-8000-000000000004",
    organization_id=_ORGANIZATION,
    book_pk=_BOOK.pk,
    name="sample.pdf",
    form_type=None,
    status=DocumentStatus.VERIFICATION_COMPLETE,
    rejection_reason=None,
    page_count=1,
    md5="0" * 32,
    blob=None,
    mixed_pk=None,
    mixed_uuid=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=_AT,
    updated_at=_AT,
)
_MIXED = MixedDocument(
    pk=0,
    uuid="01976f0e-5a00-7000-8000-000000000005",
    organization_id=_ORGANIZATION,
    book_pk=_BOOK.pk,
    name="sample.pdf",
    status=MixedStatus.REJECTED,
    rejection_reason="INVALID DOCUMENT",
    page_count=1,
    md5="0" * 32,
    blob=None,
    image_group_pk=None,
    image_group_uuid=None,
    created_at=_AT,
    updated_at=_AT,
)
_GROUP = ImageGroup(
    pk=0,
    uuid="01976f0e-5a00-7000-8000-000000000006",
    organization_id=_ORGANIZATION,
    book_pk=_BOOK.pk,
    form_type=None,
    status=ImageGroupStatus.VERIFICATION_COMPLETE,
    created_at=_AT,
    updated_at=_AT,
)
_REQUEST_ID = "01976f0e-5a00-7000-8000-000000000007"
_TASKS = ("CAPTURE", "DETECT")
_STATUSES = {"upload_succeeded": "QUEUED", "classification_succeeded": "CLASSIFIED", "verification_failed": "REJECTED"}


def sample_body(name: str) -> bytes:
    """The body of a sample of this org-level event, every pk in it 0."""
    made = body(_draft(name), Level.ORG, _BOOK, [(_DOCUMENT.uuid, _DOCUMENT.status)])
    assert made is not None
    return made


def _draft(name: str) -> Draft:
    subject = TYPES[name].subject
    match subject:
        case Subject.BOOK:
            status = {"book.classified": "VERIFYING", "book.analytics_v2.generated": "COMPLETED"}
            tasks = _TASKS if name == "book.completed" else ()
            return Draft(type=name, status=status.get(name, "BOOK_COMPLETE"), tasks=tasks)
        case Subject.DOCUMENT | Subject.GROUP:
            status_shown = _part_status(name)
            is_document = subject is Subject.DOCUMENT
            return Draft(
                type=name,
                status=status_shown,
                document=_DOCUMENT if is_document else None,
                group=None if is_document else _GROUP,
                rejection_reason="INVALID DOCUMENT" if is_document and status_shown == "REJECTED" else None,
            )
        case Subject.MIXED:
            return Draft(type=name, status="REJECTED", mixed=_MIXED, rejection_reason=_MIXED.rejection_reason)
        case Subject.ANALYTICS:
            return Draft(type=name, status="COMPLETED", analytics_request_id=_REQUEST_ID)
        case Subject.ORGANIZATION:
            return Draft(type=name, status="COMPLETED")
        case _:
            assert_never(subject)


def _part_status(name: str) -> str:
    step = name.rsplit(".", 1)[-1]
    return _STATUSES.get(step, "FAILED" if step.endswith("failed") else "VERIFICATION_COMPLETE")
