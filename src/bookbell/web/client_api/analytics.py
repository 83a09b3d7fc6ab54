"""Asynchronous analytics over the wire. Source: contract 10.9."""

from typing import Any

from bookbell.actions import analytics
from bookbell.core.analytics import EXTRA_FIELDS, check_extra_fields
from bookbell.core.errors import BookNotFound, MissingParameter, NotFound, NotPermittedBook
from bookbell.core.model import AnalyticsStatus
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api.book_shapes import ANALYTICS, NO_ANALYTICS
from bookbell.web.client_api.books import book_key
from bookbell.web.http import Response
from bookbell.web.operation import BOOK_KEY, Operation, Tag, bare, described, enveloped, may, need
from bookbell.web.routing import get, post
from bookbell.web.shape import choice, listed, record, uuid


@post(
    "/v1/book/analytics/async/request",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                *BOOK_KEY,
                may("extra_fields", listed(choice(EXTRA_FIELDS), uniqueItems=True), "What else to calculate."),
            ),
            answer=enveloped(record({"analytics_request_id": uuid("5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b")})),
            errors=(BookNotFound, MissingParameter, NotPermittedBook),
            others={400: bare(NO_ANALYTICS, "9002 or 9003: there are no analytics of such a book.")},
        )
    ),
)
async def request_analytics(request: wire.Wire) -> Response:
    """Ask for the analytics of a book."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    if "pk" not in params and "book_uuid" not in params:
        raise MissingParameter("Required pk")
    check_extra_fields(params.texts("extra_fields"))
    made = await context.perform(analytics.request_analytics, account, book_key(params), context.stamp())
    return wire.ok({"analytics_request_id": made.id})


@get(
    "/v1/book/analytics/async/result",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                need(
                    "analytics_request_id",
                    uuid("5b8f9a10-3c2d-4e1f-8a7b-9c0d1e2f3a4b"),
                    "As the request was answered.",
                ),
            ),
            answer=enveloped(ANALYTICS),
            errors=(MissingParameter, NotFound, BookNotFound, NotPermittedBook),
        )
    ),
)
async def read_result(request: wire.Wire) -> Response:
    """The analytics of a book, or how far they are."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    found = await context.database.read(
        analytics.find_result, account, params.required_text("analytics_request_id").lower()
    )
    shown: dict[str, Any] = {"analytics_status": found.status}
    if found.result is not None and found.status is AnalyticsStatus.COMPLETED:
        shown["analytics"] = wire.json_object(found.result.encode())
    return wire.ok({found.id: shown})


routes = [request_analytics, read_result]
