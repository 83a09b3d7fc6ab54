"""Books over the wire. Source: contract 10.1–10.3, 10.8, 17."""

from typing import Any

from litestar import Response, get, post

from bookbell.actions import books
from bookbell.actions.books import BOOK_CLASSES, BOOK_TYPES, BookKey, NewBook, OpenedBook
from bookbell.core import limits
from bookbell.core.errors import (
    BookExists,
    BookNotFound,
    DocumentNotFound,
    MissingParameter,
    NotPermittedBook,
    ValidationFailed,
)
from bookbell.core.lifecycle import REJECTION_DEFAULT
from bookbell.core.model import Account, Book, Document, MixedDocument, MixedStatus
from bookbell.store import documents
from bookbell.store.books import BookQuery
from bookbell.store.database import Tx
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.context import context_of
from bookbell.web.operation import BOOK_KEY, Operation, Tag, described, enveloped, may, need
from bookbell.web.shape import choice, flag, listed, text, whole


def book_key(params: wire.Params) -> BookKey:
    """The book a client names: `pk`, `book_id`, `book_uuid` or `uuid`. Raises: MissingParameter, ValidationFailed."""
    pk = params.integer("pk")
    return BookKey(
        pk=pk if pk is not None else params.integer("book_id"),
        uuid=params.text("book_uuid") or params.text("uuid"),
    )


@post(
    "/v1/book/add",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                need("name", text("Loan 2210"), "Unique among the account's books."),
                may("book_class", choice(BOOK_CLASSES), "How its documents are processed; COMPLETE if not given."),
                may("book_type", choice(BOOK_TYPES), "DEFAULT if not given."),
                may("is_public", flag(), "Whether all accounts of the organization see it; false if not given."),
                may("xid", text("L-2210"), "Your own id for it."),
            ),
            answer=enveloped(shapes.BOOK),
            errors=(BookExists, MissingParameter),
        )
    ),
)
async def add(request: wire.Wire) -> Response[bytes]:
    """Create a book."""
    context, account = context_of(request), await account_of(request)
    params = await wire.read_params(request)
    wanted = NewBook(
        name=params.required_text("name"),
        uuid=context.ambient.new_id(),
        book_class=params.text("book_class") or "COMPLETE",
        book_type=params.text("book_type") or "DEFAULT",
        is_public=params.flag("is_public") or False,
        xid=params.text("xid"),
    )
    book, email = await context.database.write(books.create_book, account, wanted, context.stamp())
    return wire.ok(
        {
            **_head(book),
            "uuid": book.uuid,
            "owner_email": email,
            "is_public": book.is_public,
            "book_type": book.book_type,
            "book_class": book.book_class,
            "xid": book.xid,
        }
    )


@get(
    "/v1/book/status",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=BOOK_KEY,
            answer=enveloped(shapes.BOOK_STATUS),
            errors=(BookNotFound, MissingParameter, NotPermittedBook),
        )
    ),
)
async def status(request: wire.Wire) -> Response[bytes]:
    """The state of a book and of everything in it."""
    opened = await _open(request)
    shown: dict[str, Any] = {
        **_head(opened.book),
        "uuid": opened.book.uuid,
        "owner_email": opened.owner_email,
        "is_public": opened.book.is_public,
        "is_shared_or_public_book": opened.book.is_public,
        "docs": [_document(each) for each in opened.documents],
    }
    if opened.mixed:
        shown["mixed_docs"] = [_mixed(each) for each in opened.mixed]
    return wire.ok({**shown, "book_status": opened.book.status, "book_class": opened.book.book_class})


@get(
    "/v1/book/info",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=BOOK_KEY,
            answer=enveloped(shapes.BOOK_INFO),
            errors=(BookNotFound, MissingParameter, NotPermittedBook),
        )
    ),
)
async def info(request: wire.Wire) -> Response[bytes]:
    """A book and what is known about it."""
    opened = await _open(request)
    book = opened.book
    return wire.ok(
        {
            **_head(book),
            "owner_email": opened.owner_email,
            "is_public": book.is_public,
            "book_uuid": book.uuid,
            "xid": book.xid,
            "book_type": book.book_type,
            "is_shared_or_public_book": book.is_public,
            "docs": [_without(_document(each), "uuid") for each in opened.documents],
            "mixed_docs": [_without(_mixed(each), "uuid", "id") for each in opened.mixed],
            "bank_accounts": {},
            "custom_filters": {},
            "status_tags": {},
            "book_class": book.book_class,
        }
    )


@get(
    "/v1/books",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                may("limit", whole(50, least=1, most=limits.PAGE_COUNT_MAX), "How many; 50 if not given."),
                may("offset", whole(0, most=limits.OFFSET_MAX), "How many to skip."),
                may("order", choice(["DESC", "ASC"]), "DESC if not given."),
                may("order_by", choice(["pk", "name", "created"]), "pk if not given."),
                may("name", text("Loan 2210"), "Only the books of this name; not together with `search`."),
                may("search", text("Loan"), "Only books whose name contains this."),
                may("xid", text("L-2210"), "Only the books with this id of yours."),
            ),
            answer=enveloped(listed(shapes.LISTED_BOOK)),
        )
    ),
)
async def list_books(request: wire.Wire) -> Response[bytes]:
    """The books the account may see."""
    context, account = context_of(request), await account_of(request)
    query = _query(await wire.read_params(request))
    found = await context.database.read(books.list_books, account, query)
    return wire.ok(
        [
            {
                **_head(book),
                "owner_email": email,
                "is_public": book.is_public,
                "book_uuid": book.uuid,
                "xid": book.xid,
                "book_type": book.book_type,
            }
            for book, email in found
        ]
    )


