"""Books over the wire. Source: contract 10.1–10.3, 14 (C14, C15, C22), 17."""

from typing import Any
from urllib.parse import urlencode

from bookbell.actions import books
from bookbell.actions.books import BookChanges, BookKey, NewBook, OpenedBook
from bookbell.core import limits
from bookbell.core.client_moves import BOOK_CLASSES, BOOK_TYPES, UPGRADES
from bookbell.core.errors import (
    BookExists,
    BookNotFound,
    BookPending,
    MissingParameter,
    NotPermittedBook,
    ValidationFailed,
)
from bookbell.core.lifecycle import REJECTION_DEFAULT
from bookbell.core.model import Book, Document, MixedDocument
from bookbell.store.books import BookQuery
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.http import Response
from bookbell.web.operation import BOOK_KEY, PK, Operation, Tag, described, enveloped, may, need, usual
from bookbell.web.routing import get, post
from bookbell.web.shape import choice, either, flag, listed, record, text, uuid, whole


def book_key(params: wire.Params) -> BookKey:
    """The book a client names: `pk`, `book_id`, `book_uuid` or `uuid`. Raises: MissingParameter, ValidationFailed."""
    pk = params.integer("pk")
    return BookKey(
        pk=pk if pk is not None else params.integer("book_id"),
        uuid=params.uuid("book_uuid") or params.uuid("uuid"),
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
async def add(request: wire.Wire) -> Response:
    """Create a book."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    wanted = NewBook(
        name=params.required_text("name"),
        uuid=context.ambient.new_id(),
        book_class=params.text("book_class") or "COMPLETE",
        book_type=params.text("book_type") or "DEFAULT",
        is_public=context.are_books_public if (given := params.flag("is_public")) is None else given,
        xid=params.text("xid") or None,
    )
    book, email = await context.database.write(books.create_book, account, wanted, context.stamp())
    return wire.ok(_created(book, email))


@post(
    "/v1/book/update",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                *BOOK_KEY,
                usual("name", text("Loan 2211"), "Its new name."),
                may("book_class", choice(UPGRADES), "Its new class; only a machine-only book can change it."),
                may("book_type", choice(BOOK_TYPES), "Its new type."),
                may("is_public", flag(), "Whether all accounts of the organization see it."),
                may("xid", text("L-2211"), "Your own id for it; an empty text forgets it."),
            ),
            answer=enveloped(shapes.UPDATED_BOOK),
            errors=(BookExists, BookNotFound, MissingParameter, NotPermittedBook),
        )
    ),
)
async def update(request: wire.Wire) -> Response:
    """Change a book."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    changes = BookChanges(
        name=params.text("name") or None,
        book_class=params.text("book_class") or None,
        book_type=params.text("book_type") or None,
        is_public=params.flag("is_public"),
        xid=params.text("xid"),
    )
    if changes == BookChanges():
        raise MissingParameter("Required parameter not found: name, book_class, book_type, is_public or xid")
    book, email = await context.database.write(books.update_book, account, book_key(params), changes, context.stamp())
    created = wire.instant(book.created_at)
    about = {"uuid": book.uuid, "book_uuid": book.uuid, "book_class": book.book_class, "created_ts": created}
    return wire.ok({**_created(book, email), "book_context": about})


