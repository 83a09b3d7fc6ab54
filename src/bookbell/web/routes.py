"""Every route of the service."""

from bookbell.web import auth, health, reference
from bookbell.web.client_api import (
    aggregator,
    analytics,
    book_analytics,
    books,
    documents,
    event_types,
    events,
    history,
    ledger,
    org_webhooks,
    replays,
    signing,
    uploads,
    webhooks,
)
from bookbell.web.client_api import health as webhook_health
from bookbell.web.dashboard import pages as dashboard
from bookbell.web.platform_api import endpoints as endpoint_health
from bookbell.web.platform_api import event_types as defined_types
from bookbell.web.platform_api import events as publishing
from bookbell.web.platform_api import organizations, reports, work
from bookbell.web.platform_api import replays as org_replays
from bookbell.web.routing import Route

ROUTES: list[Route] = [
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
    *events.routes,
    *history.routes,
    *ledger.routes,
    *replays.routes,
    *event_types.routes,
    *organizations.routes,
    *org_replays.routes,
    *endpoint_health.routes,
    *defined_types.routes,
    *reports.routes,
    *work.routes,
    *publishing.routes,
    *health.routes,
    *reference.routes,
    *dashboard.routes,
]
