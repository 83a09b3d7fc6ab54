"""The tables, declared once for SQLite and PostgreSQL.

Every row of a tenant carries organization_id. Ids are text (UUID version 7, so they sort by time), a pk is a
64-bit integer the database numbers, instants are integer milliseconds UTC. The migrations build the same schema
on their own; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bookbell.store.columns import Id, OwnTransaction, Pk, metadata, rows_where
from bookbell.store.schema_analytics import analytics_jobs, analytics_requests, book_analytics
from bookbell.store.schema_keeping import chores, kept_bytes, ledger_totals
from bookbell.store.schema_replays import replay_jobs

__all__ = [  # made elsewhere, but of this schema
    "analytics_jobs",
    "analytics_requests",
    "book_analytics",
    "chores",
    "kept_bytes",
    "ledger_totals",
    "metadata",
    "replay_jobs",
]

NEVER_AT = 2**53
"""A `due_at` that does not come: nothing is waiting."""

DOCUMENT_WAITS = text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED', 'GROOMING', 'VERIFYING')")
MIXED_WAITS = text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED')")
BOOK_WAITS = text("status = 'VERIFIED' AND analyzed_at IS NULL")
GROUP_WAITS = text("status IN ('UPLOADING', 'QUEUED')")
WAITING = text("state = 'pending'")
UNSUCCESSFUL = text("state IN ('exhausted', 'cancelled')")
QUEUES = text("state = 'pending' AND queue_pk IS NOT NULL")
SUBJECTS = text("state = 'pending' AND subject_pk IS NOT NULL")
IS_FREE, IS_OWNED = text("owner IS NULL"), text("owner IS NOT NULL")
IS_DELETING = text("status = 'DELETING'")
IS_DELETED = text("status = 'DELETED'")
"""What the pipeline, lanes and housekeeping still have to do, spelled out so that the indexes over it can be used."""

IS_REPLAYED = text("replay_job_id IS NOT NULL")

organizations = Table(
    "organizations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("tasks", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("client_id", Text, nullable=False, unique=True),
    Column("secret_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

# One row per account-level webhook for the life of the account: deregistering sets deregistered_at and forgets
# URL and secret, registering again revives it, so the history of its deliveries stays in one place. A deleted
# org-level webhook leaves its row in the same state, for good. are_credentials_apart: the URL's credentials were
# given beside it, so they are never shown. replay_job_id: set for the hidden endpoint of a replay to a staging URL,
# which nothing subscribes for and no list shows.
endpoints = Table(
    "endpoints",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("organization_id", Id, ForeignKey("organizations.id"), nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), unique=True),
    Column("level", String(8), nullable=False),
    Column("description", Text),
    Column("url_masked", Text),
    Column("url_sealed", LargeBinary),
    Column("are_credentials_apart", Boolean, nullable=False),
    Column("secret_sealed", LargeBinary),
    Column("policy", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deregistered_at", BigInteger),
    Column("deactivated_at", BigInteger),
    Column("disabled_at", BigInteger),
    Column("disabled_reason", Text),
    Column("replay_job_id", Id),
    Column("paused_at", BigInteger),
    Column("resumed_at", BigInteger),
    Index("endpoints_organization", "organization_id", "account_id"),
)

# What the owner or the operator of an endpoint should know of: how long it has been failing, that it was disabled, ...
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("endpoint_id", Id, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("notices_endpoint", "endpoint_id", "id"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("endpoint_id", Id, ForeignKey("endpoints.id"), primary_key=True),
    Column("event_type", String(64), primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("position", Integer, nullable=False),
)

# Beside the lease: the circuit (see core.circuit), in whose `probe_at` a lane that is to rest sleeps; 0 while closed;
# succeeded_at: the last delivery, to some minutes; discard_at: what was created by then is to be cancelled;
# is_spent: its owner gave it up, or lost it, before its rate limit had forgotten what was sent.
lanes = Table(
    "lanes",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("endpoint_id", Id, ForeignKey("endpoints.id"), nullable=False),
    Column("owner", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("failure_count", Integer, nullable=False, server_default="0"),
    Column("failing_since", BigInteger),
    Column("opened_at", BigInteger),
    Column("probe_at", BigInteger, nullable=False, server_default="0"),
    Column("probe_count", Integer, nullable=False, server_default="0"),
    Column("allowance", Integer),
    Column("notice_percent", Integer, nullable=False, server_default="0"),
    Column("succeeded_at", BigInteger),
    Column("discard_at", BigInteger),
    Column("discard_reason", String(16)),
    Column("is_spent", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("endpoint_id", "part"),
    Index("lanes_free", "due_at", **rows_where(IS_FREE)),
    Index("lanes_owned", "lease_until", "owner", "due_at", **rows_where(IS_OWNED)),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("lane_count", Integer, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

books = Table(
    "books",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("uuid", Id, nullable=False, unique=True),
    Column("organization_id", Id, ForeignKey("organizations.id"), nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_classified", Boolean, nullable=False),
    Column("tasks_done", String(64), nullable=False),
    Column("is_completed", Boolean, nullable=False),
    Column("analyzed_at", BigInteger),
    Column("book_class", String(32), nullable=False),
    Column("book_type", String(32), nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("xid", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("books_organization_pk", "organization_id", "pk"),
    Index("books_waiting", "pk", **rows_where(BOOK_WAITS)),
    Index("books_name_unique", "account_id", "name", unique=True, **rows_where(text("status <> 'DELETED'"))),
    Index("books_deleted", "updated_at", **rows_where(IS_DELETED)),
    sqlite_autoincrement=True,
)

image_groups = Table(
    "image_groups",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("uuid", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False, index=True),
    Column("form_type", Text),
    Column("status", String(24), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("image_groups_open", "book_pk", unique=True, **rows_where(text("status = 'UPLOADING'"))),
    Index("image_groups_waiting", "pk", **rows_where(GROUP_WAITS)),
    sqlite_autoincrement=True,
)

images = Table(
    "images",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("uuid", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("image_group_pk", BigInteger, ForeignKey("image_groups.pk"), nullable=False, index=True),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False),
    Column("name", Text, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("blob", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("images_book_md5", "book_pk", "md5"),
    sqlite_autoincrement=True,
)

mixed_documents = Table(
    "mixed_documents",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("uuid", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(24), nullable=False),
    Column("rejection_reason", Text),
    Column("page_count", Integer, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("blob", Text),
    Column("document_class", String(32), nullable=False),
    Column("image_group_pk", BigInteger, ForeignKey("image_groups.pk")),
    Column("image_group_uuid", Id),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("mixed_documents_book_status", "book_pk", "status"),
    Index("mixed_documents_book_md5", "book_pk", "md5"),
    Index("mixed_documents_waiting", "pk", **rows_where(MIXED_WAITS)),
    Index("mixed_documents_deleting", "pk", **rows_where(IS_DELETING)),
    Index("mixed_documents_image_group", "image_group_pk"),
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("uuid", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("book_pk", BigInteger, ForeignKey("books.pk"), nullable=False),
    Column("name", Text, nullable=False),
    Column("form_type", Text),
    Column("status", String(24), nullable=False),
    Column("rejection_reason", Text),
    Column("page_count", Integer, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("blob", Text),
    Column("document_class", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("token_sealed", LargeBinary),
    Column("mixed_pk", BigInteger, ForeignKey("mixed_documents.pk"), index=True),
    Column("mixed_uuid", Id),
    Column("image_group_pk", BigInteger, ForeignKey("image_groups.pk"), index=True),
    Column("image_group_uuid", Id),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("documents_book_status", "book_pk", "status"),
    Index("documents_book_md5", "book_pk", "md5"),
    Index("documents_waiting", "pk", **rows_where(DOCUMENT_WAITS)),
    Index("documents_deleting", "pk", **rows_where(IS_DELETING)),
    sqlite_autoincrement=True,
)

# Files that nothing needs any more, taken down in the transaction that gave them up; housekeeping removes them.
discarded_blobs = Table(
    "discarded_blobs",
    metadata,
    Column("blob", Text, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("discarded_at", BigInteger, nullable=False, index=True),
)

# Types the operator defines; those of the contract are in core.catalogue. organization_id null: for all of them.
event_types = Table(
    "event_types",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("organization_id", Id, ForeignKey("organizations.id"), index=True),
    Column("description", Text, nullable=False),
    Column("levels", String(16), nullable=False),
    Column("body_schema", Text),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# position: grows with the order of commits (see store.stream). replayed_count: deliveries that replays have added.
events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("position", BigInteger, nullable=False, server_default=OwnTransaction()),
    Column("organization_id", Id, nullable=False),
    Column("account_id", Id),
    Column("book_pk", BigInteger),
    Column("type", String(64), nullable=False),
    Column("body_account", LargeBinary),
    Column("body_org", LargeBinary),
    Column("matched_count", Integer, nullable=False),
    Column("replayed_count", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Index("events_account", "account_id", "position", "id"),
    Index("events_position", "organization_id", "position", "id"),
    Index("events_book", "book_pk", "id"),
)

# pk: where the row lies (see store.places).
# The foreign key to lanes is what makes a worker that parks a lane wait for publishers in flight on PostgreSQL.
# replay_job_id: the replay that made it, or made it due, last; replay_of: the delivery that this one repeats.
# queue_pk: the book whose order is kept, if the endpoint asked for it; subject_pk: the document whose newer status
# event supersedes this one, likewise; probe_count: attempts that do not count for the schedule, being probes or
# made before a replay.
deliveries = Table(
    "deliveries",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("id", Id, nullable=False, index=True, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("endpoint_pk", BigInteger, nullable=False),
    Column("lane_pk", BigInteger, ForeignKey("lanes.pk"), nullable=False),
    Column("event_id", Id, nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("reason", Text),
    Column("replay_of", Id),
    Column("replay_job_id", Id),
    Index("deliveries_replay", "replay_job_id", **rows_where(IS_REPLAYED)),
    Column("queue_pk", BigInteger),
    Column("subject_pk", BigInteger),
    Column("probe_count", Integer, nullable=False, server_default="0"),
    Index("deliveries_endpoint", "endpoint_pk", "id"),
    Index("deliveries_unsuccessful", "endpoint_pk", "state", "id", **rows_where(UNSUCCESSFUL)),
    Index("deliveries_queue", "lane_pk", "queue_pk", "id", **rows_where(QUEUES)),
    Index("deliveries_subject", "lane_pk", "subject_pk", "id", **rows_where(SUBJECTS)),
    Index("deliveries_due", "lane_pk", "due_at", "pk", **rows_where(WAITING)),
)

# pk: begins with the instant of recording (see store.places).
attempts = Table(
    "attempts",
    metadata,
    Column("pk", Pk, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("delivery_pk", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("is_stale", Boolean, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("status_code", Integer),
    Column("detail", Text, nullable=False),
    Column("dns_us", Integer, nullable=False),
    Column("connect_us", Integer, nullable=False),
    Column("tls_us", Integer, nullable=False),
    Column("first_byte_us", Integer, nullable=False),
    Column("total_us", Integer, nullable=False),
    Column("remote_address", Text),
    Column("response_head", LargeBinary),
    Column("response_body", LargeBinary),
    Index("attempts_delivery", "delivery_pk", "number"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
)