@post(
    "/v1/book/remove",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                may("book_id", PK, "The book, by its number. Give this or `book_uuid`."),
                may("book_uuid", uuid(), "The book, by its uuid."),
            ),
            answer=enveloped(record({})),
            errors=(BookNotFound, BookPending, MissingParameter, NotPermittedBook),
        )
    ),
)
async def remove(request: wire.Wire) -> Response:
    """Delete a book that has nothing left in work."""
    context, account = request.context, await account_of(request)
    key = book_key(await wire.read_params(request))
    await context.database.write(books.remove_book, account, key, context.stamp())
    return wire.ok({})


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
async def status(request: wire.Wire) -> Response:
    """The state of a book and of everything in it."""
    opened = await _open(request)
    shown: dict[str, Any] = {
        **_head(opened.book),
        "uuid": opened.book.uuid,
        "owner_email": opened.owner_email,
        "is_public": opened.book.is_public,
        "is_shared_or_public_book": opened.book.is_public,
        "docs": [shown_document(each) for each in opened.documents],
    }
    if opened.mixed:
        shown["mixed_docs"] = [shown_mixed(each) for each in opened.mixed]
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
async def info(request: wire.Wire) -> Response:
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
            "docs": [_only(shown_document(each), _INFO_FIELDS) for each in opened.documents],
            "mixed_docs": [_only(shown_mixed(each), (*_INFO_FIELDS, "rejection_reason")) for each in opened.mixed],
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
                may("limit", whole(50, least=1, most=limits.PAGE_COUNT_MAX), "How many; 500 if not given."),
                may("offset", whole(0, most=limits.OFFSET_MAX), "How many to skip."),
                may("order", choice(["DESC", "ASC"]), "DESC if not given."),
                may("order_by", choice(["pk", "name", "created"]), "pk if not given."),
                may("name", text("Loan 2210"), "Only the books of this name; not together with `search`."),
                may("search", text("Loan"), "Only books whose name contains this."),
                may("xid", text("L-2210"), "Only the books with this id of yours."),
            ),
            answer=enveloped(either(listed(shapes.LISTED_BOOK), shapes.BOOK_PAGE)),
        )
    ),
)
async def list_books(request: wire.Wire) -> Response:
    """The books the account may see: an array, or a page if the setting wants pages and the client gives a limit."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    query = _query(params)
    page = await context.database.read(books.list_books, account, query)
    shown = [_listed(book, email) for book, email in page.books]
    if not (context.are_books_paginated and "limit" in params):
        return wire.ok(shown)
    before, after = query.offset - query.count, query.offset + query.count
    links = {
        "next": _link(params, query, after) if after < page.total_count else None,
        "prev": _link(params, query, max(0, before)) if query.offset else None,
    }
    return wire.ok({"limit": query.count, "books": shown, "total_book_count": page.total_count, "_links": links})


async def _open(request: wire.Wire) -> OpenedBook:
    context, account = request.context, await account_of(request)
    return await context.database.read(books.open_book, account, book_key(await wire.read_params(request)))


def _query(params: wire.Params) -> BookQuery:
    count, offset = params.integer("limit"), params.integer("offset")
    name, search = params.text("name") or None, params.text("search") or None
    order, order_by = (params.text("order") or "DESC").upper(), params.text("order_by") or "pk"
    if order not in {"ASC", "DESC"} or order_by not in {"created", "name", "pk"}:
        raise ValidationFailed("order: ASC or DESC, order_by: created, name or pk is expected")
    if name is not None and search is not None:
        raise ValidationFailed("Give either name or search, not both.")
    if len(search or "") > limits.NAME_CHARS_MAX:  # no name is longer, and SQLite refuses a pattern of 50,000 bytes
        raise ValidationFailed(f"search: at most {limits.NAME_CHARS_MAX} characters are expected")
    count = limits.PAGE_COUNT_MAX if count is None else count
    if not 1 <= count <= limits.PAGE_COUNT_MAX or not 0 <= (offset or 0) <= limits.OFFSET_MAX:
        raise ValidationFailed(f"limit: 1 to {limits.PAGE_COUNT_MAX}, offset: 0 to {limits.OFFSET_MAX} is expected")
    return BookQuery(
        name=name,
        search=search,
        xid=params.text("xid") or None,
        order_by=order_by,
        is_descending=order == "DESC",
        offset=offset or 0,
        count=count,
    )


def _head(book: Book) -> dict[str, Any]:
    created = wire.instant(book.created_at)
    return {"name": book.name, "created": created, "created_ts": created, "pk": book.pk, "id": book.pk}


def _created(book: Book, email: str) -> dict[str, Any]:
    return {
        **_head(book),
        "uuid": book.uuid,
        "owner_email": email,
        "is_public": book.is_public,
        "book_type": book.book_type,
        "book_class": book.book_class,
        "xid": book.xid,
    }


def _listed(book: Book, email: str) -> dict[str, Any]:
    return {
        **_head(book),
        "owner_email": email,
        "is_public": book.is_public,
        "book_uuid": book.uuid,
        "xid": book.xid,
        "book_type": book.book_type,
    }


def _link(params: wire.Params, query: BookQuery, offset: int) -> str:
    kept = {name: text for name in _KEPT if (text := params.text(name))}
    return "/v1/books?" + urlencode({**kept, "limit": query.count, "offset": offset})


_DUPLICATE = "DOCUMENT DUPLICATE OF "  # a file's name follows
_KEPT = ("name", "search", "xid", "order", "order_by")
_INFO_FIELDS = (
    "pk",
    "status",
    "name",
    "pages",
    "md5",
    "image_group_pk",
    "mixed_uploaded_doc_pk",
    "document_class",
)


def shown_document(document: Document) -> dict[str, Any]:
    """A document as the book's status lists it."""
    shown = {
        "pk": document.pk,
        "name": document.name,
        "uuid": document.uuid,
        "pages": document.page_count,
        "md5": document.md5,
        "status": document.status,
        "image_group_pk": document.image_group_pk,
        "mixed_uploaded_doc_pk": document.mixed_pk,
        "document_class": document.document_class,
    }
    if document.rejection_reason is not None:
        reason = document.rejection_reason
        shown |= {"rejection_reason": reason, "rejection_reason_description": _explained(reason)}
    return shown


def shown_mixed(mixed: MixedDocument) -> dict[str, Any]:
    """A mixed document as the book's status lists it."""
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
        "document_class": mixed.document_class,
    }


def _explained(reason: str) -> str:
    """The reason for people; the name of a file in it stays as it is."""
    if reason == REJECTION_DEFAULT:
        return "The document is not valid."
    known, mark, name = reason.partition(_DUPLICATE)
    return f"{(known + mark).replace('_', ' ').capitalize()}{name}."


def _only(shown: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: shown[name] for name in names if name in shown}


routes = [add, update, remove, status, info, list_books]
