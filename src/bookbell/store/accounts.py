"""Organizations and API accounts."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, bindparam, insert, or_, select, update

from bookbell.core.model import Account, AccountId, Organization, OrganizationId, Role, Task
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import accounts, organizations

_ORGANIZATION = Prepared(select(organizations).where(organizations.c.id == bindparam("id")))
_ACCOUNT = Prepared(select(accounts).where(accounts.c.id == bindparam("id")))


def insert_organization(tx: Tx, new: Organization) -> None:
    """Add an organization."""
    tx.execute(
        insert(organizations).values(id=new.id, name=new.name, tasks=",".join(new.tasks), created_at=new.created_at)
    )


def save_organization(tx: Tx, changed: Organization) -> None:
    """Write what may change of an organization."""
    tx.execute(
        update(organizations)
        .where(organizations.c.id == changed.id)
        .values(name=changed.name, tasks=",".join(changed.tasks))
    )


def tasks_of(tx: Tx, organization_id: OrganizationId) -> tuple[Task, ...]:
    """The tasks that complete a book of this organization, in order of name."""
    return _tasks(_ORGANIZATION.first(tx, id=organization_id).tasks)


def find_organization(tx: Tx, organization_id: str) -> Organization | None:
    """The organization with this id."""
    row = _ORGANIZATION.first(tx, id=organization_id)
    return None if row is None else _organization(row)


def lock_organization(tx: Tx, organization_id: str) -> Organization | None:
    """The organization, held until the transaction ends."""
    row = tx.execute(select(organizations).where(organizations.c.id == organization_id).with_for_update()).first()
    return None if row is None else _organization(row)


def find_organization_by_name(tx: Tx, name: str) -> Organization | None:
    """The organization with this name."""
    row = tx.execute(select(organizations).where(organizations.c.name == name)).first()
    return None if row is None else _organization(row)


def list_organizations(tx: Tx, *, after: str, count: int) -> list[Organization]:
    """Organizations with an id after this one, oldest first."""
    query = select(organizations).where(organizations.c.id > after).order_by(organizations.c.id).limit(count)
    return [_organization(row) for row in tx.execute(query)]


def insert_account(tx: Tx, new: Account, *, secret_hash: str) -> None:
    """Add an account; of its secret only the hash is kept."""
    tx.execute(
        insert(accounts).values(
            id=new.id,
            organization_id=new.organization_id,
            name=new.name,
            email=new.email,
            role=new.role.value,
            client_id=new.client_id,
            secret_hash=secret_hash,
            created_at=new.created_at,
            revoked_at=new.revoked_at,
        )
    )


def find_account(tx: Tx, account_id: str) -> Account | None:
    """The account with this id, revoked or not."""
    row = _ACCOUNT.first(tx, id=account_id)
    return None if row is None else _account(row)


def find_accounts(tx: Tx, account_ids: Collection[str]) -> dict[str, Account]:
    """Those of these accounts that there are, revoked or not."""
    query = select(accounts).where(accounts.c.id.in_(list(account_ids)))
    return {row.id: _account(row) for row in tx.execute(query)}


def find_login(tx: Tx, login: str) -> tuple[Account, str] | None:
    """The account with this client id or e-mail address, and the hash of its secret."""
    query = select(accounts).where(or_(accounts.c.client_id == login, accounts.c.email == login))
    row = tx.execute(query).first()
    return None if row is None else (_account(row), row.secret_hash)


def list_accounts(tx: Tx, organization_id: OrganizationId, *, after: str, count: int) -> list[Account]:
    """Accounts of an organization with an id after this one, oldest first, revoked ones included."""
    query = (
        select(accounts)
        .where(accounts.c.organization_id == organization_id, accounts.c.id > after)
        .order_by(accounts.c.id)
        .limit(count)
    )
    return [_account(row) for row in tx.execute(query)]


def revoke_account(tx: Tx, organization_id: OrganizationId, account_id: AccountId, *, at: int) -> None:
    """From now on the account mints and uses no tokens."""
    tx.execute(
        update(accounts)
        .where(
            accounts.c.organization_id == organization_id,
            accounts.c.id == account_id,
            accounts.c.revoked_at.is_(None),
        )
        .values(revoked_at=at)
    )


def _organization(row: Row[Any]) -> Organization:
    return Organization(**{**row._asdict(), "tasks": _tasks(row.tasks)})


def _tasks(joined: str) -> tuple[Task, ...]:
    return tuple(map(Task, joined.split(",")))


def _account(row: Row[Any]) -> Account:
    return Account(
        id=AccountId(row.id),
        organization_id=OrganizationId(row.organization_id),
        name=row.name,
        email=row.email,
        role=Role(row.role),
        client_id=row.client_id,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
