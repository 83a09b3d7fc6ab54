"""One worker at a time does a chore."""

import pytest

from bookbell.core.instants import HOUR_MS
from bookbell.store import chores
from bookbell.store.chores import ChoreLost
from bookbell.store.database import Database


def take(db: Database, owner: str, now: int) -> bool:
    return db.write_now(chores.take, "sweep", owner=owner, now=now, lease_until=now + 10)


def test_a_chore_is_one_owners_until_its_lease_ends(db: Database) -> None:
    assert take(db, "a", 0)
    assert not take(db, "b", 9)
    assert take(db, "a", 9)
    assert not take(db, "b", 18)
    assert take(db, "b", 19)


def test_a_lease_given_by_a_clock_that_was_far_ahead_is_not_believed(db: Database) -> None:
    assert take(db, "dead", HOUR_MS)
    assert not take(db, "b", 0)
    assert take(db, "dead", HOUR_MS + 1)
    assert take(db, "b", 0)


def test_who_lost_a_chore_does_nothing_more(db: Database) -> None:
    assert take(db, "a", 0)
    db.write_now(chores.hold, "sweep", owner="a", lease_until=20)
    assert not take(db, "b", 19)
    assert take(db, "b", 20)
    with pytest.raises(ChoreLost):
        db.write_now(chores.hold, "sweep", owner="a", lease_until=50)


def test_a_chore_given_back_is_free_at_once(db: Database) -> None:
    assert take(db, "a", 0)
    db.write_now(chores.release, "sweep", owner="b")
    assert not take(db, "b", 1)
    db.write_now(chores.release, "sweep", owner="a")
    assert take(db, "b", 1)


def test_how_far_a_chore_has_come_is_kept(db: Database) -> None:
    assert db.read_now(chores.peek, "sweep") is None
    assert db.write_now(chores.position, "sweep") == ""
    db.write_now(chores.move, "sweep", "01977420-dc00")
    assert db.read_now(chores.peek, "sweep") == db.write_now(chores.position, "sweep") == "01977420-dc00"
