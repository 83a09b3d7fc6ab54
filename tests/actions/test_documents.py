"""Clients cancel, remove and upgrade documents; the book follows, and files go when nothing needs them."""

import pytest

from bookbell.actions import documents, reports, uploads
from bookbell.actions.books import BookKey
from bookbell.actions.documents import DocumentKey
from bookbell.actions.reports import DocumentReport, MixedReport
from bookbell.actions.uploads import Upload
from bookbell.core.errors import DocumentNotFound, MixedPending, NotAcceptable, NotPermittedDocument
from bookbell.core.model import (
    Account,
    Book,
    BookStatus,
    Document,
    DocumentSource,
    DocumentStatus,
    ImageGroupStatus,
    MixedDocument,
    MixedStatus,
)
from bookbell.store import books, discarded, events, images
from bookbell.store.database import Database
from world import World, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


@pytest.fixture
def account(world: World) -> Account:
    return world.account()


@pytest.fixture
def book(world: World, account: Account) -> Book:
    return world.book(account)


def key(uuid: str, *, is_mixed: bool = False) -> DocumentKey:
    return DocumentKey(pk=None, uuid=uuid, is_mixed=is_mixed)


def status_of(world: World, book: Book) -> BookStatus:
    found = world.db.read_now(books.find_book, book.organization_id, pk=book.pk)
    assert found is not None
    return found.status


def fired(world: World, account: Account) -> list[str]:
    """Types of all events, oldest first."""
    found = world.db.read_now(events.list_events, account.organization_id, account.id, before=None, count=100)
    return [event.type for event in reversed(found)]


def files_to_remove(world: World) -> list[str]:
    return sorted(world.db.read_now(discarded.oldest_discarded, count=100))


def test_cancelling_the_last_document_completes_the_book(world: World, account: Account, book: Book) -> None:
    first, second = world.document(account, book), world.document(account, book)
    world.verify(first.uuid)
    cancelled = world.db.write_now(documents.cancel, account, key(second.uuid), stamp()).value
    assert (cancelled.status, cancelled.blob) == (DocumentStatus.REJECTED, None)
    assert cancelled.rejection_reason == "Customer Requested Cancellation (not billable)"
    assert status_of(world, book) is BookStatus.VERIFIED
    assert fired(world, account)[-5:] == [
        "DOC_VERIFIED",
        "document.verification_failed",
        "BOOK_VERIFIED",
        "book.verified",
        "book.completed",
    ]
    assert files_to_remove(world) == [second.blob]
    with pytest.raises(NotAcceptable):
        world.db.write_now(documents.cancel, account, key(second.uuid), stamp())


def test_what_was_cancelled_can_be_uploaded_again(world: World, account: Account, book: Book) -> None:
    upload = Upload(book=BookKey(pk=book.pk, uuid=None), name="a.pdf", blob="a", md5="0" * 32, page_count=1)
    first = world.db.write_now(uploads.upload_document, account, upload, stamp()).value
    assert isinstance(first, Document)
    assert isinstance(world.db.write_now(uploads.upload_document, account, upload, stamp()).value, uploads.Duplicate)
    world.db.write_now(documents.cancel, account, key(first.uuid), stamp())
    assert isinstance(world.db.write_now(uploads.upload_document, account, upload, stamp()).value, Document)


def test_a_mixed_document_is_cancelled_by_the_uuid_of_either_field(world: World, account: Account, book: Book) -> None:
    mixed = world.mixed(account, book)
    cancelled = world.db.write_now(documents.cancel, account, key(mixed.uuid), stamp()).value
    assert isinstance(cancelled, MixedDocument)
    assert cancelled.status is MixedStatus.REJECTED
    assert "mixed_document.rejected" in fired(world, account)
    assert files_to_remove(world) == [mixed.blob]


def test_a_file_stays_while_something_else_was_made_of_it(world: World, account: Account, book: Book) -> None:
    one, two = world.documents(account, book, 2)
    world.db.write_now(documents.cancel, account, key(one), stamp())
    assert files_to_remove(world) == []
    world.verify(two)
    world.db.write_now(documents.remove, account, key(two), stamp())
    assert files_to_remove(world) == []  # the mixed document has it still


def test_removing_a_mixed_document_removes_its_documents_and_the_file(
    world: World, account: Account, book: Book
) -> None:
    mixed = world.mixed(account, book)
    with pytest.raises(MixedPending):
        world.db.write_now(documents.remove, account, key(mixed.uuid, is_mixed=True), stamp())
    (part,) = world.cut(mixed, 1)
    with pytest.raises(NotAcceptable):
        world.db.write_now(documents.remove, account, key(mixed.uuid, is_mixed=True), stamp())
    world.verify(part)
    removed = world.db.write_now(documents.remove, account, key(mixed.uuid, is_mixed=True), stamp()).value
    assert removed.status is MixedStatus.DELETING
    assert files_to_remove(world) == [mixed.blob]
    for gone in (mixed.uuid, part):
        with pytest.raises(DocumentNotFound):
            world.db.read_now(documents.open_item, account, key(gone))
    assert status_of(world, book) is BookStatus.CREATED


