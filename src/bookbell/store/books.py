"""Books. Whoever changes what is in a book locks its row first, so that changes of one book come one after another."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Row,
    Select,
    Table,
    asc,
    bindparam,
    desc,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from bookbell.core.errors import BookExists
from bookbell.core.lifecycle import (
    DOCUMENT_CLASSIFIED,
    DOCUMENT_FINAL,
    DOCUMENT_IN_WORK,
    DOCUMENT_UNCLASSIFIED,
    MIXED_FINAL,
    MIXED_IN_WORK,
    BookTally,
)
from bookbell.core.model import Account, AccountId, Book, BookStatus, ImageGroupStatus, OrganizationId, Task
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import BOOK_WAITS, accounts, books, documents, image_groups, mixed_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class BookQuery:
    """What a list of books is asked for; None does not restrict."""

    name: str | None = None
    search: str | None = None
    xid: str | None = None
    order_by: str = "pk"
    is_descending: bool = True
    offset: int = 0
    count: int = 50


def insert_book(tx: Tx, new: Book) -> int:
    """Add a book. Gives its pk. Raises: BookExists when the account has one of this name."""
    values = _columns(new)
    del values["pk"]
    try:
        with tx.begin_nested():
            return int(tx.execute(insert(books).values(values).returning(books.c.pk)).scalar_one())
    except IntegrityError as error:
        raise BookExists from error


def save_book(tx: Tx, book: Book) -> None:
    """Write what may change of a book."""
    columns = _columns(book)
    values = {f"new_{name}": columns[name] for name in _CHANGING}
    _SAVE.run(tx, organization=book.organization_id, of_pk=book.pk, **values)


_CHANGING = (
    "name",
    "status",
    "is_classified",
    "book_class",
    "book_type",
    "tasks_done",
    "is_completed",
    "analyzed_at",
    "is_public",
    "xid",
    "updated_at",
)
_SAVE = Prepared(
    update(books)
    .where(books.c.organization_id == bindparam("organization"), books.c.pk == bindparam("of_pk"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


def rename_book(tx: Tx, book: Book) -> None:
    """Write a book that may have got another name. Raises: BookExists when its account has one of this name."""
    try:
        with tx.begin_nested():
            save_book(tx, book)
    except IntegrityError as error:
        raise BookExists from error


def find_book(
    tx: Tx, organization_id: OrganizationId, *, pk: int | None = None, uuid: str | None = None
) -> Book | None:
    """A book of this organization by one of its ids, unless it is deleted."""
    key = {"uuid": uuid} if pk is None else {"pk": pk}
    row = _finding(*key).first(tx, organization_id=organization_id, **key)
    return None if row is None else _book(row)


@lru_cache(2)
def _finding(key: str) -> Prepared:
    return Prepared(_THERE.where(books.c[key] == bindparam(key)))


_THERE = select(books).where(
    books.c.organization_id == bindparam("organization_id"), books.c.status != BookStatus.DELETED.value
)
_LOCK = Prepared(_THERE.where(books.c.pk == bindparam("pk")).with_for_update())


def find_book_anywhere(tx: Tx, uuid: str) -> Book | None:
    """A book by its uuid for the pipeline, which serves all organizations, unless it is deleted."""
    row = tx.execute(select(books).where(books.c.uuid == uuid, books.c.status != BookStatus.DELETED.value)).first()
    return None if row is None else _book(row)


def lock_book(tx: Tx, organization_id: OrganizationId, pk: int) -> Book | None:
    """The book, held until the transaction ends, unless it is deleted."""
    row = _LOCK.first(tx, organization_id=organization_id, pk=pk)
    return None if row is None else _book(row)


_ORDERS = {"pk": books.c.pk, "name": books.c.name, "created": books.c.created_at}


def list_books(tx: Tx, account: Account, query: BookQuery) -> list[Book]:
    """The account's books and the public ones of its organization."""
    direction = desc if query.is_descending else asc
    wanted = select(books).where(*_listed(account, query))
    ordered = wanted.order_by(direction(_ORDERS[query.order_by]), direction(books.c.pk))
    return [_book(row) for row in tx.execute(ordered.limit(query.count).offset(query.offset))]


