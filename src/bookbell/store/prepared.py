"""Statements that are put into SQL once and then go straight to the driver.

For what a single event or report pays for: the toolkit's work for a statement costs several times what the database
does for it. Written like any other statement, with `bindparam` for every value, and `Among` for lists.
"""

import json
import re
from collections import namedtuple
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, Boolean, ClauseElement, ColumnElement, Connection, SelectBase, UpdateBase, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


def execute(tx: Connection, sql: str, values: Any = (), **form: bool) -> Any:
    """Carry out a statement of the driver's kind. form: how the driver is to make its cursor, which this gives."""
    cursor = tx.connection.cursor(**form)
    try:
        cursor.execute(sql, values)
    except BaseException as error:
        _give_up(tx, cursor, sql, error)
        raise
    return cursor


def execute_many(tx: Connection, sql: str, rows: Sequence[Any]) -> Any:
    """Carry it out once for each of these rows of values. Gives the cursor; SQLite's has all rows that came of it."""
    cursor = tx.connection.cursor()
    try:
        cursor.executemany(sql, rows)
    except BaseException as error:
        _give_up(tx, cursor, sql, error)
        raise
    return cursor


def rows_changed(tx: Connection) -> int:
    """How many rows its connection has changed so far; 0 on PostgreSQL, whose driver does not count them."""
    count = getattr(tx.connection.driver_connection, "total_changes", None)
    return 0 if count is None else int(count())


def _give_up(tx: Connection, cursor: Any, sql: str, error: BaseException) -> None:
    """Close the cursor at once, and raise what the toolkit would for an error of the driver.

    Left open, with rows to be read yet, it would keep whatever its connection reads next at the state of now; and it
    is to be closed on this thread: the error, which knows it, may be dropped on another while this one goes on.
    """
    cursor.close()
    if isinstance(error, tx.dialect.loaded_dbapi.Error):
        raise as_toolkit_error(tx, sql, error) from error


def as_toolkit_error(tx: Connection, sql: str, error: Exception) -> Exception:
    """What the toolkit would raise for this error of the driver: by it, transactions are run again."""
    base = tx.dialect.loaded_dbapi.Error
    shown: Exception = DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=tx.dialect)
    return shown


class Among(FunctionElement[bool]):
    """Whether a column has one of the values of a list, which is one value of a `Prepared` statement, by this name: so
    it is one statement for lists of any length.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name, type_=ARRAY(column.type)))

    def self_group(self, against: Any = None) -> "Among":
        """As it is: the toolkit would have SQLite ask whether it `= 1`, and then it reads the whole table for it."""
        return self


@compiles(Among, "sqlite")
def _among_on_sqlite(element: Among, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - put together of what the toolkit made


@compiles(Among, "postgresql")
def _among_on_postgresql(element: Among, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY({values})"


_Made = tuple[str, tuple[str, ...] | None, dict[str, Any]]
"""The SQL, the order of its values (None: they are named), and those that the statement brings itself."""

_NAMED = re.compile(r"%\((\w+)\)s")  # a value in it


class Prepared:
    """One statement. The rows it gives have the names of its columns."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        columns: dict[str, Any] = {}
        if isinstance(statement, SelectBase | UpdateBase):
            columns |= {str(name): column for name, column in statement.exported_columns.items()}
        self._row = partial(tuple.__new__, namedtuple("Row", list(columns)))  # `_make`, without its frame
        self._flags = [name for name, column in columns.items() if isinstance(column.type, Boolean)]
        self._lists: list[str] = []
        self._sql: dict[str, _Made] = {}
        self._of_each: dict[int, Prepared] = {}

    def rows(self, tx: Connection, /, **values: Any) -> list[Any]:
        """Its rows with these values."""
        found: list[Any] = list(map(self._row, self._executed(tx, values).fetchall()))
        if self._flags:  # SQLite has numbers for them
            return [row._replace(**{name: bool(getattr(row, name)) for name in self._flags}) for row in found]
        return found

    def tuples(self, tx: Connection, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Its rows as the driver has them; PostgreSQL sends them in binary form, in which bodies need no decoding."""
        binary = {} if tx.dialect.name == "sqlite" else {"binary": True}
        found: list[tuple[Any, ...]] = self._executed(tx, values, **binary).fetchall()
        return found

    def first(self, tx: Connection, **values: Any) -> Any:
        """Its first row, None if it has none."""
        found = self.rows(tx, **values)
        return found[0] if found else None

    def run(self, tx: Connection, **values: Any) -> int:
        """Carry it out. Gives how many rows it changed."""
        return int(self._executed(tx, values).rowcount)

    def of_each(self, tx: Connection, asked: Sequence[dict[str, Any]], nothing: dict[str, Any]) -> list[Any]:
        """All rows that it gives with each of these values, in no order, as `tuples`. nothing: values with none.

        SQLite carries it out once for each. PostgreSQL is asked once, by 1, 2, 4 … such parts with `UNION ALL` between
        them: so few statements are made, for to put one into SQL costs more than to carry it out.
        """
        if tx.dialect.name == "sqlite":
            sql, order, fixed = self._sql.get("sqlite") or self._made(tx)
            assert order is not None
            rows = [[values[name] if name in values else fixed[name] for name in order] for values in asked]
            found: list[Any] = execute_many(tx, sql, rows).fetchall()
            return found
        count = 1 << (len(asked) - 1).bit_length()
        padded = [*asked, *[nothing] * (count - len(asked))]
        values = {f"{name}_{index}": value for index, each in enumerate(padded) for name, value in each.items()}
        return self._repeated(count).tuples(tx, values)

    def _repeated(self, count: int) -> "Prepared":
        if count not in self._of_each:
            self._of_each[count] = _Repeated(self, count)
        return self._of_each[count]

    def _executed(self, tx: Connection, values: dict[str, Any], **form: bool) -> Any:
        sql, order, fixed = self._sql.get(tx.dialect.name) or self._made(tx)
        given = {**fixed, **values} if fixed else values
        if self._lists and tx.dialect.name == "sqlite":
            given = {**given, **{name: json.dumps(list(given[name])) for name in self._lists}}
        return execute(tx, sql, given if order is None else [*map(given.__getitem__, order)], **form)

    def _made(self, tx: Connection) -> _Made:
        """Once for each database."""
        made = self._sql[tx.dialect.name] = self._compiled(tx)
        return made

    def _compiled(self, tx: Connection) -> _Made:
        compiled: Any = self._statement.compile(dialect=tx.dialect)
        self._lists = [name for name, bound in compiled.binds.items() if isinstance(bound.type, ARRAY)]
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        order = None if compiled.positiontup is None else tuple(compiled.positiontup)
        return str(compiled), order, fixed


class _Repeated(Prepared):
    """All rows that so many of one give: `name_0`, `name_1` … are the values of each.

    Made of its text: putting 32 parts into SQL by the toolkit would stop everything else for a tenth of a second.
    """

    def __init__(self, one: Prepared, count: int) -> None:
        super().__init__(one._statement)
        self._one, self._count = one, count

    def _compiled(self, tx: Connection) -> _Made:
        text, _, fixed = self._one._sql.get(tx.dialect.name) or self._one._made(tx)
        parts = range(self._count)
        sql = " UNION ALL ".join([_NAMED.sub(rf"%(\1_{index})s", text) for index in parts])
        return sql, None, {f"{name}_{index}": value for index in parts for name, value in fixed.items()}
