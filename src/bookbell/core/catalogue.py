"""Every event type: its name, who is told of it, and the fixed texts of its body.

One table, from which subscriptions, bodies and the documentation are made. Level ACCOUNT: names of contract 3.1;
level ORG: names of contract 4.1. Where no source gives severity, type or reason they are ours (contract 4.5).
"""

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


@dataclass(frozen=True, slots=True)
class EventType:
    """severity: LOW, MODERATE or HIGH; notification: STATUS or ISSUE; reason: the body's notification_reason."""

    name: str
    levels: frozenset[Level]
    subject: Subject
    severity: str
    notification: str
    reason: str
    description: str


_A, _O = frozenset({Level.ACCOUNT}), frozenset({Level.ORG})
_BOTH = _A | _O
_B, _D, _M, _G = Subject.BOOK, Subject.DOCUMENT, Subject.MIXED, Subject.GROUP
_OK, _MODERATE, _BAD = ("LOW", "STATUS"), ("MODERATE", "STATUS"), ("HIGH", "ISSUE")

_ROWS: tuple[tuple[str, frozenset[Level], Subject, tuple[str, str], str, str], ...] = (
    ("BOOK_VERIFIED", _A, _B, _MODERATE, "Book is verified", "every document of a book is verified or rejected"),
    ("DOC_VERIFIED", _A, _D, _OK, "Document verified", "one document is verified or rejected"),
    ("IMAGE_GROUP_VERIFIED", _A, _G, _OK, "Image group verified", "all documents of an image group are final"),
    ("ANALYTICS_COMPLETED", _A, Subject.ANALYTICS, _MODERATE, "Analytics completed", "an analytics result is ready"),
    ("book.classified", _BOTH, _B, _OK, "Book is classified", "all documents of a book are classified"),
    ("book.verified", _O, _B, _MODERATE, "Book is verified", "every document of a book is verified or rejected"),
    ("book.completed", _BOTH, _B, _MODERATE, "Completed tasks: ", "all configured tasks of a book are done"),
    (
        "book.analytics_completed",
        _O,
        Subject.ANALYTICS,
        _MODERATE,
        "Analytics completed",
        "an asynchronous analytics request has its result",
    ),
    (
        "book.analytics_v2.generated",
        _BOTH,
        _B,
        _MODERATE,
        "Analytics generated",
        "second-generation analytics are ready",
    ),
    ("book.detect.signal_found", _BOTH, _B, _MODERATE, "Detect signals found in book", "fraud signals in a book"),
    (
        "book.detect.signal_not_found",
        _BOTH,
        _B,
        _MODERATE,
        "No detect signals found in book",
        "no fraud signal in a book",
    ),
    ("book.income.generated", _BOTH, _B, _MODERATE, "Income generated", "income is calculated"),
    ("book.income.updated", _BOTH, _B, _MODERATE, "Income updated", "income was edited or overridden"),
    (
        "book.pacing.discrepancies_found",
        _O,
        _B,
        _MODERATE,
        "Discrepancies found",
        "bank data and statements differ",
    ),
    (
        "book.pacing.discrepancies_not_found",
        _O,
        _B,
        _MODERATE,
        "No discrepancies found",
        "bank data and statements agree",
    ),
    ("document.upload_succeeded", _BOTH, _D, _OK, "Document uploaded", "a document was taken in"),
    ("document.upload_failed", _BOTH, _D, _BAD, "Document upload failed", "a document was not taken in"),
    ("document.classification_succeeded", _BOTH, _D, _OK, "Document classified", "the type of a document is known"),
    (
        "document.classification_failed",
        _BOTH,
        _D,
        _BAD,
        "Document classification failed",
        "the type of a document could not be found",
    ),
    ("document.verification_succeeded", _O, _D, _OK, "Document verified", "a document is verified"),
    (
        "document.verification_failed",
        _O,
        _D,
        _BAD,
        "Document verification failed",
        "a document is rejected or could not be processed",
    ),
    (
        "document.detect.signal_found",
        _BOTH,
        _D,
        _MODERATE,
        "Detect signals found in document",
        "fraud signals in a document",
    ),
    (
        "document.detect.signal_not_found",
        _BOTH,
        _D,
        _OK,
        "No detect signals found in document",
        "no fraud signal in a document",
    ),
    (
        "document.detect.unable_to_process",
        _BOTH,
        _D,
        ("MODERATE", "ISSUE"),
        "Detect unable to process document",
        "fraud detection could not read a document",
    ),
    ("mixed_document.rejected", _BOTH, _M, _BAD, "Mixed document rejected", "a mixed document is rejected"),
    ("image_group.upload_succeeded", _BOTH, _G, _OK, "Image group uploaded", "an image group was finalized"),
    ("image_group.upload_failed", _BOTH, _G, _BAD, "Image group upload failed", "an image group was not taken in"),
    ("image_group.verification_succeeded", _O, _G, _OK, "Image group verified", "an image group is verified"),
    (
        "image_group.verification_failed",
        _O,
        _G,
        _BAD,
        "Image group verification failed",
        "no document of an image group was verified",
    ),
    ("plaid.upload_succeeded", _BOTH, _D, _OK, "Plaid data uploaded", "aggregator data was taken in"),
    ("plaid.upload_failed", _BOTH, _D, _BAD, "Plaid upload failed", "aggregator data was not taken in"),
    ("book.copy.request_received", _O, _B, _OK, "Book copy request received", "a book was shared with you"),
    ("book.copy.request_accepted", _O, _B, _OK, "Book copy request accepted", "a recipient took a shared book"),
    ("book.copy.request_rejected", _O, _B, _OK, "Book copy request rejected", "a recipient declined a shared book"),
    ("book.copy.docs_added", _O, _B, _OK, "Documents added to book copy", "a shared book got more documents"),
    ("book.copy.kickout_evaluated", _O, _B, _OK, "Book copy kick-outs evaluated", "kick-outs of a shared book"),
    ("network.book.created", _BOTH, _B, _OK, "Network book created", "network monitoring saw a book (beta)"),
    ("network.book.funded", _BOTH, _B, _OK, "Network book funded", "network monitoring saw a funding (beta)"),
    (
        "analytics.config_updated",
        _O,
        Subject.ORGANIZATION,
        _OK,
        "Analytics configuration updated",
        "the analytics configuration changed",
    ),
)
TYPES: dict[str, EventType] = {
    name: EventType(name, levels, subject, severity, notification, reason, f"Fires when {description}.")
    for name, levels, subject, (severity, notification), reason, description in _ROWS
}

_ALIASES = {"book.verified": "BOOK_VERIFIED"}
_BETA = " (BETA)"


def names(level: Level | None = None) -> tuple[str, ...]:
    """Names of all event types, or of those a level knows, in the catalogue's order."""
    return tuple(name for name, each in TYPES.items() if level is None or level in each.levels)


def canonical_account_name(text: str) -> str | None:
    """The account-level name a client means, None if there is none: exact spelling, aliases, without «(BETA)»."""
    name = text.removesuffix(_BETA)
    known = TYPES.get(_ALIASES.get(name, name))
    return known.name if known is not None and Level.ACCOUNT in known.levels else None
