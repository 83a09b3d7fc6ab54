"""The account-level webhook calls: configure, read, test, rotate the secret; and the policy beside them.

Source: contract 7 and 17.
"""

import json

from bookbell.actions import event_types, webhooks
from bookbell.core import limits
from bookbell.core.errors import InvalidInput, MissingParameter, WebhookNotFound
from bookbell.core.events import TEST_BODY
from bookbell.core.guard import demand_target
from bookbell.core.model import Level
from bookbell.core.policy import policy_from
from bookbell.store.endpoints import Endpoint
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api.policy_shapes import POLICY, POLICY_FIELDS, shown_policy
from bookbell.web.client_api.probe import SUCCESS, send_probe
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import JSON_BODY, Operation, Tag, bare, described, enveloped, need, texts_or_text, usual
from bookbell.web.routing import get, post, put
from bookbell.web.shape import listed, nullable, record, text, whole

BASE = "/v1/account/settings"
URL = text("https://hooks.example.net/ocrolus?tenant=7")
CONFIGURED = record({"webhook_endpoint": nullable(URL), "events": listed(text("BOOK_VERIFIED"))})
SECRET = text("sample_secret_value_01", minLength=limits.SECRET_CHARS_MIN, maxLength=limits.SECRET_CHARS_MAX)
ROTATED = bare(record({"status": {"const": "success"}, "message": {"const": "Webhook secret rotated successfully"}}))
NOT_ROTATED = bare(record({"error": {"const": "Webhook not found"}}), "There is no such webhook.")


@post(
    f"{BASE}/update/webhook_endpoint",
    opt=described(
        Operation(
            tag=Tag.WEBHOOK,
            fields=(
                usual(
                    "webhook_endpoint",
                    URL,
                    "Where to send, with port, query and credentials if any; needed with events.",
                ),
                usual(
                    "event",
                    texts_or_text("BOOK_VERIFIED"),
                    "The events wanted; they replace the earlier ones. None: deregister.",
                ),
            ),
            answer=enveloped(CONFIGURED),
            errors=(InvalidInput, MissingParameter),
        )
    ),
)
async def configure(request: wire.Wire) -> Response:
    """Register, replace or (without events) deregister the account's webhook."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    names = params.texts("event")
    if not names:
        await context.perform(webhooks.deregister, account, context.stamp())
        return wire.ok({"webhook_endpoint": None, "events": []})
    url = params.text("webhook_endpoint")
    if not url:
        raise MissingParameter("Required parameter not found")
    parsed = demand_target(url, context.guard)
    defined = await context.database.read(event_types.defined_names, account.organization_id, Level.ACCOUNT)
    wanted = webhooks.Wanted(
        url=url, masked=parsed.masked(), event_types=webhooks.event_types_of(names, defined), preset=context.preset
    )
    endpoint = await context.perform(webhooks.configure, account, wanted, context.vault.seal, context.stamp())
    return wire.ok({"webhook_endpoint": url, "events": list(endpoint.event_types)})


@get(f"{BASE}/webhook_details", opt=described(Operation(tag=Tag.WEBHOOK, answer=enveloped(CONFIGURED))))
async def read(request: wire.Wire) -> Response:
    """What is registered: the URL as it was given, and the events."""
    context, account = request.context, await account_of(request)
    endpoint = await context.database.read(webhooks.find, account)
    if endpoint is None:
        return wire.ok({"webhook_endpoint": None, "events": []})
    return wire.ok({"webhook_endpoint": _url(context, endpoint), "events": list(endpoint.event_types)})


@get(
    f"{BASE}/test_webhook_endpoint",
    opt=described(
        Operation(
            tag=Tag.WEBHOOK,
            answer=enveloped(record({"message": text(SUCCESS)}, {"resp_code": whole(200)})),
            errors=(WebhookNotFound,),
        )
    ),
)
async def test(request: wire.Wire) -> Response:
    """Send the test notification now and say what came of it; HTTP 200 also when the receiver fails."""
    context, account = request.context, await account_of(request)
    endpoint = await context.database.read(webhooks.find, account)
    if endpoint is None:
        raise WebhookNotFound(f"Webhook not found for account pk {account.id}")
    probe = await send_probe(context, endpoint, TEST_BODY)
    return wire.ok(probe.told())


@post(
    f"{BASE}/webhook/rotate-secret",
    opt=described(
        Operation(
            tag=Tag.WEBHOOK,
            fields=(need("secret_key", SECRET, "16 to 128 characters, of your choice."),),
            answer=ROTATED,
            errors=(MissingParameter,),
            others={404: NOT_ROTATED},
        )
    ),
)
async def rotate_secret(request: wire.Wire) -> Response:
    """Set or replace the secret that deliveries are signed with."""
    context = request.context
    account = await account_of(request)
    params = await wire.read_params(request)
    secret = params.text("secret_key")
    if secret is None:
        raise MissingParameter("Required parameter not found: secret_key")
    try:
        await context.perform(webhooks.rotate_secret, account, secret, context.vault, context.stamp())
    except WebhookNotFound:
        return wire.answer({"error": "Webhook not found"}, status=404)
    return wire.answer({"status": "success", "message": "Webhook secret rotated successfully"})


@get(
    f"{BASE}/webhook/policy",
    opt=described(Operation(tag=Tag.WEBHOOK, answer=enveloped(POLICY), errors=(WebhookNotFound,))),
)
async def read_policy(request: wire.Wire) -> Response:
    """How deliveries to the account's webhook are attempted."""
    context, account = request.context, await account_of(request)
    endpoint = await context.database.read(webhooks.demand, account)
    return wire.ok(shown_policy(policy_from(json.loads(endpoint.policy)), now=context.ambient.now_ms()))


@put(
    f"{BASE}/webhook/policy",
    opt=described(
        Operation(
            tag=Tag.WEBHOOK, media=JSON_BODY, fields=POLICY_FIELDS, answer=enveloped(POLICY), errors=(WebhookNotFound,)
        )
    ),
)
async def set_policy(request: wire.Wire) -> Response:
    """Change how deliveries are attempted: a preset and the fields that differ from it."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    policy = await context.perform(webhooks.set_policy, account, params.values, context.stamp())
    return wire.ok(shown_policy(policy, now=context.ambient.now_ms()))


def _url(context: Context, endpoint: Endpoint) -> str:
    assert endpoint.url_sealed is not None
    return context.vault.open(endpoint.url_sealed, webhooks.url_place(endpoint.id))


routes = [configure, read, test, rotate_secret, read_policy, set_policy]
