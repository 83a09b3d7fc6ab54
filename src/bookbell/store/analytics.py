"""Asynchronous analytics requests, second-generation analytics of books, and jobs that wait for them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from bookbell.core.model import AnalyticsJob, AnalyticsRequest, AnalyticsStatus, Book, JobStatus, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema_analytics import ANALYTICS_WAITS, analytics_jobs, analytics_requests, book_analytics


def insert_request(tx: Tx, new: AnalyticsRequest) -> None:
    """Add an analytics request."""
    values = {name: getattr(new, name) for name in AnalyticsRequest.__slots__}
    tx.execute(insert(analytics_requests).values({**values, "status": new.status.value}))


def save_request(tx: Tx, changed: AnalyticsRequest) -> None:
    """Write the state of an analytics request."""
    tx.execute(
        update(analytics_requests)
        .where(analytics_requests.c.organization_id == changed.organization_id, analytics_requests.c.id == changed.id)
        .values(status=changed.status.value, result=changed.result, updated_at=changed.updated_at)
    )


def find_request(tx: Tx, organization_id: OrganizationId | None, request_id: str) -> AnalyticsRequest | None:
    """An analytics request; organization None is for the pipeline, which serves all of them."""
    query = select(analytics_requests).where(analytics_requests.c.id == request_id)
    if organization_id is not None:
        query = query.where(analytics_requests.c.organization_id == organization_id)
    row = tx.execute(query).first()
    return None if row is None else _request(row)


def waiting_requests(tx: Tx, *, before: int, after: str, count: int) -> list[AnalyticsRequest]:
    """Requests without a result that have not moved since `before`, in order of id, for the pipeline."""
    query = (
        select(analytics_requests)
        .where(
            ANALYTICS_WAITS,
            analytics_requests.c.updated_at <= before,
            analytics_requests.c.id > after,
        )
        .order_by(analytics_requests.c.id)
        .limit(count)
    )
    return [_request(row) for row in tx.execute(query)]


def results_of(tx: Tx, book: Book) -> dict[str, str]:
    """The latest results of a book, JSON text by view; whether they still hold the book says."""
    query = select(book_analytics.c.view, book_analytics.c.result).where(
        book_analytics.c.organization_id == book.organization_id, book_analytics.c.book_pk == book.pk
    )
    return {row.view: row.result for row in tx.execute(query)}


def save_results(tx: Tx, book: Book, results: Mapping[str, str]) -> None:
    """Replace the results of a book. The caller holds its row."""
    tx.execute(
        delete(book_analytics).where(
            book_analytics.c.organization_id == book.organization_id, book_analytics.c.book_pk == book.pk
        )
    )
    key = {"organization_id": book.organization_id, "book_pk": book.pk}
    tx.execute(insert(book_analytics), [{**key, "view": view, "result": text} for view, text in results.items()])


def insert_job(tx: Tx, new: AnalyticsJob) -> None:
    """Add a job."""
    values = {name: getattr(new, name) for name in AnalyticsJob.__slots__}
    tx.execute(insert(analytics_jobs).values({**values, "status": new.status.value}))


def find_job(tx: Tx, organization_id: OrganizationId, job_id: str, *, since: int) -> AnalyticsJob | None:
    """A job, unless it was made before `since`."""
    query = select(analytics_jobs).where(
        analytics_jobs.c.organization_id == organization_id,
        analytics_jobs.c.id == job_id,
        analytics_jobs.c.created_at >= since,
    )
    row = tx.execute(query).first()
    return None if row is None else AnalyticsJob(**{**row._mapping, "status": JobStatus(row.status)})


def end_jobs(tx: Tx, book: Book, results: Mapping[str, str], *, at: int) -> None:
    """End the jobs that wait for this book: DONE with the result of their view, FAILED where there is none."""
    waiting = (
        analytics_jobs.c.organization_id == book.organization_id,
        analytics_jobs.c.book_pk == book.pk,
        analytics_jobs.c.status == JobStatus.PENDING.value,
    )
    for view, text in results.items():
        done = {"status": JobStatus.DONE.value, "result": text, "updated_at": at}
        tx.execute(update(analytics_jobs).where(*waiting, analytics_jobs.c.view == view).values(done))
    tx.execute(update(analytics_jobs).where(*waiting).values(status=JobStatus.FAILED.value, updated_at=at))


def _request(row: Row[Any]) -> AnalyticsRequest:
    return AnalyticsRequest(**{**row._mapping, "status": AnalyticsStatus(row.status)})
