"""Books as clients make and read them, and who may see one. Source: contract 10.1–10.3, 11."""

from dataclasses import dataclass, replace

from bookbell.actions.stamp import Stamp
from bookbell.core import limits
from bookbell.core.client_moves import BOOK_CLASSES, BOOK_TYPES, book_reclassed, book_removed
from bookbell.core.errors import BookNotFound, MissingParameter, NotPermittedBook, ValidationFailed
from bookbell.core.model import Account, Book, BookStatus, Document, MixedDocument
from bookbell.store import books, discarded, documents
from bookbell.store.books import BookQuery
from bookbell.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook:
    """What a client asks for."""

    name: str
    uuid: str
    book_class: str
    book_type: str
    is_public: bool
    xid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChanges:
    """What a client wants changed; None leaves as it is, an empty xid forgets it."""

    name: str | None = None
    book_class: str | None = None
    book_type: str | None = None
    is_public: bool | None = None
    xid: str | None = None


@dataclass(frozen=True, slots=True)
class BookPage:
    """Books with their owners' addresses, and how many there are on all pages together."""

    books: list[tuple[Book, str]]
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookKey:
    """How a client names a book: by exactly one of its ids."""

    pk: int | None
    uuid: str | None

    def __post_init__(self) -> None:
        if self.pk is None and self.uuid is None:
            raise MissingParameter("Required pk or book uuid")
        if self.pk is not None and self.uuid is not None:
            raise ValidationFailed("Give either pk or book_uuid, not both.")


@dataclass(frozen=True, slots=True)
class OpenedBook:
    """A book with all that is in it, and its owner's address."""

    book: Book
    owner_email: str
    documents: list[Document]
    mixed: list[MixedDocument]


def create_book(tx: Tx, account: Account, wanted: NewBook, stamp: Stamp) -> tuple[Book, str]:
    """Add a book; gives it with its owner's address. Raises: BookExists, ValidationFailed."""
    if wanted.book_class not in BOOK_CLASSES:
        raise ValidationFailed('Invalid dictionary value @ data["book_class"]')
    _check_texts(wanted.name, wanted.xid, wanted.book_type)
    new = Book(
        pk=0,
        uuid=wanted.uuid,
        organization_id=account.organization_id,
        account_id=account.id,
        name=wanted.name,
        status=BookStatus.CREATED,
        is_classified=False,
        book_class=wanted.book_class,
        book_type=wanted.book_type,
        is_public=wanted.is_public,
        xid=wanted.xid,
        created_at=stamp.at,
        updated_at=stamp.at,
    )
    return replace(new, pk=books.insert_book(tx, new)), account.email


def update_book(tx: Tx, account: Account, key: BookKey, changes: BookChanges, stamp: Stamp) -> tuple[Book, str]:
    """Change a book of the account's own; gives it with its owner's address.

    Raises: BookNotFound, NotPermittedBook, BookExists, ValidationFailed.
    """
    book = _owned(account, lock_book(tx, account, key))
    changed = replace(
        book_reclassed(book, changes.book_class or book.book_class),
        name=changes.name or book.name,
        book_type=changes.book_type or book.book_type,
        is_public=book.is_public if changes.is_public is None else changes.is_public,
        xid=book.xid if changes.xid is None else changes.xid or None,
        updated_at=stamp.at,
    )
    _check_texts(changed.name, changed.xid, changed.book_type)
    books.rename_book(tx, changed)
    return changed, account.email


def remove_book(tx: Tx, account: Account, key: BookKey, stamp: Stamp) -> None:
    """Delete a book of the account's own with all that is in it; housekeeping removes its files.

    Raises: BookNotFound, NotPermittedBook, BookPending while something in it is in work.
    """
    book = _owned(account, lock_book(tx, account, key))
    removed = book_removed(book, books.tally(tx, book), at=stamp.at)
    discarded.empty_book(tx, book, at=stamp.at)
    books.save_book(tx, removed)


def find_book(tx: Tx, account: Account, key: BookKey) -> Book:
    """The book, if this account may see it. Raises: BookNotFound, NotPermittedBook."""
    return _permitted(account, books.find_book(tx, account.organization_id, pk=key.pk, uuid=key.uuid))


def lock_book(tx: Tx, account: Account, key: BookKey) -> Book:
    """The book, held until the transaction ends. Raises: BookNotFound, NotPermittedBook."""
    found = find_book(tx, account, key)
    return _permitted(account, books.lock_book(tx, account.organization_id, found.pk))


def open_book(tx: Tx, account: Account, key: BookKey) -> OpenedBook:
    """The book with its contents. Raises: BookNotFound, NotPermittedBook."""
    book = find_book(tx, account, key)
    return OpenedBook(
        book,
        books.owner_email(tx, book.account_id),
        documents.list_documents(tx, book.organization_id, book.pk),
        documents.list_mixed(tx, book.organization_id, book.pk),
    )


def list_books(tx: Tx, account: Account, query: BookQuery) -> BookPage:
    """The books the account may see."""
    found = books.list_books(tx, account, query)
    emails = {owner: books.owner_email(tx, owner) for owner in {book.account_id for book in found}}
    return BookPage([(book, emails[book.account_id]) for book in found], books.count_books(tx, account, query))


def is_visible(account: Account, book: Book) -> bool:
    """Whether the account may see the book and upload to it: its own, and public ones of its organization."""
    return book.organization_id == account.organization_id and (book.account_id == account.id or book.is_public)


def _permitted(account: Account, book: Book | None) -> Book:
    if book is None:
        raise BookNotFound
    if not is_visible(account, book):
        raise NotPermittedBook
    return book


def _owned(account: Account, book: Book) -> Book:
    if book.account_id != account.id:
        raise NotPermittedBook
    return book


def _check_texts(name: str, xid: str | None, book_type: str) -> None:
    if len(name) > limits.NAME_CHARS_MAX or len(xid or "") > limits.NAME_CHARS_MAX:
        raise ValidationFailed(f"name, xid: at most {limits.NAME_CHARS_MAX} characters are expected")
    if book_type not in BOOK_TYPES:
        raise ValidationFailed('Invalid dictionary value @ data["book_type"]')
