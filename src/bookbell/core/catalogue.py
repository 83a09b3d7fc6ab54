"""Every event type of the contract: its name, who is told of it, where it comes from, and its fixed texts.

One table, from which subscriptions, bodies, JSON Schemas, the definitions of the org-level events call and the page
docs/events.md are made. Level account: the names of contract 3.1; level org: the names of 4.1. Where no source gives
severity, type, reason or status they are ours (contract 4.5). Types an operator defines are in core.defined_types.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from bookbell.core.model import Level


class Subject(StrEnum):
    """What an event is about."""

    BOOK = "book"
    DOCUMENT = "document"
    MIXED = "mixed_document"
    GROUP = "image_group"
    ANALYTICS = "analytics"
    ORGANIZATION = "organization"
    ANYTHING = "anything"


class Source(StrEnum):
    """Where events of a type come from: a change of state, a report of the pipeline, or a publisher with a body."""

    DERIVED = "derived"
    REPORTED = "reported"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """severity: LOW, MODERATE or HIGH; notification: STATUS or ISSUE; reason: the body's notification_reason.

    statuses: what the body's `status` may be, the usual one first; empty where the body has none, or is not ours.
    """

    name: str
    levels: frozenset[Level]
    subject: Subject
    severity: str
    notification: str
    source: Source
    statuses: tuple[str, ...]
    reason: str
    description: str
    is_active: bool = True


# Two lines a type:
# name, levels, subject, severity, notification type, source, statuses
#     reason | fires when
_TABLE = """
BOOK_VERIFIED account book MODERATE STATUS derived BOOK_COMPLETE
    Book is verified | every document of a book is verified or rejected
DOC_VERIFIED account document LOW STATUS derived VERIFICATION_COMPLETE,REJECTED
    Document verified | one document is verified or rejected
IMAGE_GROUP_VERIFIED account image_group LOW STATUS derived VERIFICATION_COMPLETE,REJECTED
    Image group verified | all documents of an image group are final
ANALYTICS_COMPLETED account analytics MODERATE STATUS derived COMPLETED
    Analytics completed | an analytics result is ready
book.classified account,org book LOW STATUS derived VERIFYING
    Book is classified | all documents of a book are classified
book.verified org book MODERATE STATUS derived BOOK_COMPLETE
    Book is verified | every document of a book is verified or rejected
book.completed account,org book MODERATE STATUS derived BOOK_COMPLETE
    Completed tasks: | all configured tasks of a book are done
book.analytics_completed org analytics MODERATE STATUS derived COMPLETED
    Analytics completed | an asynchronous analytics request has its result
book.analytics_v2.generated account,org book MODERATE STATUS reported COMPLETED
    Analytics generated | second-generation analytics are ready
book.detect.signal_found account,org book MODERATE STATUS reported BOOK_COMPLETE
    Detect signals found in book | there are fraud signals in a book
book.detect.signal_not_found account,org book MODERATE STATUS reported BOOK_COMPLETE
    No detect signals found in book | there is no fraud signal in a book
book.income.generated account,org book MODERATE STATUS reported BOOK_COMPLETE
    Income generated | income is calculated
book.income.updated account,org book MODERATE STATUS reported BOOK_COMPLETE
    Income updated | income was edited or overridden
book.pacing.discrepancies_found org book MODERATE STATUS reported BOOK_COMPLETE
    Discrepancies found | bank data and statements differ
book.pacing.discrepancies_not_found org book MODERATE STATUS reported BOOK_COMPLETE
    No discrepancies found | bank data and statements agree
document.upload_succeeded account,org document LOW STATUS derived QUEUED
    Document uploaded | a document was taken in
document.upload_failed account,org document HIGH ISSUE reported FAILED
    Document upload failed | a document was not taken in
document.classification_succeeded account,org document LOW STATUS derived CLASSIFIED
    Document classified | the type of a document is known
document.classification_failed account,org document HIGH ISSUE derived FAILED
    Document classification failed | the type of a document could not be found
document.verification_succeeded org document LOW STATUS derived VERIFICATION_COMPLETE
    Document verified | a document is verified
document.verification_failed org document HIGH ISSUE derived REJECTED,FAILED
    Document verification failed | a document is rejected or could not be processed
document.detect.signal_found account,org document MODERATE STATUS reported VERIFICATION_COMPLETE
    Detect signals found in document | there are fraud signals in a document
document.detect.signal_not_found account,org document LOW STATUS reported VERIFICATION_COMPLETE
    No detect signals found in document | there is no fraud signal in a document
document.detect.unable_to_process account,org document MODERATE ISSUE reported @document
    Detect unable to process document | fraud detection could not read a document
mixed_document.rejected account,org mixed_document HIGH ISSUE derived REJECTED
    Mixed document rejected | a mixed document is rejected
image_group.upload_succeeded account,org image_group LOW STATUS derived QUEUED
    Image group uploaded | an image group was finalized
image_group.upload_failed account,org image_group HIGH ISSUE reported FAILED
    Image group upload failed | an image group was not taken in
