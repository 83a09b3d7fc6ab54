"""What books, documents and uploads look like in answers. Source: contract 10."""

from bookbell.core.model import AnalyticsStatus, BookStatus, DocumentStatus, MixedStatus
from bookbell.web.operation import PK
from bookbell.web.shape import (
    Schema,
    anything,
    choice,
    either,
    flag,
    instant,
    listed,
    mapped,
    nullable,
    record,
    text,
    uuid,
    whole,
)

MD5 = text("a94f0c2be871d35640f1e2d3c4b5a697", pattern="^[0-9a-f]{32}$")
DOC_PK = whole(88100231)
DOC_UUID = uuid("c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10")
MIXED_UUID = uuid("9f2e4d6c-8b1a-4c3d-a5e7-0f1b2c3d4e5f")
GROUP_PK = whole(903311)
CLASS = text("COMPLETE")
REASON = text("INVALID DOCUMENT")

_HEAD = {"name": text("Loan 2210"), "created": instant(), "created_ts": instant(), "pk": PK, "id": PK}
_OWNED = {"owner_email": text("api@lender.example"), "is_public": flag()}

BOOK = record(
    {
        **_HEAD,
        "uuid": uuid(),
        **_OWNED,
        "book_type": text("DEFAULT"),
        "book_class": CLASS,
        "xid": nullable(text("L-2210")),
    }
)
UPDATED_BOOK = record(
    {
        **BOOK["properties"],
        "book_context": record({"uuid": uuid(), "book_uuid": uuid(), "book_class": CLASS, "created_ts": instant()}),
    }
)
LISTED_BOOK = record(
    {**_HEAD, **_OWNED, "book_uuid": uuid(), "xid": nullable(text("L-2210")), "book_type": text("DEFAULT")}
)
BOOK_PAGE = record(
    {
        "limit": whole(50),
        "books": listed(LISTED_BOOK),
        "total_book_count": whole(1),
        "_links": record({"next": nullable(text("/v1/books?limit=50&offset=50")), "prev": nullable(text(""))}),
    }
)

_DOCUMENT = {
    "pk": DOC_PK,
    "name": text("stubs.pdf(0)"),
    "pages": whole(1),
    "md5": MD5,
    "status": choice(DocumentStatus, "VERIFICATION_COMPLETE"),
    "image_group_pk": nullable(GROUP_PK),
    "mixed_uploaded_doc_pk": nullable(whole(12200450)),
    "document_class": CLASS,
}
_REJECTION = {"rejection_reason": REASON, "rejection_reason_description": text("The document is not valid.")}
_MIXED = {
    "pk": whole(12200450),
    "name": text("stubs.pdf"),
    "pages": whole(1),
    "md5": MD5,
    "status": choice(MixedStatus, "COMPLETED"),
    "image_group_pk": nullable(GROUP_PK),
    "rejection_reason": nullable(REASON),
    "document_class": CLASS,
}

BOOK_STATUS = record(
    {
        **_HEAD,
        "uuid": uuid(),
        **_OWNED,
        "is_shared_or_public_book": flag(),
        "docs": listed(record({**_DOCUMENT, "uuid": DOC_UUID}, _REJECTION)),
        "book_status": choice(BookStatus, "VERIFIED"),
        "book_class": CLASS,
    },
    {"mixed_docs": listed(record({**_MIXED, "id": whole(12200450), "uuid": MIXED_UUID}))},
)
BOOK_INFO = record(
    {
        **_HEAD,
        **_OWNED,
        "book_uuid": uuid(),
        "xid": nullable(text("L-2210")),
        "book_type": text("DEFAULT"),
        "is_shared_or_public_book": flag(),
        "docs": listed(record(_DOCUMENT)),
        "mixed_docs": listed(record(_MIXED)),
        "bank_accounts": anything({}),
        "custom_filters": anything({}),
        "status_tags": anything({}),
        "book_class": CLASS,
    }
)
MIXED_STATUS = record(
    {
        "pk": whole(12200450),
        "uuid": MIXED_UUID,
        "name": text("stubs.pdf"),
        "page_count": whole(1),
        "checksum": MD5,
        "document_status": choice(MixedStatus, "COMPLETED"),
        "book_pk": PK,
        "book_uuid": uuid(),
    },
    {
        "docs": listed(
            record(
                {
                    "pk": DOC_PK,
                    "uuid": DOC_UUID,
                    "name": text("stubs.pdf(0)"),
                    "pages": whole(1),
                    "md5": MD5,
                    "status": choice(DocumentStatus, "VERIFICATION_COMPLETE"),
                    "rejection_reason": nullable(REASON),
                }
            )
        ),
        "pages": listed(record({"page_idx": whole(0), "doc_type": nullable(text("PAYSTUB"))})),
    },
)

