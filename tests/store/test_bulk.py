"""A transaction that fails at any of its statements, or within one, has done nothing; bulk statements included."""

import itertools

from sqlalchemy import select

from bookbell.core.model import DeliveryState
from bookbell.store.bulk import insert_rows, update_rows
from bookbell.store.database import Database, Tx
from bookbell.store.schema import attempts, deliveries, documents, events
from simulated import InlineDatabase, nth
from world import World


def stored(tx: Tx) -> tuple[int, int, list[str]]:
    """Events, deliveries, and the states of documents."""
    states = sorted(str(row.status) for row in tx.execute(documents.select()))
    return len(tx.execute(events.select()).all()), len(tx.execute(deliveries.select()).all()), states


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


def a_row(number: int, **given: object) -> tuple[object, ...]:
    """An attempt's values in the order of COLUMNS."""
    values = {
        "pk": number,
        "organization_id": "o",
        "delivery_pk": 7,
        "number": number,
        "worker": "w",
        "started_at": 1,
        "is_stale": False,
        "outcome": "answered",
        "status_code": None,
        "detail": "d",
        **dict.fromkeys(("dns_us", "connect_us", "tls_us", "first_byte_us", "total_us"), 0),
        "remote_address": None,
        "response_head": None,
        **given,
    }
    return tuple(values[name] for name in COLUMNS)


COLUMNS = tuple(column.name for column in attempts.c if column.name != "response_body")
SOME = ("pk", "is_stale", "outcome", "status_code", "remote_address", "response_head", "response_body")


def kept(tx: Tx) -> list[tuple[object, ...]]:
    """What is in the table of attempts."""
    rows = tx.execute(select(*(attempts.c[name] for name in SOME)).order_by(attempts.c.pk))
    return [tuple(row[1:]) for row in rows]


def test_what_is_null_in_some_rows_or_in_all_is_null_in_those(db: Database) -> None:
    first = a_row(1, status_code=200, response_head=b"h", is_stale=True)
    second = a_row(2, remote_address="::1", outcome=DeliveryState.PENDING)
    db.write_now(insert_rows, attempts, COLUMNS, [first, second])
    db.write_now(insert_rows, attempts, COLUMNS, [a_row(3)])
    assert db.read_now(kept) == [
        (True, "answered", 200, None, b"h", None),
        (False, "pending", None, "::1", None, None),
        (False, "answered", None, None, None, None),
    ]


def test_a_value_can_be_taken_away_from_some_rows_or_from_all(db: Database) -> None:
    def update(count: int, *rows: tuple[object, ...]) -> None:
        columns = ("status_code", "remote_address", "response_head")
        db.write_now(update_rows, attempts, ("pk",), columns, rows, where=f"number <= {count}")

    for number in (1, 2, 3):
        row = a_row(number, status_code=200, remote_address="::1", response_head=b"h")
        db.write_now(insert_rows, attempts, COLUMNS, [row])
    update(2, (1, None, None, b"i"), (2, 201, None, None), (3, None, None, None))
    assert [row[2:5] for row in db.read_now(kept)] == [(None, None, b"i"), (201, None, None), (200, "::1", b"h")]
    update(3, (f"{3:036}", None, None, None))
    assert [row[2:5] for row in db.read_now(kept)][2] == (None, None, None)
