"""The operator's hand on any webhook: how it is doing, pausing and resuming it."""

from bookbell.actions import health as acting
from bookbell.actions.health import Examined
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import WebhookNotFound
from bookbell.store.database import Tx
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
    return wire.ok(health_fields(await context.database.read(_examine, _ids(request), now=context.ambient.now_ms())))


@post(f"{BASE}/pause", opt=described(_operation()))
async def pause_endpoint(request: wire.Wire) -> Response:
    """Send nothing to a webhook until it is resumed; what comes is kept."""
    require_operator(request)
    context = request.context
    await wire.read_params(request)
    return wire.ok(health_fields(await context.perform(_pause, _ids(request), context.stamp())))


@post(f"{BASE}/resume", opt=described(_operation(DRAIN)))
async def resume_endpoint(request: wire.Wire) -> Response:
    """Send to a webhook again: ends a pause, enables it if it was disabled, closes its circuit."""
    require_operator(request)
    context = request.context
    is_draining = (await wire.read_params(request)).flag("drain") is not False
    return wire.ok(health_fields(await context.perform(_resume, _ids(request), is_draining, context.stamp())))


def _ids(request: wire.Wire) -> tuple[str, str]:
    return wire.path_uuid(request, "organization_id"), wire.path_uuid(request, "endpoint_id")


def _examine(tx: Tx, ids: tuple[str, str], *, now: int) -> Examined:
    return acting.examine(tx, acting.of_organization(tx, *ids), now=now)


def _pause(tx: Tx, ids: tuple[str, str], stamp: Stamp) -> Published[Examined]:
    done = acting.pause(tx, acting.of_organization(tx, *ids), stamp)
    return done.showing(_examine(tx, ids, now=stamp.at))


def _resume(tx: Tx, ids: tuple[str, str], is_draining: bool, stamp: Stamp) -> Published[Examined]:
    done = acting.resume(tx, acting.of_organization(tx, *ids), is_draining=is_draining, stamp=stamp)
    return done.showing(_examine(tx, ids, now=stamp.at))


routes = [read_endpoint_health, pause_endpoint, resume_endpoint]
