"""Files that were given up, or that a crash left before they were taken, are removed in steps, and only they are."""

import asyncio
import os
from pathlib import Path

from sqlalchemy import update

from bookbell.actions import books, documents
from bookbell.actions.books import BookKey
from bookbell.actions.documents import DocumentKey
from bookbell.core import limits
from bookbell.core.model import DocumentStatus
from bookbell.store import discarded
from bookbell.store.database import Database, Tx
from bookbell.store.documents import find_document
from bookbell.store.schema import documents as documents_table
from bookbell.web.discarding import remove_discarded, sweep
from bookbell.web.files import TEMPORARY_SUFFIX, UNSURE_SUFFIX
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


def _put_in_a_folder(tx: Tx, pk: int, blob: str) -> None:
    tx.execute(update(documents_table).where(documents_table.c.pk == pk).values(blob=blob))


def test_of_the_files_a_crash_left_those_go_that_the_database_did_not_take(db: Database, tmp_path: Path) -> None:
    world = world_in(db)
    account = world.account()
    taken = world.document(account, world.book(account))
    assert taken.blob is not None
    folder = tmp_path / "blobs"
    db.write_now(_put_in_a_folder, taken.pk, f"00/{taken.blob}")
    in_work = folder / "00" / "orphan-of-now"
    old = [folder / "00" / "orphan", folder / "00" / f"half{TEMPORARY_SUFFIX}", folder / "00" / taken.blob]
    for path in (*old, in_work):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%PDF-")
    marks = [path.with_name(path.name + UNSURE_SUFFIX) for path in (old[0], old[2], in_work)]
    for mark in marks:
        mark.touch()
    for path in (*old, *marks):
        os.utime(path, (1, 1))
    os.utime(marks[2])  # an upload of another process, right now
    old[0].unlink()  # by a sweep that died before it took the mark away
    assert asyncio.run(sweep(db, folder, before=60_000)) == 2
    assert {path for path in folder.rglob("*") if path.is_file()} == {old[2], in_work, marks[2]}
    assert asyncio.run(sweep(db, folder, before=60_000)) == 0
