"""Replays of an account: for its own webhook or, for managers, those of the organization. An extension of ours."""

from bookbell.actions import replays
from bookbell.core import limits
from bookbell.core.errors import (
    IllegalTransition,
    InvalidInput,
    MissingParameter,
    NotFound,
    NotPermittedManager,
    OrgWebhookNotFound,
    WebhookNotFound,
)
from bookbell.store import replays as stored
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import replay_shapes as shapes
from bookbell.web.client_api.history_shapes import ID
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, described, enveloped, may, page_fields
from bookbell.web.routing import get, post
from bookbell.web.shape import either, listed, nullable, record, uuid


@post(
    "/v1/replays",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            fields=(
                *shapes.FIELDS,
                may("webhook_uuid", uuid(), "For this webhook of the organization; for managers."),
            ),
            answer=enveloped(either(shapes.JOB, shapes.ESTIMATE)),
            errors=(
                IllegalTransition,
                InvalidInput,
                MissingParameter,
                NotFound,
                NotPermittedManager,
                OrgWebhookNotFound,
                WebhookNotFound,
            ),
        )
    ),
)
async def start_replay(request: wire.Wire) -> Response:
    """Send again what failed, was missed or was delivered, at a bounded rate; or say what there is to do."""
    context, account = request.context, await account_of(request)
    params, stamp = await wire.read_params(request), context.stamp()
    asked = shapes.asked_of(params, context, now=stamp.at)
    plan = await context.database.read(replays.plan_own, account, asked, params.uuid("webhook_uuid"))
    if params.flag("dry_run"):
        return wire.ok(shapes.shown_plan(plan))
    job = await context.database.write(replays.start, plan, account, context.vault, stamp)
    return wire.ok(shapes.shown_job(job))


@get(
    "/v1/replays",
    opt=described(
        Operation(
            tag=Tag.HISTORY,
            fields=page_fields(limits.PAGE_COUNT_DEFAULT, limits.PAGE_COUNT_MAX),
            answer=enveloped(record({"replays": listed(shapes.JOB), "next": nullable(ID)})),
        )
    ),
)
async def list_replays(request: wire.Wire) -> Response:
    """Replays of the account's webhook and, for managers, of the organization's, newest first."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    count = wire.page_count(params)
    found = await context.database.read(
        stored.list_jobs, replays.scope_of(account), before=params.uuid("before"), count=count
    )
    following = found[-1].id if len(found) == count else None
    return wire.ok({"replays": [shapes.shown_job(each) for each in found], "next": following})


@get(
    "/v1/replays/{replay_id:str}",
    opt=described(Operation(tag=Tag.HISTORY, answer=enveloped(shapes.FULL_JOB), errors=(NotFound,))),
)
async def read_replay(request: wire.Wire) -> Response:
    """One replay: how far it is, and what became of what it has sent."""
    context, account = request.context, await account_of(request)
    job_id = wire.path_uuid(request, "replay_id")
    job, outcomes = await context.database.read(replays.inspect, replays.scope_of(account), job_id)
    return wire.ok(shapes.shown_full(job, outcomes))


@post(
    "/v1/replays/{replay_id:str}/cancel",
    opt=described(Operation(tag=Tag.HISTORY, answer=enveloped(shapes.JOB), errors=(NotFound, IllegalTransition))),
)
async def cancel_replay(request: wire.Wire) -> Response:
    """Make nothing more due; what already is stays so, but for what waits for a staging URL."""
    context, account = request.context, await account_of(request)
    job_id = wire.path_uuid(request, "replay_id")
    job = await context.perform(replays.cancel, replays.scope_of(account), job_id, context.stamp())
    return wire.ok(shapes.shown_job(job))


routes = [start_replay, list_replays, read_replay, cancel_replay]
