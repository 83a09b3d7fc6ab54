"""Organizations and accounts: found by id and by login, listed in pages, revoked once."""

from dataclasses import replace

import pytest

from bookbell.actions import accounts as acting
from bookbell.core.errors import AccountNotFound, InvalidRequest, OrganizationNotFound, ValidationFailed
from bookbell.core.model import Role
from bookbell.store import accounts
from bookbell.store.database import Database
from world import START, World, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


WANTED = acting.NewAccount(name="key", role=Role.MANAGER, email="key@example.com", client_id="id-1", secret_hash="h")


def test_an_account_is_found_by_each_of_its_logins(world: World) -> None:
    made = world.db.write_now(acting.create_account, world.organization.id, WANTED, stamp())
    for login in ("id-1", "key@example.com"):
        assert world.db.read_now(accounts.find_login, login) == (made, "h")
    assert world.db.read_now(accounts.find_login, "KEY@example.com") is None
    assert world.db.read_now(accounts.find_account, made.id) == made
    assert made.role is Role.MANAGER


def test_an_address_belongs_to_one_account_of_all_organizations(world: World) -> None:
    world.db.write_now(acting.create_account, world.organization.id, WANTED, stamp())
    elsewhere, other = world_in(world.db).organization.id, replace(WANTED, client_id="id-2")
    with pytest.raises(InvalidRequest, match="exists already"):
        world.db.write_now(acting.create_account, elsewhere, other, stamp())


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\nb", "a\0b"])
def test_a_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    with pytest.raises(ValidationFailed):
        world.db.write_now(acting.create_organization, name, stamp())
    with pytest.raises(ValidationFailed):
        world.db.write_now(acting.create_account, world.organization.id, replace(WANTED, name=name), stamp())


def test_revoking_keeps_the_first_instant_and_is_for_its_own_organization(world: World) -> None:
    account = world.account()
    first = world.db.write_now(acting.revoke, world.organization.id, account.id, stamp(START + 1))
    again = world.db.write_now(acting.revoke, world.organization.id, account.id, stamp(START + 2))
    assert first.revoked_at == again.revoked_at == START + 1
    with pytest.raises(AccountNotFound):
        world.db.write_now(acting.revoke, world_in(world.db).organization.id, account.id, stamp())


def test_lists_are_paged_by_id(world: World) -> None:
    made = [world.account(f"key {number}").id for number in range(5)]
    page = world.db.read_now(accounts.list_accounts, world.organization.id, after="", count=2)
    rest = world.db.read_now(accounts.list_accounts, world.organization.id, after=page[-1].id, count=10)
    assert [each.id for each in (*page, *rest)] == made
    world_in(world.db)
    both = world.db.read_now(accounts.list_organizations, after="", count=10)
    assert both[0] == world.organization
    assert len(world.db.read_now(accounts.list_organizations, after=both[0].id, count=10)) == len(both) - 1


def test_an_unknown_organization_takes_no_account(world: World) -> None:
    with pytest.raises(OrganizationNotFound):
        world.db.write_now(acting.create_account, "nowhere", WANTED, stamp())
