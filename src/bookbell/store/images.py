"""Image groups and the images in them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from bookbell.core.lifecycle import DOCUMENT_IN_WORK, MIXED_IN_WORK, GroupTally
from bookbell.core.model import ImageGroup, ImageGroupStatus, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema import GROUP_WAITS, documents, image_groups, images, mixed_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of a group. blob: its file within the blob folder."""

    pk: int
    uuid: str
    organization_id: OrganizationId
    image_group_pk: int
    book_pk: int
    name: str
    md5: str
    blob: str
    created_at: int


def insert_group(tx: Tx, new: ImageGroup) -> int:
    """Add an image group. Gives its pk."""
    values = {name: getattr(new, name) for name in ImageGroup.__slots__ if name != "pk"}
    values["status"] = new.status.value
    return int(tx.execute(insert(image_groups).values(values).returning(image_groups.c.pk)).scalar_one())


def save_group(tx: Tx, changed: ImageGroup) -> None:
    """Write the state of an image group."""
    tx.execute(
        update(image_groups)
        .where(image_groups.c.organization_id == changed.organization_id, image_groups.c.pk == changed.pk)
        .values(status=changed.status.value, form_type=changed.form_type, updated_at=changed.updated_at)
    )


def find_group(
    tx: Tx, organization_id: OrganizationId | None, *, pk: int | None = None, uuid: str = ""
) -> ImageGroup | None:
    """An image group by one of its ids; organization None is for the pipeline, which serves all of them."""
    query = select(image_groups).where(image_groups.c.pk == pk if pk is not None else image_groups.c.uuid == uuid)
    if organization_id is not None:
        query = query.where(image_groups.c.organization_id == organization_id)
    row = tx.execute(query).first()
    return None if row is None else _group(row)


def find_open_group(tx: Tx, organization_id: OrganizationId, book_pk: int) -> ImageGroup | None:
    """The group of this book that still takes images."""
    query = select(image_groups).where(
        image_groups.c.organization_id == organization_id,
        image_groups.c.book_pk == book_pk,
        image_groups.c.status == ImageGroupStatus.UPLOADING.value,
    )
    row = tx.execute(query).first()
    return None if row is None else _group(row)


def waiting_groups(tx: Tx, *, before: int, after_pk: int, count: int) -> list[ImageGroup]:
    """Groups that take images or whose documents are in work, not moved since `before`, in order of pk."""
    query = select(image_groups).where(GROUP_WAITS, image_groups.c.updated_at <= before, image_groups.c.pk > after_pk)
    return [_group(row) for row in tx.execute(query.order_by(image_groups.c.pk).limit(count))]


def insert_image(tx: Tx, new: Image) -> int:
    """Add an image. Gives its pk."""
    values = {name: getattr(new, name) for name in Image.__slots__ if name != "pk"}
    return int(tx.execute(insert(images).values(values).returning(images.c.pk)).scalar_one())


def image_duplicates(tx: Tx, organization_id: OrganizationId, book_pk: int, md5: str) -> list[tuple[int, int, str]]:
    """Group pk, image pk and image uuid of this book's images with the same content."""
    query = select(images.c.image_group_pk, images.c.pk, images.c.uuid).where(
        images.c.organization_id == organization_id, images.c.book_pk == book_pk, images.c.md5 == md5
    )
    return [(row.image_group_pk, row.pk, row.uuid) for row in tx.execute(query.order_by(images.c.pk))]


def list_images(tx: Tx, group: ImageGroup) -> list[Image]:
    """The images of a group, in the order they came."""
    query = select(images).where(images.c.image_group_pk == group.pk).order_by(images.c.pk)
    return [Image(**row._mapping) for row in tx.execute(query)]


def take_out(tx: Tx, organization_id: OrganizationId, group_pk: int) -> set[str]:
    """Remove the images of a group. Gives their blobs."""
    taken = delete(images).where(images.c.organization_id == organization_id, images.c.image_group_pk == group_pk)
    return {row.blob for row in tx.execute(taken.returning(images.c.blob))}


def count_images(tx: Tx, group: ImageGroup) -> int:
    """How many images a group holds."""
    return int(tx.execute(select(func.count()).where(images.c.image_group_pk == group.pk)).scalar_one())


def tally(tx: Tx, group: ImageGroup) -> GroupTally:
    """Where the documents that came of this group stand; a mixed one counts until it is cut up."""
    by_document = _counts(tx, documents, group.pk)
    by_mixed = _counts(tx, mixed_documents, group.pk)
    return GroupTally(
        in_work=sum(by_document.get(each, 0) for each in DOCUMENT_IN_WORK)
        + sum(by_mixed.get(each, 0) for each in MIXED_IN_WORK),
        complete=by_document.get("VERIFICATION_COMPLETE", 0),
        rejected=by_document.get("REJECTED", 0) + by_mixed.get("REJECTED", 0),
        failed=by_document.get("FAILED", 0) + by_mixed.get("FAILED", 0),
    )


def _counts(tx: Tx, table: Any, group_pk: int) -> dict[str, int]:
    query = select(table.c.status, func.count()).where(table.c.image_group_pk == group_pk).group_by(table.c.status)
    return {row[0]: row[1] for row in tx.execute(query)}


def _group(row: Row[Any]) -> ImageGroup:
    return ImageGroup(**{**row._mapping, "status": ImageGroupStatus(row.status)})
