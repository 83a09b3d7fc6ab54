"""Every route of the service."""

from litestar.handlers import HTTPRouteHandler

from bookbell.web import auth, health, reference
from bookbell.web.client_api import (
    aggregator,
    analytics,
    book_analytics,
    books,
    documents,
    event_types,
    history,
    ledger,
    org_webhooks,
    signing,
    uploads,
    webhooks,
)
from bookbell.web.client_api import health as webhook_health
from bookbell.web.platform_api import endpoints as endpoint_health
from bookbell.web.platform_api import event_types as defined_types
from bookbell.web.platform_api import events, organizations, reports, work

ROUTES: list[HTTPRouteHandler] = [
    *auth.routes,
    *webhooks.routes,
    *webhook_health.routes,
    *org_webhooks.routes,
    *signing.routes,
    *books.routes,
    *documents.routes,
    *uploads.routes,
    *aggregator.routes,
    *analytics.routes,
    *book_analytics.routes,
    *history.routes,
    *ledger.routes,
    *event_types.routes,
    *organizations.routes,
    *endpoint_health.routes,
    *defined_types.routes,
    *reports.routes,
    *work.routes,
    *events.routes,
    *health.routes,
    *reference.routes,
]
