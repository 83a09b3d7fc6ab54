"""An account has one webhook, whoever registers at the same time; what waited for a deregistered one is cancelled."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from bookbell.actions import health, history, webhooks
from bookbell.actions.signing import of_account
from bookbell.core.errors import InvalidInput, ValidationFailed, WebhookNotFound
from bookbell.core.model import Account, DeliveryState
from bookbell.store import circuits, lanes, ledger
from bookbell.store.database import Database, Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.history import DeliveryQuery, DeliveryView
from processes import until
from world import START, Plain, World, seal, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def waiting(world: World, account: Account, **query: Any) -> list[DeliveryView]:
    return world.db.read_now(history.list_deliveries, account, DeliveryQuery(**query)).deliveries


def test_registering_at_once_leaves_one_webhook_with_one_lane(world: World) -> None:
    account = world.account()
    urls = [f"http://a/{number}" for number in range(6)]
    made = at_once(*[partial(world.webhook, account, "DOC_VERIFIED", url=url) for url in urls])
    assert len({each.id for each in made}) == len({each.lane_pk for each in made}) == 1
    found = world.db.read_now(webhooks.find, account)
    assert found is not None
    assert found.url_masked in urls
    assert found.url_sealed == seal(found.url_masked, webhooks.url_place(found.id))
    assert found.event_types == ("DOC_VERIFIED",)
    world.publish(account, 1)
    assert len(waiting(world, account)) == 1


def test_registering_again_replaces_url_and_events_and_keeps_secret_policy_and_history(world: World) -> None:
    account = world.account()
    first = world.webhook(account, "DOC_VERIFIED")
    world.db.write_now(webhooks.rotate_secret, account, "s" * 16, Plain(), stamp())
    world.db.write_now(webhooks.set_policy, account, {"preset": "ocrolus"}, stamp())
    world.publish(account, 1)
    again = world.webhook(account, "BOOK_VERIFIED", "book.completed", url="http://b/")
    assert (again.id, again.lane_pk) == (first.id, first.lane_pk)
    found = world.db.read_now(webhooks.find, account)
    assert found is not None
    assert (found.url_masked, found.event_types) == ("http://b/", ("BOOK_VERIFIED", "book.completed"))
    keyset = webhooks.keyset_in(found, Plain())
    assert keyset is not None
    assert [each.value for each in keyset.secrets] == ["s" * 16]
    assert json.loads(found.policy) == {"preset": "ocrolus"}
    assert [each.event_type for each in waiting(world, account)] == ["DOC_VERIFIED"]


def test_who_changes_a_webhook_waits_for_another_change_and_keeps_it(postgresql_url: str) -> None:
    db = Database(postgresql_url)
    world = world_in(db)
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    has_changed, may_commit = threading.Event(), threading.Event()

    def change(tx: Tx) -> None:
        webhooks.set_policy(tx, account, {"preset": "ocrolus"}, stamp())
        has_changed.set()
        assert may_commit.wait(30)

    def waits(tx: Tx) -> bool:
        return bool(tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())

    with ThreadPoolExecutor(2) as pool:
        changing = pool.submit(db.write_now, change)
        assert has_changed.wait(30)
        registering = pool.submit(world.webhook, account, "BOOK_VERIFIED")
        until("it waits", lambda: registering.done() or db.read_now(waits))
        may_commit.set()
        changing.result()
        assert registering.result().event_types == ("BOOK_VERIFIED",)
    found = db.read_now(webhooks.demand, account)
    db.close()
    assert (found.event_types, json.loads(found.policy)) == (("BOOK_VERIFIED",), {"preset": "ocrolus"})


def test_every_change_is_later_than_the_last_even_in_one_millisecond(world: World) -> None:
    account = world.account()
    seen = [world.webhook(account, "DOC_VERIFIED").updated_at for _ in range(3)]
    assert seen == sorted(set(seen))


def test_deregistering_forgets_the_secret_and_cancels_what_waits_with_the_reason(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    world.db.write_now(webhooks.rotate_secret, account, "s" * 16, Plain(), stamp())
    world.publish(account, 3)
    assert world.db.write_now(webhooks.deregister, account, stamp()).lanes == {lane_pk}
    assert world.db.read_now(webhooks.find, account) is None
    assert {(each.state, each.reason) for each in waiting(world, account)} == {
        (DeliveryState.CANCELLED, "deregistered")
    }
    world.publish(account, 1)
    assert len(waiting(world, account)) == 3
    again = world.webhook(account, "DOC_VERIFIED")
    assert (again.lane_pk, again.secret_sealed) == (lane_pk, None)
    assert world.db.write_now(webhooks.deregister, world.account("two"), stamp()).lanes == frozenset()


def test_a_pause_ends_with_what_was_paused_and_only_then(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    assert world.db.write_now(health.pause, of_account(account), stamp()).value.endpoint.paused_at is not None
    assert world.webhook(account, "DOC_VERIFIED").paused_at is not None
    world.db.write_now(webhooks.deregister, account, stamp())
    assert world.webhook(account, "DOC_VERIFIED").paused_at is None


CHANGES: list[Callable[[Tx, Endpoint], object]] = [
    lambda tx, read: webhooks.deliver_by(tx, read, {"preset": "ocrolus"}, stamp()),
    lambda tx, read: webhooks.sign_with(tx, read, "s" * 16, Plain(), stamp()),
    lambda tx, read: health.pause(tx, lambda _: read, stamp()),
]


@pytest.mark.parametrize("change", CHANGES, ids=["policy", "secret", "pause"])
def test_a_webhook_that_a_worker_disables_meanwhile_stays_disabled(
    world: World, change: Callable[[Tx, Endpoint], object]
) -> None:
    account = world.account()
    read = world.webhook(account, "DOC_VERIFIED")
    world.db.write_now(circuits.disable_endpoint, read.lane_pk, resumed_at=read.resumed_at, reason="gone", at=START)
    world.db.write_now(change, read)
    found = world.db.read_now(webhooks.demand, account)
    assert (found.disabled_at, found.disabled_reason) == (START, "gone")
    assert world.webhook(account, "DOC_VERIFIED").disabled_at is None
    assert world.db.read_now(webhooks.demand, account).disabled_at is None


def test_deregistering_while_events_are_published_leaves_nothing_unexplained(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    uuids = world.documents(account, world.book(account), 12)
    calls: list[Callable[[], Any]] = [partial(world.verify, uuid) for uuid in uuids]
    calls.insert(4, lambda: world.db.write_now(webhooks.deregister, account, stamp()))
    at_once(*calls)
    late = waiting(world, account, state="pending")
    # One that was published in the same instant may be left; its lane is due, so that its owner cancels it.
    assert not late or world.db.read_now(
        lanes.candidates, owner="w", now=START, renewal_ms=(500, 2_000), count=5
    ).free == [lane_pk]
    found = world.db.read_now(ledger.ledgers, since=0, until=2**52, organization_id=world.organization.id)
    assert all(each.problems() == () for each in found)


@pytest.mark.parametrize(("secret", "word"), [("s" * 15, "at least 16"), ("s" * 129, "at most 128")])
def test_a_secret_of_the_wrong_length_changes_nothing(world: World, secret: str, word: str) -> None:
    account = world.account()
    before = world.webhook(account, "DOC_VERIFIED")
    with pytest.raises(ValidationFailed, match=word):
        world.db.write_now(webhooks.rotate_secret, account, secret, Plain(), stamp())
    assert world.db.read_now(webhooks.find, account) == before


def test_without_a_webhook_there_is_nothing_to_change(world: World) -> None:
    account = world.account()
    with pytest.raises(WebhookNotFound):
        world.db.write_now(webhooks.rotate_secret, account, "s" * 16, Plain(), stamp())
    with pytest.raises(WebhookNotFound):
        world.db.write_now(webhooks.set_policy, account, {}, stamp())


def test_names_are_made_canonical_and_unknown_ones_left_out() -> None:
    assert webhooks.event_types_of(["book.verified", "nonsense", "BOOK_VERIFIED"]) == ("BOOK_VERIFIED",)
    assert webhooks.event_types_of([]) == ()
    with pytest.raises(InvalidInput) as caught:
        webhooks.event_types_of(["nonsense", "more"])
    assert caught.value.details == "None of these is an event of this level: nonsense, more."
