"""The migrations build the declared schema, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text, update

from bookbell.core.model import Level
from bookbell.store import events
from bookbell.store import upgrade as upgrading
from bookbell.store.database import Database, DatabaseError, Tx
from bookbell.store.schema import events as table
from bookbell.store.schema import metadata
from bookbell.store.stream import Stream, Stretch
from bookbell.store.upgrade import missing, newest, upgrade
from world import world_in


def test_migrated_and_declared_schema_are_the_same(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_ids_have_one_order_on_either_database(db: Database) -> None:
    asked = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND character_maximum_length = 36 AND collation_name IS DISTINCT FROM 'C'"
    )
    if not db.is_sqlite:  # which has no other order
        assert db.read_now(lambda tx: tx.execute(asked).all()) == []


def test_the_newest_revision_is_alembics_head() -> None:
    migrations = Path(upgrading.__file__).parent / "migrations"
    assert newest() == ScriptDirectory(str(migrations)).get_current_head()


def test_upgrading_twice_changes_nothing(db: Database) -> None:
    upgrade(db)
    assert missing(db) is None


def test_events_restored_from_another_cluster_come_before_new_ones(db: Database) -> None:
    world = world_in(db)
    account = world.account()
    world.publish(account, 1)
    of_account = Stream(organization_id=account.organization_id, account_id=account.id, level=Level.ACCOUNT)

    def restore(tx: Tx) -> None:
        tx.execute(update(table).values(position=2**50))

    def ids() -> list[str]:
        return [each.id for each in db.read_now(events.read_stretch, of_account, Stretch(count=99))[0]]

    before = ids()
    if not db.is_sqlite:
        db.write_now(restore)
        assert ids() == []
    upgrade(db)
    world.publish(account, 1)
    assert ids()[: len(before)] == before
    assert len(ids()) == 2 * len(before)


def test_a_newer_database_is_not_said_to_lack_a_migration(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (missing, upgrade):
        with pytest.raises(DatabaseError, match=r"made by another version of bookbell.*9999"):
            look(db)


def test_what_the_database_does_not_take_of_a_migration_is_one_sentence(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(DatabaseError, match=r"cannot be brought to this version: .* already exists") as caught:
        upgrade(db)
    assert "\n" not in str(caught.value)
    assert "SQL" not in str(caught.value)
