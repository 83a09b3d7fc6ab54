"""Uploads over the wire. A file that is refused for what it is arrives as HTTP 200 with an inner status 400.

Source: contract 10.4–10.7, 10.11, 17. The calls of v1 and v2 do the same and differ in how they name the book and
in what they answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from bookbell.actions import books, uploads
from bookbell.actions.books import BookKey
from bookbell.actions.uploads import Duplicate, DuplicateImage, Upload
from bookbell.core.errors import (
    BookNotFound,
    FormTypeNotFound,
    ImageGroupNotFound,
    MissingParameter,
    NotPermittedBook,
    OneFileOnly,
    TooManyDocuments,
    TooManyPages,
)
from bookbell.core.model import Account, Document, MixedDocument
from bookbell.web import files, inspection, wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.client_api.books import book_key
from bookbell.web.context import Context
from bookbell.web.files import Received
from bookbell.web.http import Response
from bookbell.web.operation import BOOK_KEY, FILE, UPLOAD_BODY, Operation, Tag, described, enveloped, may, need
from bookbell.web.routing import post
from bookbell.web.shape import flag, text

FORM_TYPE_CHARS_MAX = 64
PAYSTUB = "PAYSTUB"

_PDF = need("upload", FILE, "The PDF.")
_NAME = may("doc_name", text("statement-03.pdf"), "Its name; the file's own if not given.")
_ERRORS = (BookNotFound, MissingParameter, NotPermittedBook, OneFileOnly, TooManyDocuments, TooManyPages)

Earlier = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A file that is here, for a book that the account may upload to."""

    context: Context
    account: Account
    params: wire.Params
    file: Received
    key: BookKey

    def upload(self, page_count: int, form_type: str | None = None) -> Upload:
        return Upload(
            book=self.key,
            name=self.file.name,
            blob=self.file.blob,
            md5=self.file.md5,
            page_count=page_count,
            form_type=form_type,
        )

    async def refuse(self, body: dict[str, Any]) -> Response:
        await asyncio.to_thread(files.remove, self.file)
        return wire.ok(body)


@post(
    "/v1/book/upload",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                _PDF,
                _NAME,
                may("form_type", text("W2"), "What kind of form it is."),
            ),
            answer=enveloped(shapes.UPLOADED),
            errors=(*_ERRORS, FormTypeNotFound),
        )
    ),
)
async def upload_pdf(request: wire.Wire) -> Response:
    """Add a PDF of one form to a book."""
    async with _arriving(request, book_key) as arrived:
        form_type = _form_type(arrived.params.text("form_type"))
        taken = await _take_document(arrived, form_type)
        if isinstance(taken, Document):
            return wire.ok({"uploaded_docs": [_item(taken)]})
        return await arrived.refuse(_failure(arrived.file.name, taken, "pdf", _PLURAL))


@post(
    "/v1/book/upload/mixed",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                _PDF,
                _NAME,
            ),
            answer=enveloped(shapes.UPLOADED_MIXED),
            errors=_ERRORS,
        )
    ),
)
async def upload_mixed(request: wire.Wire) -> Response:
    """Add a PDF of several forms to a book."""
    async with _arriving(request, book_key) as arrived:
        taken = await _take_mixed(arrived)
        if isinstance(taken, MixedDocument):
            return wire.ok({"mixed_uploaded_docs": [_item(taken)]})
        return await arrived.refuse(_failure(arrived.file.name, taken, "pdf", _BOTH))


@post(
    "/v1/book/upload/image",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                need("upload", FILE, "A JPEG, PNG, BMP or TIFF of one image."),
                _NAME,
                may("return_image_pk", flag(), "Whether to answer with the image's number."),
            ),
            answer=enveloped(shapes.UPLOADED_IMAGE),
            errors=_ERRORS,
        )
    ),
)
async def upload_image(request: wire.Wire) -> Response:
    """Add an image to the book's open image group."""
    async with _arriving(request, book_key) as arrived:
        context, file = arrived.context, arrived.file
        wants_pk = arrived.params.flag("return_image_pk")
        if not await inspection.is_image(file.path, arrived.account.organization_id):
            return await arrived.refuse(_image_failure(f"{file.name} is not a valid Image", []))
        made = await context.perform(uploads.upload_image, arrived.account, arrived.upload(1), context.stamp())
        if isinstance(made, DuplicateImage):
            return await arrived.refuse(_image_failure(f"{file.name} already exists", made.earlier))
        shown = {"image_group_pk": made.image_group_pk}
        return wire.ok({**shown, "image_pk": made.pk} if wants_pk else shown)


