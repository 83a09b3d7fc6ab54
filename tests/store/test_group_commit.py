"""Writes that wait are committed together; what one of them is refused for, or breaks, is told to it alone."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
from sqlalchemy import event

from bookbell.core.errors import BookbellError, InvalidRequest
from bookbell.core.model import Organization, OrganizationId
from bookbell.store import accounts
from bookbell.store.database import Database, Tx


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


def add(tx: Tx, name: str) -> str:
    accounts.insert_organization(tx, Organization(id=OrganizationId(name), name=name, created_at=1))
    return name


def add_and_refuse(tx: Tx, name: str) -> str:
    add(tx, name)
    raise InvalidRequest(name)


def add_and_break(tx: Tx, name: str) -> str:
    add(tx, name)
    raise RuntimeError(name)


def names(database: Database) -> list[str]:
    return [each.name for each in database.read_now(accounts.list_organizations, after="", count=100)]


def together(database: Database, *writes: Callable[[], Awaitable[object]]) -> tuple[list[object], int]:
    """Hold the writer until all of these wait, then let it go. Gives what came of each, and the commits it took."""
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)

    async def story() -> list[object]:
        held, go = threading.Event(), threading.Event()

        def hold(_tx: Tx, items: Sequence[None]) -> Sequence[None]:
            held.set()
            go.wait()
            return items

        holding = asyncio.ensure_future(database.write_each(hold, None))
        await asyncio.to_thread(held.wait)
        waiting = [asyncio.ensure_future(write()) for write in writes]
        await asyncio.sleep(0)
        go.set()
        await holding
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    return asyncio.run(story()), len(commits) - 1


def test_writes_that_wait_share_a_commit(database: Database) -> None:
    done, commits = together(database, *(lambda name=name: database.write(add, name) for name in "abcde"))
    assert (done, commits) == (["a", "b", "c", "d", "e"], 1)
    assert names(database) == ["a", "b", "c", "d", "e"]


def test_writes_of_one_turn_of_the_loop_share_a_commit(database: Database) -> None:
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)

    async def late(name: str) -> str:
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is busy, the writer is not
        return await database.write(add, name)

    async def story() -> list[str]:
        return list(await asyncio.gather(database.write(add, "a"), late("b"), late("c")))

    assert (asyncio.run(story()), len(commits)) == (["a", "b", "c"], 1)


def test_writes_after_the_end_are_told_so(database: Database) -> None:
    async def story() -> list[object]:
        writing = [asyncio.ensure_future(database.write(add, name)) for name in "ab"]
        await asyncio.sleep(0)
        database.close()
        return list(await asyncio.gather(*writing, return_exceptions=True))

    for error in asyncio.run(story()):
        assert isinstance(error, RuntimeError)


def test_a_prompt_write_goes_before_those_that_wait(database: Database) -> None:
    seen: list[list[str]] = []

    def look(tx: Tx) -> None:
        seen.append([each.name for each in accounts.list_organizations(tx, after="", count=100)])

    writes = [lambda name=name: database.write(add, name) for name in "abc"]
    together(database, *writes, lambda: database.write_promptly(look))
    assert seen == [[]]
    assert names(database) == ["a", "b", "c"]


def test_what_is_refused_is_undone_alone(database: Database) -> None:
    (first, refused, last), commits = together(
        database,
        lambda: database.write(add, "a"),
        lambda: database.write(add_and_refuse, "b"),
        lambda: database.write(add, "c"),
    )
    assert (first, last, commits) == ("a", "c", 1)
    assert isinstance(refused, InvalidRequest)
    assert names(database) == ["a", "c"]


def test_a_bug_in_one_write_is_told_to_it_alone(database: Database) -> None:
    (first, broken, last), commits = together(
        database,
        lambda: database.write(add, "a"),
        lambda: database.write(add_and_break, "b"),
        lambda: database.write(add, "c"),
    )
    assert (first, last, commits) == ("a", "c", 2)
    assert isinstance(broken, RuntimeError)
    assert names(database) == ["a", "c"]


def test_a_group_that_cannot_be_committed_is_made_one_by_one(database: Database) -> None:
    def spoil(tx: Tx) -> None:
        tx.exec_driver_sql("ROLLBACK")

    (first, spoilt), _ = together(database, lambda: database.write(add, "a"), lambda: database.write(spoil))
    assert first == "a"
    assert names(database) == ["a"]
    assert spoilt is None or isinstance(spoilt, Exception)


def test_a_write_whose_caller_was_cancelled_disturbs_no_other(database: Database) -> None:
    async def cancelled() -> object:
        task = asyncio.ensure_future(database.write(add, "a"))
        await asyncio.sleep(0)
        task.cancel()
        return await asyncio.gather(task, return_exceptions=True)

    (_, last), _ = together(database, cancelled, lambda: database.write(add, "b"))
    assert last == "b"
    assert names(database) == ["a", "b"]


def test_a_connection_opens_while_another_writes(database: Database, sqlite_url: str) -> None:
    with database.engine.begin() as tx:
        add(tx, "a")
        other = Database(sqlite_url)
        assert other.read_now(accounts.list_organizations, after="", count=10) == []
        other.close()
    assert names(database) == ["a"]


def test_every_write_of_many_tasks_is_made_once(database: Database) -> None:
    async def story() -> list[str]:
        return list(await asyncio.gather(*(database.write(add, f"n{number:04d}") for number in range(500))))

    assert asyncio.run(story()) == [f"n{number:04d}" for number in range(500)]
    found = database.read_now(accounts.list_organizations, after="", count=1000)
    assert len(found) == 500


def test_loops_one_after_another_each_hear_of_their_own_writes(database: Database) -> None:
    async def write(number: int) -> str:
        async with asyncio.timeout(30):
            return await database.write(add, f"organization {number}")

    assert [asyncio.run(write(number)) for number in range(300)] == [f"organization {number}" for number in range(300)]


def add_each(tx: Tx, wanted: Sequence[str]) -> list[str | BookbellError]:
    """Gives which call wrote it; refuses what begins with `no`, and breaks at `bug`."""
    if "bug" in wanted:
        raise RuntimeError("bug")
    return [InvalidRequest(name) if name.startswith("no") else f"{add(tx, name)} of {len(wanted)}" for name in wanted]


def test_items_of_one_write_are_one_call_of_it(db: Database) -> None:
    done, commits = together(db, *(lambda name=name: db.write_each(add_each, name) for name in "abc"))
    assert (done, commits) == (["a of 3", "b of 3", "c of 3"], 1)


def test_items_share_a_commit_with_other_writes(database: Database) -> None:
    done, commits = together(
        database,
        lambda: database.write_each(add_each, "a"),
        lambda: database.write(add, "b"),
        lambda: database.write_each(add_each, "c"),
    )
    assert (done, commits) == (["a of 2", "b", "c of 2"], 1)


def test_an_item_that_is_refused_leaves_the_others_of_its_call(db: Database) -> None:
    (first, refused), commits = together(
        db, lambda: db.write_each(add_each, "a"), lambda: db.write_each(add_each, "no")
    )
    assert (first, commits) == ("a of 2", 1)
    assert isinstance(refused, InvalidRequest)


def test_a_bug_in_one_item_is_told_to_it_alone(db: Database) -> None:
    (first, broken), _ = together(db, lambda: db.write_each(add_each, "a"), lambda: db.write_each(add_each, "bug"))
    assert first == "a of 1"
    assert isinstance(broken, RuntimeError)
    assert names(db) == ["a"]


def test_an_item_alone_is_refused_by_an_error(db: Database) -> None:
    with pytest.raises(InvalidRequest):
        asyncio.run(db.write_each(add_each, "no"))
    assert names(db) == []
