"""Every statement of the audit and of retention walks an index and stops; SQLite gives space back."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from bookbell.actions import retention as acting
from bookbell.actions.ledger import Range, audit_slice
from bookbell.actions.retention import Hold
from bookbell.core.instants import DAY_MS, id_floor
from bookbell.store import chores, endpoints, forgetting, ledger, retention, retention_preview
from bookbell.store.database import Database, Tx
from bookbell.store.schema import events
from bygone import bygone, write
from world import START, World, world_in

BEFORE = START + 10 * DAY_MS
HOLD = Hold(owner="a", lease_until=2**52)
AGED = ("idempotency_keys", "analytics_jobs", "notices")  # of replays and workers there are few
BIG = {"events", "deliveries", "attempts", *AGED}


@contextmanager
def statements(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is executed meanwhile, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("EXPLAIN", "SAVEPOINT", "PRAGMA")):
            seen.append((statement, parameters))

    engines = [db.engine, db._reader]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def plan(db: Database, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN " if db.is_sqlite else "EXPLAIN "

    def run(tx: Tx) -> str:
        if not db.is_sqlite:
            # A test's tables are small, and reading them whole would be right; it is asked what large ones allow.
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
            tx.exec_driver_sql("SET LOCAL enable_sort = on")
        return "\n".join(str(row[-1]) for row in tx.exec_driver_sql(explain + statement, parameters))

    return db.write_now(run)


def whole_table_reads(db: Database, found: str) -> set[str]:
    """The big tables that a plan reads from end to end, by table or by an index without a condition."""
    if db.is_sqlite:
        return set(re.findall(r"^SCAN (\w+)", found, re.MULTILINE)) & BIG
    read = set(re.findall(r"Seq Scan on (\w+)", found))
    for line, following in zip(found.splitlines(), [*found.splitlines()[1:], ""], strict=True):
        if match := re.search(r"Index (?:Only )?Scan (?:Backward )?using \w+ on (\w+)", line):
            read |= set() if "Index Cond" in following else {match[1]}
    return read & BIG


@pytest.fixture
def world(db: Database) -> World:
    world = world_in(db)
    its = [world.webhook(world.account(), "BOOK_VERIFIED")]
    write(db, *(bygone(its, START + n) for n in range(20)))
    for name in (acting.CHORE, "audit"):
        db.write_now(chores.take, name, owner="a", now=0, lease_until=2**52)
    return world


def everything(world: World) -> list[Callable[[], object]]:
    db, organization_id = world.db, world.organization.id
    bounds = {"before": BEFORE, "count": 10}
    account_ids = [each.account_id for each in db.read_now(endpoints.list_endpoints, organization_id)]
    id_range = {"after": id_floor(START), "until": id_floor(BEFORE)}
    return [
        lambda: db.snapshot_now(audit_slice, Range(since=START, before=BEFORE)),
        lambda: db.snapshot_now(audit_slice, Range(since=START, before=BEFORE, organization_id=organization_id)),
        lambda: db.read_now(
            ledger.of_endpoint, organization_id, str(account_ids[0]), since=id_floor(START), before=id_floor(BEFORE)
        ),
        lambda: db.read_now(retention_preview.whole_events, **id_range),
        lambda: db.read_now(retention_preview.bodies, "events", **id_range),
        lambda: db.read_now(retention_preview.bodies, "attempts", **id_range),
        *(lambda kind=kind: db.write_now(acting.measure, HOLD, kind, **bounds) for kind in acting.KINDS),
        *(lambda kind=kind: db.write_now(acting.empty, HOLD, kind, **bounds) for kind in acting.KINDS),
        lambda: db.write_now(acting.remove, HOLD, after="", **bounds),
        lambda: db.write_now(acting.remove_books, HOLD, before=BEFORE),
        lambda: db.read_now(retention.count_books, before=BEFORE),
        *(lambda kind=kind: db.write_now(acting.forget, HOLD, kind, **bounds) for kind in AGED),
        *(lambda kind=kind: db.read_now(forgetting.count_old, kind, before=BEFORE) for kind in AGED),
    ]


def test_no_statement_reads_a_big_table_from_end_to_end(world: World) -> None:
    db = world.db
    with statements(db) as seen:
        for each in everything(world):
            each()
    assert len(seen) > 40
    for statement, parameters in seen:
        if statement.lstrip().split()[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}:
            found = plan(db, statement, parameters)
            assert whole_table_reads(db, found) == set(), f"{statement}\n{found}"


def test_walks_are_in_the_order_of_the_index(world: World) -> None:
    db = world.db
    with statements(db) as seen:
        for each in everything(world):
            each()
    for statement, parameters in seen:
        if " LIMIT " in statement and "ORDER BY" in statement:
            found = plan(db, statement, parameters)
            assert "TEMP B-TREE FOR ORDER BY" not in found, found
            assert not re.search(r"^ *(->)? *Sort ", found, re.MULTILINE), f"{statement}\n{found}"


def test_a_plan_that_reads_a_table_from_end_to_end_is_seen(world: World) -> None:
    assert whole_table_reads(world.db, plan(world.db, "SELECT count(worker) FROM attempts", ())) == {"attempts"}


def test_an_sqlite_file_shrinks_when_much_of_it_is_unused(sqlite_url: str) -> None:
    db = Database(sqlite_url)
    world = world_in(db)
    its = [world.webhook(world.account(), "BOOK_VERIFIED")]
    write(db, *(bygone(its, START + n, body=b"[" + b"1," * 50_000 + b"1]") for n in range(80)))

    def pages() -> int:
        return db.read_now(lambda tx: int(tx.execute(text("PRAGMA page_count")).scalar_one()))

    before = pages()
    assert db.give_back_space_now(1_000) == 0, "all of it is used"
    db.write_now(lambda tx: tx.execute(events.update().values(body_account=None)))
    assert pages() == before
    assert db.give_back_space_now(500) == 500
    while db.give_back_space_now(500):
        pass
    assert pages() < before * 3 // 4, "a part stays, to be written to again"
    db.close()


def test_on_postgresql_there_is_nothing_to_give_back(postgresql_url: str) -> None:
    db = Database(postgresql_url)
    assert db.give_back_space_now(1_000) == 0
    db.close()
