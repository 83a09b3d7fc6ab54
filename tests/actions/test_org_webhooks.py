"""An organization's webhooks: bounds and uniqueness hold, whoever acts at once; what is given up drops what waits."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest

from bookbell.actions import history, org_webhooks, webhooks
from bookbell.core.errors import (
    BookbellError,
    IllegalTransition,
    NotFound,
    NotPermittedManager,
    OrgWebhookNotFound,
    ValidationFailed,
    WebhookInvalid,
)
from bookbell.core.ledger import Ledger
from bookbell.core.model import Account, DeliveryState, LanePk, Role
from bookbell.core.org_webhook import Asked
from bookbell.store import circuits, deliveries, endpoints, lanes
from bookbell.store.database import Database, Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.history import DeliveryQuery, DeliveryView
from bookbell.store.ledger import ledgers
from world import START, TERMS, Plain, World, stamp, world_in

T = TypeVar("T")
URL = "https://hooks.example.net/org"
EVENTS = ("document.verification_succeeded",)
LATER = START + 60_000


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


@pytest.fixture
def manager(world: World) -> Account:
    return world.account("manager", Role.MANAGER)


def add(world: World, manager: Account, url: str = URL, **asked: object) -> Endpoint:
    wanted = replace(Asked(url=url, event_types=EVENTS), **asked)  # type: ignore[arg-type] # its fields
    return world.db.write_now(org_webhooks.add, manager, wanted, TERMS, Plain(), stamp()).value


def change(world: World, manager: Account, webhook: Endpoint, at: int = LATER, **asked: object) -> Endpoint:
    wanted = Asked(**asked)  # type: ignore[arg-type] # its fields
    return world.db.write_now(org_webhooks.change, manager, webhook.id, wanted, Plain(), stamp(at)).value


def found(world: World, manager: Account, webhook: Endpoint) -> Endpoint:
    return world.db.read_now(org_webhooks.find, manager, webhook.id)


def told(world: World, manager: Account, webhook: Endpoint | None = None, **query: object) -> list[DeliveryView]:
    uuid = None if webhook is None else webhook.id
    asked = DeliveryQuery(**query)  # type: ignore[arg-type] # its fields
    return world.db.read_now(history.list_org_deliveries, manager, uuid, asked).deliveries


def states(seen: Sequence[DeliveryView]) -> list[tuple[DeliveryState, str | None]]:
    return [(each.state, each.reason) for each in seen]


def ledger(world: World) -> Ledger:
    (each,) = world.db.read_now(ledgers, since=0, until=LATER * 2, organization_id=world.organization.id)
    return each


def at_once(*calls: Callable[[], T]) -> list[T | BookbellError]:
    """What these calls come to when they are made at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | BookbellError:
        gate.wait()
        try:
            return call()
        except BookbellError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


# -- adding --------------------------------------------------------------------------------------------------------


def test_what_is_added_can_be_read(world: World, manager: Account) -> None:
    made = add(world, manager, description="Intake", login=("u", "p"))
    assert found(world, manager, made) == made
    assert (made.description, made.event_types, made.is_active) == ("Intake", EVENTS, True)
    assert (made.created_at, made.updated_at) == (START, START)
    assert made.url_masked == "https://***:***@hooks.example.net/org"
    address = org_webhooks.address_in(made, Plain())
    assert (address.url, address.are_credentials_apart) == ("https://u:p@hooks.example.net/org", True)


def test_webhooks_are_listed_oldest_first_and_only_to_their_organization(world: World, manager: Account) -> None:
    made = [add(world, manager, f"{URL}/{number}") for number in range(3)]
    other = world_in(world.db)
    stranger = other.account("manager", Role.MANAGER)
    assert world.db.read_now(org_webhooks.find_all, manager) == made
    assert world.db.read_now(org_webhooks.find_all, stranger) == []
    with pytest.raises(OrgWebhookNotFound, match=f"Webhook with uuid {made[0].id} not found"):
        found(other, stranger, made[0])
    with pytest.raises(OrgWebhookNotFound):
        change(other, stranger, made[0], is_active=False)
    with pytest.raises(OrgWebhookNotFound):
        world.db.write_now(org_webhooks.remove, stranger, made[0].id, stamp())


def test_an_accounts_webhook_is_none_of_the_organizations(world: World, manager: Account) -> None:
    own = world.webhook(manager, "DOC_VERIFIED")
    assert world.db.read_now(org_webhooks.find_all, manager) == []
    with pytest.raises(OrgWebhookNotFound):
        found(world, manager, own)


