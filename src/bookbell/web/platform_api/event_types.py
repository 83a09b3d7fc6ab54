"""The operator's calls for event types of their own. Source: docs/publishing-events.md."""

import json
from typing import Annotated, Any

import msgspec

from bookbell.actions import event_types as acting
from bookbell.actions.event_types import WantedType
from bookbell.core.catalogue import definition_uuid
from bookbell.core.defined_types import DefinedType
from bookbell.core.errors import EventTypeNotFound, InvalidRequest, OrganizationNotFound
from bookbell.core.model import Level
from bookbell.store import event_types
from bookbell.web import wire
from bookbell.web.auth import require_operator
from bookbell.web.http import Response
from bookbell.web.operation import Access, Operation, Tag, described, enveloped
from bookbell.web.routing import delete, get, post, put
from bookbell.web.shape import anything, choice, exact_instant, flag, listed, nullable, record, text, uuid

BASE = "/platform/v1/event-types"
Levels = Annotated[list[Level], msgspec.Meta(min_length=1, max_length=len(Level))]


class DefinitionBody(msgspec.Struct, forbid_unknown_fields=True):
    """All of an event type but its name. schema: a JSON Schema of its bodies, null takes any object."""

    description: str
    levels: Levels
    schema: dict[str, Any] | None = None
    is_active: bool = True
    organization_id: str | None = None

    def wanted(self) -> WantedType:
        """The definition that this is on the wire."""
        return WantedType(
            description=self.description,
            levels=frozenset(self.levels),
            schema=self.schema,
            is_active=self.is_active,
            organization_id=self.organization_id,
        )


class NewTypeBody(DefinitionBody, forbid_unknown_fields=True, kw_only=True):
    """A new event type."""

    name: str


_EXAMPLE = {
    "description": "A loan was funded.",
    "levels": ["account", "org"],
    "schema": {"type": "object", "required": ["loan"], "properties": {"loan": {"type": "integer"}}},
}
_TYPE = record(
    {
        "uuid": uuid("3f6c1f0e-6b8e-5b1c-9c0d-2f7f0c7f6a11"),
        "name": text("loan.funded"),
        "description": text("A loan was funded."),
        "levels": listed(choice(Level)),
        "schema": nullable(anything({"type": "object"})),
        "is_active": flag(),
        "organization_id": nullable(uuid()),
        "created_at": exact_instant(),
        "updated_at": exact_instant(),
    }
)


@post(
    BASE,
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            body=NewTypeBody,
            example={"name": "loan.funded", **_EXAMPLE},
            answer=enveloped(_TYPE),
            errors=(InvalidRequest, OrganizationNotFound),
        )
    ),
)
async def define_type(request: wire.Wire) -> Response:
    """Define an event type of your own."""
    require_operator(request)
    context = request.context
    body: NewTypeBody = await wire.read_json(request, NewTypeBody)
    made = await context.database.write(acting.define, body.name, body.wanted(), context.stamp())
    return wire.ok(_shown(made))


@get(
    BASE,
    opt=described(
        Operation(tag=Tag.OPERATOR, access=Access.OPERATOR, answer=enveloped(record({"event_types": listed(_TYPE)})))
    ),
)
async def list_defined(request: wire.Wire) -> Response:
    """The event types you have defined, in order of name."""
    require_operator(request)
    found = await request.context.database.read(event_types.list_types)
    return wire.ok({"event_types": [_shown(each) for each in found]})


@get(
    BASE + "/{name:str}",
    opt=described(
        Operation(tag=Tag.OPERATOR, access=Access.OPERATOR, answer=enveloped(_TYPE), errors=(EventTypeNotFound,))
    ),
)
async def read_defined(request: wire.Wire) -> Response:
    """One event type you have defined."""
    require_operator(request)
    found = await request.context.database.read(acting.demand, wire.path_text(request, "name"))
    return wire.ok(_shown(found))


@put(
    BASE + "/{name:str}",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            body=DefinitionBody,
            example=_EXAMPLE,
            answer=enveloped(_TYPE),
            errors=(EventTypeNotFound, OrganizationNotFound),
        )
    ),
)
async def redefine_type(request: wire.Wire) -> Response:
    """Replace all of an event type but its name; what was published before stays as it was."""
    require_operator(request)
    context = request.context
    body: DefinitionBody = await wire.read_json(request, DefinitionBody)
    name = wire.path_text(request, "name")
    return wire.ok(_shown(await context.database.write(acting.redefine, name, body.wanted(), context.stamp())))


@delete(
    BASE + "/{name:str}",
    opt=described(
        Operation(tag=Tag.OPERATOR, access=Access.OPERATOR, answer=enveloped(record({})), errors=(EventTypeNotFound,))
    ),
)
async def delete_type(request: wire.Wire) -> Response:
    """Delete an event type and the subscriptions to it; what was published before is kept, and what waits is sent."""
    require_operator(request)
    await request.context.database.write(acting.forget, wire.path_text(request, "name"))
    return wire.ok({})


def _shown(defined: DefinedType) -> dict[str, Any]:
    return {
        "uuid": definition_uuid(defined.name),
        "name": defined.name,
        "description": defined.description,
        "levels": sorted(defined.levels),
        "schema": None if defined.body_schema is None else json.loads(defined.body_schema),
        "is_active": defined.is_active,
        "organization_id": defined.organization_id,
        "created_at": wire.exact_instant(defined.created_at),
        "updated_at": wire.exact_instant(defined.updated_at),
    }


routes = [define_type, list_defined, read_defined, redefine_type, delete_type]
