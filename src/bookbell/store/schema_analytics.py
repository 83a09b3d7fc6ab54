"""The tables of analytics, beside those of store/schema.py.

Requests of v1, and for v2 the results of books and the jobs that wait for them. A result is JSON text as it was
reported; SQL does not look into it.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text, text

from bookbell.store.columns import Id, metadata, rows_where

ANALYTICS_WAITS = text("status = 'PROCESSING'")

analytics_requests = Table(
    "analytics_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("result", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("analytics_requests_waiting", "id", **rows_where(ANALYTICS_WAITS)),
)

# The latest results of a book, one row for each view; books.analyzed_at says whether they still hold.
book_analytics = Table(
    "book_analytics",
    metadata,
    Column("book_pk", BigInteger, ForeignKey("books.pk"), primary_key=True, autoincrement=False),
    Column("view", String(32), primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("result", Text, nullable=False),
)

analytics_jobs = Table(
    "analytics_jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False, index=True),
    Column("view", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("result", Text),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False),
)
