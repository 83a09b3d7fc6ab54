"""What clients put into books: PDFs, mixed PDFs, images and image groups. Source: contract 10.4–10.7, 10.11.

Each upload is one transaction that holds the book, so that two uploads of one file cannot both pass as new.
"""

from dataclasses import dataclass, replace

from bookbell.actions import books as visible
from bookbell.actions.books import BookKey
from bookbell.actions.publishing import Told
from bookbell.actions.settling import settle
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.errors import ImageGroupNotFound, TooManyDocuments, TooManyPages
from bookbell.core.events import Draft
from bookbell.core.lifecycle import document_accepted, group_finalized
from bookbell.core.model import (
    Account,
    Book,
    Document,
    DocumentSource,
    DocumentStatus,
    ImageGroup,
    ImageGroupStatus,
    MixedDocument,
    MixedStatus,
)
from bookbell.store import documents, images
from bookbell.store.database import Tx
from bookbell.store.images import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that has been received and inspected. blob: its name in the blob folder; md5: lower-case hex.

    Of a PLAID_ASSET there is no file, but the sealed token to pull it with.
    """

    book: BookKey
    name: str
    blob: str | None
    md5: str
    page_count: int = 0
    form_type: str | None = None
    source: DocumentSource = DocumentSource.FILE
    token_sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The file is in the book already: pk and uuid of each earlier one."""

    earlier: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class DuplicateImage:
    """The image is in the book already: group pk, image pk and image uuid of each earlier one."""

    earlier: list[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Finalized:
    """A finalized image group, and the mixed document that was made of it, if one was."""

    group: ImageGroup
    mixed: MixedDocument | None


def upload_document(tx: Tx, account: Account, upload: Upload, stamp: Stamp) -> Published[Document | Duplicate]:
    """Add a PDF of one form, or an aggregator's data.

    Raises: BookNotFound, NotPermittedBook, TooManyDocuments, TooManyPages.
    """
    book = visible.lock_book(tx, account, upload.book)
    if earlier := documents.duplicates(tx, book.organization_id, book.pk, upload.md5):
        return Published(Duplicate(earlier))
    _check_sizes(tx, book, upload.page_count)
    document, told = _add_document(tx, book, upload, None, stamp)
    return told.published(document)


def upload_mixed(tx: Tx, account: Account, upload: Upload, stamp: Stamp) -> Published[MixedDocument | Duplicate]:
    """Add a PDF of several forms, to be cut up by the pipeline. Raises: as upload_document."""
    book = visible.lock_book(tx, account, upload.book)
    if earlier := documents.mixed_duplicates(tx, book.organization_id, book.pk, upload.md5):
        return Published(Duplicate(earlier))
    _check_sizes(tx, book, upload.page_count)
    mixed = _add_mixed(tx, book, upload, None, stamp)
    _, told = settle(tx, book, (), stamp)
    return told.published(mixed)


def upload_image(tx: Tx, account: Account, upload: Upload, stamp: Stamp) -> Published[Image | DuplicateImage]:
    """Add an image to the book's open group, which is made if there is none. Raises: as upload_document."""
    book = visible.lock_book(tx, account, upload.book)
    if earlier := images.image_duplicates(tx, book.organization_id, book.pk, upload.md5):
        return Published(DuplicateImage(earlier))
    group = images.find_open_group(tx, book.organization_id, book.pk)
    _check_sizes(tx, book, 1 + (images.count_images(tx, group) if group else 0))
    group = group or _add_group(tx, book, stamp)
    assert upload.blob is not None
    image = Image(
        pk=0,
        uuid=stamp.new_id(),
        organization_id=book.organization_id,
        image_group_pk=group.pk,
        book_pk=book.pk,
        name=upload.name,
        md5=upload.md5,
        blob=upload.blob,
        created_at=stamp.at,
    )
    image = replace(image, pk=images.insert_image(tx, image))
    _, told = settle(tx, book, (), stamp)
    return told.published(image)


def finalize_group(
    tx: Tx, account: Account, key: BookKey, form_type: str | None, stamp: Stamp
) -> Published[Finalized]:
    """Close the book's open image group and make a document of it, or a mixed one if no form type is given.

    Raises: ImageGroupNotFound when there is no open group; TooManyDocuments, TooManyPages when the book has become
    full since its images came.
    """
    book = visible.lock_book(tx, account, key)
    group = images.find_open_group(tx, book.organization_id, book.pk)
    if group is None:
        raise ImageGroupNotFound
    change = group_finalized(group, form_type=form_type, at=stamp.at)
    images.save_group(tx, change.value)
    found = images.list_images(tx, group)
    _check_sizes(tx, book, len(found))
    upload = Upload(
        book=key,
        name=found[0].name,
        blob=found[0].blob,
        md5=found[0].md5,
        page_count=len(found),
        form_type=form_type,
    )
    if form_type is not None:
        _, told = _add_document(tx, book, upload, change.value, stamp, drafts=change.drafts)
        return told.published(Finalized(change.value, None))
    mixed = _add_mixed(tx, book, upload, change.value, stamp)
    _, told = settle(tx, book, change.drafts, stamp)
    return told.published(Finalized(change.value, mixed))


def _add_document(
    tx: Tx, book: Book, upload: Upload, group: ImageGroup | None, stamp: Stamp, *, drafts: tuple[Draft, ...] = ()
) -> tuple[Document, Told]:
    new = Document(
        pk=0,
        uuid=stamp.new_id(),
        organization_id=book.organization_id,
        book_pk=book.pk,
        name=upload.name,
        form_type=upload.form_type,
        status=DocumentStatus.QUEUED,
        rejection_reason=None,
        page_count=upload.page_count,
        md5=upload.md5,
        blob=upload.blob,
        mixed_pk=None,
        mixed_uuid=None,
        image_group_pk=group.pk if group else None,
        image_group_uuid=group.uuid if group else None,
        created_at=stamp.at,
        updated_at=stamp.at,
        document_class=book.book_class,
        source=upload.source,
        token_sealed=upload.token_sealed,
    )
    new = replace(new, pk=documents.insert_document(tx, new))
    _, told = settle(tx, book, [*drafts, *document_accepted(new)], stamp)
    return new, told


def _add_mixed(tx: Tx, book: Book, upload: Upload, group: ImageGroup | None, stamp: Stamp) -> MixedDocument:
    new = MixedDocument(
        pk=0,
        uuid=stamp.new_id(),
        organization_id=book.organization_id,
        book_pk=book.pk,
        name=upload.name,
        status=MixedStatus.QUEUED,
        rejection_reason=None,
        page_count=upload.page_count,
        md5=upload.md5,
        blob=upload.blob,
        image_group_pk=group.pk if group else None,
        image_group_uuid=group.uuid if group else None,
        created_at=stamp.at,
        updated_at=stamp.at,
        document_class=book.book_class,
    )
    return replace(new, pk=documents.insert_mixed(tx, new))


def _add_group(tx: Tx, book: Book, stamp: Stamp) -> ImageGroup:
    new = ImageGroup(
        pk=0,
        uuid=stamp.new_id(),
        organization_id=book.organization_id,
        book_pk=book.pk,
        form_type=None,
        status=ImageGroupStatus.UPLOADING,
        created_at=stamp.at,
        updated_at=stamp.at,
    )
    return replace(new, pk=images.insert_group(tx, new))


def _check_sizes(tx: Tx, book: Book, page_count: int) -> None:
    if page_count > limits.PAGES_PER_DOCUMENT_MAX:
        raise TooManyPages(f"The document has {page_count} pages; {limits.PAGES_PER_DOCUMENT_MAX} are the most.")
    count, pages = documents.sizes(tx, book.pk)
    if count >= limits.DOCUMENTS_PER_BOOK_MAX:
        raise TooManyDocuments
    if pages + page_count > limits.PAGES_PER_BOOK_MAX:
        raise TooManyPages(f"The book would exceed {limits.PAGES_PER_BOOK_MAX} pages.")
