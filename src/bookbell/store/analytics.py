"""Asynchronous analytics requests."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from bookbell.core.model import AnalyticsRequest, AnalyticsStatus, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema import ANALYTICS_WAITS, analytics_requests


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


def _request(row: Row[Any]) -> AnalyticsRequest:
    return AnalyticsRequest(**{**row._mapping, "status": AnalyticsStatus(row.status)})
