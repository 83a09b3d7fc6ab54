"""Puts the routes together into one ASGI application and turns every error into the envelope."""

from collections.abc import Sequence

from litestar import Litestar, Response
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler, Message, Scope

from bookbell import telemetry
from bookbell.core.errors import (
    BookbellError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotAuthenticated,
    PathNotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
    api_of,
    is_shown_as_200,
)
from bookbell.store.database import is_away
from bookbell.web import wire
from bookbell.web.context import Context

SAFE_HEADERS = {
    "Cache-Control": "no-store",  # answers hold what only the caller may see
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""What every answer carries unless its handler says otherwise."""


def create_app(context: Context, routes: Sequence[ControllerRouterHandler]) -> Litestar:
    """The application that serves these routes. Bodies are bounded where they are read, not by the framework."""

    async def finish(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders(message)
        for name, value in SAFE_HEADERS.items():
            headers.setdefault(name, value)
        serving: Context = Litestar.from_scope(scope).state.context
        if serving.is_always_200 and is_shown_as_200(api_of(scope["path"]), message["status"]):
            message["status"] = 200

    return Litestar(
        route_handlers=list(routes),
        state=State({"context": context, "routes": tuple(routes)}),
        openapi_config=None,
        logging_config=None,  # the framework would set up the root logger for the whole process
        request_max_body_size=None,
        before_send=[finish],
        exception_handlers={
            BookbellError: _on_known_error,
            HTTPException: _on_http_error,
            Exception: _on_bug,
        },
    )


def _on_known_error(request: wire.Wire, error: BookbellError) -> Response[bytes]:
    headers = {}
    match error:
        case NotAuthenticated():
            headers["WWW-Authenticate"] = 'Bearer realm="bookbell"'
        case TooManyRequests():
            headers["Retry-After"] = str(-(-error.wait_ms // 1_000))
        case _:
            pass
    return wire.failure(error, api=api_of(request.scope["path"]), headers=headers)


def _on_http_error(request: wire.Wire, error: HTTPException) -> Response[bytes]:
    known: BookbellError
    match error.status_code:
        case 404:
            known = PathNotFound()
        case 405:
            known = MethodNotAllowed()
        case 413:
            known = TooLarge()
        case status if status < 500:
            known = InvalidRequest(error.detail)
        case _:
            return _on_bug(request, error)
    return wire.failure(known, api=api_of(request.scope["path"]), headers=error.headers)


def _on_bug(request: wire.Wire, error: Exception) -> Response[bytes]:
    telemetry.log().error("request_failed", method=request.method, path=request.scope["path"], exc_info=error)
    shown = Unavailable() if is_away(error) else InternalError()
    return wire.failure(shown, api=api_of(request.scope["path"]))
