"""What clients do with what is in a book: cancel, remove and upgrade documents, update and remove books.

These moves are the client's alone: no pipeline may report them. Cancelling ends a document that is in work, an
upgrade takes a final one back into work, and both may make the book fire (contract 9.3, 10.2, 10.8, C24).
"""

from collections.abc import Sequence
from dataclasses import replace

from bookbell.core.errors import BookPending, MixedPending, NotAcceptable, NotPermittedBook, ValidationFailed
from bookbell.core.lifecycle import (
    CANCELLATION_REASON,
    DOCUMENT_FINAL,
    DOCUMENT_IN_WORK,
    MIXED_FINAL,
    MIXED_IN_WORK,
    BookTally,
    Change,
    document_moved,
    mixed_moved,
)
from bookbell.core.model import (
    Book,
    BookStatus,
    Document,
    DocumentStatus,
    ImageGroup,
    ImageGroupStatus,
    MixedDocument,
    MixedStatus,
)

BOOK_CLASSES = ("COMPLETE", "INSTANT", "INSTANT_CLASSIFY_ONLY", "INSTANT_CLASSIFY_ISO_CAPTURE", "QUALIFY")
BOOK_TYPES = ("DEFAULT", "OPTIMA", "WIDGET", "INSTANT_ML")
UPGRADES = ("INSTANT", "COMPLETE")
MACHINE_ONLY = ("INSTANT", "INSTANT_CLASSIFY_ONLY", "INSTANT_CLASSIFY_ISO_CAPTURE")


def document_cancelled(document: Document, *, at: int) -> Change[Document]:
    """The document rejected at the client's wish, its data given up. Raises: NotAcceptable from a final state."""
    if document.status not in DOCUMENT_IN_WORK:
        raise NotAcceptable(f"Document cannot be cancelled while it is {document.status}")
    change = document_moved(document, DocumentStatus.REJECTED, reason=CANCELLATION_REASON, at=at)
    return Change(replace(change.value, blob=None, token_sealed=None), change.drafts)


def mixed_cancelled(mixed: MixedDocument, *, at: int) -> Change[MixedDocument]:
    """The mixed document rejected at the client's wish. Raises: NotAcceptable once it is classified or final."""
    if mixed.status not in MIXED_IN_WORK:
        raise NotAcceptable(f"Mixed document cannot be cancelled while it is {mixed.status}")
    change = mixed_moved(mixed, MixedStatus.REJECTED, reason=CANCELLATION_REASON, at=at)
    return Change(replace(change.value, blob=None), change.drafts)


def document_removed(document: Document, *, at: int) -> Document:
    """The document on its way out; housekeeping makes it DELETED. Raises: NotAcceptable while it is in work."""
    if document.status not in DOCUMENT_FINAL:
        raise NotAcceptable(f"Document cannot be removed while it is {document.status}")
    return replace(document, status=DocumentStatus.DELETING, updated_at=at)


def mixed_removed(
    mixed: MixedDocument, parts: Sequence[Document], *, at: int
) -> tuple[MixedDocument, tuple[Document, ...]]:
    """The mixed document and the documents cut out of it, all on their way out.

    Raises: MixedPending while it is not classified, NotAcceptable while one of its documents is in work.
    """
    if mixed.status not in MIXED_FINAL:
        raise MixedPending
    removed = tuple(document_removed(part, at=at) for part in parts)
    return replace(mixed, status=MixedStatus.DELETING, updated_at=at), removed


def document_upgraded(document: Document, upgrade: str, *, at: int) -> Document:
    """The document back in work, to be processed as this class. Raises: ValidationFailed, NotAcceptable.

    It goes to GROOMING, as the contract says of that state. One that was cancelled has no data to go back to.
    """
    _demand_upgrade(upgrade)
    if not _can_reopen(document):
        raise NotAcceptable(f"Document cannot be upgraded while it is {document.status}")
    return replace(
        document, status=DocumentStatus.GROOMING, document_class=upgrade, rejection_reason=None, updated_at=at
    )


def mixed_upgraded(
    mixed: MixedDocument, parts: Sequence[Document], upgrade: str, *, at: int
) -> tuple[MixedDocument, tuple[Document, ...]]:
    """The mixed document as this class, and those of its documents that go back into work.

    One that was classified stays COMPLETED, its documents are worked on again; one that was rejected or failed is
    classified anew. Raises: ValidationFailed, NotAcceptable when there is nothing to go back to.
    """
    _demand_upgrade(upgrade)
    upgraded = replace(mixed, document_class=upgrade, updated_at=at)
    reopened = tuple(document_upgraded(part, upgrade, at=at) for part in parts if _can_reopen(part))
    if mixed.status is MixedStatus.COMPLETED and reopened:
        return upgraded, reopened
    if mixed.status in (MixedStatus.REJECTED, MixedStatus.FAILED) and mixed.blob is not None:
        return replace(upgraded, status=MixedStatus.PROCESSING, rejection_reason=None), ()
    raise NotAcceptable(f"Mixed document cannot be upgraded while it is {mixed.status}")


def group_reopened(group: ImageGroup, *, at: int) -> ImageGroup:
    """The image group once a document of it is back in work: it will end, and fire, again."""
    if group.status is ImageGroupStatus.QUEUED:
        return group
    return replace(group, status=ImageGroupStatus.QUEUED, updated_at=at)


def book_reclassed(book: Book, book_class: str) -> Book:
    """The book with another class: only a machine-only one may change, and only to COMPLETE or INSTANT.

    Raises: ValidationFailed, NotPermittedBook (contract 17 on 10.2).
    """
    if book_class == book.book_class:
        return book
    if book_class not in UPGRADES:
        raise ValidationFailed('Invalid dictionary value @ data["book_class"]')
    if book.book_class not in MACHINE_ONLY:
        raise NotPermittedBook("Book is not in MACHINE_ONLY context")
    return replace(book, book_class=book_class)


def book_removed(book: Book, tally: BookTally, *, at: int) -> Book:
    """The book, deleted. Raises: BookPending while something in it is in work."""
    if tally.documents_in_work or tally.mixed_in_work:
        raise BookPending
    return replace(book, status=BookStatus.DELETED, updated_at=at)


def _can_reopen(document: Document) -> bool:
    has_data = document.blob is not None or document.token_sealed is not None
    return document.status in DOCUMENT_FINAL and has_data


def _demand_upgrade(upgrade: str) -> None:
    if upgrade not in UPGRADES:
        raise ValidationFailed("upgrade_type: INSTANT or COMPLETE is expected")
