"""Values that tests of the core start from."""

from bookbell.core.defined_types import DefinedType
from bookbell.core.model import (
    AccountId,
    AnalyticsRequest,
    AnalyticsStatus,
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

ORGANIZATION = OrganizationId("01976f0e-0000-7000-8000-000000000001")

BOOK = Book(
    pk=40120077,
    uuid="7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11",
    organization_id=ORGANIZATION,
    account_id=AccountId("01976f0e-0000-7000-8000-000000000002"),
    name="Loan 2210",
    status=BookStatus.CREATED,
    is_classified=False,
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
    status=DocumentStatus.QUEUED,
    rejection_reason=None,
    page_count=4,
    md5="5e0d3a9c41f7b2686d1c7f0a9b3e8d24",
    blob="24/x",
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
    status=MixedStatus.QUEUED,
    rejection_reason=None,
    page_count=2,
    md5="a94f0c2be871d35640f1e2d3c4b5a697",
    blob="97/y",
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
    status=ImageGroupStatus.UPLOADING,
    created_at=1,
    updated_at=1,
)
REQUEST = AnalyticsRequest(
    id="5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b",
    organization_id=ORGANIZATION,
    book_pk=BOOK.pk,
    status=AnalyticsStatus.PROCESSING,
    result=None,
    created_at=1,
    updated_at=1,
)
LOAN = DefinedType(
    name="loan.funded",
    organization_id=None,
    description="A loan was funded.",
    levels=frozenset({Level.ORG}),
    body_schema=None,
    is_active=False,
    created_at=1,
    updated_at=1,
)
