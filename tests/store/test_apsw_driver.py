"""SQLite by apsw, as the SQL toolkit wants a driver to be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from sqlalchemy import exc, text

from bookbell.store import apsw_driver
from bookbell.store.apsw_driver import STATEMENTS_KEPT, Connection, Cursor
from bookbell.store.database import Database, Tx


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Connection]:
    connection = Connection(str(tmp_path / "a.db"))
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE)")
    yield connection
    connection.close()


def names(description: Any) -> list[str]:
    return [column[0] for column in description]


def test_columns_are_known_before_and_after_the_last_row(file: Connection) -> None:
    cursor = Cursor(file)
    for number in (1, 2):  # the second time from what was kept
        cursor.execute("SELECT a, b AS c FROM t WHERE a = ?", [number])
        assert names(cursor.description) == ["a", "c"]
        assert cursor.fetchall() == []
    file.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    cursor.execute("SELECT b FROM t ORDER BY a")
    assert names(cursor.description) == ["b"]
    assert cursor.fetchmany() == [("x",)]
    assert cursor.fetchmany(5) == [("y",)]
    assert names(cursor.description) == ["b"]


def test_asking_for_columns_changes_nothing(file: Connection) -> None:
    cursor = Cursor(file)
    cursor.execute("INSERT INTO t VALUES (?, ?)", (7, "x"))
    assert cursor.description is None
    assert (cursor.rowcount, cursor.lastrowid) == (1, 7)
    assert file.execute("SELECT count(*) FROM t").get == 1


def test_columns_of_any_number_of_statements(file: Connection) -> None:
    cursor = Cursor(file)
    for number in range(STATEMENTS_KEPT * 2):
        cursor.execute(f"SELECT a AS a{number} FROM t")
        assert names(cursor.description) == [f"a{number}"]


def test_a_transaction_ends_once(file: Connection) -> None:
    for end in (file.commit, file.rollback):
        end()
        file.execute("BEGIN")
        file.execute("INSERT INTO t VALUES (NULL, NULL)")
        end()
        assert not file.in_transaction
        end()
    assert file.execute("SELECT count(*) FROM t").get == 1


def test_a_cursor_may_be_closed_with_rows_left(file: Connection) -> None:
    file.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    cursor = Cursor(file)
    cursor.execute("SELECT a FROM t; SELECT b FROM t")
    cursor.close()
    file.execute("DROP TABLE t")


def test_a_plan_does_not_depend_on_values(file: Connection) -> None:
    assert file.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("INSERT INTO organizations (id) VALUES (NULL)", exc.IntegrityError),
        ("SELECT nothing", exc.OperationalError),
        ("SELECT 1 FROM nowhere", exc.OperationalError),
    ],
)
def test_the_toolkit_knows_its_errors(sqlite_url: str, sql: str, kind: type[Exception]) -> None:
    database = Database(sqlite_url)

    def ask(tx: Tx) -> object:
        return tx.execute(text(sql))

    with pytest.raises(kind):
        database.write_now(ask)
    database.close()


def test_every_error_of_the_driver_is_one_the_toolkit_has() -> None:
    kinds = apsw_driver.Dialect.dbapi_exception_translation_map
    assert all(issubclass(getattr(apsw, kind), apsw.Error) for kind in kinds)
    assert all(issubclass(getattr(exc, name), exc.DBAPIError) for name in kinds.values())
