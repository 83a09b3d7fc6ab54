"""A transaction that fails at any of its statements, or within one, has done nothing; bulk statements included."""

import itertools
from collections.abc import Callable

from bookbell.store.database import Tx
from bookbell.store.schema import deliveries, documents, events
from simulated import InlineDatabase
from world import World


def stored(tx: Tx) -> tuple[int, int, list[str]]:
    """Events, deliveries, and the states of documents."""
    states = sorted(str(row.status) for row in tx.execute(documents.select()))
    return len(tx.execute(events.select()).all()), len(tx.execute(deliveries.select()).all()), states


def nth(count: int) -> Callable[[], None]:
    """Fails when it is called that often."""
    calls = itertools.count(1)

    def strike() -> None:
        if next(calls) == count:
            raise ConnectionError("struck")

    return strike


def test_a_report_that_is_struck_anywhere_has_done_nothing(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    (uuid,) = world.documents(account, world.book(account), 1)
    database, before = world.db, world.db.read_now(stored)
    assert isinstance(database, InlineDatabase)
    for count in itertools.count(1):
        database.strike = nth(count)
        try:
            world.verify(uuid)
        except ConnectionError:
            del database.strike
            assert database.read_now(stored) == before
        else:
            break
    del database.strike
    assert count > 20, "it is struck before and after each statement"
    assert database.read_now(stored)[1] == 2
