"""Documents and mixed documents over the wire. Source: contract 10.8, 14 (C12, C24), 17."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bookbell.actions import documents
from bookbell.actions.documents import DocumentKey, Item
from bookbell.core.client_moves import UPGRADES
from bookbell.core.errors import (
    DocumentNotFound,
    MissingParameter,
    MixedPending,
    NotAcceptable,
    NotPermittedDocument,
)
from bookbell.core.model import MixedStatus
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.client_api.books import shown_document
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, described, enveloped, may, need, other, usual
from bookbell.web.routing import get, post
from bookbell.web.shape import choice, flag, whole

_UUIDS = (
    may("doc_uuid", shapes.DOC_UUID, "Or by its uuid."),
    may("mixed_doc_uuid", shapes.MIXED_UUID, "A mixed document instead."),
)
_UPGRADE = need("upgrade_type", choice(UPGRADES), "How it is processed from now on.")
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{", "application/json"),
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
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
            ),
        )
    ),
)
async def mixed_status(request: wire.Wire) -> Response:
    """The state of a mixed document and, once it is cut up, of its documents."""
    context, account = request.context, await account_of(request)
    key = _mixed_key(await wire.read_params(request))
    opened = await context.database.read(documents.open_item, account, key)
    mixed = opened.item
    shown: dict[str, Any] = {
        "pk": mixed.pk,
        "uuid": mixed.uuid,
        "name": mixed.name,
        "page_count": mixed.page_count,
        "checksum": mixed.md5,
        "document_status": mixed.status,
        "book_pk": opened.book.pk,
        "book_uuid": opened.book.uuid,
    }
    if mixed.status is MixedStatus.COMPLETED:
        names = ("pk", "uuid", "name", "pages", "md5", "status")
        shown["docs"] = [
            {name: shown_document(part)[name] for name in names} | {"rejection_reason": part.rejection_reason}
            for part in opened.parts
        ]
        types = [part.form_type for part in opened.parts for _ in range(part.page_count)]
        shown["pages"] = [{"page_idx": index, "doc_type": kind} for index, kind in enumerate(types)]
    return wire.ok(shown)


@post(
    "/v1/document/cancel",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                usual("doc_pk", shapes.DOC_PK, "The document, by its number."),
                *_UUIDS,
                may("accept_charges", flag(), "Taken, and of no consequence here."),
            ),
            answer=enveloped(shapes.CANCELLED),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
                NotAcceptable,
            ),
        )
    ),
)
async def cancel(request: wire.Wire) -> Response:
    """Stop work on a document; it is rejected and its data is given up."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    params.flag("accept_charges")  # checked, and of no consequence: nothing is charged here
    item = await context.perform(documents.cancel, account, document_key(params), context.stamp())
    return wire.ok(_head(item))


@post(
    "/v1/document/remove",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                usual("doc_id", shapes.DOC_PK, "The document, by its number."),
                *_UUIDS,
            ),
            answer=enveloped(shapes.REMOVED),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
                MixedPending,
                NotAcceptable,
            ),
        )
    ),
)
async def remove(request: wire.Wire) -> Response:
    """Take a document, or a mixed one with all that was cut out of it, out of its book."""
    return await _remove(request, document_key)


@post(
    "/v1/document/mixed/remove",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                may("pk", whole(12200450), "The mixed document, by its number."),
                may("doc_uuid", shapes.MIXED_UUID, "Or by its uuid."),
                may("mixed_doc_uuid", shapes.MIXED_UUID, "The same."),
            ),
            answer=enveloped(shapes.REMOVED),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
                MixedPending,
                NotAcceptable,
            ),
        )
    ),
)
async def remove_mixed(request: wire.Wire) -> Response:
    """Take a mixed document with all that was cut out of it out of its book."""
    return await _remove(request, _mixed_key)


@post(
    "/v1/document/upgrade",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                usual("doc_pk", shapes.DOC_PK, "The document, by its number."),
                *_UUIDS,
                _UPGRADE,
            ),
            answer=enveloped(shapes.UPGRADED),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
                NotAcceptable,
            ),
        )
    ),
)
async def upgrade(request: wire.Wire) -> Response:
    """Take a document back into work as another class."""
    return await _upgrade(request, document_key)


