"""Puts the routes together into one ASGI application and turns every error into the envelope."""

from collections.abc import Sequence

from bookbell import telemetry
from bookbell.core.errors import (
    BookbellError,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    PathNotFound,
    TooManyRequests,
    Unavailable,
    api_of,
    is_shown_as_200,
)
from bookbell.store.faults import is_away
from bookbell.web import wire
from bookbell.web.context import Context
from bookbell.web.http import NO_CONTENT, Receive, Request, Response, Scope, Send, send_response
from bookbell.web.routing import Route, find, tree_of


class App:
    """The application that serves these routes; it knows HTTP only, no lifespan and no web sockets."""

    def __init__(self, context: Context, routes: Sequence[Route]) -> None:
        self.context = context
        self._tree = tree_of(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as an ASGI server hands it over."""
        request = Request(scope, receive, self.context)
        response = await self._answer(request)
        status = response.status_code
        if self.context.is_always_200 and is_shown_as_200(api_of(request.path), status):
            status = 200
        await send_response(response, status, send)

    async def _answer(self, request: Request) -> Response:
        found = find(self._tree, request.path)
        if found is None:
            return _failure(request, PathNotFound())
        node, values = found
        if request.method not in node.by_method:
            return _of_no_method(request, node.allowed)
        route, names = node.by_method[request.method]
        request.path_params = dict(zip(names, values, strict=True))
        try:
            return await route.fn(request)
        except BookbellError as error:
            return _failure(request, error) if route.on_error is None else route.on_error(request, error)
        except Exception as error:  # noqa: BLE001 - the border of a request
            return _on_bug(request, error)


def _of_no_method(request: Request, allowed: str) -> Response:
    headers = {"Allow": allowed}
    if request.method == "OPTIONS":
        return Response(b"", status_code=NO_CONTENT, headers=headers)
    return wire.failure(MethodNotAllowed(), api=api_of(request.path), headers=headers)


def _failure(request: Request, error: BookbellError) -> Response:
    headers = {}
    match error:
        case NotAuthenticated():
            headers["WWW-Authenticate"] = 'Bearer realm="bookbell"'
        case TooManyRequests():
            headers["Retry-After"] = str(-(-error.wait_ms // 1_000))
        case _:
            pass
    return wire.failure(error, api=api_of(request.path), headers=headers)


def _on_bug(request: Request, error: Exception) -> Response:
    telemetry.log().error("request_failed", method=request.method, path=request.path, exc_info=error)
    shown = Unavailable() if is_away(error) else InternalError()
    return wire.failure(shown, api=api_of(request.path))
