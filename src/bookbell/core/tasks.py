"""When a book is completed: all tasks its organization has configured are done since it was last opened.

CAPTURE is done while the book is verified; the others when an event says so. The tasks that are done are kept on the
book, and forgotten when work on it begins again. Source: contract 4.1, 4.4, 9.3.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from bookbell.core.errors import ValidationFailed
from bookbell.core.events import Draft
from bookbell.core.lifecycle import BOOK_COMPLETE, Change
from bookbell.core.model import Book, BookStatus, Task

TASK_OF_EVENT = {
    "book.detect.signal_found": Task.DETECT,
    "book.detect.signal_not_found": Task.DETECT,
    "book.analytics_v2.generated": Task.ANALYTICS,
    "book.income.generated": Task.INCOME,
}


def tasks_from(texts: Collection[str]) -> tuple[Task, ...]:
    """Configured tasks from their names, in order of name, each once. Raises: ValidationFailed."""
    if not texts or set(texts) - set(Task):
        raise ValidationFailed(f"tasks: at least one of {', '.join(sorted(Task))} is expected")
    return tuple(sorted({Task(text) for text in texts}))


def noted(book: Book, event_types: Iterable[str], *, at: int) -> Book:
    """The book once these events have fired: their tasks are done."""
    done = book.tasks_done | {TASK_OF_EVENT[name] for name in event_types if name in TASK_OF_EVENT}
    return book if done == book.tasks_done else replace(book, tasks_done=done, updated_at=at)


def may_be_completed(book: Book) -> bool:
    """Whether to look for the configured tasks: some task is done, and completion has not been told."""
    return not book.is_completed and bool(_done(book))


def completed(book: Book, configured: Collection[Task], *, at: int) -> Change[Book]:
    """The book, completed if all configured tasks are done; that fires once."""
    if book.is_completed or not configured or not set(configured) <= _done(book):
        return Change(book)
    draft = Draft(type="book.completed", status=BOOK_COMPLETE, tasks=tuple(configured))
    return Change(replace(book, is_completed=True, updated_at=at), (draft,))


def _done(book: Book) -> frozenset[Task]:
    return book.tasks_done | ({Task.CAPTURE} if book.status is BookStatus.VERIFIED else frozenset())