@post(
    "/v1/book/upload/image/done",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(*BOOK_KEY, may("form_type", text("W2"), "What kind of form it is.")),
            answer=enveloped(shapes.FINALIZED),
            errors=(
                BookNotFound,
                FormTypeNotFound,
                ImageGroupNotFound,
                MissingParameter,
                NotPermittedBook,
                TooManyDocuments,
                TooManyPages,
            ),
        )
    ),
)
async def finalize_images(request: wire.Wire) -> Response:
    """Close the open image group: its images become a document, or a mixed one to be classified."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    key, form_type = book_key(params), _form_type(params.text("form_type"))
    done = await context.perform(uploads.finalize_group, account, key, form_type, context.stamp())
    shown: dict[str, Any] = {"image_group_pk": done.group.pk, "image_bucket_uuid": done.group.uuid}
    if done.mixed is not None:
        shown["mixed_doc_uuid"] = done.mixed.uuid
    return wire.ok(shown)


@post(
    "/v2/book/{book_uuid:str}/document/paystub",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                _PDF,
                _NAME,
            ),
            answer=enveloped(shapes.UPLOADED_V2),
            errors=_ERRORS,
        )
    ),
)
async def upload_paystub(request: wire.Wire) -> Response:
    """Add a pay stub to a book."""
    return await _upload_v2(request, PAYSTUB)


@post(
    "/v2/book/{book_uuid:str}/document/{form_type:str}",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                _PDF,
                _NAME,
            ),
            answer=enveloped(shapes.UPLOADED_V2),
            errors=(*_ERRORS, FormTypeNotFound),
        )
    ),
)
async def upload_form(request: wire.Wire) -> Response:
    """Add a PDF of the form that the path names to a book."""
    return await _upload_v2(request, wire.path_text(request, "form_type"))


@post(
    "/v2/book/{book_uuid:str}/mixed-document",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                _PDF,
                _NAME,
            ),
            answer=enveloped(shapes.UPLOADED_MIXED_V2),
            errors=_ERRORS,
        )
    ),
)
async def upload_mixed_v2(request: wire.Wire) -> Response:
    """Add a PDF of several forms to a book."""
    async with _arriving(request, _path_key(request)) as arrived:
        taken = await _take_mixed(arrived)
        if isinstance(taken, MixedDocument):
            return wire.ok({"mixed_doc_uuid": taken.uuid})
        return await arrived.refuse(_failure_v2(arrived.file.name, taken))


async def _upload_v2(request: wire.Wire, form_type: str) -> Response:
    async with _arriving(request, _path_key(request)) as arrived:
        taken = await _take_document(arrived, _form_type(form_type))
        if isinstance(taken, Document):
            return wire.ok({"doc_uuid": taken.uuid})
        return await arrived.refuse(_failure_v2(arrived.file.name, taken))


def _path_key(request: wire.Wire) -> Callable[[wire.Params], BookKey]:
    return lambda _params: BookKey(pk=None, uuid=wire.path_uuid(request, "book_uuid"))


@contextlib.asynccontextmanager
async def _arriving(request: wire.Wire, to_key: Callable[[wire.Params], BookKey]) -> AsyncIterator[_Arrived]:
    """The file of the request. The book is looked at before the file, so that strangers' files are not inspected."""
    context, account = request.context, await account_of(request)
    async with files.received(request, context.blob_dir, context.ambient.new_id(), context.upload_bytes_max) as (
        params,
        file,
    ):
        key = to_key(params)
        await context.database.read(books.find_book, account, key)
        yield _Arrived(context, account, params, file, key)


async def _take_document(arrived: _Arrived, form_type: str | None) -> Document | Earlier:
    """The new document; else the earlier ones with its content, none if it is no PDF."""
    count = await inspection.page_count(arrived.file.path, arrived.account.organization_id)
    if count is None:
        return []
    context, upload = arrived.context, arrived.upload(count, form_type)
    made = await context.perform(uploads.upload_document, arrived.account, upload, context.stamp())
    return made.earlier if isinstance(made, Duplicate) else made


async def _take_mixed(arrived: _Arrived) -> MixedDocument | Earlier:
    """The new mixed document; else as _take_document."""
    count = await inspection.page_count(arrived.file.path, arrived.account.organization_id)
    if count is None:
        return []
    context, upload = arrived.context, arrived.upload(count)
    made = await context.perform(uploads.upload_mixed, arrived.account, upload, context.stamp())
    return made.earlier if isinstance(made, Duplicate) else made


def _form_type(given: str | None) -> str | None:
    """The form type, upper case. Raises: FormTypeNotFound for what cannot be one."""
    if not given:
        return None
    if len(given) > FORM_TYPE_CHARS_MAX or not all(char.isalnum() or char in "_-" for char in given):
        raise FormTypeNotFound
    return given.upper()


_PLURAL = ("original_existing_doc_pks", "original_existing_doc_uuids", "uploaded_docs")
_BOTH = (*_PLURAL, "original_existing_doc_pk", "original_existing_doc_uuid", "mixed_uploaded_docs")


def _refusal(name: str, earlier: Earlier, kind: str) -> dict[str, Any]:
    message = f"{name} already exists\n" if earlier else f"{name} is not a valid {kind}\n"
    return {"status": 400, "message": message}


def _failure(name: str, earlier: Earlier, kind: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """The inner answer of a refused PDF. keys: what this call sends."""
    shown = _refusal(name, earlier, kind)
    for key in keys:
        if "_doc_pk" in key:
            shown[key] = [pk for pk, _ in earlier]
        elif "_doc_uuid" in key:
            shown[key] = [uuid for _, uuid in earlier]
        else:
            shown[key] = []
    return shown


def _failure_v2(name: str, earlier: Earlier) -> dict[str, Any]:
    shown = _refusal(name, earlier, "PDF")
    return {**shown, "original_existing_doc_uuid": earlier[0][1]} if earlier else shown


def _image_failure(message: str, earlier: list[tuple[int, int, str]]) -> dict[str, Any]:
    found = [
        {"existing_image_group_pk": group_pk, "existing_image_pk": pk, "existing_image_uuid": uuid}
        for group_pk, pk, uuid in earlier
    ]
    return {"status": 400, "message": message, "original_existing_groups_and_image_pks": found}


def _item(made: Document | MixedDocument) -> dict[str, Any]:
    return {
        "pk": made.pk,
        "id": made.pk,
        "uuid": made.uuid,
        "name": made.name,
        "page_count": made.page_count,
        "checksum": made.md5,
        "created_ts": wire.instant(made.created_at),
    }


routes = [
    upload_pdf,
    upload_mixed,
    upload_image,
    finalize_images,
    upload_paystub,
    upload_form,
    upload_mixed_v2,
]
