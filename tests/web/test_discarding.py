"""Files that were given up are removed in steps that may die anywhere, and only they are."""

import asyncio
from pathlib import Path

from bookbell.actions import books, documents
from bookbell.actions.books import BookKey
from bookbell.actions.documents import DocumentKey
from bookbell.core import limits
from bookbell.core.model import DocumentStatus
from bookbell.store import discarded
from bookbell.store.database import Database
from bookbell.store.documents import find_document
from bookbell.web.discarding import remove_discarded
from world import stamp, world_in


def step(db: Database, folder: Path) -> int:
    return asyncio.run(remove_discarded(db, folder, at=7))


def test_the_files_of_a_removed_book_go_and_others_stay(db: Database, tmp_path: Path) -> None:
    world = world_in(db)
    account = world.account()
    book, other = world.book(account), world.book(account)
    gone, kept = world.document(account, book), world.document(account, other)
    for blob in (gone.blob, kept.blob):
        (tmp_path / str(blob)).write_bytes(b"%PDF-")
    world.verify(gone.uuid)
    db.write_now(books.remove_book, account, BookKey(pk=book.pk, uuid=None), stamp())
    assert step(db, tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("blob-")] == [kept.blob]
    assert step(db, tmp_path) == 0


def test_a_step_that_died_after_removing_the_files_is_done_again(db: Database, tmp_path: Path) -> None:
    world = world_in(db)
    account = world.account()
    document = world.document(account, world.book(account))  # its file was removed, and the row is there still
    world.verify(document.uuid)
    db.write_now(documents.remove, account, DocumentKey(pk=document.pk, uuid=None), stamp())
    found = db.read_now(find_document, account.organization_id, uuid=document.uuid)
    assert found is not None
    assert found.status is DocumentStatus.DELETING
    assert step(db, tmp_path) == 1
    ended = db.read_now(find_document, account.organization_id, uuid=document.uuid)
    assert ended is not None
    assert (ended.status, ended.blob) == (DocumentStatus.DELETED, None)


def test_a_step_is_bounded(db: Database, tmp_path: Path) -> None:
    world = world_in(db)
    count = limits.BLOBS_REMOVED_COUNT_MAX + 1
    db.write_now(discarded.discard, world.organization.id, [f"{number}" for number in range(count)], at=1)
    assert (step(db, tmp_path), step(db, tmp_path), step(db, tmp_path)) == (count - 1, 1, 0)
