"""Brings a database to the newest schema with the migrations in this package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from bookbell.store import stream
from bookbell.store.database import Database, DatabaseError

_ADVISORY_LOCK = 0x626F6F6B62656C6C  # "bookbell": one migration at a time on a shared PostgreSQL


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply the migrations that are missing; does nothing on a database that has them all. Raises: DatabaseError."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise DatabaseError(f"The database was made by another version of bookbell: {error}.") from error
        stream.settle_restored(connection)


def missing(database: Database) -> str | None:
    """The revision the database lacks, or None when it is up to date."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return None if _current(connection) == head else head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
