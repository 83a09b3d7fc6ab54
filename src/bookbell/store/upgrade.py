"""Brings a database to the newest schema with the migrations in this package.

Whether there is anything to do is found out without Alembic: loading it is a fifth of what a start takes.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bookbell.store import faults, stream
from bookbell.store.database import Database, DatabaseError

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x626F6F6B62656C6C  # "bookbell": one migration at a time on a shared PostgreSQL


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing; does nothing on a database that has them all. Raises: DatabaseError."""
    try:
        with database.engine.begin() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            if _current(connection) != newest():
                _migrate(connection)
            stream.settle_restored(connection)
    except faults.DRIVER_ERRORS as error:
        raise DatabaseError(f"The database cannot be brought to this version: {faults.said(error)}.") from error


def missing(database: Database) -> str | None:
    """The revision the database lacks, or None when it is up to date. Raises: DatabaseError for an unknown one."""
    with database.engine.connect() as connection:
        found = _current(connection)
    if found is not None and found not in _revisions():
        raise DatabaseError(f"The database was made by another version of bookbell: it has revision {found!r}.")
    return None if found == newest() else newest()


def newest() -> str:
    """The newest revision in this package: migrations are in one line."""
    return max(_revisions())


def _revisions() -> set[str]:
    """Those in this package: their files' names begin with them."""
    return {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("*.py")}


def _current(connection: Connection) -> str | None:
    """The revision that the database has; None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see the module
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(f"The database was made by another version of bookbell: {error}.") from error
