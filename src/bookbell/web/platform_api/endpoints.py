"""The operator's hand on any webhook: how it is doing, pausing and resuming it."""

from bookbell.actions import health as acting
from bookbell.actions.signing import Which, of_id
from bookbell.core.errors import WebhookNotFound
from bookbell.web import wire
from bookbell.web.auth import require_operator
from bookbell.web.client_api.health import DRAIN
from bookbell.web.client_api.health_shapes import HEALTH, health_fields
from bookbell.web.http import Response
from bookbell.web.operation import Access, Field, Operation, Tag, described, enveloped
from bookbell.web.routing import get, post

BASE = "/platform/v1/organizations/{organization_id:str}/endpoints/{endpoint_id:str}"


def _operation(*fields: Field) -> Operation:
    return Operation(
        tag=Tag.OPERATOR,
        access=Access.OPERATOR,
        fields=fields,
        answer=enveloped(HEALTH),
        errors=(WebhookNotFound,),
    )


@get(f"{BASE}/health", opt=described(_operation()))
async def read_endpoint_health(request: wire.Wire) -> Response:
    """How a webhook is doing, in a sentence and in numbers, with the latest notices."""
    require_operator(request)
    context = request.context
    found = await context.database.read(acting.examine, _which(request), now=context.ambient.now_ms())
    return wire.ok(health_fields(found))


@post(f"{BASE}/pause", opt=described(_operation()))
async def pause_endpoint(request: wire.Wire) -> Response:
    """Send nothing to a webhook until it is resumed; what comes is kept."""
    require_operator(request)
    context = request.context
    await wire.read_params(request)
    return wire.ok(health_fields(await context.perform(acting.pause, _which(request), context.stamp())))


@post(f"{BASE}/resume", opt=described(_operation(DRAIN)))
async def resume_endpoint(request: wire.Wire) -> Response:
    """Send to a webhook again: ends a pause, enables it if it was disabled, closes its circuit."""
    require_operator(request)
    context = request.context
    is_draining = (await wire.read_params(request)).flag("drain") is not False
    done = await context.perform(acting.resume, _which(request), is_draining=is_draining, stamp=context.stamp())
    return wire.ok(health_fields(done))


def _which(request: wire.Wire) -> Which:
    return of_id(wire.path_uuid(request, "organization_id"), wire.path_uuid(request, "endpoint_id"))


routes = [read_endpoint_health, pause_endpoint, resume_endpoint]
