"""Retention removes what need not be kept, nothing else, and the ledger counts as before."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select

from bookbell.actions.ledger import Range, audit_slice
from bookbell.core import limits
from bookbell.core.instants import DAY_MS, HOUR_MS, day_of
from bookbell.core.ledger import Ledger, Ledgers, gathered
from bookbell.core.model import DeliveryState
from bookbell.core.retention import Keeping
from bookbell.keeping.batches import Chores
from bookbell.keeping.preview import preview
from bookbell.keeping.pruner import Pruned, prune
from bookbell.store import chores, kept
from bookbell.store.chores import ChoreLost
from bookbell.store.database import Database, Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import attempts, books, deliveries, events, idempotency_keys
from bygone import ANSWER, BODY, NOW, Bygone, Later, bygone, write
from world import World, world_in

KEEPING = Keeping()
RECENT, EMPTIED, GONE = NOW - DAY_MS, NOW - 40 * DAY_MS, NOW - 100 * DAY_MS
TABLES = {"events": events, "deliveries": deliveries}


@dataclass(frozen=True)
class Scene:
    db: Database
    world: World
    endpoints: list[Endpoint]

    def parts(self, owner: str = "a") -> Chores:
        return Chores(database=self.db, ambient=Later(), owner=owner)

    def prune(self, keeping: Keeping = KEEPING, owner: str = "a") -> Pruned:
        done = asyncio.run(prune(self.parts(owner), keeping))
        assert done is not None
        return done

    def tried(self) -> list[str | None]:
        """The deliveries of the attempts that are kept."""
        found = (
            select(deliveries.c.id)
            .select_from(attempts)
            .outerjoin(deliveries, deliveries.c.pk == attempts.c.delivery_pk)
        )
        return sorted(self.db.read_now(lambda tx: tx.execute(found).scalars().all()))

    def kept(self, table: str) -> set[str]:
        def run(tx: Tx) -> set[str]:
            return {row.id for row in tx.execute(TABLES[table].select())}

        return self.db.read_now(run)

    def has_body(self, each: Bygone) -> bool:
        def run(tx: Tx) -> bool:
            row = tx.execute(events.select().where(events.c.id == each.event.id)).one()
            return row.body_account is not None

        return self.db.read_now(run)

    def audit(self, since: int = 0) -> Ledgers:
        part = self.db.snapshot_now(audit_slice, Range(since=since, before=NOW))
        assert part.is_last
        return gathered(part.ledgers)


@pytest.fixture
def scene(db: Database) -> Scene:
    world = world_in(db)
    return Scene(db, world, [world.webhook(world.account(name), "BOOK_VERIFIED") for name in ("one", "two")])


def test_what_is_old_goes_and_the_ledger_counts_as_before(scene: Scene) -> None:
    ends = {
        DeliveryState.DELIVERED: 5,
        DeliveryState.EXHAUSTED: 3,
        DeliveryState.CANCELLED: 2,
    }
    old = [bygone(scene.endpoints, GONE + n, state) for state, count in ends.items() for n in range(count)]
    recent = bygone(scene.endpoints, RECENT)
    write(scene.db, *old, recent)
    before = scene.audit()
    done = scene.prune()
    assert scene.audit() == before
    assert before[scene.world.organization.id, ""].matched == 22
    assert all(ledger.is_balanced for ledger in before.values())
    assert done.rows == {
        "event_bodies": 10,
        "attempt_bodies": 20,
        "events": 10,
        "deliveries": 20,
        "attempts": 20,
        "analytics_jobs": 0,
        "books": 0,
        "idempotency_keys": 0,
        "replays": 0,
        "notices": 0,
        "workers": 0,
    }
    assert done.byte_count == sum(each.byte_count for each in old)
    assert scene.kept("events") == {recent.event.id}
    assert scene.kept("deliveries") == {each.id for each in recent.deliveries}
    assert scene.tried() == sorted(each.id for each in recent.deliveries)


def test_what_replays_added_is_counted_before_and_after(scene: Scene) -> None:
    old = bygone(scene.endpoints, GONE)
    write(scene.db, old)
    first, second = old.deliveries

    def repeat(tx: Tx) -> None:
        tx.execute(events.update().values(matched_count=1, replayed_count=1))
        tx.execute(deliveries.update().where(deliveries.c.id == second.id).values(replay_of=first.id))

    scene.db.write_now(repeat)
    before = scene.audit()
    (endpoint,) = (each for each in scene.endpoints if each.pk == second.endpoint_pk)
    own, organization = before[first.organization_id, endpoint.id], before[first.organization_id, ""]
    assert (own.matched, own.replayed) == (1, 1)
    assert (organization.matched, organization.replayed, organization.is_balanced) == (2, 1, True)
    assert scene.prune().rows["deliveries"] == 2
    assert scene.audit() == before


def test_a_day_that_is_gone_counts_whole(scene: Scene) -> None:
    write(scene.db, *(bygone(scene.endpoints, GONE + n) for n in range(3)))
    scene.prune()
    organization = scene.world.organization.id, ""
    assert scene.audit(since=day_of(GONE))[organization].delivered == 6
    assert scene.audit(since=GONE + 2)[organization].delivered == 6
    assert organization not in scene.audit(since=day_of(GONE) + DAY_MS)


def test_pruning_again_adds_to_the_same_totals(scene: Scene) -> None:
    write(scene.db, bygone(scene.endpoints, GONE))
    scene.prune()
    write(scene.db, bygone(scene.endpoints, GONE + 1))
    before = scene.audit()
    assert scene.prune().rows["events"] == 1
    assert scene.audit() == before
    assert scene.prune().rows["events"] == 0


def test_bodies_go_before_rows(scene: Scene) -> None:
    each, recent = bygone(scene.endpoints, EMPTIED), bygone(scene.endpoints, RECENT)
    write(scene.db, each, recent)
    done = scene.prune()
    assert (done.rows["event_bodies"], done.rows["attempt_bodies"], done.rows["events"]) == (1, 2, 0)
    assert (scene.has_body(each), scene.has_body(recent)) == (False, True)
    assert scene.tried() == sorted(one.id for one in each.deliveries + recent.deliveries)
    assert all(ledger.is_balanced for ledger in scene.audit().values())


def test_what_waits_is_never_touched(scene: Scene) -> None:
    waiting = [bygone(scene.endpoints, at, DeliveryState.PENDING) for at in (GONE, EMPTIED)]
    mixed = bygone(scene.endpoints, GONE)
    mixed.deliveries[0] = mixed.deliveries[0]._replace(state=DeliveryState.PENDING, finished_at=None)
    write(scene.db, *waiting, mixed)
    done = scene.prune(replace(KEEPING, bytes_max=1))
    assert (done.rows["events"], done.rows["event_bodies"]) == (0, 0)
    assert all(scene.has_body(each) for each in (*waiting, mixed))
    assert len(scene.kept("deliveries")) == 6


def test_what_does_not_balance_is_kept_and_told(scene: Scene) -> None:
    sound, broken = bygone(scene.endpoints, GONE), bygone(scene.endpoints, GONE + 1)
    broken.deliveries.pop()
    unproven = bygone(scene.endpoints, GONE + 2)
    unproven.attempts.clear()
    write(scene.db, sound, broken, unproven)
    done = scene.prune()
    assert (done.rows["events"], done.problems) == (1, 1 + 2 * 2)
    assert scene.kept("events") == {broken.event.id, unproven.event.id}
    assert not scene.audit()[scene.world.organization.id, ""].is_balanced


def test_the_oldest_bodies_go_when_there_are_too_many_bytes(scene: Scene) -> None:
    old = [bygone(scene.endpoints, NOW - hours * HOUR_MS, body=b"[1]" * 100) for hours in (5, 4, 3, 2)]
    write(scene.db, *old)
    scene.prune(replace(KEEPING, bytes_max=sum(each.byte_count for each in old)))
    assert all(scene.has_body(each) for each in old)
    done = scene.prune(replace(KEEPING, bytes_max=2 * old[0].byte_count + 1))
    assert [scene.has_body(each) for each in old] == [False, False, True, True]
    assert done.byte_count == 2 * old[0].byte_count
    assert sum(scene.db.read_now(kept.by_hour).values()) == 2 * old[0].byte_count


def test_the_bytes_that_are_kept_are_counted_exactly(scene: Scene) -> None:
    written = [bygone(scene.endpoints, at) for at in (GONE, EMPTIED, RECENT, RECENT + HOUR_MS, NOW - 1)]
    write(scene.db, *written)
    scene.prune()
    size = len(BODY) + 2 * len(ANSWER)
    assert scene.db.read_now(kept.by_hour) == {at - at % HOUR_MS: size for at in (RECENT, RECENT + HOUR_MS)}


def test_batches_of_one_event_come_to_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PRUNE_BATCH_COUNT_MAX", 4)
    monkeypatch.setattr(limits, "PRUNE_BATCH_DELIVERIES_MAX", 1)
    write(scene.db, *(bygone(scene.endpoints, GONE + n) for n in range(7)))
    before = scene.audit()
    assert scene.prune().rows["events"] == 7
    assert scene.audit() == before


def test_two_workers_prune_one_at_a_time(scene: Scene) -> None:
    scene.db.write_now(chores.take, "retention", owner="b", now=NOW, lease_until=NOW + 1)
    assert asyncio.run(prune(scene.parts(), KEEPING)) is None
    scene.db.write_now(chores.release, "retention", owner="b")
    assert scene.prune(owner="b").rows["events"] == 0
    assert scene.prune(owner="a").rows["events"] == 0


def test_a_worker_that_lost_its_lease_removes_nothing_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PRUNE_BATCH_COUNT_MAX", 4)
    write(scene.db, *(bygone(scene.endpoints, GONE + n) for n in range(9)))
    before = scene.audit()

    def steal(run: Pruned) -> None:
        if run.rows.get("events"):
            far = NOW + limits.CHORE_LEASE_MS
            assert scene.db.write_now(chores.take, "retention", owner="b", now=far, lease_until=2 * NOW)

    with pytest.raises(ChoreLost):
        asyncio.run(prune(scene.parts(), KEEPING, steal))
    assert 0 < len(scene.kept("events")) < 9
    assert scene.audit() == before


def test_a_step_that_dies_has_done_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    write(scene.db, *(bygone(scene.endpoints, GONE + n) for n in range(3)))
    before = scene.audit()

    def dies(*_: object) -> int:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(kept, "subtract", dies)  # the last statement of a step
        with pytest.raises(ConnectionError):
            scene.prune()
    assert len(scene.kept("events")) == 3
    assert scene.audit() == before
    assert scene.prune().rows["events"] == 3
    assert scene.audit() == before


def test_what_would_go_is_counted_without_removing_it(scene: Scene) -> None:
    write(
        scene.db,
        *(bygone(scene.endpoints, at + n) for at in (GONE, EMPTIED, RECENT) for n in range(3)),
        bygone(scene.endpoints, GONE, DeliveryState.PENDING),
    )
    would = preview(scene.db, KEEPING, NOW)
    counted = {kind: count for kind, count in would.rows.items() if count}
    assert counted == {"events": 3, "deliveries": 6, "attempts": 6, "event_bodies": 3, "attempt_bodies": 6}
    assert len(scene.kept("events")) == 10
    done = scene.prune()
    assert {kind: done.rows[kind] for kind in ("events", "deliveries", "attempts")} == {
        kind: would.rows[kind] for kind in ("events", "deliveries", "attempts")
    }


def test_deleted_books_go_with_all_that_was_in_them(scene: Scene) -> None:
    account = scene.world.account("three")
    kept_book, gone = scene.world.book(account), scene.world.book(account)
    for book in (kept_book, gone):
        scene.world.documents(account, book, 2)
    scene.db.write_now(
        lambda tx: tx.execute(books.update().where(books.c.pk == gone.pk).values(status="DELETED", updated_at=1))
    )
    assert preview(scene.db, KEEPING, NOW).rows["books"] == 1
    assert scene.prune().rows["books"] == 1
    found = scene.db.read_now(lambda tx: [row.pk for row in tx.execute(books.select())])
    assert found == [kept_book.pk]


def test_old_answers_are_forgotten(scene: Scene) -> None:
    row = {"scope": "POST /x", "request_hash": "h", "status": 200, "response": b"{}"}
    rows = [{**row, "key": "old", "created_at": 1}, {**row, "key": "new", "created_at": NOW}]
    scene.db.write_now(lambda tx: tx.execute(idempotency_keys.insert(), rows))
    assert scene.prune().rows["idempotency_keys"] == 1


def test_an_endpoints_ledger_has_the_removed_ones_too(scene: Scene) -> None:
    write(scene.db, bygone(scene.endpoints, GONE), bygone(scene.endpoints, RECENT))
    scene.prune()
    endpoint = scene.endpoints[0]
    expected = Ledger(organization_id=endpoint.organization_id, endpoint_id=endpoint.id, matched=2, delivered=2)
    assert scene.audit()[endpoint.organization_id, endpoint.id] == expected
