"""The keys of each event's body, in their order: name, JSON type, whether it may be null, and what it means.

Bodies (core.events) and JSON Schemas (core.schemas) are both made from here, so neither says what the other does not.
Source: contract 3.2, 3.4, 3.5, 4.2–4.5.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from bookbell.core.catalogue import EventType, Subject
from bookbell.core.model import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a body. type: its JSON type; format: of JSON Schema; is_optional: it may be absent."""

    name: str
    type: str
    meaning: str
    format: str | None = None
    is_nullable: bool = False
    is_optional: bool = False


def _integer(name: str, meaning: str, *, is_nullable: bool = False) -> Field:
    return Field(name=name, type="integer", meaning=meaning, is_nullable=is_nullable)


def _uuid(name: str, meaning: str, *, is_nullable: bool = False) -> Field:
    return Field(name=name, type="string", format="uuid", meaning=meaning, is_nullable=is_nullable)


def _text(name: str, meaning: str, *, is_optional: bool = False) -> Field:
    return Field(name=name, type="string", meaning=meaning, is_optional=is_optional)


FIELDS: dict[str, Field] = {
    each.name: each
    for each in (
        _text("event_name", "the event type"),
        _text("event", "the event type again, as the oldest receivers look for it"),
        _text("severity", "LOW, MODERATE or HIGH"),
        _text("notification_type", "STATUS or ISSUE"),
        _text("notification_reason", "a short text for people"),
        _text("status", "the state of the subject"),
        _integer("book_pk", "the book"),
        _uuid("book_uuid", "the book"),
        _text("book_name", "the name of the book"),
        _integer("uploaded_doc_pk", "the document"),
        _uuid("uploaded_doc_uuid", "the document"),
        _uuid("doc_uuid", "the document, as v2 calls take it; the same as uploaded_doc_uuid"),
        _text("uploaded_doc_name", "the original file name of the document"),
        _integer("mixed_uploaded_doc_pk", "the mixed document it was cut out of", is_nullable=True),
        _uuid("mixed_uploaded_doc_uuid", "the mixed document it was cut out of", is_nullable=True),
        _integer("uploaded_image_group_pk", "the image group it came of", is_nullable=True),
        _uuid("uploaded_image_group_uuid", "the image group it came of", is_nullable=True),
        _text("rejection_reason", "why it was rejected; only when it was", is_optional=True),
        Field(name="is_cloud_compliant", type="boolean", meaning="reserved, always true"),
        Field(name="uploaded_docs", type="array", meaning="uuid and status of each document of the book"),
        Field(name="tasks", type="array", meaning="the tasks that were done, in order of their names"),
        _uuid("analytics_request_id", "the id that the request call answered"),
        _uuid("organization_id", "the organization"),
    )
}

_DOCUMENT = (
    "uploaded_doc_pk uploaded_doc_uuid doc_uuid mixed_uploaded_doc_pk mixed_uploaded_doc_uuid "
    "uploaded_image_group_pk uploaded_image_group_uuid"
)
_GROUP = "uploaded_image_group_pk uploaded_image_group_uuid"
_MIXED = "mixed_uploaded_doc_pk mixed_uploaded_doc_uuid"
_BOOK = "book_pk book_uuid"
_NOTIFICATION = "notification_type notification_reason"
_NAMED = f"event_name event {_NOTIFICATION}"

_LEGACY = {
    "BOOK_VERIFIED": f"status {_BOOK} event_name event book_name {_NOTIFICATION} uploaded_docs",
    "DOC_VERIFIED": f"status uploaded_doc_pk {_BOOK} {_DOCUMENT} {_NAMED} rejection_reason",
    "IMAGE_GROUP_VERIFIED": f"status {_BOOK} {_GROUP} {_NAMED}",
    "ANALYTICS_COMPLETED": f"event status {_BOOK} event_name analytics_request_id",
}
_DETECT = (
    "status book_pk book_name book_uuid event_name uploaded_doc_pk uploaded_doc_name uploaded_doc_uuid "
    f"is_cloud_compliant {_NOTIFICATION}"
)
"""The one body that is documented whole (contract 3.4): eleven keys, at account level."""

_TAILS = {
    Subject.BOOK: "book_name uploaded_docs",
    Subject.DOCUMENT: _DOCUMENT,
    Subject.MIXED: f"{_MIXED} rejection_reason",
    Subject.GROUP: _GROUP,
    Subject.ANALYTICS: "analytics_request_id",
    Subject.ORGANIZATION: "organization_id",
    Subject.ANYTHING: "",
}
_SPECIAL_TAILS = {
    "book.completed": "book_name uploaded_docs tasks",
    "book.analytics_v2.generated": "book_name",
    "book.copy.request_received": "book_name",
    "book.copy.request_accepted": "book_name",
    "book.copy.request_rejected": "book_name",
    "book.copy.kickout_evaluated": "book_name",
    "network.book.created": "book_name",
    "network.book.funded": "book_name",
    "document.verification_failed": f"{_DOCUMENT} rejection_reason",
    "document.upload_failed": f"uploaded_doc_name {_DOCUMENT}",
    "plaid.upload_failed": f"uploaded_doc_name {_DOCUMENT}",
    **{
        f"document.detect.{outcome}": f"book_name uploaded_doc_name is_cloud_compliant {_DOCUMENT}"
        for outcome in ("signal_found", "signal_not_found", "unable_to_process")
    },
}
_DETECT_DOCUMENTED = {"document.detect.signal_found", "document.detect.signal_not_found"}
_WITHOUT_SUBJECT = {"document.upload_failed", "plaid.upload_failed"}
"""A document that was not taken in need not exist: its ids may be null."""

_OWN_GROUP = {name: replace(FIELDS[name], is_nullable=False, meaning="the image group") for name in _GROUP.split()}
_OWN_MIXED = {name: replace(FIELDS[name], is_nullable=False, meaning="the mixed document") for name in _MIXED.split()}


@lru_cache(1_024)
def fields_of(kind: EventType, level: Level) -> tuple[Field, ...]:
    """The keys of this type's body at this level, in their order. The level must be one of the type's."""
    assert level in kind.levels
    return tuple(_adapted(name, kind) for name in dict.fromkeys(_layout(kind, level).split()))


def _layout(kind: EventType, level: Level) -> str:
    if kind.name in _LEGACY:
        return _LEGACY[kind.name]
    if level is Level.ACCOUNT and kind.name in _DETECT_DOCUMENTED:
        return _DETECT
    severity = "severity" if level is Level.ORG else ""
    book = "" if kind.subject is Subject.ORGANIZATION else f"status {_BOOK}"
    tail = _SPECIAL_TAILS.get(kind.name, _TAILS[kind.subject])
    return f"event_name {severity} {_NOTIFICATION} {book} {tail}"


def _adapted(name: str, kind: EventType) -> Field:
    if kind.subject is Subject.GROUP and name in _OWN_GROUP:
        return _OWN_GROUP[name]
    if kind.subject is Subject.MIXED and name in _OWN_MIXED:
        return _OWN_MIXED[name]
    field = FIELDS[name]
    if kind.name in _WITHOUT_SUBJECT and name in {"uploaded_doc_name", *_DOCUMENT.split()}:
        return replace(field, is_nullable=True)
    return field
