"""Connections that the server closes are replaced, and nobody notices, unless it was while they committed."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bookbell.store import database as database_module
from bookbell.store.database import TRIES_MAX, Database, Tx
from bookbell.store.faults import is_away
from processes import until

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def one(tx: Tx) -> int:
    return int(tx.execute(text("SELECT 1")).scalar_one())


def raw_one(tx: Tx) -> int:
    return int(tx.connection.cursor().execute("SELECT 1").fetchone()[0])


class Struck:
    """A database that is used, and another one from which its connections are closed."""

    def __init__(self, url: str) -> None:
        self.victim, self.killer = Database(url), Database(url)

    def close_all(self) -> None:
        self.killer.write_now(lambda tx: tx.execute(text(f"SELECT pg_terminate_backend(pid) {OTHERS}")).all())
        until("they are closed", lambda: self.killer.write_now(others) == 0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for nobody who stalls."""
    monkeypatch.setattr(database_module, "POSTGRESQL_STALL_MS", 300)


@pytest.fixture
def struck(postgresql_url: str) -> Iterator[Struck]:
    struck = Struck(postgresql_url)
    yield struck
    struck.victim.close()
    struck.killer.close()


def test_a_connection_that_the_server_has_closed_is_replaced(struck: Struck) -> None:
    for run in (struck.victim.write_now, struck.victim.read_now):
        for ask in (one, raw_one):
            assert run(ask) == 1
            struck.close_all()
            assert run(ask) == 1


@pytest.mark.parametrize("ask", [one, raw_one])
@pytest.mark.parametrize("way", ["write_now", "read_now", "snapshot_now"])
def test_what_a_connection_was_lost_under_is_run_again(struck: Struck, way: str, ask: Callable[[Tx], int]) -> None:
    calls = 0

    def look(tx: Tx) -> int:
        nonlocal calls
        calls += 1
        ask(tx)
        if calls == 1:
            struck.close_all()
        return ask(tx)

    assert getattr(struck.victim, way)(look) == 1
    assert calls == 2


@pytest.mark.usefixtures("hurried")
def test_whoever_stalls_within_a_transaction_does_not_hold_its_rows(struck: Struck) -> None:
    frozen, other = struck.victim, struck.killer
    holds, goes_on = threading.Event(), threading.Event()
    other.write_now(lambda tx: tx.execute(text("CREATE TABLE held AS SELECT 0 AS number")))

    def stall(tx: Tx) -> None:
        tx.execute(text("UPDATE held SET number = number + 1"))
        holds.set()
        goes_on.wait(20)
        one(tx)

    thread = threading.Thread(target=frozen.write_now, args=(stall,))
    thread.start()
    assert holds.wait(20)
    other.write_now(lambda tx: tx.execute(text("UPDATE held SET number = number + 10")))
    goes_on.set()
    thread.join(20)
    assert other.read_now(lambda tx: tx.execute(text("SELECT number FROM held")).scalar_one()) == 11
    other.write_now(lambda tx: tx.execute(text("DROP TABLE held")))


@pytest.mark.parametrize(("way", "most"), [("write_now", TRIES_MAX), ("read_now", 2)])
def test_it_is_not_run_for_ever(struck: Struck, way: str, most: int) -> None:
    calls = 0

    def look(tx: Tx) -> int:
        nonlocal calls
        calls += 1
        struck.close_all()
        return one(tx)

    with pytest.raises(DBAPIError) as caught:
        getattr(struck.victim, way)(look)
    assert is_away(caught.value)
    assert calls == most


def test_a_write_whose_commit_was_not_answered_is_not_made_again(struck: Struck) -> None:
    calls = 0

    def write(tx: Tx) -> None:
        nonlocal calls
        calls += 1
        one(tx)
        struck.close_all()

    with pytest.raises((DBAPIError, psycopg.Error)) as caught:
        struck.victim.write_now(write)
    assert is_away(caught.value)
    assert calls == 1


def test_nor_are_those_that_shared_it(struck: Struck) -> None:
    calls: list[int] = []
    has_begun, others_wait = threading.Event(), threading.Event()

    def write(tx: Tx, items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        has_begun.set()
        others_wait.wait()
        one(tx)
        if len(items) > 1:
            struck.close_all()
        return list(items)

    async def story() -> list[object]:
        first = asyncio.ensure_future(struck.victim.write_each(write, 0))
        await asyncio.to_thread(has_begun.wait)
        some = [asyncio.ensure_future(struck.victim.write_each(write, number)) for number in (1, 2)]
        await asyncio.sleep(0)
        others_wait.set()
        return await asyncio.gather(first, *some, return_exceptions=True)

    first, *rest = asyncio.run(story())
    assert first == 0
    assert all(isinstance(each, Exception) and is_away(each) for each in rest)
    assert calls == [1, 2]


def others(tx: Tx) -> int:
    return int(tx.execute(text(f"SELECT count(*) {OTHERS}")).scalar_one())
