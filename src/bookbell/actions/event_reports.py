"""Events that nothing in the service fires by itself: those the pipeline reports, and those with a body of their own.

A report about a book holds the book's row, as reports of outcomes do, so that `book.completed` follows exactly once.
Source: docs/publishing-events.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple

from bookbell.actions.accounts import demand_organization
from bookbell.actions.publishing import Told, fan_out
from bookbell.actions.reports import named
from bookbell.actions.settling import settle
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.catalogue import RETIRED, TYPES, EventType, Subject, names
from bookbell.core.defined_types import DefinedType
from bookbell.core.errors import (
    AccountNotFound,
    BookbellError,
    BookNotFound,
    DocumentNotFound,
    EventTypeNotFound,
    IllegalTransition,
    NotFound,
    ValidationFailed,
)
from bookbell.core.event_report import EventReport, Words, check_report, draft_of, parsed_body
from bookbell.core.events import body, needs_documents
from bookbell.core.lifecycle import group_refused
from bookbell.core.model import (
    AccountId,
    Book,
    Document,
    DocumentStatus,
    Event,
    EventId,
    ImageGroup,
    LanePk,
    Level,
    Made,
    OrganizationId,
)
from bookbell.store import accounts, books, documents, event_types, images
from bookbell.store.database import Tx


class Happened(NamedTuple):
    """What a report did. event None: the same was reported before, so nothing fired. book None: it has none."""

    type: str
    event: Event | None
    book: Book | None


def report_event(tx: Tx, report: EventReport, stamp: Stamp) -> Published[Happened]:
    """Make the event of one report. Raises: ValidationFailed, EventTypeNotFound, NotFound of what it names."""
    kind = TYPES.get(report.type)
    if kind is None:
        return _published(report, fan_out(tx, [_prepared(tx, report, _Known(), stamp)], stamp), None)
    check_report(kind, report)
    organization_id = demand_organization(tx, report.organization_id).id if report.organization_id else None
    if kind.subject is Subject.ORGANIZATION:
        assert organization_id is not None
        return _published(report, _tell_organization(tx, kind, report, organization_id, stamp), None)
    book = _lock_book_of(tx, report)
    if organization_id is not None:
        return _published(report, _tell_other(tx, kind, report, (organization_id, book), stamp), book)
    if kind.subject is Subject.GROUP:
        change = group_refused(_demand_group(tx, report), at=stamp.at)
        images.save_group(tx, change.value)
        book, told = settle(tx, book, change.drafts, stamp)
        return _published(report, told, book)
    document = _demand_document(tx, report) if report.document_uuid else None
    book, told = settle(tx, book, [draft_of(kind, report, book, document)], stamp)
    return _published(report, told, book)


def report_each(tx: Tx, asked: Sequence[tuple[EventReport, Stamp]]) -> list[Published[Happened] | BookbellError]:
    """`report_event` for each of these of defined types, whoever asks for it; their events are stored together.

    Gives what came of each, or the error it is refused for.
    """
    known = _Known()
    found = [_tried(tx, report, known, stamp) for report, stamp in asked]
    prepared = [event for event in found if isinstance(event, Event)]
    if not prepared:
        return [error for error in found if isinstance(error, BookbellError)]
    told = fan_out(tx, prepared, asked[-1][1])
    published = _each_published(told)
    return [each if isinstance(each, BookbellError) else next(published) for each in found]


def _each_published(told: Told) -> Iterator[Published[Happened]]:
    """What came of each of these events by itself."""
    made = iter(told.made)
    for happened, event in zip(_happened(told), told.events, strict=True):
        own = list(islice(made, event.matched_count))
        yield Published(happened, frozenset([delivery.lane_pk for _, delivery, _, _ in own]), own)


def _tried(tx: Tx, report: EventReport, known: "_Known", stamp: Stamp) -> Event | BookbellError:
    try:
        return _prepared(tx, report, known, stamp)
    except BookbellError as error:
        return error


def report_events(tx: Tx, reports: Sequence[EventReport], stamp: Stamp) -> Published[list[Happened]]:
    """Make the events of a batch, all of them or none. Raises: ReportRefused that names the report.

    The books are locked in ascending order first, so that two batches cannot wait for each other.
    """
    of_books = [(index, report) for index, report in enumerate(reports) if report.type in TYPES]
    found = [named("events", index, _book_of, tx, report) for index, report in of_books]
    for pk, organization_id in sorted({(book.pk, book.organization_id) for book in found if book is not None}):
        books.lock_book(tx, organization_id, pk)
    done, rung = [], frozenset[LanePk]()
    made: list[Made] = []
    known = _Known()
    for is_own, run in groupby(enumerate(reports), key=lambda pair: pair[1].type not in TYPES):
        if is_own:
            prepared = [named("events", index, _prepared, tx, report, known, stamp) for index, report in run]
            told = fan_out(tx, prepared, stamp)
            done += _happened(told)
            made += told.made
            rung |= told.lanes
            continue
        for index, report in run:
            published = named("events", index, report_event, tx, report, stamp)
            done.append(published.value)
            made += published.made
            rung |= published.lanes
    return Published(done, rung, made)


def _published(report: EventReport, told: Told, book: Book | None) -> Published[Happened]:
    event = next((event for event in told.events if event.type == report.type), None)
    return told.published(Happened(report.type, event, book))


def _happened(told: Told) -> list[Happened]:
    return [Happened(event.type, event, None) for event in told.events]


@dataclass(slots=True)
class _Known:
    """What was looked up for earlier reports of a batch: types by name and organization, audiences by their ids; heads
    by all words of a report, which mostly are those of the report before.
    """

    types: dict[tuple[str, str | None], tuple[DefinedType, EventType]] = field(default_factory=dict)
    audiences: dict[tuple[str | None, str | None], tuple[OrganizationId, AccountId | None]] = field(
        default_factory=dict
    )
    heads: "dict[Words, _Head]" = field(default_factory=dict)


class _Head(NamedTuple):
    """What a report of a defined type is without its body."""

    defined: DefinedType
    organization_id: OrganizationId
    account_id: AccountId | None
    is_for_account: bool
    is_for_org: bool


def _prepared(tx: Tx, report: EventReport, known: _Known, stamp: Stamp) -> Event:
    """The event of a defined type, with the publisher's own bytes."""
    words, own = report.words, report.body
    head = known.heads.get(words)
    if head is None or own is None:
        head = known.heads[words] = _head(tx, report, known)
    assert own is not None
    if problem := head.defined.problem_of(parsed_body(own)):
        raise ValidationFailed(problem)
    return Event(
        id=EventId(stamp.new_id()),
        organization_id=head.organization_id,
        account_id=head.account_id,
        book_pk=None,
        type=report.type,
        body_account=own if head.is_for_account else None,
        body_org=own if head.is_for_org else None,
        matched_count=0,
        created_at=stamp.at,
    )


