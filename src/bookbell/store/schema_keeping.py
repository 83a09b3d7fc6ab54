"""The tables of the ledger's totals, of retention and of work in the background; a part of the schema."""

from sqlalchemy import BigInteger, Column, String, Table, Text

from bookbell.store.columns import Id, metadata

# What the ledger counts for deliveries that retention has removed, by the day (UTC) of their events.
ledger_totals = Table(
    "ledger_totals",
    metadata,
    Column("organization_id", Id, primary_key=True),
    Column("endpoint_id", Id, primary_key=True),
    Column("day_at", BigInteger, primary_key=True, autoincrement=False),
    Column("matched", BigInteger, nullable=False),
    Column("replayed", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("exhausted", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
)

# How many bytes of bodies are kept, by the hour they are from: of events and of the answers to attempts.
kept_bytes = Table(
    "kept_bytes",
    metadata,
    Column("hour_at", BigInteger, primary_key=True, autoincrement=False),
    Column("byte_count", BigInteger, nullable=False),
)

# Work in the background that one worker at a time does, under a lease, and how far it has come (a position: see
# core.instants).
chores = Table(
    "chores",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("owner", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("position", String(36), nullable=False),
)
