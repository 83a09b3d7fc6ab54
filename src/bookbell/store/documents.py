"""Documents and mixed documents: rows that look alike and are kept alike."""

from collections.abc import Collection
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Table, bindparam, func, insert, or_, select, update

from bookbell.core.model import (
    Document,
    DocumentSource,
    DocumentStatus,
    ImageGroup,
    MixedDocument,
    MixedStatus,
    OrganizationId,
)
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import DOCUMENT_WAITS, MIXED_WAITS, documents, mixed_documents

_GONE = ["DELETING", "DELETED"]


def insert_document(tx: Tx, new: Document) -> int:
    """Add a document. Gives its pk."""
    return _insert(tx, documents, new)


def insert_mixed(tx: Tx, new: MixedDocument) -> int:
    """Add a mixed document. Gives its pk."""
    return _insert(tx, mixed_documents, new)


def save_document(tx: Tx, changed: Document) -> None:
    """Write the state of a document."""
    _save(tx, documents, changed)


def save_mixed(tx: Tx, changed: MixedDocument) -> None:
    """Write the state of a mixed document."""
    _save(tx, mixed_documents, changed)


def find_document(
    tx: Tx, organization_id: OrganizationId | None, *, pk: int | None = None, uuid: str = ""
) -> Document | None:
    """A document by one of its ids; organization None is for the pipeline, which serves all of them."""
    row = _find(tx, documents, organization_id, pk, uuid)
    return None if row is None else document_of(row)


def find_mixed(
    tx: Tx, organization_id: OrganizationId | None, *, pk: int | None = None, uuid: str = ""
) -> MixedDocument | None:
    """A mixed document by one of its ids; organization None is for the pipeline, which serves all of them."""
    row = _find(tx, mixed_documents, organization_id, pk, uuid)
    return None if row is None else mixed_of(row)


def list_documents(tx: Tx, organization_id: OrganizationId, book_pk: int) -> list[Document]:
    """The documents of a book that are not deleted, in order of creation."""
    return [document_of(row) for row in _of_book(tx, documents, organization_id, book_pk)]


def list_mixed(tx: Tx, organization_id: OrganizationId, book_pk: int) -> list[MixedDocument]:
    """The mixed documents of a book that are not deleted, in order of creation."""
    return [mixed_of(row) for row in _of_book(tx, mixed_documents, organization_id, book_pk)]


def documents_of_mixed(tx: Tx, mixed: MixedDocument) -> list[Document]:
    """The documents that were cut out of a mixed document."""
    query = select(documents).where(documents.c.mixed_pk == mixed.pk, documents.c.status.not_in(_GONE))
    return [document_of(row) for row in tx.execute(query.order_by(documents.c.pk))]


def in_work_of_group(tx: Tx, group: ImageGroup) -> list[Document]:
    """The documents of an image group that are still in work."""
    query = select(documents).where(documents.c.image_group_pk == group.pk, DOCUMENT_WAITS)
    return [document_of(row) for row in tx.execute(query.order_by(documents.c.pk))]


def duplicates(tx: Tx, organization_id: OrganizationId, book_pk: int, md5: str) -> list[tuple[int, str]]:
    """pk and uuid of uploaded documents of this book with the same content; those cut out of others do not count.

    Nor do those that were cancelled: their content is gone.
    """
    query = select(documents.c.pk, documents.c.uuid).where(
        documents.c.organization_id == organization_id,
        documents.c.book_pk == book_pk,
        documents.c.md5 == md5,
        documents.c.mixed_pk.is_(None),
        documents.c.status.not_in(_GONE),
        or_(documents.c.blob.is_not(None), documents.c.token_sealed.is_not(None)),
    )
    return [(row.pk, row.uuid) for row in tx.execute(query.order_by(documents.c.pk))]


def mixed_duplicates(tx: Tx, organization_id: OrganizationId, book_pk: int, md5: str) -> list[tuple[int, str]]:
    """pk and uuid of mixed documents of this book with the same content, unless they were cancelled."""
    query = select(mixed_documents.c.pk, mixed_documents.c.uuid).where(
        mixed_documents.c.organization_id == organization_id,
        mixed_documents.c.book_pk == book_pk,
        mixed_documents.c.md5 == md5,
        mixed_documents.c.status.not_in(_GONE),
        mixed_documents.c.blob.is_not(None),
    )
    return [(row.pk, row.uuid) for row in tx.execute(query.order_by(mixed_documents.c.pk))]


def sizes(tx: Tx, book_pk: int) -> tuple[int, int]:
    """How many documents (mixed ones included) and pages a book holds."""
    count, pages = 0, 0
    for table in (documents, mixed_documents):
        query = select(func.count(), func.coalesce(func.sum(table.c.page_count), 0)).where(
            table.c.book_pk == book_pk, table.c.status.not_in(_GONE)
        )
        row = tx.execute(query).one()
        count, pages = count + row[0], pages + row[1]
    return count, pages


