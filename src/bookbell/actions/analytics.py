"""Analytics as clients ask for them. Source: contract 10.9.

v1: a request, and later its result. v2: the views of a book's analytics, at once or by a job that waits for them.
"""

from bookbell.actions import books as visible
from bookbell.actions.books import BookKey
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.errors import AnalyticsNotSupported, BankStatementsOnly, NotFound, TooEarly
from bookbell.core.model import Account, AnalyticsJob, AnalyticsRequest, AnalyticsStatus, Book, JobStatus
from bookbell.store import analytics, books, documents
from bookbell.store.database import Tx

CLASSIFY_ONLY = ("INSTANT_CLASSIFY_ONLY",)


def request_analytics(tx: Tx, account: Account, key: BookKey, stamp: Stamp) -> Published[AnalyticsRequest]:
    """Ask the pipeline for the analytics of a book.

    Raises: BookNotFound, NotPermittedBook, AnalyticsNotSupported for a book whose documents are classified only,
    BankStatementsOnly for one that holds documents but no bank statement.
    """
    book = visible.lock_book(tx, account, key)
    if book.book_class in CLASSIFY_ONLY:
        raise AnalyticsNotSupported
    if documents.sizes(tx, book.pk)[0] and not documents.has_bank_statements(tx, book.organization_id, book.pk):
        raise BankStatementsOnly
    new = AnalyticsRequest(
        id=stamp.new_id(),
        organization_id=book.organization_id,
        book_pk=book.pk,
        status=AnalyticsStatus.PROCESSING,
        result=None,
        created_at=stamp.at,
        updated_at=stamp.at,
    )
    analytics.insert_request(tx, new)
    return Published(new)


def find_result(tx: Tx, account: Account, request_id: str) -> AnalyticsRequest:
    """The request with its result, if there is one yet. Raises: NotFound, NotPermittedBook."""
    found = analytics.find_request(tx, account.organization_id, request_id)
    if found is None:
        raise NotFound(f"Analytics request {request_id[:80]} not found")
    visible.find_book(tx, account, BookKey(pk=found.book_pk, uuid=None))
    return found


def read_view(tx: Tx, account: Account, key: BookKey, view: str) -> str:
    """One view of a book's analytics, JSON text. Raises: BookNotFound, NotPermittedBook, TooEarly, NotFound."""
    book = visible.find_book(tx, account, key)
    if book.analyzed_at is None:
        raise TooEarly
    result = analytics.results_of(tx, book).get(view)
    if result is None:
        raise NotFound(f"The analytics of this book hold no {view}")
    return result


def start_job(tx: Tx, account: Account, key: BookKey, view: str, stamp: Stamp) -> AnalyticsJob:
    """A job for one view of a book's analytics; it is done at once if they are there.

    It holds the book's row, so that no report of analytics slips between looking and waiting.
    Raises: BookNotFound, NotPermittedBook.
    """
    book = visible.lock_book(tx, account, key)
    status, result = _outcome(tx, book, view)
    new = AnalyticsJob(
        id=stamp.new_id(),
        organization_id=book.organization_id,
        book_pk=book.pk,
        view=view,
        status=status,
        result=result,
        created_at=stamp.at,
        updated_at=stamp.at,
    )
    analytics.insert_job(tx, new)
    return new


def find_job(tx: Tx, account: Account, job_id: str, *, now: int) -> AnalyticsJob:
    """A job of a book the account may see, for a day. Raises: NotFound."""
    found = analytics.find_job(tx, account.organization_id, job_id, since=now - limits.ANALYTICS_JOB_KEPT_MS)
    book = None if found is None else books.find_book(tx, account.organization_id, pk=found.book_pk)
    if found is None or book is None or not visible.is_visible(account, book):
        raise NotFound(f"Job {job_id[:80]} not found")
    return found


def _outcome(tx: Tx, book: Book, view: str) -> tuple[JobStatus, str | None]:
    if book.analyzed_at is None:
        return JobStatus.PENDING, None
    result = analytics.results_of(tx, book).get(view)
    return (JobStatus.FAILED, None) if result is None else (JobStatus.DONE, result)
