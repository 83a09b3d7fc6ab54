"""Opens the database and runs functions in it. The only file that knows which database it is.

`write` runs `fn(tx, ...)` in a transaction on a thread and commits; it may run `fn` again after a deadlock, when
another transaction took a unique name first, or when the connection broke before the commit, so `fn` has no effect but
SQL. `read` runs it on a connection that cannot write. SQLite has one writer thread, so writers queue in memory rather
than at the file lock, and those that wait are committed together; other processes are waited for with busy_timeout.
`write_each` does so on PostgreSQL too.
"""

import asyncio
import select
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import QueuePool

from bookbell.core.errors import BookbellError
from bookbell.store import apsw_driver, faults
from bookbell.store.address import parameters
from bookbell.store.connecting import Connecting
from bookbell.store.counted import COUNTED, Cursor
from bookbell.store.group_commit import GroupCommit

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

Tx = Connection
"""A transaction (or, for readers, a read-only connection). Others name this type and nothing of the toolkit."""

TRIES_MAX = 8
SQLITE_BUSY_MS = 10_000
SQLITE_FREE_PAGES_MIN = 1_024
SQLITE_WAL_BYTES_MAX = 64 * 1024 * 1024  # a longer write-ahead log is cut down once it is in the file
READERS = 4
POSTGRESQL_WRITERS = 8
PROMPT_WRITERS = 2
POSTGRESQL_STALL_MS = 5_000  # a process that is frozen within a transaction holds its rows no longer
POSTGRESQL_BY_INDEX = "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
"""What is written is found by keys. Tables that fill and empty have statistics that are of another time, by which the
planner would rather read one from end to end.
"""


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says why."""


class Database:
    """A database that is open. Close it once."""

    def __init__(self, url: str) -> None:
        """url: `sqlite:///path/to/file` or `postgresql://user:password@host/name`; of PostgreSQL's hosts there may be
        several, `host1,host2:port`. Raises: DatabaseError.
        """
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        writer_count = 1 if self.is_sqlite else POSTGRESQL_WRITERS
        try:
            if self.is_sqlite:
                self._writer, self._reader = _sqlite(url, is_reader=False), _sqlite(url, is_reader=True)
            else:
                connect = Connecting().connect
                self._writer = _postgresql(url, connect, POSTGRESQL_WRITERS + PROMPT_WRITERS + 1, is_reader=False)
                self._reader = _postgresql(url, connect, READERS, is_reader=True)
        except (ArgumentError, ValueError) as error:
            raise DatabaseError("The database's address cannot be read.") from error
        self._write_threads = ThreadPoolExecutor(writer_count, thread_name_prefix="store-write")
        self._prompt_threads = ThreadPoolExecutor(PROMPT_WRITERS, thread_name_prefix="store-prompt")
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._group_thread = self._write_threads if self.is_sqlite else ThreadPoolExecutor(1, "store-group")
        self._group = GroupCommit(self._writer, self.write_now, self._group_thread)

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run fn in one transaction and give its result once it is committed."""
        return await self._write(lambda tx: fn(tx, *args, **kwargs), is_prompt=False)

    async def write_promptly(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write`, but not behind others' waiting writes: for what a worker must get done to go on delivering."""
        return await self._write(lambda tx: fn(tx, *args, **kwargs), is_prompt=True)

    async def _write(self, write: Callable[[Tx], T], *, is_prompt: bool) -> T:
        if self.is_sqlite:
            value: T = await self._group.run(lambda tx, _: [write(tx)], is_prompt=is_prompt)
            return value
        threads = self._prompt_threads if is_prompt else self._write_threads
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: self.write_now(write))

    async def write_each(self, fn: Callable[[Tx, Sequence[Item]], Sequence[T | BookbellError]], item: Item) -> T:
        """`write` of one item by a function that takes many: those that wait at the same time may be one call of it.

        fn gives for each item its value, or the error that it is refused for and has written nothing for.
        """
        value: T = await self._group.run(fn, item)
        return value

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run fn on a connection that cannot write."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: self.read_now(fn, *args, **kwargs))

    def write_now(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` on the calling thread, for commands and tests."""
        for attempt in range(1, TRIES_MAX + 1):
            is_open = False
            try:
                with self._writer.begin() as tx:
                    is_open = True
                    value = fn(tx, *args, **kwargs)
                    is_open = False  # from here on it may have been committed even if an error comes of it
                COUNTED.commits += 1
                return value
            except faults.DRIVER_ERRORS as error:
                is_lost = faults.is_lost(error)
                if is_lost or faults.is_of_no_primary(error):
                    self._reconnect()
                is_undone = faults.is_worth_retrying(error) or (is_open and is_lost)
                if attempt == TRIES_MAX or not is_undone:
                    raise
                threading.Event().wait(0.005 * attempt)
        raise AssertionError("unreachable")

    def _reconnect(self) -> None:
        """Keep no connection: others may lead where one broke, or to a server that is not the primary any more."""
        self._writer.dispose()
        self._reader.dispose()

    def read_now(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` on the calling thread, for commands and tests."""
        return _read(self._reader, lambda tx: fn(tx, *args, **kwargs))

    async def snapshot(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read`, with all statements of fn seeing the same state of the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: self.snapshot_now(fn, *args, **kwargs))

    def snapshot_now(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`snapshot` on the calling thread, for commands and tests."""

        def still(tx: Tx) -> T:
            tx.begin()  # what goes straight to the driver begins nothing by itself
            return fn(tx, *args, **kwargs)

        if self.is_sqlite:
            return _read(self._reader, still)
        return _read(self._reader.execution_options(isolation_level="REPEATABLE READ"), still)

    async def give_back_space(self, page_count: int) -> int:
        """Cut unused pages off the end of an SQLite file, at most so many. Gives how many; 0 on PostgreSQL.

        Only when a quarter of the file is unused: what is free is mostly written to again.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._write_threads, lambda: self.give_back_space_now(page_count))

    def give_back_space_now(self, page_count: int) -> int:
        """`give_back_space` on the calling thread."""
        if not self.is_sqlite:
            return 0
        with self._writer.connect() as connection:
            file = connection.connection.driver_connection
            assert isinstance(file, apsw_driver.Connection)
            total, free = file.pragma("page_count"), file.pragma("freelist_count")
            if free < SQLITE_FREE_PAGES_MIN or free * 4 < total:
                return 0
            file.execute(f"PRAGMA incremental_vacuum({page_count})").fetchall()  # a page a step
            left = file.pragma("freelist_count")
            file.wal_checkpoint()
            return int(free - left)

    def check(self) -> None:
        """Connect once. Raises: DatabaseError."""
        try:
            with self._writer.connect():
                pass
        except DBAPIError as error:
            file = f" ({self._writer.url.database})" if self.is_sqlite else ""
            raise DatabaseError(f"The database cannot be opened: {faults.said(error)}{file}.") from error

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations and for tests of the schema."""
        return self._writer

    def close(self) -> None:
        """Wait for what runs and close every connection."""
        self._write_threads.shutdown()
        self._prompt_threads.shutdown()
        self._group_thread.shutdown()
        self._read_threads.shutdown()
        self._writer.dispose()
        self._reader.dispose()


def _read(engine: Engine, read: Callable[[Tx], T]) -> T:
    """What this reads; once more if its connection is lost meanwhile."""
    for is_again in (False, True):
        is_open = False
        try:
            with engine.connect() as tx:
                is_open = True
                return read(tx)
        except faults.DRIVER_ERRORS as error:
            if is_again or not (is_open and faults.is_lost(error)):
                raise
            engine.dispose()
    raise AssertionError("unreachable")


def _sqlite(url: str, *, is_reader: bool) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername=apsw_driver.NAME),
        hide_parameters=True,  # they are clients' data and do not belong in a log
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=READERS,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: apsw_driver.Connection, _record: object) -> None:
        connection.set_busy_timeout(SQLITE_BUSY_MS)
        if connection.pragma("page_count") == 0:  # it counts for a new file, and waits for writers
            connection.pragma("auto_vacuum", "INCREMENTAL")
        connection.pragma("journal_mode", "WAL")
        connection.pragma("journal_size_limit", SQLITE_WAL_BYTES_MAX)
        connection.pragma("synchronous", "FULL")
        connection.pragma("foreign_keys", True)
        connection.pragma("wal_autocheckpoint", 4000)
        connection.pragma("temp_store", "MEMORY")
        if is_reader:
            connection.pragma("query_only", True)
            connection.beginning = "BEGIN"

    return engine


def _postgresql(url: str, connect: Callable[..., psycopg.Connection], size: int, *, is_reader: bool) -> Engine:
    options = "-c timezone=UTC -c lock_timeout=10000"
    if is_reader:
        options += " -c synchronous_commit=off"  # it commits nothing but notifications
    else:
        options += f" -c idle_in_transaction_session_timeout={POSTGRESQL_STALL_MS} {POSTGRESQL_BY_INDEX}"
    engine = create_engine(
        "postgresql+psycopg://",
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=size,
        isolation_level="AUTOCOMMIT" if is_reader else "READ COMMITTED",
        creator=partial(connect, **parameters(url, {"options": options, "cursor_factory": Cursor})),
    )
    if is_reader:
        event.listen(engine, "connect", _read_only)

    @event.listens_for(engine, "checkout")
    def _ask(connection: psycopg.Connection, _record: object, _proxy: object) -> None:
        """Have another one made if the server has closed it: then there is something to read, and only then it is
        asked, which costs a round trip.
        """
        try:
            if _is_readable(connection.fileno()):
                engine.dialect.do_ping(connection)  # type: ignore[arg-type] # the toolkit has a protocol of its own
        except psycopg.Error as error:
            raise InvalidatePoolError from error

    return engine


def _is_readable(descriptor: int) -> bool:
    looked = select.poll()
    looked.register(descriptor, select.POLLIN)
    return bool(looked.poll(0))


def _read_only(connection: psycopg.Connection, _record: object) -> None:
    """Not an option of the connection: a driver that looks for the server to write to would pass over this one."""
    connection.execute("SET default_transaction_read_only = on")
    connection.commit()