def test_the_same_url_is_refused_however_it_is_written(world: World, manager: Account) -> None:
    add(world, manager)
    for url in (URL, "https://HOOKS.example.net/org", "https://u:p@hooks.example.net/org"):
        with pytest.raises(WebhookInvalid, match="already exists"):
            add(world, manager, url)
    with pytest.raises(WebhookInvalid, match=f"^Webhook with url {URL} already exists$"):
        add(world, manager, login=("u", "p"))
    other = world_in(world.db)
    assert add(other, other.account("manager", Role.MANAGER)).is_active


def test_an_existing_url_is_named_without_its_credentials(world: World, manager: Account) -> None:
    add(world, manager)
    with pytest.raises(WebhookInvalid, match=r"Webhook with url https://\*\*\*:\*\*\*@hooks"):
        add(world, manager, "https://u:word@hooks.example.net/org")


def test_a_sixth_is_refused_until_one_is_deleted(world: World, manager: Account) -> None:
    made = [add(world, manager, f"{URL}/{number}") for number in range(5)]
    change(world, manager, made[0], is_active=False)
    with pytest.raises(WebhookInvalid, match=r"^Maximum number of webhooks reached$"):
        add(world, manager)
    world.db.write_now(org_webhooks.remove, manager, made[0].id, stamp())
    assert add(world, manager).is_active


def test_of_two_managers_who_add_the_fifth_and_sixth_at_once_one_succeeds(world: World, manager: Account) -> None:
    second = world.account("second", Role.MANAGER)
    for number in range(4):
        add(world, manager, f"{URL}/{number}")
    results = at_once(lambda: add(world, manager, f"{URL}/a"), lambda: add(world, second, f"{URL}/b"))
    assert sorted(type(each).__name__ for each in results) == ["Endpoint", "WebhookInvalid"]
    assert len(world.db.read_now(org_webhooks.find_all, manager)) == 5


def test_of_many_who_add_the_same_url_at_once_one_succeeds(world: World, manager: Account) -> None:
    results = at_once(*[lambda: add(world, manager)] * 4)
    assert sum(isinstance(each, Endpoint) for each in results) == 1
    assert len(world.db.read_now(org_webhooks.find_all, manager)) == 1


def test_of_two_that_change_to_the_same_url_at_once_one_succeeds(world: World, manager: Account) -> None:
    one, two = add(world, manager, f"{URL}/1"), add(world, manager, f"{URL}/2")
    results = at_once(lambda: change(world, manager, one, url=URL), lambda: change(world, manager, two, url=URL))
    assert sorted(type(each).__name__ for each in results) == ["Endpoint", "WebhookInvalid"]


# -- changing ------------------------------------------------------------------------------------------------------


def test_a_change_leaves_the_rest(world: World, manager: Account) -> None:
    made = add(world, manager, description="Intake", login=("u", "p"))
    changed = change(world, manager, made, description="Underwriting")
    assert changed == replace(made, description="Underwriting", updated_at=LATER, url_sealed=changed.url_sealed)
    assert found(world, manager, made) == changed
    assert change(world, manager, made, description="").description is None


def test_event_names_replace_all_subscriptions(world: World, manager: Account) -> None:
    made = add(world, manager)
    changed = change(world, manager, made, event_types=("book.verified", "book.classified"))
    assert changed.event_types == ("book.verified", "book.classified")
    assert found(world, manager, made).event_types == changed.event_types


def test_a_webhook_keeps_its_own_url_and_takes_no_others(world: World, manager: Account) -> None:
    made, other = add(world, manager), add(world, manager, f"{URL}/other")
    assert change(world, manager, made, url=URL).is_active
    with pytest.raises(WebhookInvalid, match="already exists"):
        change(world, manager, made, url=f"{URL}/other")
    world.db.write_now(org_webhooks.remove, manager, other.id, stamp())
    assert change(world, manager, made, url=f"{URL}/other").url_masked == f"{URL}/other"


def test_two_changes_at_one_instant_are_two_versions(world: World, manager: Account) -> None:
    made = add(world, manager)
    versions = [change(world, manager, made, at=START, description=text).updated_at for text in ("one", "two")]
    assert versions == [START + 1, START + 2]