def blobs_in_use(tx: Tx, organization_id: OrganizationId, book_pk: int, blobs: Collection[str]) -> set[str]:
    """Those of the blobs that something in the book which is not being deleted still needs."""
    found: set[str] = set()
    for table in (documents, mixed_documents):
        query = select(table.c.blob).where(
            table.c.organization_id == organization_id,
            table.c.book_pk == book_pk,
            table.c.blob.in_(blobs),
            table.c.status.not_in(_GONE),
        )
        found |= {row.blob for row in tx.execute(query)}
    return found


def has_group_data(tx: Tx, organization_id: OrganizationId, group_pk: int) -> bool:
    """Whether a document or mixed document that is not given up was made of this image group."""
    for table in (documents, mixed_documents):
        query = select(table.c.pk).where(
            table.c.organization_id == organization_id,
            table.c.image_group_pk == group_pk,
            table.c.blob.is_not(None),
            table.c.status.not_in(_GONE),
        )
        if tx.execute(query.limit(1)).first() is not None:
            return True
    return False


def has_bank_statements(tx: Tx, organization_id: OrganizationId, book_pk: int) -> bool:
    """Whether the book has a bank statement: a document without a form type, or of one that says so."""
    query = select(documents.c.pk).where(
        documents.c.organization_id == organization_id,
        documents.c.book_pk == book_pk,
        documents.c.status.not_in(_GONE),
        or_(documents.c.form_type.is_(None), documents.c.form_type.contains("BANK_STATEMENT", autoescape=True)),
    )
    return tx.execute(query.limit(1)).first() is not None


def waiting_documents(tx: Tx, *, before: int, after_pk: int, count: int) -> list[Document]:
    """Documents in work that have not moved since `before`, in order of pk, for the pipeline."""
    query = (
        select(documents)
        .where(
            DOCUMENT_WAITS,
            documents.c.updated_at <= before,
            documents.c.pk > after_pk,
        )
        .order_by(documents.c.pk)
        .limit(count)
    )
    return [document_of(row) for row in tx.execute(query)]


def waiting_mixed(tx: Tx, *, before: int, after_pk: int, count: int) -> list[MixedDocument]:
    """Mixed documents in work that have not moved since `before`, in order of pk, for the pipeline."""
    query = (
        select(mixed_documents)
        .where(
            MIXED_WAITS,
            mixed_documents.c.updated_at <= before,
            mixed_documents.c.pk > after_pk,
        )
        .order_by(mixed_documents.c.pk)
        .limit(count)
    )
    return [mixed_of(row) for row in tx.execute(query)]


def document_of(row: Row[Any]) -> Document:
    """A row of the documents table as a value."""
    values = {"status": DocumentStatus(row.status), "source": DocumentSource(row.source)}
    return Document(**{**row._asdict(), **values})


def mixed_of(row: Row[Any]) -> MixedDocument:
    """A row of the mixed documents table as a value."""
    return MixedDocument(**{**row._asdict(), "status": MixedStatus(row.status)})


def _insert(tx: Tx, table: Table, new: Document | MixedDocument) -> int:
    values = {name: getattr(new, name) for name in type(new).__slots__ if name != "pk"}
    values = {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}
    return int(tx.execute(insert(table).values(values).returning(table.c.pk)).scalar_one())


def _save(tx: Tx, table: Table, changed: Document | MixedDocument) -> None:
    values = {f"new_{name}": getattr(changed, name) for name in _changing(table)}
    values["new_status"] = changed.status.value
    _saving(table).run(tx, organization=changed.organization_id, of_pk=changed.pk, **values)


@lru_cache(2)
def _saving(table: Table) -> Prepared:
    is_it = table.c.organization_id == bindparam("organization"), table.c.pk == bindparam("of_pk")
    return Prepared(update(table).where(*is_it).values({name: bindparam(f"new_{name}") for name in _changing(table)}))


def _changing(table: Table) -> tuple[str, ...]:
    changing = "status", "rejection_reason", "blob", "document_class", "updated_at"
    return (*changing, "token_sealed") if table is documents else changing


def _find(tx: Tx, table: Table, organization_id: OrganizationId | None, pk: int | None, uuid: str) -> Any:
    key = {"uuid": uuid} if pk is None else {"pk": pk}
    if organization_id is None:
        return _finding(table, *key).first(tx, **key)
    return _finding(table, "organization_id", *key).first(tx, organization_id=organization_id, **key)


@lru_cache(8)
def _finding(table: Table, *names: str) -> Prepared:
    return Prepared(select(table).where(*(table.c[name] == bindparam(name) for name in names)))


def _of_book(tx: Tx, table: Table, organization_id: OrganizationId, book_pk: int) -> list[Row[Any]]:
    query = select(table).where(
        table.c.organization_id == organization_id, table.c.book_pk == book_pk, table.c.status.not_in(_GONE)
    )
    return list(tx.execute(query.order_by(table.c.pk)))
