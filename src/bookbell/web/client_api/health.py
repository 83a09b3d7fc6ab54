"""How the account's webhook is doing, and stopping and starting it by hand. An extension of ours."""

from bookbell.actions import health as acting
from bookbell.actions.signing import of_account
from bookbell.core.errors import WebhookNotFound
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api.health_shapes import HEALTH, health_fields
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, described, enveloped, may
from bookbell.web.routing import get, post
from bookbell.web.shape import flag

BASE = "/v1/account/settings/webhook"
DRAIN = may("drain", flag(), "Whether what was held is sent; false cancels it with reason skipped. True if not given.")


@get(
    f"{BASE}/health",
    opt=described(Operation(tag=Tag.WEBHOOK, answer=enveloped(HEALTH), errors=(WebhookNotFound,))),
)
async def read_health(request: wire.Wire) -> Response:
    """How the account's webhook is doing, in a sentence and in numbers, with the latest notices."""
    context, which = request.context, of_account(await account_of(request))
    return wire.ok(health_fields(await context.database.read(acting.examine, which, now=context.ambient.now_ms())))


@post(
    f"{BASE}/pause",
    opt=described(Operation(tag=Tag.WEBHOOK, answer=enveloped(HEALTH), errors=(WebhookNotFound,))),
)
async def pause(request: wire.Wire) -> Response:
    """Send nothing to the account's webhook until it is resumed; what comes is kept."""
    context, which = request.context, of_account(await account_of(request))
    await wire.read_params(request)
    return wire.ok(health_fields(await context.perform(acting.pause, which, context.stamp())))


@post(
    f"{BASE}/resume",
    opt=described(Operation(tag=Tag.WEBHOOK, fields=(DRAIN,), answer=enveloped(HEALTH), errors=(WebhookNotFound,))),
)
async def resume(request: wire.Wire) -> Response:
    """Send to the account's webhook again: ends a pause, enables it if it was disabled, closes its circuit."""
    context, which = request.context, of_account(await account_of(request))
    params = await wire.read_params(request)
    is_draining = params.flag("drain") is not False
    done = await context.perform(acting.resume, which, is_draining=is_draining, stamp=context.stamp())
    return wire.ok(health_fields(done))


routes = [read_health, pause, resume]
