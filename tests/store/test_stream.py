"""Events come in the order of their commits: who goes on after the last one he saw misses none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookbell.core import limits
from bookbell.core.model import Account, Event, EventId, Level
from bookbell.store import events, stream
from bookbell.store.database import Database, Tx
from bookbell.store.schema import events as table
from bookbell.store.stream import Stream, Stretch
from world import START, World, new_id, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


COUNT = 300


def event(account: Account, at: int = START, event_type: str = "DOC_VERIFIED") -> Event:
    return Event(
        id=EventId(new_id()),
        organization_id=account.organization_id,
        account_id=account.id,
        book_pk=7,
        type=event_type,
        body_account=b'{"level":"account"}',
        body_org=b'{"level":"org"}',
        matched_count=0,
        created_at=at,
    )


def stream_of(account: Account, level: Level = Level.ACCOUNT) -> Stream:
    owner = account.id if level is Level.ACCOUNT else None
    return Stream(organization_id=account.organization_id, account_id=owner, level=level)


def ids(world: World, account: Account, stretch: Stretch, level: Level = Level.ACCOUNT) -> list[str]:
    found, _ = world.db.read_now(events.read_stretch, stream_of(account, level), stretch)
    return [each.id for each in found]


def everything(world: World, account: Account) -> list[str]:
    return ids(world, account, Stretch(count=1_000))


def test_a_stretch_goes_on_after_the_last_event(world: World) -> None:
    account = world.account()
    made = [event(account) for _ in range(5)]
    world.db.write_now(events.insert_events, made[:3])
    world.db.write_now(events.insert_events, made[3:])
    assert everything(world, account) == [each.id for each in made]
    assert ids(world, account, Stretch(after=made[1].id, count=2)) == [made[2].id, made[3].id]
    assert ids(world, account, Stretch(after=made[4].id, count=2)) == []
    assert ids(world, account, Stretch(after=new_id(), count=2)) == [], "an unknown place has nothing after it"


def test_a_smaller_id_that_is_committed_later_comes_later(world: World) -> None:
    account = world.account()
    early, late = event(account), event(account)
    world.db.write_now(events.insert_events, [late])
    world.db.write_now(events.insert_events, [early])
    assert early.id < late.id
    assert everything(world, account) == [late.id, early.id]
    assert ids(world, account, Stretch(after=late.id, count=9)) == [early.id]


def test_filters_restrict_a_stretch(world: World) -> None:
    account, other = world.account(), world.account("other")
    old, new = event(account), event(account, START + 10_000_000, "BOOK_VERIFIED")
    org_only = event(account)._replace(body_account=None, book_pk=8)
    world.db.write_now(events.insert_events, [old])
    world.db.write_now(events.insert_events, [new, org_only, event(other)])
    assert ids(world, account, Stretch(event_types=["BOOK_VERIFIED"], count=9)) == [new.id]
    assert ids(world, account, Stretch(since_at=START + 1, count=9)) == [new.id]
    assert ids(world, account, Stretch(since_at=START + 10**9, count=9)) == []
    assert ids(world, account, Stretch(book_pk=8, count=9)) == []
    assert ids(world, account, Stretch(book_pk=8, count=9), Level.ORG) == [org_only.id]
    assert len(ids(world, account, Stretch(count=9), Level.ORG)) == 4
    below = world.db.read_now(stream.next_position)
    assert len(ids(world, account, Stretch(below=below, count=9))) == 2
    assert ids(world, account, Stretch(below=0, count=9)) == []


def test_what_is_rare_is_looked_for_a_part_at_a_time(world: World) -> None:
    account = world.account()
    common = [event(account) for _ in range(limits.EVENTS_LOOKED_AT_MAX + 10)]
    rare = event(account, event_type="BOOK_VERIFIED")
    world.db.write_now(events.insert_events, [*common, rare])

    def read(after: str | None) -> tuple[list[Event], EventId | None]:
        stretch = Stretch(after=after, event_types=["BOOK_VERIFIED"], count=9)
        return world.db.read_now(events.read_stretch, stream_of(account), stretch)

    last = common[limits.EVENTS_LOOKED_AT_MAX - 1].id
    assert read(None) == ([], last)
    assert read(last) == ([rare], rare.id)
    assert read(rare.id) == ([], None)
    whole = world.db.read_now(events.read_stretch, stream_of(account), Stretch(count=10**6))
    assert whole == (common[: limits.EVENTS_LOOKED_AT_MAX], last), "the last one looked at is there once"


def test_only_events_of_the_stream_are_known(world: World) -> None:
    account, other = world.account(), world.account("other")
    mine = event(account)
    world.db.write_now(events.insert_events, [mine])
    assert world.db.read_now(stream.is_known, stream_of(account), mine.id)
    assert not world.db.read_now(stream.is_known, stream_of(other), mine.id)


def test_an_event_of_a_transaction_that_is_still_running_holds_later_ones_back(world: World) -> None:
    """On SQLite writers are serial, so there the second one waits for the first."""
    account = world.account()
    slow, quick = event(account), event(account)
    is_inserted, may_commit = threading.Event(), threading.Event()
    assert everything(world, account) == [], "a reader is connected"

    def insert_slowly(tx: Tx) -> None:
        events.insert_events(tx, [slow])
        is_inserted.set()
        assert may_commit.wait(30)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(world.db.write_now, insert_slowly)
        assert is_inserted.wait(30)
        second = pool.submit(world.db.write_now, events.insert_events, [quick])
        if not world.db.is_sqlite:
            second.result()
        assert everything(world, account) == []
        may_commit.set()
        first.result()
        second.result()
    assert everything(world, account) == [slow.id, quick.id]
    assert world.db.read_now(stream.settled_below) >= world.db.read_now(stream.next_position) or world.db.is_sqlite


@pytest.mark.parametrize("looked_at", [limits.EVENTS_LOOKED_AT_MAX, 4])
def test_a_reader_beside_many_writers_misses_nothing_and_sees_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    """Each writer makes its ids first and commits at its own pace, so ids and commits cross. A third is not wanted."""
    monkeypatch.setattr(limits, "EVENTS_LOOKED_AT_MAX", looked_at)
    account = world.account()
    types = "DOC_VERIFIED", "BOOK_VERIFIED", "BOOK_VERIFIED"
    batches = [[[event(account, event_type=each) for each in types] for _ in range(25)] for _ in range(6)]
    is_over = threading.Event()

    def write(mine: list[list[Event]]) -> None:
        for batch in reversed(mine):
            world.db.write_now(events.insert_events, batch)

    def read() -> list[str]:
        seen: list[str] = []
        after: str | None = None
        for _ in range(100_000):
            is_last = is_over.is_set()
            stretch = Stretch(after=after, event_types=["BOOK_VERIFIED"], count=10)
            found, looked_to = world.db.read_now(events.read_stretch, stream_of(account), stretch)
            seen += [each.id for each in found]
            after = looked_to or after
            if is_last and len(seen) >= COUNT:
                return seen
        raise AssertionError(f"after {len(seen)} events nothing more came")

    with ThreadPoolExecutor(7) as pool:
        reader = pool.submit(read)
        writers = [pool.submit(write, mine) for mine in batches]
        for writer in writers:
            writer.result()
        is_over.set()
        seen = reader.result()
    written = {each.id for mine in batches for batch in mine for each in batch[1:]}
    assert len(seen) == len(written) == COUNT
    assert set(seen) == written


def test_positions_go_on_after_everything_was_pruned(world: World) -> None:
    account = world.account()
    gone, new = event(account), event(account, START + 1_000)

    def prune(tx: Tx) -> None:
        tx.execute(table.delete())

    world.db.write_now(events.insert_events, [gone])
    before = world.db.read_now(stream.next_position)
    world.db.write_now(prune)
    world.db.write_now(events.insert_events, [new])
    assert world.db.read_now(stream.next_position) > before - 1
    assert everything(world, account) == [new.id]
