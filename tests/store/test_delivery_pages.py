"""Pages of deliveries: all of them once, in order, and at a bounded cost whatever is asked for."""

import pytest

from bookbell.bench.seeding import Hook, Seeder
from bookbell.core.model import DeliveryState
from bookbell.store import delivery_pages
from bookbell.store.database import Database
from bookbell.store.delivery_pages import SCANNED_MAX, DeliveryPage
from bookbell.store.history import DeliveryQuery, Scope

PENDING, DELIVERED, EXHAUSTED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.EXHAUSTED


@pytest.fixture
def seeder(db: Database) -> Seeder:
    return Seeder(db)


def page(db: Database, hook: Hook, **query: object) -> DeliveryPage:
    scope = Scope(organization_id=hook.account.organization_id, account_id=hook.account.id)
    return db.read_now(delivery_pages.list_deliveries, scope, DeliveryQuery(**query))  # type: ignore[arg-type] # its fields


def pages(db: Database, hook: Hook, **query: object) -> list[DeliveryPage]:
    """All of them, to the end."""
    found = [page(db, hook, **query)]
    while (before := found[-1].next) is not None:
        found.append(page(db, hook, before=before, **query))
    return found


def ids(found: list[DeliveryPage]) -> list[str]:
    return [each.id for one in found for each in one.deliveries]


def test_what_did_not_succeed_is_found_at_once_behind_any_number_that_did(db: Database, seeder: Seeder) -> None:
    (hook,) = seeder.hooks(["http://127.0.0.1:1/"])
    seeder.fill([hook], 3, state=EXHAUSTED)
    seeder.fill([hook], SCANNED_MAX + 10, state=DELIVERED)
    (found,) = pages(db, hook, state="exhausted")
    assert [each.state for each in found.deliveries] == [EXHAUSTED] * 3
    assert pages(db, hook, state="cancelled") == [DeliveryPage([], None)]


def test_the_few_that_wait_are_found_at_once(db: Database, seeder: Seeder) -> None:
    (hook,) = seeder.hooks(["http://127.0.0.1:1/"])
    seeder.fill([hook], 3)
    seeder.fill([hook], SCANNED_MAX + 10, state=DELIVERED)
    (found,) = pages(db, hook, state="pending")
    assert [each.state for each in found.deliveries] == [PENDING] * 3
    assert ids(pages(db, hook, state="pending", count=2)) == ids([found])


def test_very_many_that_wait_are_read_newest_first(db: Database, seeder: Seeder) -> None:
    (hook,) = seeder.hooks(["http://127.0.0.1:1/"])
    seeder.fill([hook], SCANNED_MAX + 10)
    seeder.fill([hook], 5, state=DELIVERED)
    found = pages(db, hook, state="pending", count=500)
    assert len(found[0].deliveries) == 500
    assert ids(found) == sorted(set(ids(found)), reverse=True)
    assert len(ids(found)) == SCANNED_MAX + 10


def test_a_filter_that_little_passes_gives_short_pages_that_go_on(db: Database, seeder: Seeder) -> None:
    (hook,) = seeder.hooks(["http://127.0.0.1:1/"])
    seeder.fill([hook], 2, state=DELIVERED)
    seeder.fill([hook], SCANNED_MAX + 10, state=EXHAUSTED)
    found = pages(db, hook, state="delivered")
    assert [len(each.deliveries) for each in found] == [0, 2]
    assert [len(each.deliveries) for each in pages(db, hook, event_type="BOOK_VERIFIED")] == [0, 0]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 180),
        ({"state": "delivered"}, 60),
        ({"state": "exhausted"}, 60),
        ({"state": "pending"}, 60),
        ({"event_type": "DOC_VERIFIED"}, 180),
        ({"state": "exhausted", "event_type": "DOC_VERIFIED"}, 60),
    ],
)
def test_pages_over_several_webhooks_hold_each_delivery_once_in_order(
    db: Database, seeder: Seeder, query: dict[str, object], count: int
) -> None:
    hooks = seeder.hooks([f"http://127.0.0.1:{port}/" for port in (1, 2, 3)])
    db.write_now(lambda tx: tx.exec_driver_sql("UPDATE endpoints SET level = 'org', account_id = NULL"))
    for state in (DELIVERED, EXHAUSTED, PENDING):
        seeder.fill(hooks[:1], 10, state=state)
        seeder.fill(hooks[1:2], 40, state=state)
        seeder.fill(hooks[2:], 10, state=state)
    scope = Scope(organization_id=seeder.organization_id, account_id=None, has_org_level=True)
    found: list[str] = []
    before: str | None = ""
    while before is not None:
        asked = DeliveryQuery(before=before or None, count=7, **query)  # type: ignore[arg-type] # its fields
        one = db.read_now(delivery_pages.list_deliveries, scope, asked)
        found, before = found + ids([one]), one.next
    assert len(found) == count
    assert found == sorted(set(found), reverse=True)
