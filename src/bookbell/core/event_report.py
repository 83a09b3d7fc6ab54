"""What the pipeline says when it reports an event by its type, and what each type needs.

Source: docs/publishing-events.md.
"""

from typing import Any, NoReturn

import msgspec

from bookbell.core import limits
from bookbell.core.catalogue import EventType, Source, Subject
from bookbell.core.errors import ValidationFailed
from bookbell.core.events import Draft
from bookbell.core.lifecycle import aggregator_refused, document_refused
from bookbell.core.model import Book, Document, OrganizationId

Words = tuple[str | None, ...]


class EventReport(msgspec.Struct, frozen=True):
    """None stands for a key that was not given. name: of the file that was not taken in; body: exact JSON bytes."""

    type: str
    book_uuid: str | None = None
    document_uuid: str | None = None
    image_group_uuid: str | None = None
    organization_id: str | None = None
    account_id: str | None = None
    status: str | None = None
    name: str | None = None
    body: bytes | None = None

    @property
    def words(self) -> Words:
        """All but the body."""
        return msgspec.structs.astuple(self)[:-1]


Keys = frozenset[str]
_KEYS = EventReport.__struct_fields__[1:]
_DECODER = msgspec.json.Decoder()
_REFUSALS = {"document.upload_failed": document_refused, "plaid.upload_failed": aggregator_refused}
_SENT_TO_ONE = "book.copy."


def needed_keys(kind: EventType) -> tuple[Keys, ...]:
    """The keys a report of this type must have; any one of these sets."""
    if kind.name in _REFUSALS:
        return frozenset({"document_uuid"}), frozenset({"book_uuid", "name"})
    if kind.name.startswith(_SENT_TO_ONE):
        return (frozenset({"book_uuid", "organization_id"}),)
    return (_NEEDED.get(kind.subject, frozenset({"book_uuid"})),)


_NEEDED = {
    Subject.DOCUMENT: frozenset({"document_uuid"}),
    Subject.GROUP: frozenset({"image_group_uuid"}),
    Subject.ORGANIZATION: frozenset({"organization_id"}),
    Subject.ANYTHING: frozenset({"organization_id", "body"}),
}


def possible_keys(kind: EventType) -> Keys:
    """The keys a report of this type may have beside the needed ones."""
    if kind.subject is Subject.ANYTHING:
        return frozenset({"account_id"})
    return frozenset({"status"}) if len(kind.statuses) > 1 else frozenset()


def check_report(kind: EventType, report: EventReport) -> None:
    """Raises: ValidationFailed when this type is not reported, or needs other keys, or another status."""
    if kind.source is Source.DERIVED:
        raise ValidationFailed(
            f"{kind.name} is not reported: it follows from reports on documents, image groups and analytics requests"
        )
    given = {name for name in _KEYS if getattr(report, name) is not None}
    possible = possible_keys(kind)
    if not any(needed <= given <= needed | possible for needed in needed_keys(kind)):
        _refuse_keys(kind, given)
    if report.status is not None and report.status not in kind.statuses:
        raise ValidationFailed(f"status: {kind.name} has one of {', '.join(kind.statuses)}, not {report.status[:40]}")


def _refuse_keys(kind: EventType, given: set[str]) -> NoReturn:
    needed = ", or ".join(" and ".join(sorted(keys)) for keys in needed_keys(kind))
    possible = "".join(f", and may have {key}" for key in sorted(possible_keys(kind)))
    raise ValidationFailed(f"{kind.name} needs {needed}{possible}; given: {', '.join(sorted(given)) or 'nothing'}")


def draft_of(kind: EventType, report: EventReport, book: Book | None, document: Document | None) -> Draft:
    """The draft of a checked report; one about an image group is made by core.lifecycle."""
    if kind.name in _REFUSALS:
        return _REFUSALS[kind.name](report.name or "", document)
    organization = None if report.organization_id is None else OrganizationId(report.organization_id)
    return Draft(
        type=kind.name,
        status=report.status or _status(kind, book, document),
        document=document,
        organization_id=organization,
    )


def _status(kind: EventType, book: Book | None, document: Document | None) -> str:
    """The state of the subject where that is one of the type's, else the type's usual one; empty where it has none."""
    if len(kind.statuses) < 2:
        return "".join(kind.statuses)
    state = document.status if document is not None else book.status if book is not None else None
    return str(state) if state in kind.statuses else kind.statuses[0]


def parsed_body(body: bytes) -> dict[str, Any]:
    """The object in these bytes. Raises: ValidationFailed when they cannot be sent and shown as a JSON object."""
    if len(body) > limits.EVENT_BODY_BYTES_MAX:
        raise ValidationFailed(f"body: at most {limits.EVENT_BODY_BYTES_MAX} bytes are expected, this has {len(body)}")
    try:
        value = _DECODER.decode(body)  # which also refuses text that UTF-8 cannot hold
    except (ValueError, RecursionError) as error:
        raise ValidationFailed("body: JSON in UTF-8 is expected") from error
    if not isinstance(value, dict):
        raise ValidationFailed("body: a JSON object is expected")
    return value
