"""Asynchronous analytics: a request, and later its result. Source: contract 10.9."""

from bookbell.actions import books as visible
from bookbell.actions.books import BookKey
from bookbell.actions.stamp import Published, Stamp
from bookbell.core.errors import NotFound
from bookbell.core.model import Account, AnalyticsRequest, AnalyticsStatus
from bookbell.store import analytics
from bookbell.store.database import Tx


def request_analytics(tx: Tx, account: Account, key: BookKey, stamp: Stamp) -> Published[AnalyticsRequest]:
    """Ask the pipeline for the analytics of a book. Raises: BookNotFound, NotPermittedBook."""
    book = visible.lock_book(tx, account, key)
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
