"""What can be subscribed to, with the JSON Schema of each body. An extension of ours. Source: docs/events.md."""

from typing import Any

from bookbell.actions import event_types as acting
from bookbell.core.catalogue import COUNTERPARTS, EventType, Source, Subject, definition_uuid
from bookbell.core.defined_types import DefinedType
from bookbell.core.errors import EventTypeNotFound
from bookbell.core.fields import Field, fields_of
from bookbell.core.model import Level
from bookbell.core.schemas import schema_of
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, described, enveloped
from bookbell.web.routing import get
from bookbell.web.shape import anything, choice, flag, listed, mapped, nullable, record, text, uuid

_TYPE = {
    "uuid": uuid("3f6c1f0e-6b8e-5b1c-9c0d-2f7f0c7f6a11"),
    "name": text("BOOK_VERIFIED"),
    "description": text("Fires when every document of a book is verified or rejected."),
    "levels": listed(choice(Level)),
    "subject": choice(Subject),
    "source": choice(Source),
    "severity": choice(("LOW", "MODERATE", "HIGH")),
    "type": choice(("STATUS", "ISSUE")),
    "reason": nullable(text("Book is verified")),
    "is_active": flag(),
    "counterparts": listed(text("book.verified")),
}
_FIELD = record(
    {
        "name": text("book_pk"),
        "type": choice(("string", "integer", "boolean", "array"), "integer"),
        "is_nullable": flag(False),
        "is_optional": flag(False),
        "meaning": text("the book"),
    }
)


@get(
    "/v1/event-types",
    opt=described(Operation(tag=Tag.HISTORY, answer=enveloped(record({"event_types": listed(record(_TYPE))})))),
)
async def list_event_types(request: wire.Wire) -> Response:
    """Every event type your webhooks can subscribe to."""
    context, account = request.context, await account_of(request)
    found = await context.database.read(acting.known_event_types, account.organization_id)
    return wire.ok({"event_types": [_shown(each) for each in found]})


@get(
    "/v1/event-types/{name:str}",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            answer=enveloped(
                record(
                    {
                        **_TYPE,
                        "fields": mapped(listed(_FIELD), "account"),
                        "schemas": mapped(anything({"type": "object"}), "account"),
                    }
                )
            ),
            errors=(EventTypeNotFound,),
        )
    ),
)
async def read_event_type(request: wire.Wire) -> Response:
    """One event type, with the fields of its body and their JSON Schema at each level."""
    context, account = request.context, await account_of(request)
    name = wire.path_text(request, "name")
    found = await context.database.read(acting.find_known, account.organization_id, name)
    if isinstance(found, DefinedType):
        schemas = {str(level): found.schema() for level in sorted(found.levels)}
        return wire.ok({**_shown(found.as_event_type()), "fields": {}, "schemas": schemas})
    levels = sorted(found.levels)
    fields = {str(level): [_field(each) for each in fields_of(found, level)] for level in levels}
    schemas = {str(level): schema_of(found, level) for level in levels}
    return wire.ok({**_shown(found), "fields": fields, "schemas": schemas})


def _shown(kind: EventType) -> dict[str, Any]:
    return {
        "uuid": definition_uuid(kind.name),
        "name": kind.name,
        "description": kind.description,
        "levels": sorted(kind.levels),
        "subject": kind.subject,
        "source": kind.source,
        "severity": kind.severity,
        "type": kind.notification,
        "reason": kind.reason or None,
        "is_active": kind.is_active,
        "counterparts": list(COUNTERPARTS.get(kind.name, ())),
    }


def _field(field: Field) -> dict[str, Any]:
    names = ("name", "type", "is_nullable", "is_optional", "meaning")
    return {name: getattr(field, name) for name in names}


routes = [list_event_types, read_event_type]
