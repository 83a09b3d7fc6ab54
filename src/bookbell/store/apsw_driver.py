"""SQLite by apsw, as a driver of the SQL toolkit.

apsw brings an SQLite of its own, the same on every machine, and takes a third less time for each row than the driver
of the standard library. Cursors here add to its own what the toolkit asks of one (PEP 249).
"""

import contextlib
import itertools
import sys
from types import ModuleType
from typing import Any

import apsw
from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from bookbell.store.counted import COUNTED

NAME = "sqlite+apsw"
STATEMENTS_KEPT = 256  # for each connection, so as not to be prepared again


class Cursor(apsw.Cursor):
    """A cursor with what PEP 249 has beside apsw's own."""

    connection: "Connection"
    arraysize = 1
    _asked: tuple[str, Any] = "", ()

    def execute(self, statements: str, bindings: Any = (), **how: Any) -> "Cursor":
        COUNTED.statements += 1
        self._asked = statements, bindings
        super().execute(statements, bindings, **how)
        return self

    def executemany(self, statements: str, sequenceofbindings: Any, **how: Any) -> "Cursor":
        COUNTED.statements += len(sequenceofbindings)
        super().executemany(statements, sequenceofbindings, **how)
        return self

    @property
    def description(self) -> Any:  # type: ignore[override] # there it is an attribute
        """Of what was executed; None without columns. apsw has none once the last row has been read."""
        try:
            return super().description or None
        except apsw.ExecutionCompleteError:
            return self._described() or None

    def _described(self) -> Any:
        """What apsw says of the same statement before it is begun. Kept: it costs as much as a short statement."""
        kept = self.connection.described
        sql, values = self._asked
        if sql not in kept:
            if len(kept) == STATEMENTS_KEPT:
                kept.clear()

            def keep_and_stop(cursor: apsw.Cursor, _sql: str, _values: Any) -> bool:
                kept[sql] = cursor.description
                return False

            asking = apsw.Cursor(self.connection)
            asking.exec_trace = keep_and_stop
            with contextlib.suppress(apsw.ExecTraceAbort):
                asking.execute(sql, values)
        return kept[sql]

    @property
    def rowcount(self) -> int:
        """How many rows a single statement that changes some has changed."""
        return self.connection.changes()

    @property
    def lastrowid(self) -> int:
        """The key of the row that was inserted last."""
        return self.connection.last_insert_rowid()

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        """At most so many more rows."""
        return list(itertools.islice(self, size))

    def close(self, force: bool = True) -> None:
        """Whatever is left to be read."""
        super().close(force)


class Connection(apsw.Connection):
    """A connection outside of transactions until one is begun."""

    def __init__(self, path: str) -> None:
        super().__init__(path, statementcachesize=STATEMENTS_KEPT)
        self.cursor_factory = Cursor
        self.described: dict[str, Any] = {}  # statements, and their columns
        self.beginning = "BEGIN IMMEDIATE"  # of a transaction: a reader's is just BEGIN
        self.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # plans do not depend on values, or it would plan each time

    def begin(self) -> None:
        """Begin a transaction."""
        apsw.Cursor(self).execute(self.beginning)

    def commit(self) -> None:
        """End the transaction, if there is one."""
        if self.in_transaction:
            apsw.Cursor(self).execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        if self.in_transaction:
            apsw.Cursor(self).execute("ROLLBACK")


# What the toolkit looks for in a driver's module.
connect = Connection
Error = apsw.Error
Binary = bytes
paramstyle = "qmark"
sqlite_version_info = tuple(map(int, apsw.sqlite_lib_version().split(".")))

_KINDS = {
    **dict.fromkeys(("ConstraintError", "MismatchError"), "IntegrityError"),
    **dict.fromkeys(("MisuseError", "RangeError"), "InterfaceError"),
    **dict.fromkeys(("CorruptError", "FormatError", "NotADBError", "NotFoundError"), "DatabaseError"),
    "TooBigError": "DataError",
    "Error": "OperationalError",  # all others
}
"""What apsw's errors are called by PEP 249."""


class Dialect(SQLiteDialect):
    """The toolkit's SQLite, by this driver."""

    driver = "apsw"
    supports_statement_cache = True
    supports_sane_multi_rowcount = False
    dbapi_exception_translation_map = _KINDS

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """This module."""
        return sys.modules[__name__]

    def _get_server_version_info(self, _connection: Any) -> Any:
        return sqlite_version_info

    def do_begin(self, dbapi_connection: Any) -> None:
        """The drivers that the toolkit knows begin by themselves."""
        dbapi_connection.begin()

    def create_connect_args(self, url: URL) -> Any:
        """The path of the file."""
        return [url.database or ""], {}


registry.register(NAME.replace("+", "."), __name__, Dialect.__name__)
