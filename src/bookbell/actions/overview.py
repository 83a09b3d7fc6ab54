"""What the operator's page shows: every organization with its webhooks, one webhook, one delivery. Only reads."""

import json
from dataclasses import dataclass

from bookbell.actions import health
from bookbell.actions.health import Examined
from bookbell.core import limits
from bookbell.core.errors import NotFound, OrganizationNotFound
from bookbell.core.instants import DAY_MS, id_floor
from bookbell.core.ledger import Ledger
from bookbell.core.model import Account, Organization, OrganizationId
from bookbell.core.policy import Policy, policy_from
from bookbell.store import accounts, endpoints, lanes, ledger, overview
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
    parts = [_part(tx, each, after="", count=limits.DASHBOARD_WEBHOOK_COUNT, now=now) for each in found[:count]]
    return parts, found[count - 1].id if len(found) > count else None


def of_organization(tx: Tx, organization_id: str, *, after: str, now: int) -> OrganizationPart:
    """The webhooks of one organization with an id after this one. Raises: OrganizationNotFound."""
    return _part(tx, _demand(tx, organization_id), after=after, count=limits.PAGE_COUNT_DEFAULT, now=now)


def of_webhook(tx: Tx, ids: tuple[str, str], *, before: str | None, now: int) -> WebhookWhole:
    """A webhook (organization and endpoint) whole. Raises: OrganizationNotFound, WebhookNotFound."""
    organization = _demand(tx, ids[0])
    endpoint = health.of_organization(tx, *ids)
    count, rows_max = limits.PAGE_COUNT_DEFAULT, limits.DASHBOARD_LEDGER_ROWS_MAX
    found = overview.latest_deliveries(tx, organization.id, endpoint.id, before=before, count=count + 1)
    since, until = id_floor(now - DAY_MS), id_floor(now + 1)
    counted = ledger.of_endpoint(tx, organization.id, endpoint.id, since=since, before=until, count_max=rows_max)
    return WebhookWhole(
        organization,
        _row(tx, endpoint, now=now),
        policy_from(json.loads(endpoint.policy)),
        counted,
        counted.matched > rows_max,
        found[:count],
        found[count - 1].id if len(found) > count else None,
    )


def of_delivery(tx: Tx, ids: tuple[str, str, str]) -> DeliveryWhole:
    """A delivery (organization, endpoint, delivery) whole. Raises: OrganizationNotFound, WebhookNotFound, NotFound."""
    organization = _demand(tx, ids[0])
    endpoint = health.of_organization(tx, ids[0], ids[1])
    found = overview.find_delivery(tx, *ids)
    if found is None:
        raise NotFound(f"Delivery {ids[2][:80]} not found")
    count = limits.DASHBOARD_ATTEMPT_COUNT_MAX
    attempts = overview.latest_attempts(tx, organization.id, found.id, count=count + 1)
    return DeliveryWhole(organization, endpoint, found, attempts[:count], len(attempts) > count)


def _demand(tx: Tx, organization_id: str) -> Organization:
    found = accounts.find_organization(tx, organization_id)
    if found is None:
        raise OrganizationNotFound
    return found


def _part(tx: Tx, organization: Organization, *, after: str, count: int, now: int) -> OrganizationPart:
    found = endpoints.page_endpoints(tx, OrganizationId(organization.id), after=after, count=count + 1)
    rows = [_row(tx, endpoint, now=now) for endpoint in found[:count]]
    return OrganizationPart(organization, rows, found[count - 1].id if len(found) > count else None)


def _row(tx: Tx, endpoint: Endpoint, *, now: int) -> WebhookRow:
    account = None if endpoint.account_id is None else accounts.find_account(tx, endpoint.account_id)
    examined = health.examine(tx, endpoint, now=now)
    return WebhookRow(examined, account, overview.waiting(tx, lanes.of_endpoint(tx, endpoint.id)))
