"""Events of an account: a page of the newest, or all of them in order, so that a receiver can reconcile.

An extension of ours. Source: docs/reconciling.md.
"""

from dataclasses import replace
from typing import Any

import msgspec

from bookbell.actions import history
from bookbell.actions.history import Reading, ReadOn, Told
from bookbell.core import limits
from bookbell.core.errors import NotFound, NotPermittedManager, OrgWebhookNotFound, ValidationFailed
from bookbell.core.model import Account, Event, Level
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import history_shapes as shapes
from bookbell.web.client_api.history import level_of, shown_delivery
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import PK, Operation, Tag, described, enveloped, may, page_fields
from bookbell.web.routing import get
from bookbell.web.shape import choice, flag, instant, listed, nullable, record, text, uuid, whole

POLL_MS = 500
OLDEST_FIRST, NEWEST_FIRST = "ASC", "DESC"
_ASC_ONLY = ("since", "event", "book_pk", "subscribed", "webhook_uuid", "wait_s")


@get(
    "/v1/events",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            fields=(
                *page_fields(limits.PAGE_COUNT_DEFAULT, limits.PAGE_COUNT_MAX),
                may("order", choice((NEWEST_FIRST, OLDEST_FIRST)), "ASC: in order, with deliveries; so with `after`."),
                may("after", shapes.ID, "Go on after this event: `next` of the answer before."),
                may("since", instant(), "ASC: begin with the events of this instant."),
                may("event", listed(text("BOOK_VERIFIED")), "ASC: only these event types."),
                may("book_pk", PK, "ASC: only of this book."),
                may("subscribed", flag(), "ASC: only types that the webhook subscribes to now."),
                may(
                    "level",
                    choice(Level),
                    "org: those of the whole organization, as its webhooks get them; for managers.",
                ),
                may("webhook_uuid", uuid(), "ASC: as this webhook of the organization gets them; for managers."),
                may(
                    "wait_s",
                    whole(20, most=limits.EVENTS_WAIT_S_MAX),
                    "ASC: wait so long for an event if there is none.",
                ),
            ),
            answer=enveloped(record({"events": listed(shapes.EVENT), "next": nullable(shapes.ID)})),
            errors=(NotFound, NotPermittedManager, OrgWebhookNotFound),
        )
    ),
)
async def list_events(request: wire.Wire) -> Response:
    """The events of the account's books: a page of the newest, or with `after` or `order=ASC` all of them in order."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    order = (params.text("order") or (OLDEST_FIRST if "after" in params else NEWEST_FIRST)).upper()
    if order not in {OLDEST_FIRST, NEWEST_FIRST}:
        raise ValidationFailed(f"order: {NEWEST_FIRST} or {OLDEST_FIRST} is expected")
    count = wire.page_count(params)
    if order == OLDEST_FIRST:
        reading = _reading(params, count, context.ambient.now_ms())
        read = await _read_on(context, account, reading, _wait_ms(params))
        return wire.ok({"events": [_told(each) for each in read.told], "next": read.next})
    if "after" in params:
        raise ValidationFailed("after: goes with order=ASC; the page after the newest is asked for by `before`")
    if left_out := next((name for name in _ASC_ONLY if name in params), None):
        raise ValidationFailed(f"{left_out}: goes with order=ASC; a page of the newest holds events of every kind")
    level = level_of(params)
    listing = history.list_org_events if level is Level.ORG else history.list_events
    found = await context.database.read(listing, account, before=params.uuid("before"), count=count)
    shown = [
        _event(each, each.body_org if level is Level.ORG else each.body_account or each.body_org) for each in found
    ]
    return wire.ok({"events": shown, "next": found[-1].id if len(found) == count else None})


def _reading(params: wire.Params, count: int, now: int) -> Reading:
    if "before" in params:
        raise ValidationFailed("before: goes with order=DESC; in order one goes on with `after`")
    return Reading(
        after=params.uuid("after"),
        since_at=params.instant("since", now),
        event_types=frozenset(params.texts("event")) or None,
        book_pk=params.integer("book_pk"),
        is_org=level_of(params) is Level.ORG,
        webhook_uuid=params.uuid("webhook_uuid"),
        is_subscribed=bool(params.flag("subscribed")),
        count=count,
    )


def _wait_ms(params: wire.Params) -> int:
    wait_s = params.integer("wait_s") or 0
    if not 0 <= wait_s <= limits.EVENTS_WAIT_S_MAX:
        raise ValidationFailed(f"wait_s: a number from 0 to {limits.EVENTS_WAIT_S_MAX} is expected")
    return wait_s * 1000


async def _read_on(context: Context, account: Account, reading: Reading, wait_ms: int) -> ReadOn:
    """What there is or, if that is nothing, what comes within this time. Only so many wait at once."""
    read = await context.database.read(history.read_on, account, reading)
    if read.told or not wait_ms or not context.waiting.enter():
        return read
    end = context.ambient.monotonic_ms() + wait_ms
    try:
        while not read.told and not context.is_stopping() and context.ambient.monotonic_ms() < end:
            if read.next == reading.after:
                await context.ambient.sleep_ms(POLL_MS)
            reading = replace(reading, after=read.next)
            read = await context.database.read(history.read_on, account, reading)
    finally:
        context.waiting.leave()
    return read


def _told(told: Told) -> dict[str, Any]:
    return {**_event(told.event, told.body), "deliveries": [shown_delivery(each) for each in told.deliveries]}


def _event(event: Event, body: bytes | None) -> dict[str, Any]:
    # As it is sent, byte for byte: a body of a publisher's own may hold what would not survive being read and written.
    return {
        "id": event.id,
        "event": event.type,
        "book_pk": event.book_pk,
        "created_at": wire.exact_instant(event.created_at),
        "matched_count": event.matched_count,
        "body": None if body is None else msgspec.Raw(body),
        "pruned": body is None,
    }


routes = [list_events]
