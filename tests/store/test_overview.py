"""What the operator's page reads: bounded, of one endpoint only, and along an index."""

import re

import pytest
from sqlalchemy import insert, update

from bookbell.actions import overview as acting
from bookbell.core import limits
from bookbell.core.model import DeliveryPk, DeliveryState
from bookbell.store import endpoints, ledger, overview
from bookbell.store.database import Database, Tx
from bookbell.store.overview import SentDelivery, Waiting
from bookbell.store.schema import NEVER_AT, deliveries
from bygone import ATTEMPT, keep_attempts
from crowds import like
from store.test_retention import plan, statements, whole_table_reads
from world import START, World, new_id, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def listed(world: World, endpoint_id: str, before: str | None = None, count: int = 50) -> list[SentDelivery]:
    return world.db.read_now(
        overview.latest_deliveries, world.organization.id, endpoint_id, before=before, count=count
    )


def attempted(world: World, delivery_pk: int, *outcomes: str) -> None:
    """Attempts of this delivery, as they are kept."""

    def write(tx: Tx) -> None:
        of_delivery = ATTEMPT._replace(organization_id=world.organization.id, delivery_pk=DeliveryPk(delivery_pk))
        rows = [
            of_delivery._replace(number=number, total_us=number, outcome=outcome, detail=f"was {outcome}")
            for number, outcome in enumerate(outcomes, 1)
        ]
        keep_attempts(tx, rows)

    world.db.write_now(write)


def test_what_waits_is_counted_up_to_a_bound_in_all_lanes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one = world.webhook(world.account("one"), "DOC_VERIFIED")
    account = world.account("two")
    two = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 3)
    found = world.db.read_now(overview.waiting, [one.id, two.id])
    assert found == {one.id: Waiting(0, None, False), two.id: Waiting(3, START, False)}
    monkeypatch.setattr(limits, "DASHBOARD_WAITING_COUNT_MAX", 2)
    assert world.db.read_now(overview.waiting, [two.id]) == {two.id: Waiting(2, START, True)}


def test_no_more_rows_are_counted_than_the_bound(world: World) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    count = limits.DASHBOARD_WAITING_COUNT_MAX + 50

    def multiply(tx: Tx) -> None:
        (row,) = tx.execute(deliveries.select()).all()
        tx.execute(insert(deliveries), [like(row) for _ in range(count)])

    world.db.write_now(multiply)
    assert world.db.read_now(overview.waiting, [endpoint.id]) == {endpoint.id: Waiting(1_000, START, True)}


def test_deliveries_are_those_of_the_endpoint_newest_first_in_pages(world: World) -> None:
    one, two = world.account("one"), world.account("two")
    mine, other = world.webhook(one, "DOC_VERIFIED"), world.webhook(two, "DOC_VERIFIED")
    world.publish(one, 4)
    world.publish(two, 1)
    found = listed(world, mine.id)
    assert [each.id for each in found] == sorted((each.id for each in found), reverse=True)
    assert (len(found), len(listed(world, other.id))) == (4, 1)
    assert listed(world, mine.id, before=found[1].id, count=1) == [found[2]]
    assert {each.event_type for each in found} == {"DOC_VERIFIED"}
    find = overview.find_delivery
    organization_id = world.organization.id
    assert world.db.read_now(find, organization_id, mine.id, found[0].id) == found[0]
    assert world.db.read_now(find, organization_id, other.id, found[0].id) is None
    assert world.db.read_now(find, "another", mine.id, found[0].id) is None
    assert world.db.read_now(overview.latest_deliveries, "another", mine.id, before=None, count=5) == []