_ITEM = {
    "pk": DOC_PK,
    "uuid": DOC_UUID,
    "name": text("statement-03.pdf"),
    "document_status": either(choice(DocumentStatus, "REJECTED"), choice(MixedStatus, "REJECTED")),
}
CANCELLED = record(_ITEM)
REMOVED = record({**_ITEM, "document_status": {"const": "Deleting"}})
UPGRADED = record({**_ITEM, "book_pk": PK, "processing_type": CLASS})

_UPLOADED = record(
    {
        "pk": DOC_PK,
        "id": DOC_PK,
        "uuid": DOC_UUID,
        "name": text("statement-03.pdf"),
        "page_count": whole(4),
        "checksum": MD5,
        "created_ts": instant("2026-02-09T10:47:40Z"),
    }
)
_REFUSED = {"status": {"const": 400}, "message": text("statement-03.pdf already exists\n")}
_EARLIER_PK, _EARLIER_UUID, _NONE = (
    listed(DOC_PK),
    listed(DOC_UUID),
    {"type": "array", "maxItems": 0, "examples": [[]]},
)
_PLURAL: dict[str, Schema] = {
    "original_existing_doc_pks": _EARLIER_PK,
    "original_existing_doc_uuids": _EARLIER_UUID,
    "uploaded_docs": _NONE,
}

UPLOADED = either(record({"uploaded_docs": listed(_UPLOADED)}), record({**_REFUSED, **_PLURAL}))
UPLOADED_MIXED = either(
    record({"mixed_uploaded_docs": listed(_UPLOADED)}),
    record(
        {
            **_REFUSED,
            **_PLURAL,
            "original_existing_doc_pk": _EARLIER_PK,
            "original_existing_doc_uuid": _EARLIER_UUID,
            "mixed_uploaded_docs": _NONE,
        }
    ),
)
_EARLIER_IMAGE = record(
    {"existing_image_group_pk": GROUP_PK, "existing_image_pk": whole(7), "existing_image_uuid": uuid()}
)
UPLOADED_IMAGE = either(
    record({"image_group_pk": GROUP_PK}, {"image_pk": whole(7)}),
    record(
        {
            "status": {"const": 400},
            "message": text("page-1.png already exists"),
            "original_existing_groups_and_image_pks": listed(_EARLIER_IMAGE),
        }
    ),
)
UPLOADED_V2 = either(record({"doc_uuid": DOC_UUID}), record(_REFUSED, {"original_existing_doc_uuid": DOC_UUID}))
UPLOADED_MIXED_V2 = either(
    record({"mixed_doc_uuid": MIXED_UUID}), record(_REFUSED, {"original_existing_doc_uuid": MIXED_UUID})
)
_PULLED = {"pk": DOC_PK, "uuid": DOC_UUID, "name": text("asset-report.json"), "checksum": MD5}
UPLOADED_JSON = either(
    record(
        {"uploaded_docs": listed(record({**_PULLED, "id": DOC_PK, "created_ts": text("2026-01-21T12:47:34.947000")}))}
    ),
    record(_REFUSED),
)
IMPORTED = either(record({"uploaded_docs": listed(record({**_PULLED, "created_ts": instant()}))}), record(_REFUSED))
BARE_ERROR = record({"status": {"const": 400}, "msg": text("Required pk or book uuid")})
FINALIZED = record(
    {"image_group_pk": GROUP_PK, "image_bucket_uuid": uuid("0e7c4a1d-52b8-4f6a-b6c1-2d3e4f5a6b7c")},
    {"mixed_doc_uuid": MIXED_UUID},
)
ANALYTICS = mapped(
    record({"analytics_status": choice(AnalyticsStatus, "COMPLETED")}, {"analytics": anything({"score": 1})}),
    "5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b",
)
NO_ANALYTICS = record(
    {"status": {"const": 400}, "code": whole(9002), "message": text("Analytics are not supported for this book")}
)
