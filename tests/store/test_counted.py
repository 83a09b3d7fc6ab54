"""What the store counts of its own work."""

from bookbell.core.model import OrganizationId
from bookbell.store.bulk import insert_rows
from bookbell.store.counted import COUNTED
from bookbell.store.database import Database, Tx
from bookbell.store.prepared import execute
from bookbell.store.schema import notices


def test_statements_of_every_kind_are_counted(db: Database) -> None:
    def ask(tx: Tx) -> None:
        tx.exec_driver_sql("SELECT 1")
        execute(tx, "SELECT 1").close()

    db.read_now(lambda tx: None)
    before = COUNTED.statements
    db.read_now(ask)
    assert COUNTED.statements - before == 2


def test_rows_written_together_count_as_the_database_meets_them(db: Database) -> None:
    columns = ("id", "organization_id", "endpoint_id", "kind", "detail", "created_at")
    rows = [(f"n{number}", OrganizationId("o"), "e", "k", "d", number) for number in range(10)]
    db.write_now(lambda tx: None)
    before = COUNTED.statements
    db.write_now(insert_rows, notices, columns, rows)
    assert COUNTED.statements - before == (10 if db.is_sqlite else 1)


def test_only_transactions_that_may_write_count_as_commits(db: Database) -> None:
    before = COUNTED.commits
    db.write_now(lambda tx: None)
    db.read_now(lambda tx: None)
    assert COUNTED.commits - before == 1
