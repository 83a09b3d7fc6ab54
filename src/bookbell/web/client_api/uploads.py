"""Uploads over the wire. A file that is refused for what it is arrives as HTTP 200 with an inner status 400.

Source: contract 10.4–10.7, 17.
"""

import asyncio
from typing import Any

from litestar import Response, post

from bookbell.actions import uploads
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
from bookbell.core.model import Document, MixedDocument
from bookbell.web import files, inspection, wire
from bookbell.web.auth import account_of
from bookbell.web.client_api import book_shapes as shapes
from bookbell.web.client_api.books import book_key
from bookbell.web.context import Context, context_of
from bookbell.web.files import Received
from bookbell.web.operation import BOOK_KEY, FILE, UPLOAD_BODY, Operation, Tag, described, enveloped, may, need
from bookbell.web.shape import flag, text

FORM_TYPE_CHARS_MAX = 64


@post(
    "/v1/book/upload",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                need("upload", FILE, "The PDF."),
                may("doc_name", text("statement-03.pdf"), "Its name; the file's own if not given."),
                may("form_type", text("W2"), "What kind of form it is."),
            ),
            answer=enveloped(shapes.UPLOADED),
            errors=(
                BookNotFound,
                MissingParameter,
                NotPermittedBook,
                OneFileOnly,
                TooManyDocuments,
                TooManyPages,
                FormTypeNotFound,
            ),
        )
    ),
)
async def upload_pdf(request: wire.Wire) -> Response[bytes]:
    """Add a PDF of one form to a book."""
    context, account = context_of(request), await account_of(request)
    async with _receiving(request, context) as (params, file):
        count = await inspection.page_count(file.path)
        if count is None:
            return await _refuse(file, _failure(f"{file.name} is not a valid pdf\n", [], _PLURAL))
        upload = Upload(
            book=book_key(params),
            name=file.name,
            blob=file.blob,
            md5=file.md5,
            page_count=count,
            form_type=_form_type(params),
        )
        made = await context.perform(uploads.upload_document, account, upload, context.stamp())
        if isinstance(made, Duplicate):
            return await _refuse(file, _failure(f"{file.name} already exists\n", made.earlier, _PLURAL))
    return wire.ok({"uploaded_docs": [_item(made)]})


@post(
    "/v1/book/upload/mixed",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                need("upload", FILE, "The PDF."),
                may("doc_name", text("statement-03.pdf"), "Its name; the file's own if not given."),
            ),
            answer=enveloped(shapes.UPLOADED_MIXED),
            errors=(
                BookNotFound,
                MissingParameter,
                NotPermittedBook,
                OneFileOnly,
                TooManyDocuments,
                TooManyPages,
            ),
        )
    ),
)
async def upload_mixed(request: wire.Wire) -> Response[bytes]:
    """Add a PDF of several forms to a book."""
    context, account = context_of(request), await account_of(request)
    async with _receiving(request, context) as (params, file):
        count = await inspection.page_count(file.path)
        if count is None:
            return await _refuse(file, _failure(f"{file.name} is not a valid pdf\n", [], _BOTH))
        upload = Upload(book=book_key(params), name=file.name, blob=file.blob, md5=file.md5, page_count=count)
        made = await context.perform(uploads.upload_mixed, account, upload, context.stamp())
        if isinstance(made, Duplicate):
            return await _refuse(file, _failure(f"{file.name} already exists\n", made.earlier, _BOTH))
    return wire.ok({"mixed_uploaded_docs": [_item(made)]})


@post(
    "/v1/book/upload/image",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            media=UPLOAD_BODY,
            fields=(
                *BOOK_KEY,
                need("upload", FILE, "A JPEG, PNG, BMP or TIFF of one image."),
                may("doc_name", text("statement-03.pdf"), "Its name; the file's own if not given."),
                may("return_image_pk", flag(), "Whether to answer with the image's number."),
            ),
            answer=enveloped(shapes.UPLOADED_IMAGE),
            errors=(
                BookNotFound,
                MissingParameter,
                NotPermittedBook,
                OneFileOnly,
                TooManyDocuments,
                TooManyPages,
            ),
        )
    ),
)
async def upload_image(request: wire.Wire) -> Response[bytes]:
    """Add an image to the book's open image group."""
    context, account = context_of(request), await account_of(request)
    async with _receiving(request, context) as (params, file):
        if not await inspection.is_image(file.path):
            return await _refuse(file, _image_failure(f"{file.name} is not a valid Image", []))
        upload = Upload(book=book_key(params), name=file.name, blob=file.blob, md5=file.md5)
        made = await context.perform(uploads.upload_image, account, upload, context.stamp())
        if isinstance(made, DuplicateImage):
            return await _refuse(file, _image_failure(f"{file.name} already exists", made.earlier))
        shown: dict[str, Any] = {"image_group_pk": made.image_group_pk}
        if params.flag("return_image_pk"):
            shown["image_pk"] = made.pk
    return wire.ok(shown)


@post(
    "/v1/book/upload/image/done",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(
                *BOOK_KEY,
                may("form_type", text("W2"), "What kind of form it is."),
            ),
            answer=enveloped(shapes.FINALIZED),
            errors=(
                BookNotFound,
                FormTypeNotFound,
                ImageGroupNotFound,
                MissingParameter,
                NotPermittedBook,
                TooManyDocuments,
            ),
        )
    ),
)
async def finalize_images(request: wire.Wire) -> Response[bytes]:
    """Close the open image group: its images become a document, or a mixed one to be classified."""
    context, account = context_of(request), await account_of(request)
    params = await wire.read_params(request)
    done = await context.perform(
        uploads.finalize_group, account, book_key(params), _form_type(params), context.stamp()
    )
    shown: dict[str, Any] = {"image_group_pk": done.group.pk, "image_bucket_uuid": done.group.uuid}
    if done.mixed is not None:
        shown["mixed_doc_uuid"] = done.mixed.uuid
    return wire.ok(shown)


def _receiving(request: wire.Wire, context: Context) -> Any:
    return files.received(request, context.blob_dir, context.ambient.new_id(), context.upload_bytes_max)


async def _refuse(file: Received, body: dict[str, Any]) -> Response[bytes]:
    await asyncio.to_thread(files.remove, file)
    return wire.ok(body)


def _form_type(params: wire.Params) -> str | None:
    """The form type, upper case. Raises: FormTypeNotFound for what cannot be one."""
    given = params.text("form_type")
    if not given:
        return None
    if len(given) > FORM_TYPE_CHARS_MAX or not all(char.isalnum() or char in "_-" for char in given):
        raise FormTypeNotFound
    return given.upper()


_PLURAL = ("original_existing_doc_pks", "original_existing_doc_uuids", "uploaded_docs")
_BOTH = (*_PLURAL, "original_existing_doc_pk", "original_existing_doc_uuid", "mixed_uploaded_docs")


def _failure(message: str, earlier: list[tuple[int, str]], names: tuple[str, ...]) -> dict[str, Any]:
    """The inner answer of a refused PDF. names: the keys this call sends."""
    shown: dict[str, Any] = {"status": 400, "message": message}
    for name in names:
        if "_doc_pk" in name:
            shown[name] = [pk for pk, _ in earlier]
        elif "_doc_uuid" in name:
            shown[name] = [uuid for _, uuid in earlier]
        else:
            shown[name] = []
    return shown


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


routes = [upload_pdf, upload_mixed, upload_image, finalize_images]
