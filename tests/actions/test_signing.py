"""The secrets of a webhook of either level are kept with it, sealed, and change one at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookbell.actions import org_webhooks, signing, webhooks
from bookbell.actions.signing import Which
from bookbell.core.errors import OrgWebhookNotFound, SecretNotFound, ValidationFailed, WebhookNotFound
from bookbell.core.keyset import Keyset, Secret, Use, hmac_value
from bookbell.core.model import Account, Role
from bookbell.core.org_webhook import Asked
from bookbell.core.signing import Scheme
from bookbell.store.database import Database
from bookbell.store.endpoints import Endpoint
from world import START, TERMS, Plain, World, new_id, stamp, world_in

LATER = START + 1000


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def fresh(number: int = 0) -> Secret:
    return Secret(id=new_id(), value=hmac_value(bytes([number]) * 32), created_at=START)


def org_webhook(world: World, manager: Account) -> Endpoint:
    asked = Asked(url="https://hooks.example.net/org", event_types=("book.verified",))
    return world.db.write_now(org_webhooks.add, manager, asked, TERMS, Plain(), stamp()).value


def add(world: World, which: Which, secret: Secret) -> Keyset:
    return world.db.write_now(signing.add, which, secret, Plain(), stamp()).value


def read(world: World, which: Which, at: int = START) -> Keyset | None:
    return world.db.read_now(signing.read, which, Plain(), at=at)[1]


def test_a_webhook_of_either_level_is_signed_from_its_first_secret_on(world: World) -> None:
    account, manager = world.account(), world.account("boss", Role.MANAGER)
    lane, other = world.webhook(account, "DOC_VERIFIED").lane_pk, org_webhook(world, manager)
    for which, lane_pk in (
        (signing.of_account(account), lane),
        (signing.of_organization(manager, other.id), other.lane_pk),
    ):
        assert read(world, which) is None
        secret = fresh()
        published = world.db.write_now(signing.add, which, secret, Plain(), stamp())
        assert published.lanes == {lane_pk}
        assert read(world, which) == published.value == Keyset(Scheme.OCROLUS, (secret,))


def test_each_change_is_a_new_version_that_the_worker_sees(world: World) -> None:
    account = world.account()
    which = signing.of_account(account)
    versions = [world.webhook(account, "DOC_VERIFIED").updated_at]
    secrets = [fresh(1), fresh(2)]
    for each in secrets:
        add(world, which, each)
        versions.append(world.db.read_now(which).updated_at)
    world.db.write_now(signing.use, which, Use(scheme=Scheme.STANDARD, primary=secrets[1].id), Plain(), stamp())
    versions.append(world.db.read_now(which).updated_at)
    world.db.write_now(signing.expire, which, secrets[0].id, 0, Plain(), stamp())
    versions.append(world.db.read_now(which).updated_at)
    assert versions == sorted(set(versions))
    assert read(world, which) == Keyset(Scheme.STANDARD, (secrets[1],))


def test_what_has_expired_is_not_shown_any_more(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    which, one, two = signing.of_account(account), fresh(1), fresh(2)
    add(world, which, one)
    add(world, which, two)
    world.db.write_now(signing.expire, which, two.id, 1000, Plain(), stamp())
    for at, count in ((LATER - 1, 2), (LATER, 1)):
        found = read(world, which, at)
        assert found is not None
        assert len(found.secrets) == count


def test_the_contracts_call_leaves_its_secret_alone_and_deregistering_none(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    which = signing.of_account(account)
    add(world, which, fresh(1))
    add(world, which, fresh(2))
    world.db.write_now(webhooks.rotate_secret, account, "s" * 16, Plain(), stamp())
    found = read(world, which)
    assert found is not None
    assert [each.value for each in found.secrets] == ["s" * 16]
    world.db.write_now(webhooks.deregister, account, stamp())
    with pytest.raises(WebhookNotFound):
        read(world, which)
    world.webhook(account, "DOC_VERIFIED")
    assert read(world, which) is None


def test_the_contracts_call_is_refused_where_its_secret_cannot_sign(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    which = signing.of_account(account)
    add(world, which, fresh(1))
    world.db.write_now(signing.use, which, Use(scheme=Scheme.STANDARD), Plain(), stamp())
    before = read(world, which)
    with pytest.raises(ValidationFailed, match="secret_key: Standard Webhooks"):
        world.db.write_now(webhooks.rotate_secret, account, "s" * 16, Plain(), stamp())
    assert read(world, which) == before
    world.db.write_now(webhooks.rotate_secret, account, fresh(2).value, Plain(), stamp())
    after = read(world, which)
    assert after is not None
    assert (after.scheme, after.primary.value) == (Scheme.STANDARD, fresh(2).value)


def test_secrets_added_at_once_are_all_kept_and_never_more_than_five(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    which, gate = signing.of_account(account), threading.Barrier(8)

    def try_to_add(number: int) -> bool:
        gate.wait()
        try:
            add(world, which, fresh(number))
        except ValidationFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_to_add, range(8))) == 5
    found = read(world, which)
    assert found is not None
    assert len(found.secrets) == 5


def test_nothing_is_changed_where_nothing_is(world: World) -> None:
    account, manager = world.account(), world.account("boss", Role.MANAGER)
    with pytest.raises(WebhookNotFound):
        add(world, signing.of_account(account), fresh())
    with pytest.raises(OrgWebhookNotFound):
        add(world, signing.of_organization(manager, new_id()), fresh())
    with pytest.raises(WebhookNotFound):
        add(world, signing.of_id(world.organization.id, new_id()), fresh())
    endpoint = world.webhook(account, "DOC_VERIFIED")
    with pytest.raises(OrgWebhookNotFound):
        add(world, signing.of_organization(manager, endpoint.id), fresh())
    which = signing.of_id(world.organization.id, endpoint.id)
    with pytest.raises(SecretNotFound, match="add one first"):
        world.db.write_now(signing.use, which, Use(scheme=Scheme.STANDARD), Plain(), stamp())
    assert len(add(world, which, fresh()).secrets) == 1
    with pytest.raises(SecretNotFound):
        world.db.write_now(signing.expire, which, new_id(), 0, Plain(), stamp())
