"""Aggregator data over the wire: Plaid and Finicity JSON, and Plaid asset reports to be pulled with a token.

`upload/json` tells a client's mistakes as bare {"status", "msg"}; both calls tell what is wrong with the data as
HTTP 200 with an inner status 400. bookbell pulls nothing itself: a report to be pulled becomes a QUEUED document
that the pipeline completes or fails. Source: contract 10.10, 17.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from multipart import parse_options_header

from bookbell.actions import books, uploads
from bookbell.actions.books import BookKey
from bookbell.actions.uploads import Duplicate, Upload
from bookbell.core import limits
from bookbell.core.errors import (
    BookbellError,
    BookNotFound,
    MissingParameter,
    NotPermittedBook,
    OneFileOnly,
    TooManyDocuments,
    UnsupportedMediaType,
    ValidationFailed,
)
from bookbell.core.model import Account, Document, DocumentSource
from bookbell.web import files, wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import (
    FILE,
    PK,
    UPLOAD_BODY,
    Operation,
    Tag,
    bare,
    described,
    enveloped,
    may,
    need,
    query,
)
from bookbell.web.routing import post
from bookbell.web.shape import choice, text, uuid
from bookbell.web.wire import FormPart

FINICITY_PARTS = ("accounts", "transactions", "customers", "institutions")
INTENTS = ("add_analytics", "docs_to_digital")
SOURCES = {"PLAID": DocumentSource.PLAID, "FINICITY": DocumentSource.FINICITY}
_TOKEN = re.compile(r"[A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class _Data:
    """What is kept of an upload: one JSON text under one name."""

    name: str
    content: bytes
    source: DocumentSource


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """The file that is not JSON, or not the kind that is asked for."""

    message: str


@post(
    "/v1/book/upload/json",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                query("aggregate_source", choice(SOURCES), "PLAID if not given."),
                query("upload_intent", choice(INTENTS), "Taken, and of no consequence here."),
                may("pk", PK, "The book, by its number. Give this or `uuid`."),
                may("uuid", uuid(), "The book, by its uuid."),
                may("upload", FILE, "The Plaid report."),
                *(may(name, FILE, "Finicity data; several files are taken.") for name in FINICITY_PARTS),
                may("doc_name", text("asset-report.json"), "Its name; the file's own if not given."),
            ),
            answer=enveloped(shapes.UPLOADED_JSON),
            others={400: bare(shapes.BARE_ERROR, "What is wrong with the request.")},
        )
    ),
)
async def upload_json(request: wire.Wire) -> Response:
    """Add Plaid or Finicity data to a book."""
    context, account = request.context, await account_of(request)
    try:
        shown = await _upload_json(request, context, account)
    except BookbellError as error:
        if error.status != BookbellError.status:
            raise
        return wire.answer({"status": error.status, "msg": error.message}, status=error.status)
    return wire.ok(shown)


@post(
    "/v1/book/import/plaid/asset",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                need("pk", PK, "The book, by its number."),
                need("audit_copy_token", text("a-production-3TAU2CWVYBDVRHUCAAAI27ULU4"), "As Plaid gave it out."),
                may("doc_name", text("asset-report.json"), "Its name; the token if not given."),
            ),
            answer=enveloped(shapes.IMPORTED),
            errors=(BookNotFound, MissingParameter, NotPermittedBook, TooManyDocuments),
        )
    ),
)
async def import_plaid_asset(request: wire.Wire) -> Response:
    """Have a Plaid asset report pulled into a book."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    pk, token = params.integer("pk"), params.text("audit_copy_token")
    if pk is None or not token:
        raise MissingParameter("Required pk" if pk is None else "Required audit_copy_token")
    key = BookKey(pk=pk, uuid=None)
    await context.database.read(books.find_book, account, key)
    if len(token) > limits.AUDIT_COPY_TOKEN_CHARS_MAX or not _TOKEN.fullmatch(token):
        return wire.ok({"status": 400, "message": "Plaid pull failed."})
    digest = _md5(token.encode())
    upload = Upload(
        book=key,
        name=(params.text("doc_name") or token)[: limits.NAME_CHARS_MAX],
        blob=None,
        md5=digest,
        source=DocumentSource.PLAID_ASSET,
        token_sealed=context.vault.seal(token, f"audit-copy-token:{digest}"),
    )
    made = await context.perform(uploads.upload_document, account, upload, context.stamp())
    if isinstance(made, Duplicate):
        return wire.ok({"status": 400, "message": f"{upload.name} already exists\n"})
    return wire.ok({"uploaded_docs": [{**_item(made), "created_ts": wire.instant(made.created_at)}]})


