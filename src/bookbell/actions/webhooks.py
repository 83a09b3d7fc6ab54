"""The one webhook of an API account: configure, read, rotate its secret, change its policy.

The functions of an endpoint at the end serve the organization's webhooks too. Source: contract 5.2, 7, C3, C4.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bookbell.actions.stamp import Published, Stamp
from bookbell.core import keyset
from bookbell.core.catalogue import RETIRED, canonical_account_name
from bookbell.core.circuit import is_given_up
from bookbell.core.errors import InvalidInput, WebhookNotFound
from bookbell.core.keyset import Keyset, Secret, check_length
from bookbell.core.model import Account, EndpointId, Level, OrganizationId
from bookbell.core.policy import Policy, policy_from
from bookbell.store import circuits, deliveries, endpoints, lanes
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint

Seal = Callable[[str, str], bytes]
"""Encrypts a text for a place."""


class Sealing(Protocol):
    """Encrypts a text for a place, and opens it again."""

    def seal(self, text: str, place: str) -> bytes: ...

    def open(self, sealed: bytes, place: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """url: as given, checked; masked: for pages; event_types: canonical, unique; preset: for a new one."""

    url: str
    masked: str
    event_types: tuple[str, ...]
    preset: str


def event_types_of(names: Sequence[str], defined: Collection[str] = ()) -> tuple[str, ...]:
    """The event types a client means, without repeats; unknown and retired names are left out (contract C4).

    defined: names of types beside the contract's. Raises: InvalidInput when none of the given is known.
    """
    meant = [given if given in defined else canonical_account_name(given) for given in names]
    known = [name for name in meant if name is not None]
    if names and not known:
        retired = "".join(f" {name} is retired." for name in RETIRED if name in names)
        raise InvalidInput(details=f"None of these is an event of this level: {', '.join(names)[:500]}.{retired}")
    return tuple(dict.fromkeys(known))


def configure(tx: Tx, account: Account, wanted: Wanted, seal: Seal, stamp: Stamp) -> Published[Endpoint]:
    """Register this webhook, or replace what was registered. A disabled endpoint is enabled by it."""
    endpoints.lock_account(tx, account.id)
    old = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
    base = old or new_endpoint(tx, account, Level.ACCOUNT, wanted.preset, stamp)
    changed = replace(
        base,
        url_masked=wanted.masked,
        url_sealed=seal(wanted.url, url_place(base.id)),
        updated_at=later(base, stamp),
        deregistered_at=None,
        disabled_at=None,
        disabled_reason=None,
        resumed_at=stamp.at,
        event_types=wanted.event_types,
    )
    endpoints.save_endpoint(tx, changed, is_enabled=True)
    endpoints.replace_subscriptions(tx, account.organization_id, changed.id, wanted.event_types)
    reset = circuits.reset_circuits(tx, changed.id)
    lanes.wake(tx, dict.fromkeys(reset, stamp.at))
    return Published(changed, reset)


def deregister(tx: Tx, account: Account, stamp: Stamp) -> Published[None]:
    """Forget the webhook and its secret, and cancel what waits for it. Nothing happens when there is none."""
    endpoints.lock_account(tx, account.id)
    old = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
    if old is None or not old.is_registered:
        return Published(None)
    return retire(tx, old, stamp)


def find(tx: Tx, account: Account) -> Endpoint | None:
    """The account's webhook, if one is registered."""
    found = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
    return found if found is not None and found.is_registered else None


def demand(tx: Tx, account: Account) -> Endpoint:
    """The account's webhook. Raises: WebhookNotFound."""
    found = find(tx, account)
    if found is None:
        raise WebhookNotFound
    return found


def demand_of(tx: Tx, organization_id: str, endpoint_id: str) -> Endpoint:
    """A webhook of this organization, of either level. Raises: WebhookNotFound."""
    found = endpoints.find_endpoint(tx, OrganizationId(organization_id), endpoint_id)
    if found is None:
        raise WebhookNotFound
    return found


def rotate_secret(tx: Tx, account: Account, secret: str, vault: Sealing, stamp: Stamp) -> Published[Endpoint]:
    """From the next attempt on, sign with this secret. Raises: WebhookNotFound, ValidationFailed."""
    check_length("secret_key", secret)
    return sign_with(tx, _locked(tx, account), secret, vault, stamp)


def set_policy(tx: Tx, account: Account, fields: dict[str, Any], stamp: Stamp) -> Published[Policy]:
    """Deliver by this policy from now on. Raises: WebhookNotFound, ValidationFailed."""
    policy_from(fields)
    return deliver_by(tx, _locked(tx, account), fields, stamp)


