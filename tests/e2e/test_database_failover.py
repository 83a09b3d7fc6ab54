"""A replica becomes the primary under load: the processes find it by themselves, nothing is lost or repeated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade
from database_faults import Refusals, survives
from processes import until
from replicas import Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    database = Database(made.url)
    upgrade(database)
    database.close()
    yield made
    made.close()


def test_the_primary_dies_and_its_replica_takes_over(pair: Pair, tmp_path: Path) -> None:
    def fail_over(refusals: Refusals) -> None:
        pair.crash_primary()
        until("refusals", lambda: len(refusals) >= 4)
        pair.promote()
        until("workers that hear the new primary's bell", lambda: len(pair.listeners()) >= 2)

    survives(pair.url, tmp_path, fail_over)


def test_a_primary_that_became_read_only_is_left_although_it_keeps_its_connections(pair: Pair, tmp_path: Path) -> None:
    def fail_over(refusals: Refusals) -> None:
        pair.fence_primary()
        until("refusals", lambda: len(refusals) >= 4)
        pair.promote()
        until("workers that hear the new primary's bell", lambda: len(pair.listeners()) >= 2)

    survives(pair.url, tmp_path, fail_over)
