"""The operator's calls: organizations and their accounts."""

from typing import Any

import msgspec

from bookbell.actions import accounts as acting
from bookbell.actions.accounts import NewAccount
from bookbell.core import limits
from bookbell.core.errors import AccountNotFound, InvalidRequest, OrganizationNotFound
from bookbell.core.model import Account, Organization, Role, Task
from bookbell.store import accounts
from bookbell.store.database import Tx
from bookbell.vault import hash_of_secret
from bookbell.web import wire
from bookbell.web.auth import require_operator
from bookbell.web.http import Response
from bookbell.web.operation import Access, Operation, Tag, described, enveloped, may
from bookbell.web.routing import get, post, put
from bookbell.web.shape import choice, exact_instant, listed, nullable, record, text, uuid

BASE = "/platform/v1/organizations"
ORGANIZATION = record(
    {"id": uuid(), "name": text("Lender"), "tasks": listed(choice(Task, "CAPTURE")), "created_at": exact_instant()}
)
ACCOUNT = {
    "id": uuid(),
    "organization_id": uuid(),
    "name": text("intake"),
    "email": text("api@lender.example"),
    "role": choice(Role),
    "client_id": text("bb3f9c2e"),
    "created_at": exact_instant(),
    "revoked_at": nullable(exact_instant()),
}


class OrganizationBody(msgspec.Struct, forbid_unknown_fields=True):
    """A new organization. tasks: what completes its books."""

    name: str
    tasks: list[str] = msgspec.field(default_factory=lambda: [Task.CAPTURE.value])


class OrganizationChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change of an organization; null leaves it as it is."""

    name: str | None = None
    tasks: list[str] | None = None


class AccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """A new account; without an e-mail address it gets a placeholder."""

    name: str
    role: Role = Role.STANDARD
    email: str | None = None


@post(
    BASE,
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            body=OrganizationBody,
            example={"name": "Lender"},
            answer=enveloped(ORGANIZATION),
            errors=(InvalidRequest,),
        )
    ),
)
async def create_organization(request: wire.Wire) -> Response:
    """Add an organization."""
    require_operator(request)
    context = request.context
    body: OrganizationBody = await wire.read_json(request, OrganizationBody)
    made = await context.database.write(acting.create_organization, body.name, context.stamp(), tasks=body.tasks)
    return wire.ok(_organization(made))


@get(
    BASE,
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            fields=(may("after", uuid(), "The id of the last one of the page before."),),
            answer=enveloped(record({"organizations": listed(ORGANIZATION)})),
        )
    ),
)
async def list_organizations(request: wire.Wire) -> Response:
    """All organizations, oldest first, page by page."""
    require_operator(request)
    params = await wire.read_params(request)
    found = await request.context.database.read(
        accounts.list_organizations, after=params.uuid("after") or "", count=limits.PAGE_COUNT_MAX
    )
    return wire.ok({"organizations": [_organization(each) for each in found]})


@put(
    BASE + "/{organization_id:str}",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            body=OrganizationChange,
            example={"tasks": ["CAPTURE", "DETECT"]},
            answer=enveloped(ORGANIZATION),
            errors=(InvalidRequest, OrganizationNotFound),
        )
    ),
)
async def change_organization(request: wire.Wire) -> Response:
    """Change an organization's name, or the tasks that complete its books."""
    require_operator(request)
    context = request.context
    body: OrganizationChange = await wire.read_json(request, OrganizationChange)
    organization_id = wire.path_uuid(request, "organization_id")
    changed = await context.database.write(
        acting.change_organization, organization_id, name=body.name, tasks=body.tasks
    )
    return wire.ok(_organization(changed))


@post(
    BASE + "/{organization_id:str}/accounts",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            body=AccountBody,
            example={"name": "intake", "role": "manager"},
            answer=enveloped(record({**ACCOUNT, "client_secret": text("a-secret")})),
            errors=(InvalidRequest, OrganizationNotFound),
        )
    ),
)
async def create_account(request: wire.Wire) -> Response:
    """Add an account. Its secret is shown in this answer and never again."""
    require_operator(request)
    context = request.context
    body: AccountBody = await wire.read_json(request, AccountBody)
    secret = context.ambient.new_secret()
    wanted = NewAccount(
        name=body.name,
        role=body.role,
        email=body.email,
        client_id=acting.client_id_from(context.ambient.new_secret()),
        secret_hash=hash_of_secret(secret),
    )
    organization_id = wire.path_uuid(request, "organization_id")
    made = await context.database.write(acting.create_account, organization_id, wanted, context.stamp())
    return wire.ok({**_account(made), "client_secret": secret})


@get(
    BASE + "/{organization_id:str}/accounts",
    opt=described(
        Operation(
            tag=Tag.OPERATOR,
            access=Access.OPERATOR,
            fields=(may("after", uuid(), "The id of the last one of the page before."),),
            answer=enveloped(record({"accounts": listed(record(ACCOUNT))})),
            errors=(OrganizationNotFound,),
        )
    ),
)
async def list_accounts(request: wire.Wire) -> Response:
    """The accounts of an organization, revoked ones included."""
    require_operator(request)
    params = await wire.read_params(request)
    found = await request.context.database.read(
        _accounts_of, wire.path_uuid(request, "organization_id"), after=params.uuid("after") or ""
    )
    return wire.ok({"accounts": [_account(each) for each in found]})


@post(
    BASE + "/{organization_id:str}/accounts/{account_id:str}/revoke",
    opt=described(
        Operation(
            tag=Tag.OPERATOR, access=Access.OPERATOR, answer=enveloped(record(ACCOUNT)), errors=(AccountNotFound,)
        )
    ),
)
async def revoke_account(request: wire.Wire) -> Response:
    """End an account's access for good."""
    require_operator(request)
    context = request.context
    ids = wire.path_uuid(request, "organization_id"), wire.path_uuid(request, "account_id")
    return wire.ok(_account(await context.database.write(acting.revoke, *ids, context.stamp())))


def _accounts_of(tx: Tx, organization_id: str, *, after: str) -> list[Account]:
    organization = acting.demand_organization(tx, organization_id)
    return accounts.list_accounts(tx, organization.id, after=after, count=limits.PAGE_COUNT_MAX)


def _organization(organization: Organization) -> dict[str, Any]:
    created = wire.exact_instant(organization.created_at)
    return {
        "id": organization.id,
        "name": organization.name,
        "tasks": list(organization.tasks),
        "created_at": created,
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "organization_id": account.organization_id,
        "name": account.name,
        "email": account.email,
        "role": account.role,
        "client_id": account.client_id,
        "created_at": wire.exact_instant(account.created_at),
        "revoked_at": None if account.revoked_at is None else wire.exact_instant(account.revoked_at),
    }


routes = [create_organization, list_organizations, change_organization, create_account, list_accounts, revoke_account]
