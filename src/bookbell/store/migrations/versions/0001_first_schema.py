"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("delivery_pk", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("dns_us", sa.Integer(), nullable=False),
        sa.Column("connect_us", sa.Integer(), nullable=False),
        sa.Column("tls_us", sa.Integer(), nullable=False),
        sa.Column("first_byte_us", sa.Integer(), nullable=False),
        sa.Column("total_us", sa.Integer(), nullable=False),
        sa.Column("remote_address", sa.Text(), nullable=True),
        sa.Column("response_head", sa.LargeBinary(), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("pk", name="attempts_pk"),
    )
    op.create_index("attempts_delivery", "attempts", ["delivery_pk", "number"], unique=False)
    transaction = "(pg_current_xact_id()::text::bigint)" if op.get_bind().dialect.name == "postgresql" else "0"
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default=sa.text(transaction)),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("book_pk", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("body_account", sa.LargeBinary(), nullable=True),
        sa.Column("body_org", sa.LargeBinary(), nullable=True),
        sa.Column("matched_count", sa.Integer(), nullable=False),
        sa.Column("replayed_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="events_pk"),
    )
    op.create_index("events_account", "events", ["account_id", "position", "id"], unique=False)
    op.create_index("events_book", "events", ["book_pk", "id"], unique=False)
    op.create_index("events_position", "events", ["organization_id", "position", "id"], unique=False)
    op.create_table(
        "ledger_totals",
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("day_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("replayed", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("exhausted", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "endpoint_id", "day_at", name="ledger_totals_pk"),
    )
    op.create_table(
        "kept_bytes",
        sa.Column("hour_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour_at", name="kept_bytes_pk"),
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("position", ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name="chores_pk"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="idempotency_keys_pk"),
    )
    op.create_index("idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tasks", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="organizations_pk"),
        sa.UniqueConstraint("name", name="organizations_name_unique"),
    )
    op.create_table(
        "event_types",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("levels", sa.String(length=16), nullable=False),
        sa.Column("body_schema", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="event_types_organization_id_fk"),
        sa.PrimaryKeyConstraint("name", name="event_types_pk"),
    )
    op.create_index("event_types_organization_id", "event_types", ["organization_id"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="accounts_organization_id_fk"),
        sa.PrimaryKeyConstraint("id", name="accounts_pk"),
        sa.UniqueConstraint("client_id", name="accounts_client_id_unique"),
        sa.UniqueConstraint("email", name="accounts_email_unique"),
    )
    op.create_index("accounts_organization_id", "accounts", ["organization_id"], unique=False)
    op.create_table(
        "books",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("is_classified", sa.Boolean(), nullable=False),
        sa.Column("tasks_done", sa.String(length=64), nullable=False),
        sa.Column("is_completed", sa.Boolean(), nullable=False),
        sa.Column("analyzed_at", sa.BigInteger(), nullable=True),
        sa.Column("book_class", sa.String(length=32), nullable=False),
        sa.Column("book_type", sa.String(length=32), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("xid", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="books_account_id_fk"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="books_organization_id_fk"),
        sa.PrimaryKeyConstraint("pk", name="books_pk"),
        sa.UniqueConstraint("uuid", name="books_uuid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "books_name_unique",
        "books",
        ["account_id", "name"],
        unique=True,
        sqlite_where=sa.text("status <> 'DELETED'"),
        postgresql_where=sa.text("status <> 'DELETED'"),
    )
    op.create_index("books_organization_pk", "books", ["organization_id", "pk"], unique=False)
    op.create_index(
        "books_deleted",
        "books",
        ["updated_at"],
        unique=False,
        sqlite_where=sa.text("status = 'DELETED'"),
        postgresql_where=sa.text("status = 'DELETED'"),
    )
    op.create_index(
        "books_waiting",
        "books",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status = 'VERIFIED' AND analyzed_at IS NULL"),
        postgresql_where=sa.text("status = 'VERIFIED' AND analyzed_at IS NULL"),
    )
    op.create_table(
        "endpoints",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("url_masked", sa.Text(), nullable=True),
        sa.Column("url_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("are_credentials_apart", sa.Boolean(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deregistered_at", sa.BigInteger(), nullable=True),
        sa.Column("deactivated_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("replay_job_id", ID, nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="endpoints_account_id_fk"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="endpoints_organization_id_fk"),
        sa.PrimaryKeyConstraint("pk", name="endpoints_pk"),
        sa.UniqueConstraint("id", name="endpoints_id_unique"),
        sa.UniqueConstraint("account_id", name="endpoints_account_id_unique"),
    )
    op.create_index("endpoints_organization", "endpoints", ["organization_id", "account_id"], unique=False)
    op.create_table(
        "analytics_requests",
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="analytics_requests_book_pk_fk"),
        sa.PrimaryKeyConstraint("id", name="analytics_requests_pk"),
    )
    op.create_index("analytics_requests_book_pk", "analytics_requests", ["book_pk"], unique=False)
    op.create_index(
        "analytics_requests_waiting",
        "analytics_requests",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'PROCESSING'"),
        postgresql_where=sa.text("status = 'PROCESSING'"),
    )
    op.create_table(
        "book_analytics",
        sa.Column("book_pk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("view", sa.String(length=32), nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="book_analytics_book_pk_fk"),
        sa.PrimaryKeyConstraint("book_pk", "view", name="book_analytics_pk"),
    )
    op.create_table(
        "analytics_jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("view", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="analytics_jobs_book_pk_fk"),
        sa.PrimaryKeyConstraint("id", name="analytics_jobs_pk"),
    )
    op.create_index("analytics_jobs_book_pk", "analytics_jobs", ["book_pk"], unique=False)
    op.create_index("analytics_jobs_created_at", "analytics_jobs", ["created_at"], unique=False)
    op.create_table(
        "image_groups",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("form_type", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="image_groups_book_pk_fk"),
        sa.PrimaryKeyConstraint("pk", name="image_groups_pk"),
        sa.UniqueConstraint("uuid", name="image_groups_uuid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("image_groups_book_pk", "image_groups", ["book_pk"], unique=False)
    op.create_index(
        "image_groups_open",
        "image_groups",
        ["book_pk"],
        unique=True,
        sqlite_where=sa.text("status = 'UPLOADING'"),
        postgresql_where=sa.text("status = 'UPLOADING'"),
    )
    op.create_index(
        "image_groups_waiting",
        "image_groups",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status IN ('UPLOADING', 'QUEUED')"),
        postgresql_where=sa.text("status IN ('UPLOADING', 'QUEUED')"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("lane_count", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="workers_pk"),
    )
    op.create_table(
        "notices",
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="notices_pk"),
    )
    op.create_index("notices_endpoint", "notices", ["endpoint_id", "id"], unique=False)
    op.create_table(
        "lanes",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("probe_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("allowance", sa.Integer(), nullable=True),
        sa.Column("notice_percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=True),
        sa.Column("discard_at", sa.BigInteger(), nullable=True),
        sa.Column("discard_reason", sa.String(length=16), nullable=True),
        sa.Column("is_spent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="lanes_endpoint_id_fk"),
        sa.PrimaryKeyConstraint("pk", name="lanes_pk"),
        sa.UniqueConstraint("endpoint_id", "part", name="lanes_endpoint_id_part_unique"),
    )
    op.create_index(
        "lanes_free",
        "lanes",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("owner IS NULL"),
        postgresql_where=sa.text("owner IS NULL"),
    )
    op.create_index(
        "lanes_owned",
        "lanes",
        ["lease_until", "owner", "due_at"],
        unique=False,
        sqlite_where=sa.text("owner IS NOT NULL"),
        postgresql_where=sa.text("owner IS NOT NULL"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="subscriptions_endpoint_id_fk"),
        sa.PrimaryKeyConstraint("endpoint_id", "event_type", name="subscriptions_pk"),
    )
    op.create_table(
        "deliveries",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("endpoint_pk", sa.BigInteger(), nullable=False),
        sa.Column("lane_pk", sa.BigInteger(), nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("replay_of", ID, nullable=True),
        sa.Column("replay_job_id", ID, nullable=True),
        sa.Column("queue_pk", sa.BigInteger(), nullable=True),
        sa.Column("subject_pk", sa.BigInteger(), nullable=True),
        sa.Column("probe_count", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["lane_pk"], ["lanes.pk"], name="deliveries_lane_pk_fk"),
        sa.PrimaryKeyConstraint("pk", name="deliveries_pk"),
    )
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["lane_pk", "due_at", "pk"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "deliveries_unsuccessful",
        "deliveries",
        ["endpoint_pk", "state", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('exhausted', 'cancelled')"),
        postgresql_where=sa.text("state IN ('exhausted', 'cancelled')"),
    )
    op.create_index("deliveries_id", "deliveries", ["id"], unique=True)
    op.create_index("deliveries_endpoint", "deliveries", ["endpoint_pk", "id"], unique=False)
    op.create_index("deliveries_event_id", "deliveries", ["event_id"], unique=False)
    op.create_index(
        "deliveries_replay",
        "deliveries",
        ["replay_job_id"],
        unique=False,
        sqlite_where=sa.text("replay_job_id IS NOT NULL"),
        postgresql_where=sa.text("replay_job_id IS NOT NULL"),
    )
    op.create_table(
        "replay_jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("staging_id", ID, nullable=True),
        sa.Column("selection", sa.String(length=16), nullable=False),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("event_types", sa.Text(), nullable=True),
        sa.Column("book_pk", sa.BigInteger(), nullable=True),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.Column("until_position", sa.BigInteger(), nullable=False),
        sa.Column("rate_per_s", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("cursor", sa.String(length=64), nullable=False),
        sa.Column("total_count", sa.Integer(), nullable=False),
        sa.Column("is_total_exact", sa.Boolean(), nullable=False),
        sa.Column("recovered_count", sa.Integer(), nullable=False),
        sa.Column("replayed_count", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="replay_jobs_endpoint_id_fk"),
        sa.ForeignKeyConstraint(["staging_id"], ["endpoints.id"], name="replay_jobs_staging_id_fk"),
        sa.PrimaryKeyConstraint("id", name="replay_jobs_pk"),
    )
    op.create_index(
        "replay_jobs_due",
        "replay_jobs",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("replay_jobs_endpoint_id", "replay_jobs", ["endpoint_id"], unique=False)
    op.create_index("replay_jobs_organization", "replay_jobs", ["organization_id", "id"], unique=False)
    op.create_index(
        "replay_jobs_staging",
        "replay_jobs",
        ["staging_id"],
        unique=False,
        sqlite_where=sa.text("staging_id IS NOT NULL"),
        postgresql_where=sa.text("staging_id IS NOT NULL"),
    )
    for column in ("queue", "subject"):
        op.create_index(
            f"deliveries_{column}",
            "deliveries",
            ["lane_pk", f"{column}_pk", "id"],
            unique=False,
            sqlite_where=sa.text(f"state = 'pending' AND {column}_pk IS NOT NULL"),
            postgresql_where=sa.text(f"state = 'pending' AND {column}_pk IS NOT NULL"),
        )
    op.create_table(
        "images",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("image_group_pk", sa.BigInteger(), nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="images_book_pk_fk"),
        sa.ForeignKeyConstraint(["image_group_pk"], ["image_groups.pk"], name="images_image_group_pk_fk"),
        sa.PrimaryKeyConstraint("pk", name="images_pk"),
        sa.UniqueConstraint("uuid", name="images_uuid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("images_book_md5", "images", ["book_pk", "md5"], unique=False)
    op.create_index("images_image_group_pk", "images", ["image_group_pk"], unique=False)
    op.create_table(
        "mixed_documents",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("page_count", sa.Integer(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("document_class", sa.String(length=32), nullable=False),
        sa.Column("image_group_pk", sa.BigInteger(), nullable=True),
        sa.Column("image_group_uuid", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="mixed_documents_book_pk_fk"),
        sa.ForeignKeyConstraint(["image_group_pk"], ["image_groups.pk"], name="mixed_documents_image_group_pk_fk"),
        sa.PrimaryKeyConstraint("pk", name="mixed_documents_pk"),
        sa.UniqueConstraint("uuid", name="mixed_documents_uuid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("mixed_documents_book_md5", "mixed_documents", ["book_pk", "md5"], unique=False)
    op.create_index("mixed_documents_book_status", "mixed_documents", ["book_pk", "status"], unique=False)
    op.create_index("mixed_documents_image_group", "mixed_documents", ["image_group_pk"], unique=False)
    op.create_index(
        "mixed_documents_deleting",
        "mixed_documents",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status = 'DELETING'"),
        postgresql_where=sa.text("status = 'DELETING'"),
    )
    op.create_index(
        "mixed_documents_waiting",
        "mixed_documents",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED')"),
        postgresql_where=sa.text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED')"),
    )
    op.create_table(
        "discarded_blobs",
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("discarded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("blob", name="discarded_blobs_pk"),
    )
    op.create_index("discarded_blobs_discarded_at", "discarded_blobs", ["discarded_at"], unique=False)
    op.create_table(
        "documents",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("book_pk", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("form_type", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("page_count", sa.Integer(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("document_class", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("mixed_pk", sa.BigInteger(), nullable=True),
        sa.Column("mixed_uuid", ID, nullable=True),
        sa.Column("image_group_pk", sa.BigInteger(), nullable=True),
        sa.Column("image_group_uuid", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_pk"], ["books.pk"], name="documents_book_pk_fk"),
        sa.ForeignKeyConstraint(["image_group_pk"], ["image_groups.pk"], name="documents_image_group_pk_fk"),
        sa.ForeignKeyConstraint(["mixed_pk"], ["mixed_documents.pk"], name="documents_mixed_pk_fk"),
        sa.PrimaryKeyConstraint("pk", name="documents_pk"),
        sa.UniqueConstraint("uuid", name="documents_uuid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("documents_book_md5", "documents", ["book_pk", "md5"], unique=False)
    op.create_index("documents_book_status", "documents", ["book_pk", "status"], unique=False)
    op.create_index("documents_image_group_pk", "documents", ["image_group_pk"], unique=False)
    op.create_index("documents_mixed_pk", "documents", ["mixed_pk"], unique=False)
    op.create_index(
        "documents_deleting",
        "documents",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status = 'DELETING'"),
        postgresql_where=sa.text("status = 'DELETING'"),
    )
    op.create_index(
        "documents_waiting",
        "documents",
        ["pk"],
        unique=False,
        sqlite_where=sa.text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED', 'GROOMING', 'VERIFYING')"),
        postgresql_where=sa.text("status IN ('QUEUED', 'PROCESSING', 'CLASSIFIED', 'GROOMING', 'VERIFYING')"),
    )
