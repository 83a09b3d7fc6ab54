"""Every route of the service."""

from litestar.types import ControllerRouterHandler

from bookbell.web import health

ROUTES: list[ControllerRouterHandler] = [*health.routes]
