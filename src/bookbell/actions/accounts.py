"""Organizations and accounts: created by the operator, asked for by who signs in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bookbell.actions.stamp import Stamp
from bookbell.core import limits
from bookbell.core.errors import AccountNotFound, InvalidRequest, OrganizationNotFound, ValidationFailed
from bookbell.core.model import Account, AccountId, Organization, OrganizationId, Role, Task
from bookbell.core.tasks import tasks_from
from bookbell.store import accounts
from bookbell.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """email None takes a unique placeholder. secret_hash: of the secret that the caller shows once."""

    name: str
    role: Role
    email: str | None
    client_id: str
    secret_hash: str


def create_organization(tx: Tx, name: str, stamp: Stamp, *, tasks: Sequence[str] = (Task.CAPTURE,)) -> Organization:
    """Add an organization. Raises: ValidationFailed, InvalidRequest when the name is taken."""
    _check_name("name", name)
    _check_free(tx, name)
    new = Organization(id=OrganizationId(stamp.new_id()), name=name, created_at=stamp.at, tasks=tasks_from(tasks))
    accounts.insert_organization(tx, new)
    return new


def change_organization(
    tx: Tx, organization_id: str, *, name: str | None = None, tasks: Sequence[str] | None = None
) -> Organization:
    """Give an organization another name, or other tasks that complete its books; None leaves what is.

    A book that has fired `book.completed` does not fire again because of it; others are judged by the new tasks at
    their next change. Raises: OrganizationNotFound, ValidationFailed, InvalidRequest when the name is taken.
    """
    found = accounts.lock_organization(tx, organization_id)  # of two changes at once, none undoes the other
    if found is None:
        raise OrganizationNotFound
    changed = found if tasks is None else replace(found, tasks=tasks_from(tasks))
    if name is not None and name != found.name:
        _check_name("name", name)
        _check_free(tx, name)
        changed = replace(changed, name=name)
    accounts.save_organization(tx, changed)
    return changed


def demand_organization(tx: Tx, organization_id: str) -> Organization:
    """The organization with this id. Raises: OrganizationNotFound."""
    found = accounts.find_organization(tx, organization_id)
    if found is None:
        raise OrganizationNotFound
    return found


def _check_free(tx: Tx, name: str) -> None:
    if accounts.find_organization_by_name(tx, name) is not None:
        raise InvalidRequest(f"An organization named {name} exists already.")


def create_account(tx: Tx, organization_id: str, wanted: NewAccount, stamp: Stamp) -> Account:
    """Add an account. Raises: OrganizationNotFound, ValidationFailed, InvalidRequest when the e-mail is taken."""
    organization = demand_organization(tx, organization_id)
    _check_name("name", wanted.name)
    email = wanted.email or f"{wanted.client_id}@accounts.invalid"
    _check_name("email", email)
    if accounts.find_login(tx, email) is not None:
        raise InvalidRequest(f"An account with the e-mail address {email} exists already.")
    new = Account(
        id=AccountId(stamp.new_id()),
        organization_id=organization.id,
        name=wanted.name,
        email=email,
        role=wanted.role,
        client_id=wanted.client_id,
        created_at=stamp.at,
    )
    accounts.insert_account(tx, new, secret_hash=wanted.secret_hash)
    return new


def revoke(tx: Tx, organization_id: str, account_id: str, stamp: Stamp) -> Account:
    """End an account's access for good; what it registered stays. Raises: AccountNotFound."""
    account = accounts.find_account(tx, account_id)
    if account is None or account.organization_id != organization_id:
        raise AccountNotFound
    accounts.revoke_account(tx, account.organization_id, account.id, at=stamp.at)
    found = accounts.find_account(tx, account_id)
    assert found is not None
    return found


def client_id_from(randomness: str) -> str:
    """A client id made of fresh randomness, letters and digits only."""
    return "bb" + "".join(char for char in randomness if char.isalnum())[:30]


def _check_name(field: str, text: str) -> None:
    if not text.strip() or len(text) > limits.NAME_CHARS_MAX or not text.isprintable():
        raise ValidationFailed(f"{field}: 1 to {limits.NAME_CHARS_MAX} printable characters are expected")