def test_secret_and_policy_are_the_webhooks_own(world: World, manager: Account) -> None:
    made, other = add(world, manager), add(world, manager, f"{URL}/other")
    secret = "a-secret-of-enough-characters"
    world.db.write_now(org_webhooks.rotate_secret, manager, made.id, secret, Plain(), stamp())
    world.db.write_now(org_webhooks.set_policy, manager, made.id, {"preset": "ocrolus"}, stamp())
    keyset = webhooks.keyset_in(found(world, manager, made), Plain())
    assert keyset is not None
    assert [each.value for each in keyset.secrets] == [secret]
    assert found(world, manager, made).policy == '{"preset": "ocrolus"}'
    assert found(world, manager, other) == other
    with pytest.raises(ValidationFailed, match="at least 16"):
        world.db.write_now(org_webhooks.rotate_secret, manager, made.id, "short", Plain(), stamp())
    with pytest.raises(OrgWebhookNotFound):
        world.db.write_now(org_webhooks.set_policy, manager, "nothing", {}, stamp())


def test_only_managers_may(world: World, manager: Account) -> None:
    org_webhooks.require_manager(manager)
    with pytest.raises(NotPermittedManager):
        org_webhooks.require_manager(world.account())


# -- being told ----------------------------------------------------------------------------------------------------


def test_it_hears_of_all_books_of_the_organization_beside_the_accounts_webhooks(
    world: World, manager: Account
) -> None:
    one, two = world.account("one"), world.account("two")
    world.webhook(one, "DOC_VERIFIED")
    webhook = add(world, manager)
    deaf = add(world, manager, f"{URL}/deaf", event_types=("book.copy.docs_added",))
    world.publish(one, 2)
    world.publish(two, 1)
    assert len(told(world, manager, webhook)) == 3
    assert told(world, manager, deaf) == []
    assert len(world.db.read_now(history.list_deliveries, one, DeliveryQuery()).deliveries) == 2
    other = world_in(world.db)
    other.publish(other.account(), 1)
    assert len(told(world, manager)) == 3


def test_an_inactive_one_is_told_nothing_and_drops_what_waited(world: World, manager: Account) -> None:
    account = world.account()
    webhook = add(world, manager)
    world.publish(account, 2)
    changed = change(world, manager, webhook, is_active=False)
    assert not changed.is_active
    world.publish(account, 3)
    assert states(told(world, manager, webhook)) == [(DeliveryState.CANCELLED, "deactivated")] * 2
    assert ledger(world).problems() == ()
    assert change(world, manager, webhook, is_active=True).is_active
    world.publish(account, 1)
    assert [each.state for each in told(world, manager, webhook)] == [
        DeliveryState.PENDING,
        DeliveryState.CANCELLED,
        DeliveryState.CANCELLED,
    ]


def test_one_that_was_added_inactive_is_told_nothing(world: World, manager: Account) -> None:
    webhook = add(world, manager, is_active=False)
    world.publish(world.account(), 1)
    assert told(world, manager, webhook) == []


def test_deactivating_again_keeps_the_first_instant(world: World, manager: Account) -> None:
    webhook = add(world, manager, is_active=False)
    assert change(world, manager, webhook, is_active=False).deactivated_at == START


def test_what_a_deactivation_dropped_can_be_sent_after_all(world: World, manager: Account) -> None:
    webhook = add(world, manager)
    world.publish(world.account(), 1)
    change(world, manager, webhook, is_active=False)
    (delivery,) = told(world, manager, webhook)
    with pytest.raises(IllegalTransition, match="not active"):
        world.db.write_now(history.retry_now, manager, delivery.id, stamp())
    change(world, manager, webhook, is_active=True)
    again = world.db.write_now(history.retry_now, manager, delivery.id, stamp(LATER))
    assert (again.value.state, again.value.reason) == (DeliveryState.PENDING, None)
    assert again.lanes == {webhook.lane_pk}
    assert ledger(world).problems() == ()


def test_one_that_its_receiver_disabled_keeps_what_waits_until_it_is_activated(world: World, manager: Account) -> None:
    webhook = add(world, manager)
    world.db.write_now(
        circuits.disable_endpoint, webhook.lane_pk, resumed_at=webhook.resumed_at, reason="gone", at=START
    )
    world.publish(world.account(), 1)
    assert not found(world, manager, webhook).is_active
    assert not change(world, manager, webhook, description="still disabled").is_active
    assert states(told(world, manager, webhook)) == [(DeliveryState.PENDING, None)]
    assert change(world, manager, webhook, is_active=True).is_active
    due = world.db.read_now(lanes.candidates, owner="a", now=LATER, renewal_ms=(500, 2_000), count=5).free
    assert due == [webhook.lane_pk]


