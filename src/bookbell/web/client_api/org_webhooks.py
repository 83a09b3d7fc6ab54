"""The org-level webhook calls, for managers: add, list, read, change, delete, events, test, secret; and the policy.

Source: contract 8 and 17, C7–C10.
"""

import json
from typing import Any

from bookbell.actions import org_webhooks
from bookbell.actions.org_webhooks import Terms, address_in, require_manager
from bookbell.core.errors import (
    MissingParameter,
    NotPermittedManager,
    OrgWebhookNotFound,
    WebhookInvalid,
    WebhookNotFound,
)
from bookbell.core.model import Account, Level
from bookbell.core.org_webhook import read_change, read_new, shown_url
from bookbell.core.policy import policy_from
from bookbell.core.samples import sample_body
from bookbell.store.endpoints import Endpoint
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import org_webhook_shapes as shapes
from bookbell.web.client_api.policy_shapes import POLICY, POLICY_FIELDS, shown_policy
from bookbell.web.client_api.probe import send_probe
from bookbell.web.client_api.webhooks import BASE, NOT_ROTATED, ROTATED, SECRET
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import JSON_BODY, Operation, Tag, bare, described, enveloped, need
from bookbell.web.routing import delete, get, post, put
from bookbell.web.shape import listed, record

ONE = BASE + "/webhook/{webhook_uuid:str}"


@post(
    f"{BASE}/webhook",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            media=JSON_BODY,
            fields=shapes.NEW,
            answer=enveloped(shapes.WEBHOOK),
            errors=(NotPermittedManager, WebhookInvalid),
        )
    ),
)
async def add(request: wire.Wire) -> Response:
    """Add a webhook that hears of all books of the organization."""
    context, account = request.context, await _manager(request)
    asked = read_new(await wire.read_object(request), context.guard)
    terms = Terms(count_max=context.org_webhooks_max, preset=context.preset)
    endpoint = await context.perform(org_webhooks.add, account, asked, terms, context.vault, context.stamp())
    return wire.ok(_shown(context, endpoint))


@get(
    f"{BASE}/webhooks",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            answer=enveloped(record({"webhooks": listed(shapes.WEBHOOK)})),
            errors=(NotPermittedManager,),
        )
    ),
)
async def read_all(request: wire.Wire) -> Response:
    """The webhooks of the organization, oldest first."""
    context, account = request.context, await _manager(request)
    found = await context.database.read(org_webhooks.find_all, account)
    return wire.ok({"webhooks": [_shown(context, each) for each in found]})


@get(
    ONE,
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS, answer=enveloped(shapes.WEBHOOK), errors=(NotPermittedManager, OrgWebhookNotFound)
        )
    ),
)
async def read(request: wire.Wire) -> Response:
    """One webhook of the organization."""
    context, account = request.context, await _manager(request)
    return wire.ok(_shown(context, await _found(request, context, account)))


@post(
    f"{ONE}/update",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            media=JSON_BODY,
            fields=shapes.CHANGE,
            answer=enveloped(record({})),
            errors=(NotPermittedManager, OrgWebhookNotFound, WebhookInvalid),
        )
    ),
)
async def change(request: wire.Wire) -> Response:
    """Change what is given of a webhook; `event_names` replaces all its events."""
    context, account = request.context, await _manager(request)
    asked = read_change(await wire.read_object(request), context.guard)
    await context.perform(org_webhooks.change, account, _uuid(request), asked, context.vault, context.stamp())
    return wire.ok({})


@delete(
    f"{ONE}/delete",
    opt=described(
        Operation(tag=Tag.ORG_WEBHOOKS, answer=enveloped(record({})), errors=(NotPermittedManager, OrgWebhookNotFound))
    ),
)
async def remove(request: wire.Wire) -> Response:
    """Delete a webhook for good; what waits for it is cancelled."""
    context, account = request.context, await _manager(request)
    await context.perform(org_webhooks.remove, account, _uuid(request), context.stamp())
    return wire.ok({})


@get(
    f"{ONE}/events",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            answer=enveloped(record({"events": listed(shapes.DEFINITION)})),
            errors=(NotPermittedManager, OrgWebhookNotFound),
        )
    ),
)
async def read_events(request: wire.Wire) -> Response:
    """The definitions of the events a webhook subscribes to."""
    context, account = request.context, await _manager(request)
    _, kinds = await context.database.read(org_webhooks.definitions, account, _uuid(request))
    shown = [
        {
            "uuid": uuid,
            "name": kind.name,
            "description": kind.description,
            "reason": kind.reason.strip(" :") or None,
            "type": kind.notification,
            "severity": kind.severity,
            "is_active": kind.is_active,
        }
        for uuid, kind in kinds.items()
    ]
    return wire.ok({"events": shown})