@get(
    "/v1/document/mixed/status",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                may("pk", whole(12200450), "The mixed document, by its number."),
                may("mixed_doc_uuid", shapes.MIXED_UUID, "Or by its uuid."),
                may("doc_uuid", shapes.MIXED_UUID, "The same."),
            ),
            answer=enveloped(shapes.MIXED_STATUS),
            errors=(BookNotFound, DocumentNotFound, MissingParameter, NotPermittedBook),
        )
    ),
)
async def mixed_status(request: wire.Wire) -> Response[bytes]:
    """The state of a mixed document and, once it is cut up, of its documents."""
    context, account = context_of(request), await account_of(request)
    params = await wire.read_params(request)
    pk, uuid = params.integer("pk"), params.text("mixed_doc_uuid") or params.text("doc_uuid")
    if pk is None and uuid is None:
        raise MissingParameter("Required pk, doc_uuid or mixed_doc_uuid")
    book, mixed, parts = await context.database.read(_read_mixed, account, pk, uuid or "")
    shown: dict[str, Any] = {
        "pk": mixed.pk,
        "uuid": mixed.uuid,
        "name": mixed.name,
        "page_count": mixed.page_count,
        "checksum": mixed.md5,
        "document_status": mixed.status,
        "book_pk": book.pk,
        "book_uuid": book.uuid,
    }
    if mixed.status is MixedStatus.COMPLETED:
        names = ("pk", "uuid", "name", "pages", "md5", "status")
        shown["docs"] = [
            {name: _document(part)[name] for name in names} | {"rejection_reason": part.rejection_reason}
            for part in parts
        ]
        types = [part.form_type for part in parts for _ in range(part.page_count)]
        shown["pages"] = [{"page_idx": index, "doc_type": kind} for index, kind in enumerate(types)]
    return wire.ok(shown)


def _read_mixed(tx: Tx, account: Account, pk: int | None, uuid: str) -> tuple[Book, MixedDocument, list[Document]]:
    mixed = documents.find_mixed(tx, account.organization_id, pk=pk, uuid=uuid)
    if mixed is None:
        raise DocumentNotFound
    book = books.find_book(tx, account, BookKey(pk=mixed.book_pk, uuid=None))
    return book, mixed, documents.documents_of_mixed(tx, mixed)


async def _open(request: wire.Wire) -> OpenedBook:
    context, account = context_of(request), await account_of(request)
    return await context.database.read(books.open_book, account, book_key(await wire.read_params(request)))


def _query(params: wire.Params) -> BookQuery:
    count, offset = params.integer("limit"), params.integer("offset")
    order, order_by = (params.text("order") or "DESC").upper(), params.text("order_by") or "pk"
    if order not in {"ASC", "DESC"} or order_by not in {"created", "name", "pk"}:
        raise ValidationFailed("order: ASC or DESC, order_by: created, name or pk is expected")
    if "name" in params and "search" in params:
        raise ValidationFailed("Give either name or search, not both.")
    count = limits.PAGE_COUNT_DEFAULT if count is None else count
    if not 1 <= count <= limits.PAGE_COUNT_MAX or not 0 <= (offset or 0) <= limits.OFFSET_MAX:
        raise ValidationFailed(f"limit: 1 to {limits.PAGE_COUNT_MAX}, offset: 0 to {limits.OFFSET_MAX} is expected")
    return BookQuery(
        name=params.text("name"),
        search=params.text("search"),
        xid=params.text("xid"),
        order_by=order_by,
        is_descending=order == "DESC",
        offset=offset or 0,
        count=count,
    )


def _head(book: Book) -> dict[str, Any]:
    created = wire.instant(book.created_at)
    return {"name": book.name, "created": created, "created_ts": created, "pk": book.pk, "id": book.pk}


def _document(document: Document) -> dict[str, Any]:
    shown = {
        "pk": document.pk,
        "name": document.name,
        "uuid": document.uuid,
        "pages": document.page_count,
        "md5": document.md5,
        "status": document.status,
        "image_group_pk": document.image_group_pk,
        "mixed_uploaded_doc_pk": document.mixed_pk,
        "document_class": "COMPLETE",
    }
    if document.rejection_reason is not None:
        reason = document.rejection_reason
        shown |= {"rejection_reason": reason, "rejection_reason_description": _explained(reason)}
    return shown


def _mixed(mixed: MixedDocument) -> dict[str, Any]:
    return {
        "pk": mixed.pk,
        "id": mixed.pk,
        "name": mixed.name,
        "uuid": mixed.uuid,
        "pages": mixed.page_count,
        "md5": mixed.md5,
        "status": mixed.status,
        "image_group_pk": mixed.image_group_pk,
        "rejection_reason": mixed.rejection_reason,
        "document_class": "COMPLETE",
    }


def _explained(reason: str) -> str:
    return "The document is not valid." if reason == REJECTION_DEFAULT else reason.replace("_", " ").capitalize() + "."


def _without(shown: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in names}


routes = [add, status, info, list_books, mixed_status]
