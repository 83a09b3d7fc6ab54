"""Statements that are put into SQL once and then go straight to the driver.

For what a single event or report pays for: the toolkit's work for a statement costs several times what the database
does for it. Written like any other statement, with `bindparam` for every value and no expanding ones.
"""

import re
from collections import namedtuple
from collections.abc import Collection
from functools import partial
from typing import Any

from sqlalchemy import Boolean, ClauseElement, Connection, SelectBase
from sqlalchemy.exc import DBAPIError

from bookbell.store.counted import COUNTED


def execute(tx: Connection, sql: str, values: Any = (), **form: bool) -> Any:
    """Carry out a statement of the driver's kind. form: how the driver is to make its cursor, which this gives."""
    cursor = tx.connection.cursor(**form)
    COUNTED.statements += 1
    try:
        cursor.execute(sql, values)
    except tx.dialect.loaded_dbapi.Error as error:
        raise as_toolkit_error(tx, sql, error) from error
    return cursor


def as_toolkit_error(tx: Connection, sql: str, error: Exception) -> Exception:
    """What the toolkit would raise for this error of the driver: by it, transactions are run again."""
    base = tx.dialect.loaded_dbapi.Error
    shown: Exception = DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=tx.dialect)
    return shown


_Made = tuple[str, tuple[str, ...] | None, dict[str, Any]]
"""The SQL, the order of its values (None: they are named), and those that the statement brings itself."""

_NAMED = re.compile(r"%\((\w+)\)s")  # a value in it


def part_count(asked: int) -> int:
    """How many alike parts a statement has that is asked about so many things: 1, 2, 4 … of them, the rest for
    nothing. So few statements are made: putting one into SQL costs more than carrying it out.

    >>> [part_count(asked) for asked in (1, 2, 3, 32)]
    [1, 2, 4, 32]
    """
    return 1 << (asked - 1).bit_length()


class Prepared:
    """One statement. The rows it gives have the names of its columns."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        columns = dict(statement.selected_columns.items()) if isinstance(statement, SelectBase) else {}
        self._row = partial(tuple.__new__, namedtuple("Row", list(columns)))  # `_make`, without its frame
        self._flags = [name for name, column in columns.items() if isinstance(column.type, Boolean)]
        self._sql: dict[str, _Made] = {}

    def rows(self, tx: Connection, **values: Any) -> list[Any]:
        """Its rows with these values."""
        cursor = self._executed(tx, values)
        found: list[Any] = list(map(self._row, cursor.fetchall()))
        cursor.close()
        if self._flags:  # SQLite has numbers for them
            return [row._replace(**{name: bool(getattr(row, name)) for name in self._flags}) for row in found]
        return found

    def tuples(self, tx: Connection, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Its rows as the driver has them; PostgreSQL sends them in binary form, in which bodies need no decoding."""
        binary = {} if tx.dialect.name == "sqlite" else {"binary": True}
        cursor = self._executed(tx, values, **binary)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return found

    def first(self, tx: Connection, **values: Any) -> Any:
        """Its first row, None if it has none."""
        found = self.rows(tx, **values)
        return found[0] if found else None

    def run(self, tx: Connection, **values: Any) -> int:
        """Carry it out. Gives how many rows it changed."""
        cursor = self._executed(tx, values)
        count = int(cursor.rowcount)
        cursor.close()
        return count

    def repeated(self, count: int, same: Collection[str]) -> "Prepared":
        """All rows that so many of it give: `name_0`, `name_1` … are the values of each, but those in same are of all.

        Made of its text: putting 32 parts into SQL by the toolkit would stop everything else for a tenth of a second.
        """
        return _Repeated(self, count, same)

    def _executed(self, tx: Connection, values: dict[str, Any], **form: bool) -> Any:
        sql, order, fixed = self._sql.get(tx.dialect.name) or self._made(tx)
        given = {**fixed, **values} if fixed else values
        return execute(tx, sql, given if order is None else [given[name] for name in order], **form)

    def _made(self, tx: Connection) -> _Made:
        """Once for each database."""
        made = self._sql[tx.dialect.name] = self._compiled(tx)
        return made

    def _compiled(self, tx: Connection) -> _Made:
        compiled = self._statement.compile(dialect=tx.dialect)
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        order = None if compiled.positiontup is None else tuple(compiled.positiontup)  # type: ignore[attr-defined]
        return str(compiled), order, fixed


class _Repeated(Prepared):
    def __init__(self, one: Prepared, count: int, same: Collection[str]) -> None:
        super().__init__(one._statement)
        self._one, self._count, self._same = one, count, same

    def _compiled(self, tx: Connection) -> _Made:
        text, order, fixed = self._one._sql.get(tx.dialect.name) or self._one._made(tx)
        parts = range(self._count)
        sql = " UNION ALL ".join([self._part(text, index) for index in parts])
        names = None if order is None else tuple(self._named(name, index) for index in parts for name in order)
        values = {self._named(name, index): value for index in parts for name, value in fixed.items()}
        return sql, names, values

    def _part(self, text: str, index: int) -> str:
        return _NAMED.sub(lambda found: f"%({self._named(found[1], index)})s", text)

    def _named(self, name: str, index: int) -> str:
        return name if name in self._same else f"{name}_{index}"
