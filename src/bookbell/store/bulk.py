"""Many rows at once, below the SQL toolkit: for the few statements that every delivery pays for.

SQLite takes one prepared statement for all rows; PostgreSQL takes a COPY for new rows, and for changed ones a single
UPDATE from arrays. What comes out is the same. Measured: a third of what the toolkit's executemany costs a row.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from bookbell.store.counted import COUNTED
from bookbell.store.database import Tx
from bookbell.store.prepared import as_toolkit_error, execute, execute_many, rows_changed

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]

Row = tuple[Any, ...]
"""Values in the order of the columns that are named beside them; an enumeration's member by its value."""


def insert_rows(
    tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row], *, on_sqlite: tuple[str, str] | None = None
) -> None:
    """Add these rows; columns that are not named get NULL.

    on_sqlite: a column that has no default there, and its value as SQL, with `{column}` for a value of the row.
    """
    if not rows:
        return
    if _is_sqlite(tx):
        execute_many(tx, _insert_sql(table.name, columns, on_sqlite), rows)
        return
    _copy(tx, table, columns, rows)


def update_rows(
    tx: Tx, table: Table, keys: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Row], *, where: str
) -> int:
    """Set these columns of the rows with these keys, whose values come first. Gives how many rows it changed.

    where: what must hold too, as SQL that names the table.
    """
    if not rows:
        return 0
    if _is_sqlite(tx):
        before = rows_changed(tx)
        execute_many(tx, _update_sql(table.name, keys, columns, where), rows)
        return rows_changed(tx) - before
    arrays = [list(values) for values in zip(*rows, strict=True)]
    return int(execute(tx, _update_from_arrays_sql(table, keys, columns, where), arrays).rowcount)


def _copy(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    COUNTED.statements += 1
    statement, types = _copy_sql(table, columns)
    try:
        with tx.connection.cursor().copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except tx.dialect.loaded_dbapi.Error as error:
        raise as_toolkit_error(tx, statement, error) from error


def _is_sqlite(tx: Tx) -> bool:
    return tx.dialect.name == "sqlite"


@lru_cache(64)
def _insert_sql(table: str, columns: tuple[str, ...], also: tuple[str, str] | None) -> str:
    values = {column: f"?{number}" for number, column in enumerate(columns, 1)}
    if also is not None:
        values[also[0]] = also[1].format_map(values)
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"  # noqa: S608 - our names


@lru_cache(64)
def _copy_sql(table: Table, columns: tuple[str, ...]) -> tuple[str, list[str]]:
    """The statement, and what the driver calls the types of its columns."""
    types = [_type_of(table, column).partition("(")[0].lower() for column in columns]
    return f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)", types


@lru_cache(64)
def _update_sql(table: str, keys: tuple[str, ...], columns: tuple[str, ...], where: str) -> str:
    values = {column: f"?{number}" for number, column in enumerate((*keys, *columns), 1)}
    changes = ", ".join(f"{column} = {values[column]}" for column in columns)
    same = " AND ".join(f"{key} = {values[key]}" for key in keys)
    return f"UPDATE {table} SET {changes} WHERE {same} AND {where}"  # noqa: S608 - our names


@lru_cache(64)
def _update_from_arrays_sql(table: Table, keys: tuple[str, ...], columns: tuple[str, ...], where: str) -> str:
    changes = ", ".join(f"{column} = new.{column}" for column in columns)
    arrays = ", ".join(f"%b::{_type_of(table, column)}[]" for column in (*keys, *columns))
    same = " AND ".join(f"{table.name}.{key} = new.{key}" for key in keys)
    named = ", ".join((*keys, *columns))
    return (
        f"UPDATE {table.name} SET {changes} FROM unnest({arrays}) AS new({named}) "  # noqa: S608 - our names
        f"WHERE {same} AND {where}"
    )


def _type_of(table: Table, column: str) -> str:
    return table.c[column].type.compile(_POSTGRESQL).partition(" COLLATE ")[0]  # an array's type names none
