"""The drivers' own cursors, struck before and after whatever they do: faults reach every statement, COPY too."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Strike = Callable[[], None]


def struck_sqlite(strike: Strike) -> type[sqlite3.Connection]:
    """SQLite's connection."""

    class Cursor(sqlite3.Cursor):
        def execute(self, *args: Any) -> Any:
            strike()
            done = super().execute(*args)
            strike()
            return done

        def executemany(self, *args: Any) -> Any:
            strike()
            done = super().executemany(*args)
            strike()
            return done

    class Struck(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    return Struck


def struck_postgresql(strike: Strike) -> type[psycopg.Cursor]:
    """PostgreSQL's cursor. A COPY is also struck once it has begun, and after its last row."""

    class Struck(psycopg.Cursor):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            strike()
            done = super().execute(*args, **kwargs)
            strike()
            return done

        def executemany(self, *args: Any, **kwargs: Any) -> Any:
            strike()
            super().executemany(*args, **kwargs)
            strike()

        @contextmanager
        def copy(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
            strike()
            with super().copy(*args, **kwargs) as copy:
                strike()
                yield copy
                strike()
            strike()

    return Struck