@post(
    f"{ONE}/test",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            media=JSON_BODY,
            fields=shapes.TEST,
            answer=bare(shapes.TESTED),
            errors=(NotPermittedManager, OrgWebhookNotFound, WebhookInvalid),
        )
    ),
)
async def test(request: wire.Wire) -> Response:
    """Send a sample of one of a webhook's events now; the answer shows what was sent and what came of it."""
    context, account = request.context, await _manager(request)
    event_uuid = wire.Params(await wire.read_object(request)).uuid("event_uuid")
    endpoint, kinds = await context.database.read(org_webhooks.definitions, account, _uuid(request))
    if not event_uuid:
        raise WebhookInvalid("event_uuid: field required")
    kind = kinds.get(event_uuid)
    if kind is None:
        raise WebhookInvalid(f"Event with uuid {event_uuid[:80]} not found")
    if not endpoint.is_active:
        raise WebhookInvalid(f"Webhook with uuid {endpoint.id} is not active")
    if not kind.is_active:
        raise WebhookInvalid(f"Event with uuid {event_uuid} is not active")
    body = sample_body(kind.name, Level.ORG)
    assert body is not None
    probe = await send_probe(context, endpoint, body)
    # The envelope's own keys win over the payload's of the same name, which is `status` (contract C10).
    envelope = {"status": 200, "message": "OK", "response": {"uuid": probe.request_id, **probe.told()}}
    return wire.answer({**json.loads(body), **envelope})


@post(
    f"{ONE}/rotate-secret",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            media=JSON_BODY,
            fields=(need("secret_key", SECRET, "16 to 128 characters, of your choice."),),
            answer=ROTATED,
            errors=(NotPermittedManager, MissingParameter),
            others={404: NOT_ROTATED},
        )
    ),
)
async def rotate_secret(request: wire.Wire) -> Response:
    """Set or replace the secret that deliveries to a webhook are signed with."""
    context, account = request.context, await _manager(request)
    secret = wire.Params(await wire.read_object(request)).text("secret_key")
    if secret is None:
        raise MissingParameter("Required parameter not found: secret_key")
    try:
        await context.perform(
            org_webhooks.rotate_secret, account, _uuid(request), secret, context.vault, context.stamp()
        )
    except WebhookNotFound:
        return wire.answer({"error": "Webhook not found"}, status=404)
    return wire.answer({"status": "success", "message": "Webhook secret rotated successfully"})


@get(
    f"{ONE}/policy",
    opt=described(
        Operation(tag=Tag.ORG_WEBHOOKS, answer=enveloped(POLICY), errors=(NotPermittedManager, OrgWebhookNotFound))
    ),
)
async def read_policy(request: wire.Wire) -> Response:
    """How deliveries to a webhook are attempted."""
    context, account = request.context, await _manager(request)
    endpoint = await _found(request, context, account)
    return wire.ok(shown_policy(policy_from(json.loads(endpoint.policy)), now=context.ambient.now_ms()))


@put(
    f"{ONE}/policy",
    opt=described(
        Operation(
            tag=Tag.ORG_WEBHOOKS,
            media=JSON_BODY,
            fields=POLICY_FIELDS,
            answer=enveloped(POLICY),
            errors=(NotPermittedManager, OrgWebhookNotFound),
        )
    ),
)
async def set_policy(request: wire.Wire) -> Response:
    """Change how deliveries to a webhook are attempted: a preset and the fields that differ from it."""
    context, account = request.context, await _manager(request)
    fields = await wire.read_object(request)
    policy = await context.perform(org_webhooks.set_policy, account, _uuid(request), fields, context.stamp())
    return wire.ok(shown_policy(policy, now=context.ambient.now_ms()))


async def _manager(request: wire.Wire) -> Account:
    account = await account_of(request)
    require_manager(account)
    return account


def _uuid(request: wire.Wire) -> str:
    return wire.path_uuid(request, "webhook_uuid")


async def _found(request: wire.Wire, context: Context, account: Account) -> Endpoint:
    return await context.database.read(org_webhooks.find, account, _uuid(request))


def _shown(context: Context, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "uuid": endpoint.id,
        "url": shown_url(address_in(endpoint, context.vault)),
        "description": endpoint.description,
        "is_active": endpoint.is_active,
        "created_on": wire.exact_instant(endpoint.created_at),
        "last_modified_date": wire.exact_instant(endpoint.updated_at),
    }


routes = [add, read_all, read, change, remove, read_events, test, rotate_secret, read_policy, set_policy]
