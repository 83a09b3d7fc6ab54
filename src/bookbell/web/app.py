"""Puts the routes together into one ASGI application and turns every error into the envelope."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from bookbell import telemetry
from bookbell.core.errors import BookbellError, PathNotFound, TooLarge
from bookbell.web import wire
from bookbell.web.context import Context


def create_app(context: Context, routes: Sequence[ControllerRouterHandler]) -> Litestar:
    """The application that serves these routes. Bodies are bounded where they are read, not by the framework."""
    return Litestar(
        route_handlers=list(routes),
        state=State({"context": context}),
        openapi_config=None,
        logging_config=None,  # the framework would set up the root logger for the whole process
        request_max_body_size=None,
        exception_handlers={
            BookbellError: _on_known_error,
            HTTPException: _on_http_error,
            Exception: _on_bug,
        },
    )


def _on_known_error(_request: wire.Wire, error: BookbellError) -> Response[bytes]:
    return wire.failure(error)


def _on_http_error(_request: wire.Wire, error: HTTPException) -> Response[bytes]:
    match error.status_code:
        case 404:
            return wire.failure(PathNotFound())
        case 413:
            return wire.failure(TooLarge())
        case _:
            return _plain_failure(error.status_code, error.detail, error.headers)


def _on_bug(request: wire.Wire, error: Exception) -> Response[bytes]:
    telemetry.log().error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    return _plain_failure(500, "bookbell failed to process the request; the cause is in its log")


def _plain_failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    body: dict[str, Any] = {
        "status": status,
        "code": 1100,
        "response": None,
        "message": message,
        "meta": {"status": status, "msg": message, "code": 1100},
    }
    return wire.answer(body, status=status, headers=headers)
