"""Replays of the operator, across an organization. Source: docs/replay.md."""

from bookbell.actions import replays
from bookbell.actions.accounts import demand_organization
from bookbell.core import limits
from bookbell.core.errors import (
    IllegalTransition,
    InvalidInput,
    MissingParameter,
    NotFound,
    OrganizationNotFound,
    ValidationFailed,
    WebhookNotFound,
)
from bookbell.core.model import OrganizationId
from bookbell.store import replays as stored
from bookbell.store.history import Scope
from bookbell.web import wire
from bookbell.web.auth import require_operator
from bookbell.web.client_api import replay_shapes as shapes
from bookbell.web.client_api.history_shapes import ID
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import JSON_BODY, Access, Operation, Tag, described, enveloped, may, page_fields
from bookbell.web.routing import get, post
from bookbell.web.shape import either, listed, nullable, record, uuid

BASE = "/platform/v1/organizations/{organization_id:str}/replays"
PLAN = record({"webhook_uuid": uuid(), **shapes.ESTIMATE["properties"]})


@post(
    BASE,
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            media=JSON_BODY,
            fields=(
                *shapes.FIELDS,
                may("webhook_uuid", uuid(), "For this webhook only, of either level; needed with `staging_url`."),
            ),
            answer=enveloped(
                either(record({"replays": listed(shapes.JOB)}), record({"plans": listed(PLAN)})),
            ),
            errors=(IllegalTransition, InvalidInput, MissingParameter, OrganizationNotFound, WebhookNotFound),
        )
    ),
)
async def start_replays(request: wire.Wire) -> Response:
    """Start a replay for each webhook of an organization that has something to send again, or say what there is."""
    require_operator(request)
    context = request.context
    params, stamp = wire.Params(await wire.read_object(request)), context.stamp()
    organization_id = await _organization(request, context)
    asked, webhook_uuid = shapes.asked_of(params, context, now=stamp.at), params.uuid("webhook_uuid")
    if asked.staging is not None and webhook_uuid is None:
        raise ValidationFailed("webhook_uuid: say of which webhook the staging URL gets copies")
    plans = await context.database.read(replays.plan_all, organization_id, asked, webhook_uuid)
    if params.flag("dry_run"):
        shown = [{"webhook_uuid": plan.endpoint.id, **shapes.shown_plan(plan)} for plan in plans]
        return wire.ok({"plans": shown})
    jobs = await context.database.write(replays.start_all, plans, context.vault, stamp)
    return wire.ok({"replays": [shapes.shown_job(job) for job in jobs]})


@get(
    BASE,
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            fields=page_fields(limits.PAGE_COUNT_DEFAULT, limits.PAGE_COUNT_MAX),
            answer=enveloped(record({"replays": listed(shapes.JOB), "next": nullable(ID)})),
            errors=(OrganizationNotFound,),
        )
    ),
)
async def list_all_replays(request: wire.Wire) -> Response:
    """Every replay of an organization, whoever asked for it, newest first."""
    require_operator(request)
    context = request.context
    scope = _whole(await _organization(request, context))
    params = await wire.read_params(request)
    count = wire.page_count(params)
    found = await context.database.read(stored.list_jobs, scope, before=params.uuid("before"), count=count)
    following = found[-1].id if len(found) == count else None
    return wire.ok({"replays": [shapes.shown_job(each) for each in found], "next": following})


@get(
    BASE + "/{replay_id:str}",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            answer=enveloped(shapes.FULL_JOB),
            errors=(NotFound, OrganizationNotFound),
        )
    ),
)
async def read_any_replay(request: wire.Wire) -> Response:
    """One replay of an organization."""
    require_operator(request)
    context = request.context
    scope = _whole(await _organization(request, context))
    job, outcomes = await context.database.read(replays.inspect, scope, wire.path_uuid(request, "replay_id"))
    return wire.ok(shapes.shown_full(job, outcomes))


@post(
    BASE + "/{replay_id:str}/cancel",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            answer=enveloped(shapes.JOB),
            errors=(NotFound, IllegalTransition, OrganizationNotFound),
        )
    ),
)
async def cancel_any_replay(request: wire.Wire) -> Response:
    """Cancel a replay of an organization."""
    require_operator(request)
    context = request.context
    scope = _whole(await _organization(request, context))
    job = await context.perform(replays.cancel, scope, wire.path_uuid(request, "replay_id"), context.stamp())
    return wire.ok(shapes.shown_job(job))


def _whole(organization_id: OrganizationId) -> Scope:
    return Scope(organization_id=organization_id, account_id=None, is_whole=True)


async def _organization(request: wire.Wire, context: Context) -> OrganizationId:
    named = wire.path_uuid(request, "organization_id")
    return (await context.database.read(demand_organization, named)).id


routes = [start_replays, list_all_replays, read_any_replay, cancel_any_replay]