@post(
    "/v1/document/mixed/upgrade",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(
                usual("mixed_doc_pk", whole(12200450), "The mixed document, by its number."),
                may("mixed_doc_uuid", shapes.MIXED_UUID, "Or by its uuid."),
                _UPGRADE,
            ),
            answer=enveloped(shapes.UPGRADED),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
                NotAcceptable,
            ),
        )
    ),
)
async def upgrade_mixed(request: wire.Wire) -> Response:
    """Take a mixed document, or what was cut out of it, back into work as another class."""
    return await _upgrade(request, _mixed_key)


@get(
    "/v2/document/download",
    opt=described(
        Operation(
            tag=Tag.DOCUMENTS,
            fields=(need("doc_uuid", shapes.DOC_UUID, "The document, or mixed document."),),
            answer=other("application/pdf", "The file as it was uploaded"),
            errors=(
                DocumentNotFound,
                MissingParameter,
                NotPermittedDocument,
            ),
        )
    ),
)
async def download(request: wire.Wire) -> Response:
    """The file of a document, as it was uploaded."""
    context, account = request.context, await account_of(request)
    key = DocumentKey(pk=None, uuid=(await wire.read_params(request)).required_text("doc_uuid").lower())
    opened = await context.database.read(documents.open_item, account, key)
    if opened.item.blob is None:
        raise DocumentNotFound
    path = context.blob_dir / opened.item.blob
    headers = {"Content-Disposition": f"attachment; {_file_name(opened.item.name)}"}
    return Response(path, media_type=await asyncio.to_thread(_media_type, path), headers=headers)


def _file_name(name: str) -> str:
    """As a parameter of Content-Disposition. Source: RFC 6266, section 4.3."""
    encoded = quote(name, safe="")
    return f'filename="{name}"' if encoded == name else f"filename*=utf-8''{encoded}"


def document_key(params: wire.Params) -> DocumentKey:
    """The document a client names, or the mixed one. Raises: MissingParameter, ValidationFailed."""
    if any(params.text(name) for name in ("mixed_doc_pk", "mixed_doc_id", "mixed_doc_uuid")):
        return _mixed_key(params)
    return DocumentKey(pk=_pk(params, "doc_pk", "doc_id", "pk"), uuid=params.uuid("doc_uuid"))


def _mixed_key(params: wire.Params) -> DocumentKey:
    uuid = params.uuid("mixed_doc_uuid") or params.uuid("doc_uuid")
    return DocumentKey(pk=_pk(params, "mixed_doc_pk", "mixed_doc_id", "pk"), uuid=uuid, is_mixed=True)


def _pk(params: wire.Params, *names: str) -> int | None:
    return next((pk for name in names if (pk := params.integer(name)) is not None), None)


async def _remove(request: wire.Wire, to_key: Callable[[wire.Params], DocumentKey]) -> Response:
    context, account = request.context, await account_of(request)
    key = to_key(await wire.read_params(request))
    item = await context.perform(documents.remove, account, key, context.stamp())
    return wire.ok({**_head(item), "document_status": "Deleting"})


async def _upgrade(request: wire.Wire, to_key: Callable[[wire.Params], DocumentKey]) -> Response:
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    key, wanted = to_key(params), params.required_text("upgrade_type")
    item = await context.perform(documents.upgrade, account, key, wanted, context.stamp())
    return wire.ok({**_head(item), "book_pk": item.book_pk, "processing_type": item.document_class})


def _head(item: Item) -> dict[str, Any]:
    return {"pk": item.pk, "uuid": item.uuid, "name": item.name, "document_status": item.status}


def _media_type(path: Path) -> str:
    """What the first bytes of a stored file say. Raises: DocumentNotFound when it is not there any more."""
    try:
        with path.open("rb") as file:
            start = file.read(1024)
    except FileNotFoundError as error:
        raise DocumentNotFound from error
    known = (media_type for signature, media_type in _SIGNATURES if start.startswith(signature))
    return next(known, "application/pdf" if b"%PDF-" in start else "application/octet-stream")


routes = [mixed_status, cancel, remove, remove_mixed, upgrade, upgrade_mixed, download]
