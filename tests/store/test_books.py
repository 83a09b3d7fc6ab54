"""Books are listed to who may see them, filtered and in order, and one name is one book of an account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bookbell.actions import books as acting
from bookbell.actions.books import BookKey, NewBook
from bookbell.core.errors import BookExists, BookNotFound, MissingParameter, NotPermittedBook, ValidationFailed
from bookbell.core.model import Account, Book, BookStatus
from bookbell.store import books
from bookbell.store.books import BookQuery
from bookbell.store.database import Database
from world import World, new_id, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def add(world: World, account: Account, name: str, **changes: object) -> Book:
    wanted = NewBook(name=name, uuid=new_id(), book_class="COMPLETE", book_type="DEFAULT", is_public=False, xid=None)
    wanted = replace(wanted, **changes)  # type: ignore[arg-type] # the fields of a NewBook
    return world.db.write_now(acting.create_book, account, wanted, stamp())[0]


def listed(world: World, account: Account, **query: object) -> list[str]:
    found = world.db.read_now(books.list_books, account, BookQuery(**query))  # type: ignore[arg-type] # its fields
    return [book.name for book in found]


def test_a_name_is_taken_once_by_an_account_also_by_many_at_once(world: World) -> None:
    one, two = world.account("one"), world.account("two")
    gate = threading.Barrier(4)

    def run(_: int) -> bool:
        gate.wait()
        try:
            add(world, one, "Loan")
        except BookExists:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 1
    add(world, two, "Loan")


def test_books_are_seen_by_their_account_and_public_ones_by_its_organization(world: World) -> None:
    one, two, stranger = world.account("one"), world.account("two"), world_in(world.db).account()
    mine, public = add(world, one, "mine"), add(world, one, "public", is_public=True)
    assert listed(world, one) == ["public", "mine"]
    assert listed(world, two) == ["public"]
    assert listed(world, stranger) == []
    assert world.db.read_now(acting.find_book, two, BookKey(pk=None, uuid=public.uuid)).pk == public.pk
    with pytest.raises(NotPermittedBook):
        world.db.read_now(acting.find_book, two, BookKey(pk=mine.pk, uuid=None))
    for book in (mine, public):
        with pytest.raises(BookNotFound):
            world.db.read_now(acting.find_book, stranger, BookKey(pk=book.pk, uuid=None))


def test_lists_are_filtered_ordered_and_paged(world: World) -> None:
    account = world.account()
    for name in ("b 100%", "a_1", "c"):
        add(world, account, name, xid=f"x-{name}")
    assert listed(world, account) == ["c", "a_1", "b 100%"]
    assert listed(world, account, order_by="name", is_descending=False) == ["a_1", "b 100%", "c"]
    assert listed(world, account, count=1, offset=1) == ["a_1"]
    assert listed(world, account, name="c") == ["c"]
    assert listed(world, account, xid="x-c") == ["c"]
    assert listed(world, account, search="%") == ["b 100%"]
    assert listed(world, account, search="_") == ["a_1"]
    assert listed(world, account, search="B 1") == ["b 100%"]


def test_a_deleted_book_is_gone(world: World) -> None:
    account = world.account()
    book = add(world, account, "Loan")
    world.db.write_now(books.save_book, replace(book, status=BookStatus.DELETED))
    assert listed(world, account) == []
    with pytest.raises(BookNotFound):
        world.db.write_now(acting.lock_book, account, BookKey(pk=book.pk, uuid=None))


def test_a_book_is_named_by_exactly_one_id() -> None:
    with pytest.raises(MissingParameter):
        BookKey(pk=None, uuid=None)
    with pytest.raises(ValidationFailed):
        BookKey(pk=1, uuid="u")


@pytest.mark.parametrize("changes", [{"name": "x" * 256}, {"book_class": "FAST"}, {"book_type": "NONE"}])
def test_a_book_that_is_asked_for_wrongly_is_not_made(world: World, changes: dict[str, object]) -> None:
    account = world.account()
    with pytest.raises(ValidationFailed):
        add(world, account, **{"name": "Loan", **changes})  # type: ignore[arg-type] # a name among them
    assert listed(world, account) == []


def test_pks_stay_below_what_javascript_can_hold(world: World) -> None:
    assert 0 < add(world, world.account(), "Loan").pk < 2**53
