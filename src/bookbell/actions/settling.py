"""What follows for a book when something in it has changed: its groups, its status, its tasks, and their events."""

from collections.abc import Iterable, Sequence

from bookbell.actions.publishing import Told, publish
from bookbell.actions.stamp import Stamp
from bookbell.core.events import Draft
from bookbell.core.lifecycle import book_after, group_after, in_order
from bookbell.core.model import Book
from bookbell.core.tasks import completed, may_be_completed, noted
from bookbell.store import accounts, books, images
from bookbell.store.database import Tx


def settle(
    tx: Tx, book: Book, drafts: Sequence[Draft], stamp: Stamp, *, groups: Iterable[int | None] = ()
) -> tuple[Book, Told]:
    """Move the book to where its contents now put it, and publish the drafts with all that follows from them.

    The caller holds the book's row and has written what changed. groups: pks of image groups whose documents moved.
    Gives the book as it is now and what was told.
    """
    fired = list(drafts)
    for group_pk in sorted({pk for pk in groups if pk is not None}):
        group = images.find_group(tx, book.organization_id, pk=group_pk)
        assert group is not None
        group_change = group_after(group, images.tally(tx, group), at=stamp.at)
        if group_change.value is not group:
            images.save_group(tx, group_change.value)
            fired += group_change.drafts
    change = book_after(book, books.tally(tx, book), at=stamp.at)
    fired = list(in_order([*fired, *change.drafts]))
    after = noted(change.value, [draft.type for draft in fired], at=stamp.at)
    if may_be_completed(after):
        completion = completed(after, accounts.tasks_of(tx, book.organization_id), at=stamp.at)
        after, fired = completion.value, [*fired, *completion.drafts]
    if after is not book:
        books.save_book(tx, after)
    return after, publish(tx, after, fired, stamp)
