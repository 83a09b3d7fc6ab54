"""What the operator's page shows: every organization with its webhooks, one webhook, one delivery. Only reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from bookbell.actions import health, webhooks
from bookbell.actions.accounts import demand_organization
from bookbell.actions.health import Examined
from bookbell.core import limits
from bookbell.core.errors import NotFound
from bookbell.core.instants import DAY_MS, id_floor
from bookbell.core.ledger import Ledger
from bookbell.core.model import Account, Organization
from bookbell.core.policy import Policy, policy_from
from bookbell.store import accounts, endpoints, ledger, overview
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.overview import SentDelivery, TimedAttempt, Waiting


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One webhook. account: whose it is, None at org level."""

    examined: Examined
    account: Account | None
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class OrganizationPart:
    """An organization with some of its webhooks, oldest first. after: where the next ones go on, None if none do."""

    organization: Organization
    rows: list[WebhookRow]
    after: str | None


@dataclass(frozen=True, slots=True)
class WebhookWhole:
    """One webhook with its ledger of the last 24 hours and some deliveries, newest first.

    is_ledger_cut: the ledger counts the newest deliveries only. before: where older deliveries go on, None if none do.
    """

    organization: Organization
    row: WebhookRow
    policy: Policy
    ledger: Ledger
    is_ledger_cut: bool
    deliveries: list[SentDelivery]
    before: str | None


@dataclass(frozen=True, slots=True)
class DeliveryWhole:
    """One delivery with its attempts, newest first. is_cut: there are older ones."""

    organization: Organization
    endpoint: Endpoint
    delivery: SentDelivery
    attempts: list[TimedAttempt]
    is_cut: bool


def list_organizations(tx: Tx, *, after: str, now: int) -> tuple[list[OrganizationPart], str | None]:
    """Organizations with an id after this one, oldest first, and where the next ones go on, None if none do."""
    count = limits.DASHBOARD_ORGANIZATION_COUNT
    found = accounts.list_organizations(tx, after=after, count=count + 1)
    pages = [_page(tx, each, after="", count=limits.DASHBOARD_WEBHOOK_COUNT) for each in found[:count]]
    rows = iter(_rows(tx, [endpoint for page in pages for endpoint in page.endpoints], now=now))
    parts = [
        OrganizationPart(each, list(islice(rows, len(page.endpoints))), page.after)
        for each, page in zip(found[:count], pages, strict=True)
    ]
    return parts, found[count - 1].id if len(found) > count else None


def of_organization(tx: Tx, organization_id: str, *, after: str, now: int) -> OrganizationPart:
    """The webhooks of one organization with an id after this one. Raises: OrganizationNotFound."""
    organization = demand_organization(tx, organization_id)
    page = _page(tx, organization, after=after, count=limits.PAGE_COUNT_DEFAULT)
    return OrganizationPart(organization, _rows(tx, page.endpoints, now=now), page.after)


def of_webhook(tx: Tx, ids: tuple[str, str], *, before: str | None, now: int) -> WebhookWhole:
    """A webhook (organization and endpoint) whole. Raises: OrganizationNotFound, WebhookNotFound."""
    organization = demand_organization(tx, ids[0])
    endpoint = webhooks.demand_of(tx, *ids)
    count, rows_max = limits.PAGE_COUNT_DEFAULT, limits.DASHBOARD_LEDGER_ROWS_MAX
    found = overview.latest_deliveries(tx, organization.id, endpoint.id, before=before, count=count + 1)
    since, until = id_floor(now - DAY_MS), id_floor(now + 1)
    counted = ledger.of_endpoint(tx, organization.id, endpoint.id, since=since, before=until, count_max=rows_max)
    return WebhookWhole(
        organization,
        _rows(tx, [endpoint], now=now)[0],
        policy_from(json.loads(endpoint.policy)),
        counted,
        counted.matched > rows_max,
        found[:count],
        found[count - 1].id if len(found) > count else None,
    )


def of_delivery(tx: Tx, ids: tuple[str, str, str]) -> DeliveryWhole:
    """A delivery (organization, endpoint, delivery) whole. Raises: OrganizationNotFound, WebhookNotFound, NotFound."""
    organization = demand_organization(tx, ids[0])
    endpoint = webhooks.demand_of(tx, ids[0], ids[1])
    found = overview.find_delivery(tx, *ids)
    if found is None:
        raise NotFound(f"Delivery {ids[2][:80]} not found")
    count = limits.DASHBOARD_ATTEMPT_COUNT_MAX
    attempts = overview.latest_attempts(tx, organization.id, found.pk, count=count + 1)
    return DeliveryWhole(organization, endpoint, found, attempts[:count], len(attempts) > count)


@dataclass(frozen=True, slots=True)
class _Page:
    endpoints: list[Endpoint]
    after: str | None


def _page(tx: Tx, organization: Organization, *, after: str, count: int) -> _Page:
    found = endpoints.page_endpoints(tx, organization.id, after=after, count=count + 1)
    return _Page(found[:count], found[count - 1].id if len(found) > count else None)


def _rows(tx: Tx, wanted: Sequence[Endpoint], *, now: int) -> list[WebhookRow]:
    """These webhooks; as many statements for many as for one."""
    owners = accounts.find_accounts(tx, [each.account_id for each in wanted if each.account_id is not None])
    examined = health.examine_all(tx, wanted, now=now)
    waiting = overview.waiting(tx, [each.id for each in wanted])
    return [
        WebhookRow(each, owners.get(each.endpoint.account_id or ""), waiting[each.endpoint.id]) for each in examined
    ]
