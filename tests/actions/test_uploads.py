"""An upload is one transaction that holds the book: the same file passes once, and bounds hold."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookbell.actions import uploads
from bookbell.actions.books import BookKey
from bookbell.actions.uploads import Duplicate, DuplicateImage, Upload
from bookbell.core import limits
from bookbell.core.errors import BookNotFound, ImageGroupNotFound, NotPermittedBook, TooManyDocuments, TooManyPages
from bookbell.core.model import Document, ImageGroupStatus, MixedDocument
from bookbell.store.database import Database, Tx
from bookbell.store.images import Image
from bookbell.store.schema import documents
from world import World, new_md5, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def a_file(pk: int, md5: str = "", name: str = "statement.pdf", page_count: int = 1) -> Upload:
    return Upload(
        book=BookKey(pk=pk, uuid=None),
        name=name,
        blob="b",
        md5=md5 or new_md5(),
        page_count=page_count,
    )


@pytest.mark.parametrize("kind", ["upload_document", "upload_mixed", "upload_image"])
def test_of_many_uploads_of_one_file_at_once_one_is_new(world: World, kind: str) -> None:
    account = world.account()
    pk = world.book(account).pk
    gate = threading.Barrier(6)

    def run(_: int) -> object:
        gate.wait()
        return world.db.write_now(getattr(uploads, kind), account, a_file(pk, "same"), stamp()).value

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(run, range(6)))
    new = [each for each in found if isinstance(each, Document | MixedDocument | Image)]
    repeated = [each for each in found if isinstance(each, Duplicate | DuplicateImage)]
    assert (len(new), len(repeated)) == (1, 5)
    assert all(len(each.earlier) == 1 and new[0].pk in each.earlier[0] for each in repeated)


def test_the_same_file_may_be_in_two_books_and_in_both_ways_in_one(world: World) -> None:
    account = world.account()
    one, two = world.book(account).pk, world.book(account).pk
    for pk in (one, two):
        made = world.db.write_now(uploads.upload_document, account, a_file(pk, "same"), stamp()).value
        assert isinstance(made, Document)
    assert isinstance(
        world.db.write_now(uploads.upload_mixed, account, a_file(one, "same"), stamp()).value, MixedDocument
    )


def test_images_that_come_at_once_share_one_open_group(world: World) -> None:
    account = world.account()
    pk = world.book(account).pk
    gate = threading.Barrier(5)

    def run(number: int) -> int:
        gate.wait()
        made = world.db.write_now(uploads.upload_image, account, a_file(pk, name=f"{number}.png"), stamp()).value
        assert isinstance(made, Image)
        return made.image_group_pk

    with ThreadPoolExecutor(5) as pool:
        (group_pk,) = set(pool.map(run, range(5)))
    done = world.db.write_now(uploads.finalize_group, account, BookKey(pk=pk, uuid=None), None, stamp()).value
    assert (done.group.pk, done.group.status) == (group_pk, ImageGroupStatus.QUEUED)
    assert done.mixed is not None
    assert done.mixed.page_count == 5
    with pytest.raises(ImageGroupNotFound):
        world.db.write_now(uploads.finalize_group, account, BookKey(pk=pk, uuid=None), None, stamp())


def test_a_group_is_finalized_once_however_many_ask(world: World) -> None:
    account = world.account()
    key = BookKey(pk=world.book(account).pk, uuid=None)
    world.db.write_now(uploads.upload_image, account, a_file(key.pk or 0), stamp())
    gate = threading.Barrier(4)

    def run(_: int) -> bool:
        gate.wait()
        try:
            world.db.write_now(uploads.finalize_group, account, key, "A_PAYSTUB", stamp())
        except ImageGroupNotFound:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 1


def test_another_accounts_book_takes_no_upload_and_another_organizations_is_unknown(world: World) -> None:
    pk = world.book(world.account("one")).pk
    with pytest.raises(NotPermittedBook):
        world.db.write_now(uploads.upload_document, world.account("two"), a_file(pk), stamp())
    with pytest.raises(BookNotFound):
        world.db.write_now(uploads.upload_document, world_in(world.db).account(), a_file(pk), stamp())


def test_pages_and_documents_have_bounds(world: World) -> None:
    account = world.account()
    pk = world.book(account).pk
    with pytest.raises(TooManyPages):
        world.db.write_now(
            uploads.upload_document, account, a_file(pk, page_count=limits.PAGES_PER_DOCUMENT_MAX + 1), stamp()
        )
    first = world.db.write_now(uploads.upload_document, account, a_file(pk), stamp()).value
    assert isinstance(first, Document)
    set_pages(world, first.pk, limits.PAGES_PER_BOOK_MAX - 1)
    world.db.write_now(uploads.upload_document, account, a_file(pk, page_count=1), stamp())
    with pytest.raises(TooManyPages, match="The book would exceed 40000 pages"):
        world.db.write_now(uploads.upload_document, account, a_file(pk, page_count=1), stamp())


def test_a_full_book_takes_no_more(world: World) -> None:
    account = world.account()
    book = world.book(account)
    for _ in range(limits.DOCUMENTS_PER_BOOK_MAX // limits.DOCUMENTS_PER_MIXED_MAX):
        world.documents(account, book, limits.DOCUMENTS_PER_MIXED_MAX)
    with pytest.raises(TooManyDocuments):
        world.db.write_now(uploads.upload_document, account, a_file(book.pk), stamp())


@pytest.mark.parametrize("form_type", [None, "W2"])
def test_a_book_that_is_full_by_now_takes_no_image_group(
    world: World, monkeypatch: pytest.MonkeyPatch, form_type: str | None
) -> None:
    monkeypatch.setattr(limits, "DOCUMENTS_PER_BOOK_MAX", 1)
    account = world.account()
    pk = world.book(account).pk
    world.db.write_now(uploads.upload_image, account, a_file(pk), stamp())
    world.db.write_now(uploads.upload_document, account, a_file(pk), stamp())
    with pytest.raises(TooManyDocuments):
        world.db.write_now(uploads.finalize_group, account, BookKey(pk=pk, uuid=None), form_type, stamp())


def set_pages(world: World, document_pk: int, count: int) -> None:
    def run(tx: Tx) -> None:
        tx.execute(documents.update().where(documents.c.pk == document_pk).values(page_count=count))

    world.db.write_now(run)
