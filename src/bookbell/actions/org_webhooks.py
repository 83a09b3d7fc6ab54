"""The webhooks of an organization: add, change, delete, rotate a secret, change a policy. For its managers only.

A deleted one leaves its row, emptied, so that its deliveries keep their history and the ledger balances. Whoever
changes one holds the organization's row, so bounds and uniqueness hold however many managers act at once.
Source: contract 8, C8, C19, C27.
"""

from dataclasses import dataclass, replace
from typing import Any

from bookbell.actions import webhooks
from bookbell.actions.event_types import known_event_types
from bookbell.actions.stamp import Published, Stamp
from bookbell.actions.webhooks import Sealing, later, url_place
from bookbell.core.catalogue import EventType, definition_uuid
from bookbell.core.errors import NotPermittedManager, OrgWebhookNotFound, WebhookInvalid
from bookbell.core.keyset import check_length
from bookbell.core.model import Account, Level, Role
from bookbell.core.org_webhook import Address, Asked, address_from, address_of, bare_of
from bookbell.core.policy import Policy
from bookbell.store import circuits, deliveries, endpoints, lanes
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator has set: the most webhooks of an organization, and the policy preset of a new one."""

    count_max: int
    preset: str


def require_manager(account: Account) -> None:
    """Raises: NotPermittedManager."""
    if account.role is not Role.MANAGER:
        raise NotPermittedManager


def add(tx: Tx, account: Account, asked: Asked, terms: Terms, vault: Sealing, stamp: Stamp) -> Published[Endpoint]:
    """Add a webhook; it never replaces one. Raises: WebhookInvalid."""
    endpoints.lock_organization(tx, account.organization_id)
    _demand_known(tx, account, asked)
    others = endpoints.list_org_endpoints(tx, account.organization_id)
    address = address_of(asked, None)
    _demand_unique(address, asked, others)
    if len(others) >= terms.count_max:
        raise WebhookInvalid("Maximum number of webhooks reached")
    blank = webhooks.new_endpoint(tx, account, Level.ORG, terms.preset, stamp)
    return _save(tx, _changed(blank, asked, address, vault, stamp), stamp)


def change(
    tx: Tx, account: Account, webhook_uuid: str, asked: Asked, vault: Sealing, stamp: Stamp
) -> Published[Endpoint]:
    """Change what is asked and leave the rest. Raises: OrgWebhookNotFound, WebhookInvalid."""
    old = _locked(tx, account, webhook_uuid)
    _demand_known(tx, account, asked)
    address = address_of(asked, address_in(old, vault))
    if asked.url is not None:
        listed = endpoints.list_org_endpoints(tx, account.organization_id)
        _demand_unique(address, asked, [other for other in listed if other.id != old.id])
    return _save(tx, _changed(old, asked, address, vault, stamp), stamp)


def remove(tx: Tx, account: Account, webhook_uuid: str, stamp: Stamp) -> Published[None]:
    """Delete the webhook for good, and cancel what waits for it. Raises: OrgWebhookNotFound."""
    return webhooks.retire(tx, _locked(tx, account, webhook_uuid), stamp)


def find_all(tx: Tx, account: Account) -> list[Endpoint]:
    """The webhooks of the account's organization, oldest first."""
    return endpoints.list_org_endpoints(tx, account.organization_id)


def find(tx: Tx, account: Account, webhook_uuid: str) -> Endpoint:
    """One webhook of the account's organization. Raises: OrgWebhookNotFound."""
    found = endpoints.find_org_endpoint(tx, account.organization_id, webhook_uuid)
    if found is None or not found.is_registered:
        raise OrgWebhookNotFound(f"Webhook with uuid {webhook_uuid[:80]} not found")
    return found


def find_any(tx: Tx, account: Account, webhook_uuid: str) -> Endpoint:
    """One webhook of the organization, also a deleted one, for a manager.

    Raises: NotPermittedManager, OrgWebhookNotFound.
    """
    require_manager(account)
    found = endpoints.find_org_endpoint(tx, account.organization_id, webhook_uuid)
    if found is None:
        raise OrgWebhookNotFound(f"Webhook with uuid {webhook_uuid[:80]} not found")
    return found


