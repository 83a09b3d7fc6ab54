"""How the deliveries to a webhook are signed: its scheme, its secrets, and one taking the place of another.

The same for a webhook of either level: `Which` finds it. Whoever changes one holds the row of who owns it.
Source: docs/signatures.md; rotate-secret, the contract's own call, is in `webhooks`.
"""

from collections.abc import Callable

from bookbell.actions import org_webhooks, webhooks
from bookbell.actions.stamp import Published, Stamp
from bookbell.actions.webhooks import Sealing, keyset_in, save_keyset
from bookbell.core import keyset
from bookbell.core.errors import SecretNotFound
from bookbell.core.keyset import Keyset, Secret, Use
from bookbell.core.model import Account
from bookbell.store import endpoints
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint

Which = Callable[[Tx], Endpoint]
"""Finds the webhook that is meant. Raises: WebhookNotFound."""


def of_account(account: Account) -> Which:
    """The one webhook of this account."""
    return lambda tx: webhooks.demand(tx, account)


def of_organization(account: Account, webhook_uuid: str) -> Which:
    """A webhook of this account's organization."""
    return lambda tx: org_webhooks.find(tx, account, webhook_uuid)


def of_id(organization_id: str, endpoint_id: str) -> Which:
    """A webhook of either level, by its id."""
    return lambda tx: webhooks.demand_of(tx, organization_id, endpoint_id)


def read(tx: Tx, which: Which, vault: Sealing, *, at: int) -> tuple[Endpoint, Keyset | None]:
    """The webhook and its secrets, None when it is unsigned. Raises: WebhookNotFound."""
    endpoint = which(tx)
    found = keyset_in(endpoint, vault)
    return endpoint, None if found is None else keyset.remaining(found, at)


def add(tx: Tx, which: Which, new: Secret, vault: Sealing, stamp: Stamp) -> Published[Keyset]:
    """Give the webhook one more secret; the first one signs at once. Raises: WebhookNotFound, ValidationFailed."""
    endpoint = locked(tx, which)
    return _saved(tx, endpoint, keyset.added(keyset_in(endpoint, vault), new, at=stamp.at), vault, stamp)


def use(tx: Tx, which: Which, wanted: Use, vault: Sealing, stamp: Stamp) -> Published[Keyset]:
    """Sign by another scheme or with another primary. Raises: WebhookNotFound, SecretNotFound, ValidationFailed."""
    endpoint = locked(tx, which)
    return _saved(tx, endpoint, keyset.used(_demand(endpoint, vault), wanted, at=stamp.at), vault, stamp)


def expire(tx: Tx, which: Which, secret_id: str, after_ms: int, vault: Sealing, stamp: Stamp) -> Published[Keyset]:
    """Forget a secret after that time, 0 for now. Raises: WebhookNotFound, SecretNotFound, ValidationFailed."""
    endpoint = locked(tx, which)
    changed = keyset.expiring(_demand(endpoint, vault), secret_id, after_ms, at=stamp.at)
    return _saved(tx, endpoint, changed, vault, stamp)


def _demand(endpoint: Endpoint, vault: Sealing) -> Keyset:
    found = keyset_in(endpoint, vault)
    if found is None:
        raise SecretNotFound("The webhook has no secret; add one first")
    return found


def locked(tx: Tx, which: Which) -> Endpoint:
    """The webhook, which nobody else changes until the transaction ends. Raises: WebhookNotFound."""
    endpoints.lock_owner(tx, which(tx))
    return which(tx)


def _saved(tx: Tx, endpoint: Endpoint, changed: Keyset, vault: Sealing, stamp: Stamp) -> Published[Keyset]:
    return save_keyset(tx, endpoint, changed, vault, stamp).showing(changed)