async def _upload_json(request: wire.Wire, context: Context, account: Account) -> dict[str, Any]:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        raise UnsupportedMediaType("An upload is sent as multipart/form-data, with the file in the field upload.")
    body = await wire.read_body(request, limits.AGGREGATOR_BYTES_MAX)
    parts = wire.multipart_parts(options.get("boundary", ""), body)
    fields = [(part.name, part.text) for part in parts if part.filename is None and part.name not in FINICITY_PARTS]
    params = wire.form_params(request, fields)
    key = BookKey(pk=params.integer("pk"), uuid=params.uuid("uuid") or params.uuid("book_uuid"))
    await context.database.read(books.find_book, account, key)
    data = _data(params, parts)
    if isinstance(data, _Unreadable):
        return {"status": 400, "message": data.message}
    return await _keep(context, account, key, data)


def _data(params: wire.Params, parts: Sequence[FormPart]) -> _Data | _Unreadable:
    """Raises: ValidationFailed, MissingParameter, OneFileOnly."""
    source, intent = params.text("aggregate_source") or "PLAID", params.text("upload_intent") or INTENTS[0]
    if source not in SOURCES:
        raise ValidationFailed("Invalid aggregate_source. Allowed values: PLAID, FINICITY")
    if intent not in INTENTS:
        raise ValidationFailed("Invalid upload_intent. Allowed values: add_analytics, docs_to_digital")
    name = wire.checked_text(params.text("doc_name") or "")[: limits.NAME_CHARS_MAX]
    return _finicity(parts, name) if source == "FINICITY" else _plaid(parts, name)


def _plaid(parts: Sequence[FormPart], name: str) -> _Data | _Unreadable:
    given = [part for part in parts if part.name in files.FILE_FIELDS and part.filename is not None]
    if not given:
        raise MissingParameter("Required parameter not found: upload")
    if len(given) > 1:
        raise OneFileOnly
    shown = _shown_name(given[0])
    try:
        value = msgspec.json.decode(given[0].data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Unreadable(f"{shown} is not a valid JSON")
    if not isinstance(value, dict):
        return _Unreadable(f"{shown} -- json format is not supported\n")
    return _Data(name or shown, given[0].data, DocumentSource.PLAID)


def _finicity(parts: Sequence[FormPart], name: str) -> _Data | _Unreadable:
    """The files of all parts as one JSON object: part name to the list of its files' contents."""
    gathered: dict[str, list[msgspec.Raw]] = {}
    for wanted in FINICITY_PARTS:
        given = [part for part in parts if part.name == wanted]
        if not given:
            raise MissingParameter(f"{wanted.capitalize()} is required for Finicity uploads")
        for part in given:
            try:
                msgspec.json.decode(part.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return _Unreadable(f"{_shown_name(part)} is not a valid JSON")
            gathered.setdefault(wanted, []).append(msgspec.Raw(part.data))
    first = next(part for part in parts if part.name == FINICITY_PARTS[0])
    return _Data(name or _shown_name(first), msgspec.json.encode(gathered), DocumentSource.FINICITY)


async def _keep(context: Context, account: Account, key: BookKey, data: _Data) -> dict[str, Any]:
    async with files.written(context.blob_dir, context.ambient.new_id(), data.content) as blob:
        upload = Upload(book=key, name=data.name, blob=blob, md5=_md5(data.content), source=data.source)
        made = await context.perform(uploads.upload_document, account, upload, context.stamp())
        if isinstance(made, Duplicate):
            await asyncio.to_thread((context.blob_dir / blob).unlink)
            return {"status": 400, "message": f"{data.name} already exists\n"}
    created = wire.exact_instant(made.created_at).removesuffix("Z") + "000"
    return {"uploaded_docs": [{**_item(made), "id": made.pk, "created_ts": created}]}


def _item(made: Document) -> dict[str, Any]:
    return {"pk": made.pk, "uuid": made.uuid, "name": made.name, "checksum": made.md5}


def _shown_name(part: FormPart) -> str:
    shown = (part.filename or part.name).replace("\\", "/").rsplit("/", 1)[-1]
    return wire.checked_text(shown or part.name)[: limits.NAME_CHARS_MAX]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()  # the contract's checksum


routes = [upload_json, import_plaid_asset]
