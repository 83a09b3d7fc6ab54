"""The operator's pages: read-only, made here, for a browser that gives the operator's token as password."""

from bookbell.actions import overview as reading
from bookbell.core.errors import Api, BookbellError, NotAuthenticated, NotFound, status_of
from bookbell.web import wire
from bookbell.web.auth import require_operator_by_password
from bookbell.web.dashboard.delivery import delivery_page
from bookbell.web.dashboard.frame import POLICY, page
from bookbell.web.dashboard.markup import tag
from bookbell.web.dashboard.overview import organization_page, organizations_page
from bookbell.web.dashboard.webhook import webhook_page
from bookbell.web.http import Response
from bookbell.web.operation import a_page
from bookbell.web.routing import get

ORGANIZATION = "/dashboard/organizations/{organization_id:str}"
ENDPOINT = f"{ORGANIZATION}/endpoints/{{endpoint_id:str}}"
DELIVERY = f"{ENDPOINT}/deliveries/{{delivery_id:str}}"
_OPT = a_page("It shows the operator what the API's calls give programs.")


def _on_error(_request: wire.Wire, error: BookbellError) -> Response:
    if isinstance(error, NotAuthenticated):
        headers = {"WWW-Authenticate": 'Basic realm="bookbell operator"'}
        return _answer(page("Who are you?", tag("p", "This page is for the operator.")), status=401, headers=headers)
    status = 404 if isinstance(error, NotFound) else status_of(error, Api.OURS)
    return _answer(page("That did not work", tag("p", error.message)), status=status)


@get("/dashboard", opt=_OPT, on_error=_on_error)
async def read_organizations(request: wire.Wire) -> Response:
    """Every organization with its webhooks and how they are doing."""
    require_operator_by_password(request)
    after, context = (await wire.read_params(request)).text("after") or "", request.context
    now = context.ambient.now_ms()
    parts, further = await context.database.snapshot(reading.list_organizations, after=after, now=now)
    return _answer(organizations_page(parts, further, now))


@get(ORGANIZATION, opt=_OPT, on_error=_on_error)
async def read_organization(request: wire.Wire) -> Response:
    """One organization with all of its webhooks."""
    require_operator_by_password(request)
    after, context = (await wire.read_params(request)).text("after") or "", request.context
    (organization_id,), now = _ids(request, "organization_id"), context.ambient.now_ms()
    part = await context.database.snapshot(reading.of_organization, organization_id, after=after, now=now)
    return _answer(organization_page(part, now))


@get(ENDPOINT, opt=_OPT, on_error=_on_error)
async def read_webhook(request: wire.Wire) -> Response:
    """One webhook: circuit, policy, ledger, deliveries."""
    require_operator_by_password(request)
    before, context = (await wire.read_params(request)).text("before") or None, request.context
    organization_id, endpoint_id = _ids(request, "organization_id", "endpoint_id")
    ids, now = (organization_id, endpoint_id), context.ambient.now_ms()
    return _answer(webhook_page(await context.database.snapshot(reading.of_webhook, ids, before=before, now=now), now))


@get(DELIVERY, opt=_OPT, on_error=_on_error)
async def read_delivery(request: wire.Wire) -> Response:
    """One delivery with its attempts."""
    require_operator_by_password(request)
    context = request.context
    organization_id, endpoint_id, delivery_id = _ids(request, "organization_id", "endpoint_id", "delivery_id")
    whole = await context.database.snapshot(reading.of_delivery, (organization_id, endpoint_id, delivery_id))
    return _answer(delivery_page(whole, context.ambient.now_ms()))


def _ids(request: wire.Wire, *names: str) -> list[str]:
    return [wire.path_uuid(request, name) for name in names]


def _answer(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    shown = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", **(headers or {})}
    return Response(body, status_code=status, media_type="text/html", headers=shown)


routes = [read_organizations, read_organization, read_webhook, read_delivery]
