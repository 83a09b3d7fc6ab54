"""Books are changed and removed by their owner, and seen by those who may."""

import pytest

from bookbell.actions import analytics, books, uploads
from bookbell.actions.books import BookChanges, BookKey
from bookbell.actions.uploads import Upload
from bookbell.core.errors import (
    AnalyticsNotSupported,
    BankStatementsOnly,
    BookExists,
    BookNotFound,
    BookPending,
    NotPermittedBook,
)
from bookbell.core.model import AnalyticsStatus, Book, BookStatus
from bookbell.store import discarded, images
from bookbell.store.analytics import find_request
from bookbell.store.books import BookQuery
from bookbell.store.database import Database
from world import START, World, new_md5, stamp, world_in


def key(book: Book) -> BookKey:
    return BookKey(pk=book.pk, uuid=None)


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def test_a_book_takes_its_changes_and_keeps_the_rest(world: World) -> None:
    account = world.account()
    book = world.book(account)
    changes = BookChanges(name="Loan 7", is_public=True, xid="x-7")
    changed, email = world.db.write_now(books.update_book, account, key(book), changes, stamp())
    assert (changed.name, changed.is_public, changed.xid, email) == ("Loan 7", True, "x-7", account.email)
    assert (changed.book_class, changed.status) == (book.book_class, BookStatus.CREATED)
    forgotten, _ = world.db.write_now(books.update_book, account, key(book), BookChanges(xid=""), stamp())
    assert (forgotten.xid, forgotten.name) == (None, "Loan 7")


def test_a_name_is_taken_only_once(world: World) -> None:
    account = world.account()
    first, second = world.book(account), world.book(account)
    with pytest.raises(BookExists):
        world.db.write_now(books.update_book, account, key(second), BookChanges(name=first.name), stamp())


def test_a_public_book_is_seen_by_all_and_changed_by_its_owner(world: World) -> None:
    one, two = world.account(), world.account("two")
    book = world.book(one)
    with pytest.raises(NotPermittedBook):
        world.db.read_now(books.find_book, two, key(book))
    world.db.write_now(books.update_book, one, key(book), BookChanges(is_public=True), stamp())
    assert world.db.read_now(books.find_book, two, key(book)).pk == book.pk
    with pytest.raises(NotPermittedBook):
        world.db.write_now(books.remove_book, two, key(book), stamp())
    with pytest.raises(NotPermittedBook):
        world.db.write_now(books.update_book, two, key(book), BookChanges(name="Mine"), stamp())


def test_a_book_with_work_left_is_not_removed(world: World) -> None:
    account = world.account()
    book = world.book(account)
    (uuid,) = world.documents(account, book, 1)
    with pytest.raises(BookPending):
        world.db.write_now(books.remove_book, account, key(book), stamp())
    world.verify(uuid)
    world.db.write_now(books.remove_book, account, key(book), stamp())
    with pytest.raises(BookNotFound):
        world.db.read_now(books.find_book, account, key(book))


def test_removing_a_book_gives_up_its_files_once_and_expires_its_requests(world: World) -> None:
    account = world.account()
    book = world.book(account)
    for uuid in world.documents(account, book, 3):
        world.verify(uuid)
    request = world.db.write_now(analytics.request_analytics, account, key(book), stamp()).value
    world.db.write_now(books.remove_book, account, key(book), stamp())
    assert world.db.read_now(discarded.oldest_discarded, count=10) == ["b"]
    found = world.db.read_now(find_request, account.organization_id, request.id)
    assert found is not None
    assert found.status is AnalyticsStatus.EXPIRED


def test_the_open_image_group_of_a_removed_book_waits_for_nobody(world: World) -> None:
    account = world.account()
    book = world.book(account)
    image = Upload(book=key(book), name="a.png", blob="image", md5=new_md5(), page_count=1)
    world.db.write_now(uploads.upload_image, account, image, stamp())
    assert len(world.db.read_now(images.waiting_groups, before=START, after_pk=0, count=10)) == 1
    world.db.write_now(books.remove_book, account, key(book), stamp())
    assert world.db.read_now(images.waiting_groups, before=START, after_pk=0, count=10) == []
    assert world.db.read_now(discarded.oldest_discarded, count=10) == ["image"]


def test_the_name_of_a_removed_book_is_free_again(world: World) -> None:
    account = world.account()
    book, other = world.book(account), world.book(account)
    world.db.write_now(books.remove_book, account, key(book), stamp())
    renamed, _ = world.db.write_now(books.update_book, account, key(other), BookChanges(name=book.name), stamp())
    assert renamed.name == book.name


def test_a_page_of_books_counts_them_all(world: World) -> None:
    account = world.account()
    made = [world.book(account) for _ in range(3)]
    page = world.db.read_now(books.list_books, account, BookQuery(count=2, offset=1))
    assert [book.pk for book, _ in page.books] == [made[1].pk, made[0].pk]
    assert page.total_count == 3
    named = world.db.read_now(books.list_books, account, BookQuery(name=made[0].name))
    assert (len(named.books), named.total_count) == (1, 1)
    assert world.db.read_now(books.list_books, account, BookQuery(search="LOAN")).total_count == 3


def test_analytics_need_bank_statements_and_more_than_classification(world: World) -> None:
    account = world.account()
    book = world.book(account)
    world.db.write_now(analytics.request_analytics, account, key(book), stamp())
    world.document(account, book, form_type="W2")
    with pytest.raises(BankStatementsOnly):
        world.db.write_now(analytics.request_analytics, account, key(book), stamp())
    world.document(account, book)
    world.db.write_now(analytics.request_analytics, account, key(book), stamp())
    quick = world.book(account, book_class="INSTANT_CLASSIFY_ONLY")
    with pytest.raises(AnalyticsNotSupported):
        world.db.write_now(analytics.request_analytics, account, key(quick), stamp())
