"""The drivers' own cursors, struck before and after whatever they do: faults reach every statement, COPY too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bookbell.store import apsw_driver, counted

Strike = Callable[[], None]


def struck_sqlite(strike: Strike) -> type[apsw_driver.Cursor]:
    """SQLite's cursor."""

    class Struck(apsw_driver.Cursor):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            strike()
            done = super().execute(*args, **kwargs)
            strike()
            return done

        def executemany(self, *args: Any, **kwargs: Any) -> Any:
            strike()
            done = super().executemany(*args, **kwargs)
            strike()
            return done

    return Struck


def struck_postgresql(strike: Strike) -> type[counted.Cursor]:
    """PostgreSQL's cursor. A COPY is also struck once it has begun, and after its last row."""

    class Struck(counted.Cursor):
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