def count_books(tx: Tx, account: Account, query: BookQuery) -> int:
    """How many books all pages of the list hold."""
    return int(tx.execute(select(func.count()).select_from(books).where(*_listed(account, query))).scalar_one())


def _listed(account: Account, query: BookQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [
        books.c.organization_id == account.organization_id,
        or_(books.c.account_id == account.id, books.c.is_public),
        books.c.status != BookStatus.DELETED.value,
    ]
    if query.name is not None:
        wanted.append(books.c.name == query.name)
    if query.search is not None:
        wanted.append(books.c.name.icontains(query.search, autoescape=True))
    if query.xid is not None:
        wanted.append(books.c.xid == query.xid)
    return wanted


def owner_email(tx: Tx, account_id: AccountId) -> str:
    """The address of the account that owns a book."""
    return str(tx.execute(select(accounts.c.email).where(accounts.c.id == account_id)).scalar_one())


def tally(tx: Tx, book: Book) -> BookTally:
    """What the book holds now: counts by index of documents, mixed ones, and open image groups."""
    by_document, by_mixed, by_group = dict[str, int](), dict[str, int](), dict[str, int]()
    counts = {"document": by_document, "mixed": by_mixed, "group": by_group}
    for row in _COUNTS.rows(tx, book=book.pk):
        counts[row.kind][row.status] = row.count
    return BookTally(
        documents_unclassified=sum(by_document.get(each, 0) for each in DOCUMENT_UNCLASSIFIED),
        documents_classified=sum(by_document.get(each, 0) for each in DOCUMENT_CLASSIFIED),
        documents_in_work=sum(by_document.get(each, 0) for each in DOCUMENT_IN_WORK),
        documents_final=sum(by_document.get(each, 0) for each in DOCUMENT_FINAL),
        mixed_in_work=sum(by_mixed.get(each, 0) for each in MIXED_IN_WORK),
        mixed_final=sum(by_mixed.get(each, 0) for each in MIXED_FINAL),
        groups_open=sum(by_group.values()),
    )


def waiting_books(tx: Tx, *, before: int, after_pk: int, count: int) -> list[Book]:
    """Verified books without analytics that have not changed since `before`, in order of pk, for the pipeline."""
    query = select(books).where(BOOK_WAITS, books.c.updated_at <= before, books.c.pk > after_pk)
    return [_book(row) for row in tx.execute(query.order_by(books.c.pk).limit(count))]


def _counting(kind: str, table: Table) -> Select[Any]:
    counted: Any = literal_column(f"'{kind}'").label("kind"), table.c.status, func.count().label("count")
    return select(*counted).where(table.c.book_pk == _BOOK).group_by(table.c.status)


_BOOK: BindParameter[int] = bindparam("book", type_=BigInteger)
_COUNTS = Prepared(
    union_all(
        _counting("document", documents),
        _counting("mixed", mixed_documents),
        _counting("group", image_groups).where(image_groups.c.status == ImageGroupStatus.UPLOADING.value),
    )
)
_STATUSES = Prepared(
    select(documents.c.uuid, documents.c.status)
    .where(documents.c.book_pk == _BOOK, documents.c.status != "DELETING", documents.c.status != "DELETED")
    .order_by(documents.c.pk)
)


def document_statuses(tx: Tx, book: Book) -> list[tuple[str, str]]:
    """uuid and status of each document of the book that is not deleted, in order of creation."""
    return [(row.uuid, row.status) for row in _STATUSES.rows(tx, book=book.pk)]


def _columns(book: Book) -> dict[str, Any]:
    values = {name: getattr(book, name) for name in Book.__slots__}
    return values | {"status": book.status.value, "tasks_done": _joined(book.tasks_done)}


def _joined(tasks: Iterable[Task]) -> str:
    return ",".join(sorted(tasks))


def _book(row: Row[Any]) -> Book:
    done = frozenset(map(Task, filter(None, row.tasks_done.split(","))))
    return Book(**{**row._asdict(), "status": BookStatus(row.status), "tasks_done": done})