def test_an_upgrade_opens_the_book_and_it_fires_again(world: World, account: Account, book: Book) -> None:
    document = world.document(account, book)
    with pytest.raises(NotAcceptable):
        world.db.write_now(documents.upgrade, account, key(document.uuid), "INSTANT", stamp())
    world.verify(document.uuid)
    upgraded = world.db.write_now(documents.upgrade, account, key(document.uuid), "INSTANT", stamp()).value
    assert (upgraded.status, upgraded.document_class) == (DocumentStatus.GROOMING, "INSTANT")
    assert status_of(world, book) is BookStatus.VERIFYING
    world.verify(document.uuid)
    assert status_of(world, book) is BookStatus.VERIFIED
    assert fired(world, account).count("BOOK_VERIFIED") == 2


def test_a_classified_mixed_document_is_upgraded_through_its_documents(
    world: World, account: Account, book: Book
) -> None:
    mixed = world.mixed(account, book)
    parts = world.cut(mixed, 2)
    for part in parts:
        world.verify(part)
    upgraded = world.db.write_now(documents.upgrade, account, key(mixed.uuid, is_mixed=True), "COMPLETE", stamp())
    assert upgraded.value.status is MixedStatus.COMPLETED
    opened = world.db.read_now(documents.open_item, account, key(mixed.uuid, is_mixed=True))
    assert [part.status for part in opened.parts] == [DocumentStatus.GROOMING, DocumentStatus.GROOMING]


def test_a_rejected_mixed_document_is_classified_anew(world: World, account: Account, book: Book) -> None:
    mixed = world.mixed(account, book)
    world.db.write_now(reports.apply, MixedReport(uuid=mixed.uuid, status=MixedStatus.REJECTED), stamp())
    world.db.write_now(documents.upgrade, account, key(mixed.uuid, is_mixed=True), "COMPLETE", stamp())
    assert status_of(world, book) is BookStatus.VERIFYING
    assert len(world.cut(mixed, 2)) == 2


def test_an_image_group_fires_again_after_an_upgrade_and_its_images_go_with_its_document(
    world: World, account: Account, book: Book
) -> None:
    upload = Upload(book=BookKey(pk=book.pk, uuid=None), name="1.png", blob="i1", md5="1" * 32)
    world.db.write_now(uploads.upload_image, account, upload, stamp())
    second = Upload(book=BookKey(pk=book.pk, uuid=None), name="2.png", blob="i2", md5="2" * 32)
    world.db.write_now(uploads.upload_image, account, second, stamp())
    world.db.write_now(uploads.finalize_group, account, upload.book, "W2", stamp())
    (uuid,) = [uuid for uuid, _ in world.db.read_now(books.document_statuses, book)]
    world.verify(uuid)
    document = world.db.write_now(documents.upgrade, account, key(uuid), "COMPLETE", stamp()).value
    group = world.db.read_now(images.find_group, book.organization_id, pk=document.image_group_pk)
    assert group is not None
    assert group.status is ImageGroupStatus.QUEUED
    world.verify(uuid)
    assert fired(world, account).count("IMAGE_GROUP_VERIFIED") == 2
    world.db.write_now(documents.remove, account, key(uuid), stamp())
    assert files_to_remove(world) == ["i1", "i2"]


def test_a_pull_succeeds_with_the_first_report_of_work(world: World, account: Account, book: Book) -> None:
    pulled = world.document(account, book, source=DocumentSource.PLAID_ASSET)
    failed = world.document(account, book, source=DocumentSource.PLAID_ASSET)
    assert fired(world, account) == []
    world.verify(pulled.uuid)
    world.db.write_now(reports.apply, DocumentReport(uuid=failed.uuid, status=DocumentStatus.FAILED), stamp())
    told = fired(world, account)
    assert told[0] == "plaid.upload_succeeded"
    assert told[-5:] == ["plaid.upload_failed", "book.classified", "BOOK_VERIFIED", "book.verified", "book.completed"]


def test_documents_of_other_accounts_are_refused_and_of_other_organizations_unknown(
    world: World, account: Account, book: Book
) -> None:
    document = world.document(account, book)
    with pytest.raises(NotPermittedDocument):
        world.db.write_now(documents.cancel, world.account("two"), key(document.uuid), stamp())
    stranger = world_in(world.db).account()
    with pytest.raises(DocumentNotFound):
        world.db.read_now(documents.open_item, stranger, key(document.uuid))
