"""Every route of the service."""

from litestar.handlers import HTTPRouteHandler

from bookbell.web import auth, health, reference
from bookbell.web.client_api import analytics, books, history, org_webhooks, uploads, webhooks
from bookbell.web.platform_api import organizations, reports

ROUTES: list[HTTPRouteHandler] = [
    *auth.routes,
    *webhooks.routes,
    *org_webhooks.routes,
    *books.routes,
    *uploads.routes,
    *analytics.routes,
    *history.routes,
    *organizations.routes,
    *reports.routes,
    *health.routes,
    *reference.routes,
]
