"""Files that are given up: taken down where they are given up, removed from the disk by housekeeping.

The row outlives the file: a step that dies between removing files and forgetting their rows is simply done again.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, exists, insert, select, union, update

from bookbell.core.model import AnalyticsStatus, Book, ImageGroupStatus, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema import (
    GROUP_WAITS,
    IS_DELETING,
    discarded_blobs,
    documents,
    image_groups,
    images,
    mixed_documents,
)
from bookbell.store.schema_analytics import ANALYTICS_WAITS, analytics_jobs, analytics_requests, book_analytics

_GONE = ["DELETING", "DELETED"]


def discard(tx: Tx, organization_id: OrganizationId, blobs: Collection[str], *, at: int) -> None:
    """Take these files down for removal; none of them is needed by anything any more."""
    if blobs:
        rows = [{"blob": blob, "organization_id": organization_id, "discarded_at": at} for blob in sorted(blobs)]
        tx.execute(insert(discarded_blobs), rows)


def empty_book(tx: Tx, book: Book, *, at: int) -> None:
    """Delete everything in a book, take its files down for removal, end what waits and forget what is known.

    A handful of statements, however much is in the book.
    """
    held = [
        select(table.c.blob).where(
            table.c.organization_id == book.organization_id,
            table.c.book_pk == book.pk,
            table.c.blob.is_not(None),
            table.c.status.not_in(_GONE),
        )
        for table in (documents, mixed_documents)
    ]
    imaged = select(images.c.blob).where(images.c.organization_id == book.organization_id, images.c.book_pk == book.pk)
    blobs = [row.blob for row in tx.execute(union(*held, imaged))]
    discard(tx, book.organization_id, blobs, at=at)
    for table in (documents, mixed_documents):
        tx.execute(
            update(table)
            .where(table.c.organization_id == book.organization_id, table.c.book_pk == book.pk)
            .values(status="DELETED", blob=None, updated_at=at)
        )
    tx.execute(delete(images).where(images.c.organization_id == book.organization_id, images.c.book_pk == book.pk))
    tx.execute(
        update(image_groups)
        .where(image_groups.c.organization_id == book.organization_id, image_groups.c.book_pk == book.pk, GROUP_WAITS)
        .values(status=ImageGroupStatus.FAILED.value, updated_at=at)
    )
    tx.execute(
        update(analytics_requests)
        .where(
            analytics_requests.c.organization_id == book.organization_id,
            analytics_requests.c.book_pk == book.pk,
            ANALYTICS_WAITS,
        )
        .values(status=AnalyticsStatus.EXPIRED.value, updated_at=at)
    )
    for table in (book_analytics, analytics_jobs):
        tx.execute(delete(table).where(table.c.organization_id == book.organization_id, table.c.book_pk == book.pk))


def oldest_discarded(tx: Tx, *, count: int) -> list[str]:
    """Files to remove next."""
    query = select(discarded_blobs.c.blob).order_by(discarded_blobs.c.discarded_at, discarded_blobs.c.blob)
    return [row.blob for row in tx.execute(query.limit(count))]


def known_blobs(tx: Tx, blobs: Collection[str]) -> set[str]:
    """Those of the blobs that any row names, whatever its organization; reads the tables through."""
    found: set[str] = set()
    for table in (documents, mixed_documents, images, discarded_blobs):
        found |= {row.blob for row in tx.execute(select(table.c.blob).where(table.c.blob.in_(blobs)))}
    return found


def forget(tx: Tx, blobs: Sequence[str]) -> None:
    """These files are gone from the disk."""
    if blobs:
        tx.execute(delete(discarded_blobs).where(discarded_blobs.c.blob.in_(blobs)))


def end_removals(tx: Tx, *, count: int, at: int) -> int:
    """Make documents and mixed documents DELETED whose files are gone. Gives how many, at most count of each."""
    ended = 0
    for table in (documents, mixed_documents):
        waits = exists().where(discarded_blobs.c.blob == table.c.blob)
        query = select(table.c.pk).where(IS_DELETING, ~waits).order_by(table.c.pk).limit(count)
        found = [row.pk for row in tx.execute(query)]
        if found:
            tx.execute(update(table).where(table.c.pk.in_(found)).values(status="DELETED", blob=None, updated_at=at))
        ended += len(found)
    return ended