def url_place(endpoint_id: EndpointId) -> str:
    """Where the sealed URL belongs."""
    return f"endpoint-url:{endpoint_id}"


def secret_place(endpoint_id: EndpointId) -> str:
    """Where the sealed keyset belongs."""
    return f"endpoint-secret:{endpoint_id}"


def _locked(tx: Tx, account: Account) -> Endpoint:
    endpoints.lock_account(tx, account.id)
    return demand(tx, account)


def new_endpoint(tx: Tx, account: Account, level: Level, preset: str, stamp: Stamp) -> Endpoint:
    """Add an endpoint, without a URL yet, and its lane: the account's, or one of its organization."""
    new = Endpoint(
        id=EndpointId(stamp.new_id()),
        organization_id=account.organization_id,
        account_id=account.id if level is Level.ACCOUNT else None,
        level=level,
        url_masked=None,
        url_sealed=None,
        secret_sealed=None,
        policy=json.dumps({"preset": preset}),
        created_at=stamp.at,
        updated_at=0,
        deregistered_at=None,
        disabled_at=None,
        disabled_reason=None,
    )
    return endpoints.insert_endpoint(tx, new)


def retire(tx: Tx, old: Endpoint, stamp: Stamp) -> Published[None]:
    """Forget URL, secret, events and pause, and cancel what waits; the row stays for the history of its deliveries."""
    gone = replace(
        old,
        url_masked=None,
        url_sealed=None,
        secret_sealed=None,
        updated_at=later(old, stamp),
        deregistered_at=stamp.at,
        paused_at=None,
    )
    endpoints.save_endpoint(tx, gone, is_enabled=True)
    endpoints.replace_subscriptions(tx, old.organization_id, old.id, ())
    all_lanes = lanes.of_endpoint(tx, old.id)
    for lane_pk in all_lanes:
        deliveries.discard(tx, lane_pk, reason=deliveries.DEREGISTERED, at=stamp.at)
    return Published(None, frozenset(all_lanes))


def sign_with(tx: Tx, old: Endpoint, secret: str, vault: Sealing, stamp: Stamp) -> Published[Endpoint]:
    """From the next attempt on, sign what goes to this endpoint with this secret alone. Its length is checked.

    Raises: ValidationFailed when it cannot sign by the endpoint's scheme.
    """
    only = Secret(id=stamp.new_id(), value=secret, created_at=stamp.at)
    return save_keyset(tx, old, keyset.replaced(keyset_in(old, vault), only), vault, stamp)


def keyset_in(endpoint: Endpoint, vault: Sealing) -> Keyset | None:
    """The endpoint's secrets, expired ones included; None when it is unsigned."""
    if endpoint.secret_sealed is None:
        return None
    return keyset.from_text(vault.open(endpoint.secret_sealed, secret_place(endpoint.id)))


def save_keyset(tx: Tx, old: Endpoint, changed: Keyset, vault: Sealing, stamp: Stamp) -> Published[Endpoint]:
    """From the next attempt on, sign what goes to this endpoint by this keyset."""
    sealed = vault.seal(keyset.to_text(changed), secret_place(old.id))
    endpoint = replace(old, secret_sealed=sealed, updated_at=later(old, stamp))
    endpoints.save_endpoint(tx, endpoint)
    return Published(endpoint, frozenset({old.lane_pk}))


def deliver_by(tx: Tx, old: Endpoint, fields: dict[str, Any], stamp: Stamp) -> Published[Policy]:
    """Deliver to this endpoint by this policy from now on. Raises: ValidationFailed."""
    policy = policy_from(fields)
    endpoints.save_endpoint(tx, replace(old, policy=json.dumps(fields), updated_at=later(old, stamp)))
    if is_given_up(policy_from(json.loads(old.policy)), policy):
        circuits.give_up_circuits(tx, old.id)
    made = lanes.of_endpoint(tx, old.id)
    for lane_pk in made:  # by the policy before it may sleep until a probe, or until what it holds expires
        lanes.wake_at_once(tx, lane_pk, stamp.at)
    for part in range(len(made), policy.lanes):
        lanes.insert_lane(tx, old.organization_id, old.id, part=part)
    return Published(policy, frozenset(made))


def later(endpoint: Endpoint, stamp: Stamp) -> int:
    """The instant of a change; always later than the last, for the lane's owner tells versions apart by it."""
    return max(stamp.at, endpoint.updated_at + 1)
