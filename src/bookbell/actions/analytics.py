"""Asynchronous analytics: a request, and later its result. Source: contract 10.9."""

from bookbell.actions import books as visible
from bookbell.actions.books import BookKey
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import AnalyticsNotSupported, BankStatementsOnly, NotFound
from bookbell.core.model import Account, AnalyticsRequest, AnalyticsStatus
from bookbell.store import analytics, documents
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