def test_a_delivery_comes_with_its_latest_attempt(world: World) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    second, first = listed(world, endpoint.id)
    attempted(world, first.pk, "timed_out:dns", "answered")
    second, first = listed(world, endpoint.id)
    assert second.last is None
    assert first.last is not None
    assert (first.last.outcome, first.last.number, first.last.is_stale) == ("answered", 2, False)
    of_one = overview.latest_attempts
    found = world.db.read_now(of_one, world.organization.id, first.pk, count=5)
    assert [each.outcome for each in found] == ["answered", "timed_out:dns"]
    assert world.db.read_now(of_one, world.organization.id, first.pk, count=1) == found[:1]
    assert world.db.read_now(of_one, "another", first.pk, count=5) == []


def test_one_that_waits_for_its_book_has_no_time_and_one_without_its_event_still_shows(world: World) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    world.db.write_now(lambda tx: tx.execute(update(deliveries).values(due_at=NEVER_AT, event_id=new_id())).rowcount)
    (found,) = listed(world, endpoint.id)
    assert (found.due_at, found.event_type, found.book_pk) == (None, None, None)
    assert found.state is DeliveryState.PENDING


def test_webhooks_of_an_organization_come_in_pages(world: World) -> None:
    made = [world.webhook(world.account(f"account {number}"), "DOC_VERIFIED").id for number in range(3)]
    page = endpoints.page_endpoints
    organization_id = world.organization.id
    assert [each.id for each in world.db.read_now(page, organization_id, after="", count=2)] == sorted(made)[:2]
    rest = world.db.read_now(page, organization_id, after=sorted(made)[1], count=2)
    assert [each.id for each in rest] == sorted(made)[2:]


def test_a_ledger_that_is_cut_counts_the_newest(world: World) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 4)
    newest = listed(world, endpoint.id)[0].id

    def settle(tx: Tx) -> int:
        values = {"state": "delivered", "finished_at": START}
        return tx.execute(update(deliveries).where(deliveries.c.id == newest).values(values)).rowcount

    assert world.db.write_now(settle) == 1
    found = world.db.read_now(
        ledger.of_endpoint, world.organization.id, endpoint.id, since="", before="f", count_max=1
    )
    assert (found.matched, found.delivered, found.pending) == (2, 1, 1)


def test_nothing_reads_a_whole_table_and_what_waits_is_read_from_the_index_of_what_waits(world: World) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 3)
    (first, *_) = listed(world, endpoint.id)
    organization_id = world.organization.id

    def read(tx: Tx) -> None:
        overview.waiting(tx, [endpoint.id])
        overview.latest_deliveries(tx, organization_id, endpoint.id, before=first.id, count=5)
        overview.latest_attempts(tx, organization_id, first.pk, count=5)
        overview.find_delivery(tx, organization_id, endpoint.id, first.id)
        ledger.of_endpoint(tx, organization_id, endpoint.id, since="", before="f", count_max=1)

    with statements(world.db) as seen:
        world.db.read_now(read)
    plans = [plan(world.db, *each) for each in seen]
    assert [whole_table_reads(world.db, each) for each in plans] == [set()] * len(plans)
    assert any(re.search(r"deliveries_due", each) for each in plans)


def test_lists_take_as_many_statements_for_many_as_for_one(world: World) -> None:
    counts = []
    for number in range(1, 7):
        account = world.account(f"account {number}")
        endpoint = world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
        world.publish(account, number)
        (newest, *_) = listed(world, endpoint.id)
        attempted(world, newest.pk, "refused", "answered")
        with statements(world.db) as seen:
            part = world.db.read_now(acting.of_organization, world.organization.id, after="", now=START)
            found, _ = world.db.read_now(acting.list_organizations, after="", now=START)
            last = listed(world, endpoint.id)[0].last
        assert [row.waiting.count for row in part.rows] == [row.waiting.count for row in found[0].rows]
        assert [row.account.name for row in part.rows if row.account] == [f"account {n}" for n in range(1, number + 1)]
        assert last is not None
        assert last.outcome == "answered"
        counts.append(len([text for text, _ in seen if not text.startswith("BEGIN")]))
    assert set(counts) == {counts[0]}
    assert counts[0] <= 17
