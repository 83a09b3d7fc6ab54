"""Every sealed value comes under the primary key, whatever stops it on the way, and nobody's change is lost."""

from typing import Any

import pytest

from bookbell.actions import resealing, webhooks
from bookbell.core.model import DocumentSource
from bookbell.store.database import Database
from bookbell.store.sealed import PLACES, Place
from bookbell.vault import Vault, key_name_of, new_master_key
from world import World, stamp, world_in

OLD, NEW = new_master_key(), new_master_key()


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def peopled(world: World, vault: Vault, count: int) -> list[str]:
    """That many webhooks with secrets, each sealed by this vault. Gives their secrets."""
    secrets = []
    for number in range(count):
        account, url = world.account(f"account-{number}"), f"http://a/{number}"
        wanted = webhooks.Wanted(url=url, masked=url, event_types=("DOC_VERIFIED",), preset="standard")
        world.db.write_now(webhooks.configure, account, wanted, vault.seal, stamp())
        secrets.append(f"secret-of-webhook-{number}")
        world.db.write_now(webhooks.rotate_secret, account, secrets[-1], vault, stamp())
    return secrets


def values(world: World) -> list[bytes]:
    return [each.value for place in PLACES for each in world.db.read_now(_all, place)]


def _all(tx: Any, place: Place) -> Any:
    from bookbell.store.sealed import sealed_values

    return sealed_values(tx, place, after=None, count=1000)


def reseal(world: World, vault: Vault, *, count: int, steps_max: int = 1000) -> int:
    """As the command does, but no more than that many steps."""
    resealed = 0
    for place in PLACES:
        after: Any = None
        while steps_max:
            steps_max -= 1
            step = world.db.write_now(resealing.reseal, place, vault, after=after, count=count)
            resealed, after = resealed + step.resealed, step.after
            assert step.unreadable == ()
            if after is None:
                break
    return resealed


@pytest.mark.parametrize("count", [1, 2, 100])
def test_every_value_comes_under_the_primary_key_in_batches_of_any_size(world: World, count: int) -> None:
    peopled(world, Vault(OLD), 5)
    ring = Vault(NEW, [OLD])
    before = values(world)
    assert reseal(world, ring, count=count) == len(before) == 10
    assert {key_name_of(each) for each in values(world)} == {ring.key_names[0]}
    assert reseal(world, ring, count=count) == 0
    only = Vault(NEW)
    for place in PLACES:
        for each in world.db.read_now(_all, place):
            assert only.open(each.value, each.place)


def test_what_was_cut_off_is_taken_up_again(world: World) -> None:
    peopled(world, Vault(OLD), 4)
    ring = Vault(NEW, [OLD])
    assert reseal(world, ring, count=1, steps_max=3) == 3
    counts: dict[str, int] = {}
    for place in PLACES:
        for name, number in world.db.read_now(resealing.count_by_key, place, key_name_of, batch=3).items():
            counts[name] = counts.get(name, 0) + number
    assert counts == {ring.key_names[0]: 3, ring.key_names[1]: 5}
    assert reseal(world, ring, count=2) == 5


def test_a_token_of_a_document_is_resealed_too(world: World) -> None:
    account = world.account()
    document = world.document(account, world.book(account), source=DocumentSource.PLAID_ASSET)
    place = PLACES[-1]
    (found,) = world.db.read_now(_all, place)
    assert found.place == f"audit-copy-token:{document.md5}"
    step = world.db.write_now(resealing.reseal, place, Vault(NEW), after=None, count=10)
    assert (step.resealed, step.unreadable) == (0, (found.place,)), "the world seals nothing a vault can open"


def test_a_value_that_opens_with_no_key_is_named_and_left_and_stops_nothing(world: World) -> None:
    peopled(world, Vault(OLD), 1)
    peopled(world_in(world.db), Vault(new_master_key()), 1)
    step = world.db.write_now(resealing.reseal, PLACES[0], Vault(NEW, [OLD]), after=None, count=10)
    assert step.resealed == 1
    assert len(step.unreadable) == 1
    assert step.unreadable[0].startswith("endpoint-url:")