# -- deleting ------------------------------------------------------------------------------------------------------


def test_a_deleted_one_is_gone_but_for_the_history_of_its_deliveries(world: World, manager: Account) -> None:
    webhook = add(world, manager, login=("u", "p"))
    account = world.account()
    world.publish(account, 2)
    published = world.db.write_now(org_webhooks.remove, manager, webhook.id, stamp(LATER))
    assert published.lanes == {webhook.lane_pk}
    world.publish(account, 1)
    with pytest.raises(OrgWebhookNotFound):
        found(world, manager, webhook)
    with pytest.raises(OrgWebhookNotFound):
        change(world, manager, webhook, is_active=True)
    assert states(told(world, manager, webhook)) == [(DeliveryState.CANCELLED, "deregistered")] * 2
    assert states(told(world, manager)) == states(told(world, manager, webhook))
    assert ledger(world).problems() == ()
    row = world.db.read_now(endpoints.find_org_endpoint, world.organization.id, webhook.id)
    assert row is not None
    assert (row.url_masked, row.url_sealed, row.secret_sealed, row.event_types) == (None, None, None, ())
    with pytest.raises(IllegalTransition):
        world.db.write_now(history.retry_now, manager, told(world, manager)[0].id, stamp())


def test_its_url_can_be_used_again(world: World, manager: Account) -> None:
    first = add(world, manager)
    world.db.write_now(org_webhooks.remove, manager, first.id, stamp())
    assert add(world, manager).id != first.id


def test_a_publisher_that_comes_too_late_is_cancelled_by_the_lanes_owner(world: World, manager: Account) -> None:
    """It has matched the webhook before the deactivation, and writes its delivery after it."""
    webhook = add(world, manager)
    world.publish(world.account(), 1)
    (delivery,) = told(world, manager)

    def deactivate_only(tx: Tx) -> None:
        endpoints.save_endpoint(tx, replace(webhook, deactivated_at=START))

    world.db.write_now(deactivate_only)
    assert world.db.write_now(deliveries.cancel_unwanted, webhook.lane_pk, at=LATER) == 1
    assert states(told(world, manager)) == [(DeliveryState.CANCELLED, "deactivated")]
    assert told(world, manager)[0].id == delivery.id


def test_an_owner_that_is_late_cancels_nothing_of_one_that_is_active_again(world: World, manager: Account) -> None:
    webhook = add(world, manager)
    world.publish(world.account(), 1)
    assert world.db.write_now(deliveries.cancel_unwanted, LanePk(webhook.lane_pk), at=LATER) == 0
    assert states(told(world, manager)) == [(DeliveryState.PENDING, None)]


# -- who may see its deliveries --------------------------------------------------------------------------------------


def test_standard_accounts_and_other_organizations_see_nothing_of_its_deliveries(
    world: World, manager: Account
) -> None:
    standard = world.account("standard")
    webhook = add(world, manager)
    world.publish(standard, 1)
    (delivery,) = told(world, manager, webhook)
    stranger = world_in(world.db).account("manager", Role.MANAGER)
    with pytest.raises(NotPermittedManager):
        told(world, standard, webhook)
    with pytest.raises(OrgWebhookNotFound):
        told(world, stranger, webhook)
    assert told(world, stranger) == []
    assert world.db.read_now(history.list_deliveries, standard, DeliveryQuery()).deliveries == []
    for account in (standard, stranger):
        with pytest.raises(NotFound):
            world.db.read_now(history.inspect, account, delivery.id)
        with pytest.raises(NotFound):
            world.db.write_now(history.retry_now, account, delivery.id, stamp())


def test_a_manager_inspects_them_and_no_accounts_own(world: World, manager: Account) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    webhook = add(world, manager)
    world.publish(account, 1)
    (delivery,) = told(world, manager, webhook, state="pending", event_type=EVENTS[0])
    inspected = world.db.read_now(history.inspect, manager, delivery.id)
    assert inspected.body == inspected.event.body_org
    assert inspected.body is not None
    assert b'"severity":"LOW"' in inspected.body
    (own,) = world.db.read_now(history.list_deliveries, account, DeliveryQuery()).deliveries
    assert world.db.read_now(history.inspect, account, own.id).body != inspected.body
    with pytest.raises(NotFound):
        world.db.read_now(history.inspect, manager, own.id)
