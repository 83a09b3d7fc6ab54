"""Replays that have ended, notices and the rows of workers that are gone do not stay for ever."""

import asyncio

from sqlalchemy import Table, insert

from bookbell.core import limits
from bookbell.core.instants import DAY_MS
from bookbell.core.retention import Keeping, forgotten_before
from bookbell.keeping.batches import Chores
from bookbell.keeping.preview import preview
from bookbell.keeping.pruner import Pruned, prune
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import idempotency_keys, notices, replay_jobs, workers
from bookbell.store.schema_analytics import analytics_jobs
from bygone import NOW, Later
from made_ids import uuid7_text
from world import World

HISTORY_DAYS = Keeping().days_history
OLD, YOUNG = NOW - (HISTORY_DAYS + 2) * DAY_MS, NOW - (HISTORY_DAYS - 2) * DAY_MS


def an_id(at: int, number: int = 0) -> str:
    return uuid7_text(at, 0, number)


def job(endpoint: Endpoint, created_at: int, finished_at: int | None) -> dict[str, object]:
    return {
        "id": an_id(created_at, finished_at or 1),
        "organization_id": endpoint.organization_id,
        "endpoint_id": endpoint.id,
        "selection": "failed",
        "since_at": 0,
        "until_at": 0,
        "until_position": 0,
        "rate_per_s": 1,
        "state": "running" if finished_at is None else "done",
        "cursor": "",
        "total_count": 0,
        "is_total_exact": True,
        "recovered_count": 0,
        "replayed_count": 0,
        "due_at": 0,
        "created_at": created_at,
        "finished_at": finished_at,
    }


def notice(endpoint: Endpoint, at: int, number: int = 0) -> dict[str, object]:
    owner = {"organization_id": endpoint.organization_id, "endpoint_id": endpoint.id}
    return {"id": an_id(at, number), **owner, "kind": "paused", "detail": "by hand", "created_at": at}


def pruned(world: World) -> Pruned:
    done = asyncio.run(prune(Chores(database=world.db, ambient=Later(), owner="a"), Keeping()))
    assert done is not None
    return done


def add(world: World, table: Table, *rows: dict[str, object]) -> None:
    world.db.write_now(lambda tx: tx.execute(insert(table), list(rows)) and None)


def left(world: World, table: Table) -> list[str]:
    def read(tx: Tx) -> list[str]:
        return sorted(row.id for row in tx.execute(table.select()))

    return world.db.read_now(read)


def test_what_would_go_is_counted_by_the_rules_it_goes_by(world: World) -> None:
    account = world.account()
    endpoint, book = world.webhook(account, "BOOK_VERIFIED"), world.book(account)
    answer = {"scope": "POST /x", "request_hash": "h", "status": 200, "response": b"{}"}
    analytics = {"organization_id": endpoint.organization_id, "book_pk": book.pk, "view": "v", "status": "DONE"}
    ages = [(OLD, 1), (OLD, 2), (NOW, 3)]
    add(world, idempotency_keys, *({**answer, "key": str(n), "created_at": at} for at, n in ages))
    add(
        world,
        analytics_jobs,
        *({**analytics, "id": an_id(at, n), "created_at": at, "updated_at": at} for at, n in ages),
    )
    add(world, replay_jobs, *(job(endpoint, at, at + n) for at, n in ages))
    add(world, notices, *(notice(endpoint, at, n) for at, n in ages))
    add(world, workers, *({"id": str(n), "lane_count": 1, "seen_at": at} for at, n in ages))
    would = preview(world.db, Keeping(), NOW).rows
    assert {kind: would[kind] for kind in forgotten_before(Keeping(), NOW)} == dict.fromkeys(
        ("idempotency_keys", "analytics_jobs", "replays", "notices", "workers"), 2
    )
    done = pruned(world).rows
    assert done == {**dict.fromkeys(done, 0), **would}


def test_replays_go_once_they_have_ended_long_ago(world: World) -> None:
    endpoint = world.webhook(world.account(), "BOOK_VERIFIED")
    running, late, gone = job(endpoint, OLD, None), job(endpoint, OLD, YOUNG), job(endpoint, OLD, OLD + 1)
    add(world, replay_jobs, running, late, gone)
    assert pruned(world).rows["replays"] == 1
    assert left(world, replay_jobs) == sorted([str(running["id"]), str(late["id"])])


def test_notices_go_by_age_in_bounded_batches(world: World) -> None:
    endpoint = world.webhook(world.account(), "BOOK_VERIFIED")
    count, young = limits.PRUNE_BATCH_COUNT_MAX + 1, notice(endpoint, YOUNG)
    add(world, notices, young, *(notice(endpoint, OLD, number) for number in range(1, count + 1)))
    assert pruned(world).rows["notices"] == count
    assert left(world, notices) == [young["id"]]


def test_the_rows_of_workers_that_are_gone_go_a_day_later(world: World) -> None:
    rows = [{"id": name, "lane_count": 1, "seen_at": at} for name, at in (("gone", NOW - 2 * DAY_MS), ("there", NOW))]
    add(world, workers, *rows)
    assert pruned(world).rows["workers"] == 1
    assert left(world, workers) == ["there"]
