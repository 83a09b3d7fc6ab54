"""The audit in the background sees every event once and tells what does not balance."""

import asyncio

import pytest

from bookbell import telemetry
from bookbell.ambient import RealAmbient
from bookbell.core import limits
from bookbell.core.instants import DAY_MS
from bookbell.keeping.auditor import audit
from bookbell.keeping.batches import Chores
from bookbell.store import chores
from bookbell.store.database import Database
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import deliveries
from bygone import bygone, write
from world import START, world_in


class Clock(RealAmbient):
    """Stands still until it is moved; nobody rests."""

    def __init__(self) -> None:
        super().__init__()
        self.at = START + DAY_MS

    def now_ms(self) -> int:
        return self.at

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(db: Database, clock: Clock) -> Chores:
    return Chores(database=db, ambient=clock, owner="a")


@pytest.fixture
def endpoints(db: Database) -> list[Endpoint]:
    world = world_in(db)
    return [world.webhook(world.account(), "BOOK_VERIFIED")]


def audited(parts: Chores) -> int | None:
    return asyncio.run(audit(parts))


def until_s() -> float:
    found = telemetry.REGISTRY.get_sample_value("bookbell_ledger_audited_until_seconds")
    assert found is not None
    return found


def test_each_event_is_audited_once_some_minutes_after_it_was_made(
    parts: Chores, clock: Clock, endpoints: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AUDIT_BATCH_COUNT", 2)
    each = [bygone(endpoints, clock.at - 1_000 + n) for n in range(5)]
    for one in each:
        one.attempts.clear()
    write(parts.database, *each)
    assert audited(parts) == 0, "not old enough"
    clock.at += limits.CHORE_LAG_MS
    assert audited(parts) == 2 * 5, "unproven and unrecorded, each"
    assert until_s() == (clock.at - limits.CHORE_LAG_MS) / 1000
    assert audited(parts) == 0, "each once"


def test_what_it_finds_is_counted(parts: Chores, clock: Clock, endpoints: list[Endpoint]) -> None:
    name, labels = "bookbell_ledger_problems_total", {"problem": "unbalanced"}
    before = telemetry.REGISTRY.get_sample_value(name, labels) or 0
    write(parts.database, bygone(endpoints, clock.at))
    parts.database.write_now(lambda tx: tx.execute(deliveries.delete()))
    clock.at += limits.CHORE_LAG_MS + 1
    assert audited(parts) == 1
    assert telemetry.REGISTRY.get_sample_value(name, labels) == before + 1


def test_another_worker_waits_its_turn_and_shows_how_far_the_first_has_come(parts: Chores, clock: Clock) -> None:
    assert audited(parts) == 0
    parts.database.write_now(chores.take, "audit", owner="b", now=clock.at, lease_until=clock.at + 2)
    clock.at += 1
    assert audited(parts) is None
    assert until_s() == (clock.at - 1 - limits.CHORE_LAG_MS) / 1000
    clock.at += 1
    assert audited(parts) == 0