def _head(tx: Tx, report: EventReport, known: _Known) -> _Head:
    name = report.type, report.organization_id
    if name not in known.types:
        found = _demand_type(tx, report)
        known.types[name] = found, found.as_event_type()
    defined, kind = known.types[name]
    check_report(kind, report)
    audience = report.organization_id, report.account_id
    if audience not in known.audiences:
        known.audiences[audience] = _demand_audience(tx, report)
    organization_id, account_id = known.audiences[audience]
    if account_id is None and Level.ORG not in defined.levels:
        raise ValidationFailed(f"account_id: {defined.name} is told at account level only, so it needs an account")
    is_for_account = Level.ACCOUNT in defined.levels and account_id is not None
    return _Head(defined, organization_id, account_id, is_for_account, Level.ORG in defined.levels)


def _demand_type(tx: Tx, report: EventReport) -> DefinedType:
    found = event_types.find_type(tx, report.type)
    if found is None or found.organization_id not in (None, report.organization_id):
        raise EventTypeNotFound(_unknown(report.type, tx))
    if not found.is_active:
        raise IllegalTransition(f"The event type {found.name} is not active, so nothing is published under it.")
    return found


def _unknown(name: str, tx: Tx) -> str:
    if name in RETIRED:
        return f"{name} is retired: it is known from an older edition, and never fires."
    defined = [each.name for each in event_types.list_types(tx) if each.organization_id is None]
    known = ", ".join([*names(), *defined[:50]])
    return f"No event type is named {name[:80]}. Known are {known}."