def definitions(tx: Tx, account: Account, webhook_uuid: str) -> tuple[Endpoint, dict[str, EventType]]:
    """A webhook, and the definitions of what it subscribes to, by their ids. Raises: OrgWebhookNotFound."""
    endpoint = find(tx, account, webhook_uuid)
    known = {kind.name: kind for kind in known_event_types(tx, account.organization_id, Level.ORG)}
    kinds = [known[name] for name in endpoint.event_types if name in known]
    return endpoint, {definition_uuid(kind.name): kind for kind in kinds}


def rotate_secret(
    tx: Tx, account: Account, webhook_uuid: str, secret: str, vault: Sealing, stamp: Stamp
) -> Published[Endpoint]:
    """From the next attempt on, sign with this secret. Raises: OrgWebhookNotFound, ValidationFailed."""
    check_length("secret_key", secret)
    return webhooks.sign_with(tx, _locked(tx, account, webhook_uuid), secret, vault, stamp)


def set_policy(tx: Tx, account: Account, webhook_uuid: str, fields: dict[str, Any], stamp: Stamp) -> Published[Policy]:
    """Deliver by this policy from now on. Raises: OrgWebhookNotFound, ValidationFailed."""
    return webhooks.deliver_by(tx, _locked(tx, account, webhook_uuid), fields, stamp)


def address_in(endpoint: Endpoint, vault: Sealing) -> Address:
    """Where a registered webhook has it send."""
    assert endpoint.url_sealed is not None
    url = vault.open(endpoint.url_sealed, url_place(endpoint.id))
    return address_from(url, are_credentials_apart=endpoint.are_credentials_apart)


def _locked(tx: Tx, account: Account, webhook_uuid: str) -> Endpoint:
    endpoints.lock_organization(tx, account.organization_id)
    return find(tx, account, webhook_uuid)


def _demand_known(tx: Tx, account: Account, asked: Asked) -> None:
    known = {kind.name for kind in known_event_types(tx, account.organization_id, Level.ORG)}
    unknown = [name for name in asked.event_types or () if name not in known]
    if unknown:
        raise WebhookInvalid(f"Event(s) with name {', '.join(unknown)} doesnt exist")


def _demand_unique(address: Address, asked: Asked, others: list[Endpoint]) -> None:
    if any(bare_of(other.url_masked or "") == address.bare for other in others):
        shown = asked.url if address.masked == address.bare or address.are_credentials_apart else address.masked
        raise WebhookInvalid(f"Webhook with url {shown} already exists")


def _changed(old: Endpoint, asked: Asked, address: Address, vault: Sealing, stamp: Stamp) -> Endpoint:
    """The endpoint as it is asked for. One that had been disabled is enabled by a URL or by being activated."""
    is_enabled = asked.is_active is True or asked.url is not None
    deactivated_at = {None: old.deactivated_at, True: None, False: old.deactivated_at or stamp.at}[asked.is_active]
    return replace(
        old,
        description=old.description if asked.description is None else asked.description or None,
        url_masked=address.masked,
        url_sealed=vault.seal(address.url, url_place(old.id)),
        are_credentials_apart=address.are_credentials_apart,
        updated_at=later(old, stamp),
        deactivated_at=deactivated_at,
        disabled_at=None if is_enabled else old.disabled_at,
        disabled_reason=None if is_enabled else old.disabled_reason,
        resumed_at=stamp.at if is_enabled else old.resumed_at,
        event_types=old.event_types if asked.event_types is None else asked.event_types,
    )


def _save(tx: Tx, changed: Endpoint, stamp: Stamp) -> Published[Endpoint]:
    endpoints.save_endpoint(tx, changed, is_enabled=changed.resumed_at == stamp.at)
    endpoints.replace_subscriptions(tx, changed.organization_id, changed.id, changed.event_types)
    all_lanes = lanes.of_endpoint(tx, changed.id)
    if changed.deactivated_at is None:
        if changed.resumed_at == stamp.at:
            circuits.reset_circuits(tx, changed.id)
        lanes.wake(tx, dict.fromkeys(all_lanes, stamp.at))
    else:
        for lane_pk in all_lanes:
            deliveries.discard(tx, lane_pk, reason=deliveries.DEACTIVATED, at=stamp.at)
    return Published(changed, frozenset(all_lanes))
