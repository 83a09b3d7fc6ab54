"""What clients do with documents and mixed documents: look, cancel, remove, upgrade. Source: contract 10.8, C24.

Each change is one transaction that holds the book, looks at the document again once it does, and lets the book follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bookbell.actions import books as visible
from bookbell.actions.settling import settle
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import client_moves
from bookbell.core.errors import DocumentNotFound, MissingParameter, NotPermittedDocument, ValidationFailed
from bookbell.core.lifecycle import Change
from bookbell.core.model import Account, Book, Document, DocumentStatus, MixedDocument, MixedStatus
from bookbell.store import books, discarded, documents, images
from bookbell.store.database import Tx

Item = Document | MixedDocument
_GONE = (DocumentStatus.DELETING, DocumentStatus.DELETED, MixedStatus.DELETING, MixedStatus.DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKey:
    """How a client names a document, or a mixed one: by exactly one of its ids.

    A uuid finds a mixed document also where a document is expected; a pk does not, since both kinds number their own.
    """

    pk: int | None
    uuid: str | None
    is_mixed: bool = False

    def __post_init__(self) -> None:
        if self.pk is None and self.uuid is None:
            raise MissingParameter("Required doc pk or doc uuid")
        if self.pk is not None and self.uuid is not None:
            raise ValidationFailed("Give either the pk or the uuid of the document, not both.")


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """A document or mixed document with its book and, of a mixed one, the documents cut out of it."""

    book: Book
    item: Item
    parts: list[Document]


def open_item(tx: Tx, account: Account, key: DocumentKey) -> OpenedItem:
    """The document as it is. Raises: DocumentNotFound, NotPermittedDocument."""
    item = _find(tx, account, key)
    book = _permitted(account, books.find_book(tx, account.organization_id, pk=item.book_pk))
    return OpenedItem(book, item, _parts(tx, item))


def cancel(tx: Tx, account: Account, key: DocumentKey, stamp: Stamp) -> Published[Item]:
    """Reject a document in work at the client's wish and give up its data.

    Raises: DocumentNotFound, NotPermittedDocument, NotAcceptable from a final state.
    """
    opened = _hold(tx, account, key)
    change: Change[Item]
    if isinstance(opened.item, Document):
        change = client_moves.document_cancelled(opened.item, at=stamp.at)
    else:
        change = client_moves.mixed_cancelled(opened.item, at=stamp.at)
    _save(tx, [change.value])
    _give_up(tx, opened.book, [opened.item], stamp)
    _, told = settle(tx, opened.book, change.drafts, stamp, groups=[opened.item.image_group_pk])
    return told.published(change.value)


def remove(tx: Tx, account: Account, key: DocumentKey, stamp: Stamp) -> Published[Item]:
    """Take a final document out of its book, a mixed one with the documents cut out of it.

    Raises: DocumentNotFound, NotPermittedDocument, NotAcceptable while it is in work, MixedPending.
    """
    opened = _hold(tx, account, key)
    gone: list[Item]
    if isinstance(opened.item, Document):
        gone = [client_moves.document_removed(opened.item, at=stamp.at)]
    else:
        mixed, parts = client_moves.mixed_removed(opened.item, opened.parts, at=stamp.at)
        gone = [mixed, *parts]
    _save(tx, gone)
    _give_up(tx, opened.book, gone, stamp)
    _, told = settle(tx, opened.book, (), stamp, groups=[opened.item.image_group_pk])
    return told.published(gone[0])


def upgrade(tx: Tx, account: Account, key: DocumentKey, wanted: str, stamp: Stamp) -> Published[Item]:
    """Take a final document back into work as another class; its book re-opens, and fires again when it ends.

    Raises: DocumentNotFound, NotPermittedDocument, ValidationFailed, NotAcceptable when it is in work or has no data.
    """
    opened = _hold(tx, account, key)
    changed: list[Item]
    if isinstance(opened.item, Document):
        changed = [client_moves.document_upgraded(opened.item, wanted, at=stamp.at)]
    else:
        mixed, parts = client_moves.mixed_upgraded(opened.item, opened.parts, wanted, at=stamp.at)
        changed = [mixed, *parts]
    _save(tx, changed)
    if opened.item.image_group_pk is not None:
        group = images.find_group(tx, opened.book.organization_id, pk=opened.item.image_group_pk)
        assert group is not None
        images.save_group(tx, client_moves.group_reopened(group, at=stamp.at))
    _, told = settle(tx, opened.book, (), stamp)
    return told.published(changed[0])


def _hold(tx: Tx, account: Account, key: DocumentKey) -> OpenedItem:
    book_pk = _find(tx, account, key).book_pk
    book = _permitted(account, books.lock_book(tx, account.organization_id, book_pk))
    item = _find(tx, account, key)
    return OpenedItem(book, item, _parts(tx, item))


def _find(tx: Tx, account: Account, key: DocumentKey) -> Item:
    found: Item | None = None
    if not key.is_mixed:
        found = documents.find_document(tx, account.organization_id, pk=key.pk, uuid=key.uuid or "")
    if found is None and (key.is_mixed or key.uuid is not None):
        found = documents.find_mixed(tx, account.organization_id, pk=key.pk, uuid=key.uuid or "")
    if found is None or found.status in _GONE:
        raise DocumentNotFound
    return found


def _parts(tx: Tx, item: Item) -> list[Document]:
    return documents.documents_of_mixed(tx, item) if isinstance(item, MixedDocument) else []


def _permitted(account: Account, book: Book | None) -> Book:
    if book is None:
        raise DocumentNotFound
    if not visible.is_visible(account, book):
        raise NotPermittedDocument
    return book


def _save(tx: Tx, changed: Sequence[Item]) -> None:
    for item in changed:
        if isinstance(item, Document):
            documents.save_document(tx, item)
        else:
            documents.save_mixed(tx, item)


def _give_up(tx: Tx, book: Book, items: Sequence[Item], stamp: Stamp) -> None:
    """Hand the files of these to housekeeping, unless something else in the book was made of the same ones."""
    blobs = {item.blob for item in items if item.blob is not None}
    for group_pk in {item.image_group_pk for item in items if item.image_group_pk is not None}:
        if not documents.has_group_data(tx, book.organization_id, group_pk):
            blobs |= images.take_out(tx, book.organization_id, group_pk)
    unused = blobs - documents.blobs_in_use(tx, book.organization_id, book.pk, blobs)
    discarded.discard(tx, book.organization_id, unused, at=stamp.at)