def _tell_organization(
    tx: Tx, kind: EventType, report: EventReport, organization_id: OrganizationId, stamp: Stamp
) -> Told:
    told = body(draft_of(kind, report, None, None), Level.ORG, None, ())
    return fan_out(tx, [_event(kind.name, organization_id, None, stamp)._replace(body_org=told)], stamp)


def _tell_other(tx: Tx, kind: EventType, report: EventReport, to: tuple[OrganizationId, Book], stamp: Stamp) -> Told:
    """An event about a book that another organization is told of, too or instead: `book.copy.*`, org level only."""
    organization_id, book = to
    draft = draft_of(kind, report, book, None)
    statuses = books.document_statuses(tx, book) if needs_documents(draft) else ()
    account_id = book.account_id if organization_id == book.organization_id else None
    event = _event(kind.name, organization_id, account_id, stamp, book_pk=book.pk)
    return fan_out(tx, [event._replace(body_org=body(draft, Level.ORG, book, statuses))], stamp)


def _event(
    name: str,
    organization_id: OrganizationId,
    account_id: AccountId | None,
    stamp: Stamp,
    *,
    book_pk: int | None = None,
) -> Event:
    return Event(
        id=EventId(stamp.new_id()),
        organization_id=organization_id,
        account_id=account_id,
        book_pk=book_pk,
        type=name,
        body_account=None,
        body_org=None,
        matched_count=0,
        created_at=stamp.at,
    )


def _lock_book_of(tx: Tx, report: EventReport) -> Book:
    found = _book_of(tx, report)
    locked = None if found is None else books.lock_book(tx, found.organization_id, found.pk)
    if locked is None:
        raise BookNotFound
    return locked


def _book_of(tx: Tx, report: EventReport) -> Book | None:
    """The book a report is about, None if it names none; the pipeline serves every organization."""
    if report.book_uuid is not None:
        found = books.find_book_anywhere(tx, report.book_uuid)
        if found is None:
            raise BookNotFound(f"Book {report.book_uuid[:80]} not found")
        return found
    subject: Document | ImageGroup
    if report.document_uuid is not None:
        subject = _demand_document(tx, report)
    elif report.image_group_uuid is not None:
        subject = _demand_group(tx, report)
    else:
        return None
    return books.find_book(tx, subject.organization_id, pk=subject.book_pk)


def _demand_document(tx: Tx, report: EventReport) -> Document:
    assert report.document_uuid is not None
    found = documents.find_document(tx, None, uuid=report.document_uuid)
    if found is None or found.status in (DocumentStatus.DELETING, DocumentStatus.DELETED):
        raise DocumentNotFound(f"Document {report.document_uuid[:80]} not found")
    return found


def _demand_group(tx: Tx, report: EventReport) -> ImageGroup:
    assert report.image_group_uuid is not None
    found = images.find_group(tx, None, uuid=report.image_group_uuid)
    if found is None:
        raise NotFound(f"Image group {report.image_group_uuid[:80]} not found")
    return found


def _demand_audience(tx: Tx, report: EventReport) -> tuple[OrganizationId, AccountId | None]:
    organization_id = demand_organization(tx, report.organization_id or "").id
    if report.account_id is None:
        return organization_id, None
    return organization_id, _demand_account(tx, organization_id, report.account_id)


def _demand_account(tx: Tx, organization_id: OrganizationId, account_id: str) -> AccountId:
    found = accounts.find_account(tx, account_id)
    if found is None or found.organization_id != organization_id:
        raise AccountNotFound
    return found.id