image_group.verification_succeeded org image_group LOW STATUS derived VERIFICATION_COMPLETE
    Image group verified | an image group is verified
image_group.verification_failed org image_group HIGH ISSUE derived REJECTED,FAILED
    Image group verification failed | no document of an image group was verified
plaid.upload_succeeded account,org document LOW STATUS reported QUEUED
    Plaid data uploaded | aggregator data was taken in
plaid.upload_failed account,org document HIGH ISSUE reported FAILED
    Plaid upload failed | aggregator data was not taken in
book.copy.request_received org book LOW STATUS reported AWAITING_RECIPIENT
    Book copy request received | a book was shared with your organization
book.copy.request_accepted org book LOW STATUS reported IN_PROGRESS,SUCCESSFUL
    Book copy request accepted | a recipient took a book you shared
book.copy.request_rejected org book LOW STATUS reported REJECTED
    Book copy request rejected | a recipient declined a book you shared
book.copy.docs_added org book LOW STATUS reported IN_PROGRESS,AWAITING_RECIPIENT,SUCCESSFUL
    Documents added to book copy | a shared book got more documents
book.copy.kickout_evaluated org book LOW STATUS reported @copy
    Book copy kick-outs evaluated | automatic kick-outs of a book you shared were evaluated
network.book.created account,org book LOW STATUS reported @book
    Network book created | network monitoring saw a book (beta)
network.book.funded account,org book LOW STATUS reported @book
    Network book funded | network monitoring saw a funding (beta)
analytics.config_updated org organization LOW STATUS reported -
    Analytics configuration updated | the analytics configuration of the organization changed
"""

_STATUSES = {
    "-": (),
    "@book": ("VERIFIED", "CREATED", "UPLOAD", "VERIFYING"),
    "@copy": ("SUCCESSFUL", "PENDING", "AWAITING_RECIPIENT", "IN_PROGRESS", "REJECTED", "FAILED"),
    "@document": (
        "VERIFICATION_COMPLETE",
        "QUEUED",
        "PROCESSING",
        "CLASSIFIED",
        "GROOMING",
        "VERIFYING",
        "REJECTED",
        "FAILED",
    ),
}


def _parsed(facts: str, texts: str) -> EventType:
    name, levels, subject, severity, notification, source, statuses = facts.split()
    reason, description = texts.strip().split(" | ")
    return EventType(
        name=name,
        levels=frozenset(map(Level, levels.split(","))),
        subject=Subject(subject),
        severity=severity,
        notification=notification,
        source=Source(source),
        statuses=_STATUSES[statuses] if statuses in _STATUSES else tuple(statuses.split(",")),
        reason=reason,
        description=f"Fires when {description}.",
    )


_LINES = _TABLE.strip().splitlines()
TYPES: dict[str, EventType] = {
    each.name: each for each in (_parsed(facts, texts) for facts, texts in zip(_LINES[::2], _LINES[1::2], strict=True))
}

COUNTERPARTS: dict[str, tuple[str, ...]] = {
    "BOOK_VERIFIED": ("book.verified",),
    "DOC_VERIFIED": ("document.verification_succeeded", "document.verification_failed"),
    "IMAGE_GROUP_VERIFIED": ("image_group.verification_succeeded", "image_group.verification_failed"),
    "ANALYTICS_COMPLETED": ("book.analytics_completed",),
}
"""For each legacy account-level type the org-level ones that fire with it (contract 4.1)."""

ALIASES = {"book.verified": "BOOK_VERIFIED"}
"""At account level only; what is stored and echoed is the name on the right (contract C3)."""

RETIRED = ("MIDDESK_VERIFIED", "SUSPICIOUS_ACTIVITY")
"""Names of an older edition (contract 3.1): treated like unknown ones, but the error says what they are."""

_BETA = " (BETA)"
_NAMESPACE = bytes.fromhex("5a1d3c0e7b2f5e4c9a6d8f0b1c2d3e4f")


def names(level: Level | None = None) -> tuple[str, ...]:
    """Names of all event types, or of those a level knows, in the catalogue's order."""
    return tuple(name for name, each in TYPES.items() if level is None or level in each.levels)


def canonical_name(text: str, level: Level) -> str | None:
    """The name a client means at this level, None if the contract has none: exact spelling, without «(BETA)».

    Aliases count at account level only; an org-level webhook names the types of 4.1 (contract C3, 8.2).
    """
    name = text.removesuffix(_BETA)
    if level is Level.ACCOUNT:
        name = ALIASES.get(name, name)
    known = TYPES.get(name)
    return known.name if known is not None and level in known.levels else None


def canonical_account_name(text: str) -> str | None:
    """The account-level name a client means, None if the contract has none."""
    return canonical_name(text, Level.ACCOUNT)


def definition_uuid(name: str) -> str:
    """The id of an event type's definition: a UUID of version 5, the same in every installation.

    Also for types an operator defines. Source: contract 8.1; RFC 9562 section 5.5.
    """
    digest = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()
    value = int.from_bytes(digest[:16])
    value = value & ~(0xF << 76) | 0x5 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
