"""The pipeline's call for events: those nothing in the service fires by itself, and those with a body of their own.

One event, or a batch as one transaction. A body is sent to receivers byte for byte as it came. Source:
docs/publishing-events.md.
"""

from typing import Annotated, Any

import msgspec

from bookbell.actions import event_reports
from bookbell.actions.event_reports import Happened
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.catalogue import TYPES
from bookbell.core.errors import (
    AccountNotFound,
    BookNotFound,
    DocumentNotFound,
    EventTypeNotFound,
    IdempotencyMismatch,
    IllegalTransition,
    NotFound,
    OrganizationNotFound,
    ValidationFailed,
)
from bookbell.core.event_report import EventReport
from bookbell.store.database import Tx
from bookbell.web import wire
from bookbell.web.auth import require_pipeline
from bookbell.web.http import Response
from bookbell.web.idempotency import carried_out, carried_out_each
from bookbell.web.operation import JSON_BODY, Access, Operation, Tag, described, enveloped, may, usual
from bookbell.web.platform_api.report_shapes import KEY
from bookbell.web.routing import post
from bookbell.web.shape import anything, either, listed, nullable, record, text, uuid, whole

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """One event, by the fields of EventReport. body: a JSON object, its bytes kept; empty when not given."""

    type: Text
    book_uuid: Text | None = None
    document_uuid: Text | None = None
    image_group_uuid: Text | None = None
    organization_id: Text | None = None
    account_id: Text | None = None
    status: Text | None = None
    name: Text | None = None
    body: msgspec.Raw = msgspec.Raw(b"")

    def report(self) -> EventReport:
        """The report that this is on the wire, its ids however their letters are spelled."""
        kind, *ids, status, name, body = msgspec.structs.astuple(self)
        spelled = [given and given.lower() for given in ids]
        return EventReport(*(kind, *spelled, status, name, bytes(body) or None))


class EventsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Events that are published together, all or none."""

    events: Annotated[list[EventBody], msgspec.Meta(min_length=1, max_length=limits.REPORT_BATCH_COUNT_MAX)]


class Head(msgspec.Struct):
    """What tells one event from a batch."""

    events: msgspec.Raw = msgspec.Raw(b"")


_HEAD, _ONE, _BATCH = map(msgspec.json.Decoder, (Head, EventBody, EventsBody))

_TYPE = text("document.detect.signal_found", minLength=1, maxLength=limits.NAME_CHARS_MAX)
_USUAL = "document_uuid"  # what the example is about
_KEYS = {
    "book_uuid": (uuid(), "The book it is about."),
    _USUAL: (uuid("c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10"), "The document it is about."),
    "image_group_uuid": (uuid("0e7c4a1d-52b8-4f6a-b6c1-2d3e4f5a6b7c"), "The image group it is about."),
    "organization_id": (uuid("01976f0e-0000-7000-8000-000000000001"), "Whose webhooks are told."),
    "account_id": (uuid("01976f0e-0000-7000-8000-000000000002"), "Whose account-level webhook is told too."),
    "status": (text("BOOK_COMPLETE"), "The state of the subject, where the type knows several."),
    "name": (text("statement-03.pdf"), "The file that was not taken in, where no document exists."),
    "body": (anything({"loan": 2210}), "The body of a type you have defined, sent as it is."),
}
_TOLD = record(
    {
        "type": _TYPE,
        "event_id": nullable(uuid("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3")),
        "matched_count": whole(1),
        "book_uuid": nullable(uuid()),
        "book_status": nullable(text("VERIFIED")),
    }
)


@post(
    "/platform/v1/events",
    opt=described(
        Operation(
            tag=Tag.PIPELINE,
            access=Access.PIPELINE,
            media=JSON_BODY,
            fields=(
                *KEY,
                usual("type", _TYPE, "The event type; see Events for what each needs. Give this or `events`."),
                *((usual if name == _USUAL else may)(name, schema, told) for name, (schema, told) in _KEYS.items()),
                may(
                    "events",
                    listed(
                        record({"type": _TYPE}, {name: schema for name, (schema, _) in _KEYS.items()}),
                        minItems=1,
                        maxItems=limits.REPORT_BATCH_COUNT_MAX,
                    ),
                    "A batch, published as one transaction.",
                ),
            ),
            answer=enveloped(either(_TOLD, record({"events": listed(_TOLD)}))),
            errors=(
                AccountNotFound,
                BookNotFound,
                DocumentNotFound,
                EventTypeNotFound,
                NotFound,
                OrganizationNotFound,
                IllegalTransition,
                IdempotencyMismatch,
            ),
        )
    ),
)
async def publish_events(request: wire.Wire) -> Response:
    """Tell that something happened: one event, or a batch of them."""
    require_pipeline(request)
    raw = await wire.read_body(request)
    if bytes(_decoded(raw, _HEAD).events):
        batch: EventsBody = _decoded(raw, _BATCH)
        wanted = _storable([item.report() for item in batch.events], raw)

        def carry_out_all(tx: Tx, stamp: Stamp) -> Published[Any]:
            published = event_reports.report_events(tx, wanted, stamp)
            shown = {"events": [_shown(each) for each in published.value]}
            return published.showing(shown)

        return await carried_out(request, raw, carry_out_all)
    one: EventBody = _decoded(raw, _ONE)
    (report,) = _storable([one.report()], raw)
    if report.type not in TYPES:
        return await carried_out_each(request, raw, event_reports.report_each, report, _shown)

    def carry_out(tx: Tx, stamp: Stamp) -> Published[Any]:
        published = event_reports.report_event(tx, report, stamp)
        return published.showing(_shown(published.value))

    return await carried_out(request, raw, carry_out)


def _storable(reports: list[EventReport], raw: bytes) -> list[EventReport]:
    """The same, if their words can be stored. Raises: ValidationFailed."""
    if b"\\u" in raw:  # JSON has no other way to write what cannot be
        for report in reports:
            for word in filter(None, report.words):
                wire.checked_text(word)
    return reports


def _decoded(raw: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """As wire.converted, but what is Raw keeps its bytes. Raises: MalformedJson, ValidationFailed."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wire.json_object(raw)  # what is no JSON at all is told as such
        raise ValidationFailed(f"Request validation failure: {error}") from error


def _shown(happened: Happened) -> dict[str, Any]:
    event, book = happened.event, happened.book
    return {
        "type": happened.type,
        "event_id": None if event is None else event.id,
        "matched_count": 0 if event is None else event.matched_count,
        "book_uuid": None if book is None else book.uuid,
        "book_status": None if book is None else book.status,
    }


routes = [publish_events]
