"""Deliveries of an account: what came of its events, and trying again. An extension of ours."""

import json
from typing import Any

from bookbell.actions import history
from bookbell.actions.history import Inspected
from bookbell.core import limits
from bookbell.core.attempt import header_pairs
from bookbell.core.errors import IllegalTransition, NotFound, NotPermittedManager, OrgWebhookNotFound, ValidationFailed
from bookbell.core.model import DeliveryState, Level
from bookbell.store.history import AttemptView, DeliveryQuery, DeliveryView
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import history_shapes as shapes
from bookbell.web.http import Response
from bookbell.web.operation import PK, Operation, Tag, described, enveloped, may, page_fields
from bookbell.web.routing import get, post
from bookbell.web.shape import choice, listed, nullable, record, text, uuid


@get(
    "/v1/deliveries",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            fields=(
                *page_fields(limits.PAGE_COUNT_DEFAULT, limits.PAGE_COUNT_MAX),
                may("state", choice(DeliveryState), "Only those in this state."),
                may("event", text("BOOK_VERIFIED"), "Only those of this event type."),
                may("book_pk", PK, "Only those of this book."),
                may("level", choice(Level), "org: those of the organization's webhooks; for managers."),
                may("webhook_uuid", uuid(), "Those of this webhook of the organization, also a deleted one."),
            ),
            answer=enveloped(record({"deliveries": listed(shapes.DELIVERY), "next": nullable(shapes.ID)})),
            errors=(NotPermittedManager, OrgWebhookNotFound),
        )
    ),
)
async def list_deliveries(request: wire.Wire) -> Response:
    """Deliveries, newest first: of the account's webhook or, for managers, of the organization's webhooks.

    A filter that little passes may give a short page; go on with `before` while `next` is not null.
    """
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    state = params.text("state")
    if state is not None and state not in list(DeliveryState):
        raise ValidationFailed(f"state: one of {', '.join(DeliveryState)} is expected")
    query = DeliveryQuery(
        state=state,
        event_type=params.text("event"),
        book_pk=params.integer("book_pk"),
        before=params.uuid("before"),
        count=wire.page_count(params),
    )
    webhook_uuid = params.uuid("webhook_uuid")
    if webhook_uuid is not None or level_of(params) is Level.ORG:
        found = await context.database.read(history.list_org_deliveries, account, webhook_uuid, query)
    else:
        found = await context.database.read(history.list_deliveries, account, query)
    return wire.ok({"deliveries": [shown_delivery(each) for each in found.deliveries], "next": found.next})


@get(
    "/v1/deliveries/{delivery_id:str}",
    opt=described(Operation(tag=Tag.HISTORY, answer=enveloped(shapes.INSPECTED), errors=(NotFound,))),
)
async def read_delivery(request: wire.Wire) -> Response:
    """One delivery with the body that is sent and each attempt."""
    context, account = request.context, await account_of(request)
    inspected = await context.database.read(history.inspect, account, wire.path_uuid(request, "delivery_id"))
    return wire.ok(_inspected(inspected))


@post(
    "/v1/deliveries/{delivery_id:str}/retry",
    opt=described(Operation(tag=Tag.HISTORY, answer=enveloped(shapes.DELIVERY), errors=(NotFound, IllegalTransition))),
)
async def retry_delivery(request: wire.Wire) -> Response:
    """Make a waiting or exhausted delivery due now."""
    context, account = request.context, await account_of(request)
    delivery = await context.perform(
        history.retry_now, account, wire.path_uuid(request, "delivery_id"), context.stamp()
    )
    return wire.ok(shown_delivery(delivery))


def level_of(params: wire.Params) -> Level:
    """The level that is asked for; account if none is. Raises: ValidationFailed."""
    level = params.text("level") or Level.ACCOUNT
    if level not in list(Level):
        raise ValidationFailed(f"level: one of {', '.join(Level)} is expected")
    return Level(level)


def shown_delivery(delivery: DeliveryView) -> dict[str, Any]:
    """A delivery as it is answered."""
    next_at = delivery.due_at if delivery.state is DeliveryState.PENDING else None
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "event": delivery.event_type,
        "book_pk": delivery.book_pk,
        "webhook_uuid": delivery.endpoint_id if delivery.level is Level.ORG else None,
        "state": delivery.state,
        "reason": delivery.reason,
        "attempt_count": delivery.attempt_count,
        "replay_of": delivery.replay_of,
        "replay_id": delivery.replay_job_id,
        "created_at": wire.exact_instant(delivery.created_at),
        "next_attempt_at": None if next_at is None else wire.exact_instant(next_at),
        "finished_at": None if delivery.finished_at is None else wire.exact_instant(delivery.finished_at),
    }


def _inspected(inspected: Inspected) -> dict[str, Any]:
    attempts = [_attempt(each) for each in inspected.attempts]
    body = None if inspected.body is None else json.loads(inspected.body)
    return {**shown_delivery(inspected.delivery), "body": body, "pruned": body is None, "attempts": attempts}


def _attempt(attempt: AttemptView) -> dict[str, Any]:
    body = None if attempt.response_body is None else attempt.response_body.decode("utf-8", "replace")
    return {
        "number": attempt.number,
        "started_at": wire.exact_instant(attempt.started_at),
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "detail": attempt.detail,
        "timings_us": {
            "dns": attempt.dns_us,
            "connect": attempt.connect_us,
            "tls": attempt.tls_us,
            "first_byte": attempt.first_byte_us,
            "total": attempt.total_us,
        },
        "remote_address": attempt.remote_address,
        "response_headers": header_pairs(attempt.response_head or b""),
        "response_body": body,
        "worker": attempt.worker,
        "is_stale": attempt.is_stale,
    }


routes = [list_deliveries, read_delivery, retry_delivery]
