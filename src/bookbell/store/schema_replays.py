"""The table of replays, see core.replay; a part of the schema."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from bookbell.store.columns import Id, metadata, rows_where

IS_RUNNING = text("state = 'running'")
HAS_STAGING = text("staging_id IS NOT NULL")

# A replay: what is chosen, how far it has come (cursor: where the last delivery or event looked at stands) and what it
# has done. staging_id: the hidden endpoint it sends to, if not to the endpoint itself; until_position: where the
# events end that were there when it began.
replay_jobs = Table(
    "replay_jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("account_id", Id),
    Column("endpoint_id", Id, ForeignKey("endpoints.id"), nullable=False, index=True),
    Column("staging_id", Id, ForeignKey("endpoints.id")),
    Column("selection", String(16), nullable=False),
    Column("delivery_id", Id),
    Column("event_types", Text),
    Column("book_pk", BigInteger),
    Column("since_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("until_position", BigInteger, nullable=False),
    Column("rate_per_s", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("detail", Text),
    Column("cursor", String(64), nullable=False),
    Column("total_count", Integer, nullable=False),
    Column("is_total_exact", Boolean, nullable=False),
    Column("recovered_count", Integer, nullable=False),
    Column("replayed_count", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("replay_jobs_organization", "organization_id", "id"),
    Index("replay_jobs_due", "due_at", **rows_where(IS_RUNNING)),
    Index("replay_jobs_staging", "staging_id", **rows_where(HAS_STAGING)),
)
