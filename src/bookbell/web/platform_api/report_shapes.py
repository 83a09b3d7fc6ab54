"""What the answers to the pipeline look like. Source: docs/reporting-outcomes.md."""

from typing import Any

import msgspec

from bookbell.core.errors import BookbellError, BookNotFound, IdempotencyMismatch, IllegalTransition
from bookbell.core.model import AnalyticsStatus, DocumentSource, DocumentStatus, ImageGroupStatus, MixedStatus
from bookbell.web.operation import PK, Access, Operation, Tag, described, enveloped, header
from bookbell.web.shape import Schema, choice, listed, record, text, uuid, whole

BASE = "/platform/v1"
KEY = (
    header(
        "Idempotency-Key", text("report-17", minLength=1, maxLength=255), "The report is carried out once per key."
    ),
)
_DOCUMENT_UUID = uuid("c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10")
REPORTED = record(
    {
        "subject": text("document"),
        "id": _DOCUMENT_UUID,
        "status": text("VERIFICATION_COMPLETE"),
        "book_uuid": uuid(),
        "book_status": text("VERIFIED"),
    },
    {"documents": listed(record({"uuid": _DOCUMENT_UUID, "name": text("stubs.pdf(0)")}))},
)


def reporting(body: type[msgspec.Struct], example: Any, *errors: type[BookbellError]) -> dict[str, Any]:
    """The `opt` of a call that carries out one report. errors: beyond those of every report."""
    return described(
        Operation(
            tag=Tag.PIPELINE,
            access=Access.PIPELINE,
            fields=KEY,
            body=body,
            example=example,
            answer=enveloped(REPORTED),
            errors=(BookNotFound, IllegalTransition, IdempotencyMismatch, *errors),
        )
    )


def _waiting(status: Schema) -> dict[str, Schema]:
    return {
        "pk": whole(88100231),
        "uuid": _DOCUMENT_UUID,
        "name": text("stubs.pdf"),
        "status": status,
        "book_pk": PK,
        "document_class": text("COMPLETE"),
    }


WORK = record(
    {
        "documents": listed(
            record(
                {**_waiting(choice(DocumentStatus)), "source": choice(DocumentSource)},
                {"audit_copy_token": text("a-production-3TAU2CWVYBDVRHUCAAAI27ULU4")},
            )
        ),
        "mixed_documents": listed(record(_waiting(choice(MixedStatus)))),
        "image_groups": listed(
            record({"pk": whole(903311), "uuid": uuid(), "status": choice(ImageGroupStatus), "book_pk": PK})
        ),
        "analytics_requests": listed(record({"id": uuid(), "status": choice(AnalyticsStatus), "book_pk": PK})),
    }
)
