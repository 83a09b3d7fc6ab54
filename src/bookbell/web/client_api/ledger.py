"""The ledger of a webhook: how many deliveries were matched in a range of time, and what became of them. Ours."""

from bookbell.actions import ledger
from bookbell.actions.ledger import Range
from bookbell.core.errors import NotPermittedManager, OrgWebhookNotFound, ValidationFailed, WebhookNotFound
from bookbell.core.instants import instant_from
from bookbell.core.ledger import COUNTS, Ledger
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, described, enveloped, may
from bookbell.web.routing import get
from bookbell.web.shape import exact_instant, flag, record, text, whole

BASE = "/v1/account/settings/webhook"
SINCE_DEFAULT = "24h"
FIELDS = (
    may("since", text("7d"), f"From when on: an instant (ISO 8601) or how long ago; {SINCE_DEFAULT} if not given."),
    may("until", text("2026-05-30T16:15:14Z"), "Before when, likewise; now if not given."),
)
LEDGER = record(
    {
        "since": exact_instant(),
        "until": exact_instant(),
        **{name: whole(0) for name in COUNTS},
        "balanced": flag(),
    }
)


@get(
    f"{BASE}/ledger",
    opt=described(Operation(tag=Tag.HISTORY, fields=FIELDS, answer=enveloped(LEDGER), errors=(WebhookNotFound,))),
)
async def read_ledger(request: wire.Wire) -> Response:
    """The ledger of the account's webhook: matched = delivered + pending + exhausted + cancelled."""
    context, account = request.context, await account_of(request)
    wanted = _range(await wire.read_params(request), context.ambient.now_ms())
    return wire.ok(_shown(await context.database.snapshot(ledger.of_account_webhook, account, wanted), wanted))


@get(
    f"{BASE}/{{webhook_uuid:str}}/ledger",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            fields=FIELDS,
            answer=enveloped(LEDGER),
            errors=(NotPermittedManager, OrgWebhookNotFound),
        )
    ),
)
async def read_org_ledger(request: wire.Wire) -> Response:
    """The ledger of one of the organization's webhooks, also a deleted one; for managers."""
    context, account = request.context, await account_of(request)
    wanted = _range(await wire.read_params(request), context.ambient.now_ms())
    uuid = wire.path_uuid(request, "webhook_uuid")
    return wire.ok(_shown(await context.database.snapshot(ledger.of_org_webhook, account, uuid, wanted), wanted))


def _range(params: wire.Params, now: int) -> Range:
    since, until = params.text("since") or SINCE_DEFAULT, params.text("until")
    return Range(
        since=_instant("since", since, now), before=now + 1 if until is None else _instant("until", until, now)
    )


def _instant(name: str, given: str, now: int) -> int:
    found = instant_from(given, now)
    if found is None:
        raise ValidationFailed(f"{name}: an instant like 2026-05-30T16:15:14Z or a duration like 24h is expected")
    return found


def _shown(found: Ledger, wanted: Range) -> dict[str, object]:
    return {
        "since": wire.exact_instant(wanted.since),
        "until": wire.exact_instant(wanted.before),
        **{name: getattr(found, name) for name in COUNTS},
        "balanced": found.is_balanced,
    }


routes = [read_ledger, read_org_ledger]
