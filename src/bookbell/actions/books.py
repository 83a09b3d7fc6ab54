"""Books as clients make and read them, and who may see one. Source: contract 10.1–10.3, 11."""

from dataclasses import dataclass

from bookbell.actions.stamp import Stamp
from bookbell.core import limits
from bookbell.core.errors import BookNotFound, MissingParameter, NotPermittedBook, ValidationFailed
from bookbell.core.model import Account, Book, BookStatus, Document, MixedDocument
from bookbell.store import books, documents
from bookbell.store.books import BookQuery
from bookbell.store.database import Tx

BOOK_CLASSES = ("COMPLETE", "INSTANT", "INSTANT_CLASSIFY_ONLY", "INSTANT_CLASSIFY_ISO_CAPTURE", "QUALIFY")
BOOK_TYPES = ("DEFAULT", "OPTIMA", "WIDGET", "INSTANT_ML")


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
    if len(wanted.name) > limits.NAME_CHARS_MAX or len(wanted.xid or "") > limits.NAME_CHARS_MAX:
        raise ValidationFailed(f"name, xid: at most {limits.NAME_CHARS_MAX} characters are expected")
    if wanted.book_class not in BOOK_CLASSES:
        raise ValidationFailed('Invalid dictionary value @ data["book_class"]')
    if wanted.book_type not in BOOK_TYPES:
        raise ValidationFailed('Invalid dictionary value @ data["book_type"]')
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
    pk = books.insert_book(tx, new)
    found = books.find_book(tx, account.organization_id, pk=pk)
    assert found is not None
    return found, account.email


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


def list_books(tx: Tx, account: Account, query: BookQuery) -> list[tuple[Book, str]]:
    """The books the account may see, with their owners' addresses."""
    found = books.list_books(tx, account, query)
    emails = {owner: books.owner_email(tx, owner) for owner in {book.account_id for book in found}}
    return [(book, emails[book.account_id]) for book in found]


def _permitted(account: Account, book: Book | None) -> Book:
    if book is None:
        raise BookNotFound
    if book.account_id != account.id and not book.is_public:
        raise NotPermittedBook
    return book
