"""The migrations build the declared schema, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bookbell.store.database import Database
from bookbell.store.schema import metadata
from bookbell.store.upgrade import missing, upgrade


def test_migrated_and_declared_schema_are_the_same(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(db: Database) -> None:
    upgrade(db)
    assert missing(db) is None
