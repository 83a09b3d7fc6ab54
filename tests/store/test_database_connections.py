"""Connections that the PostgreSQL server has closed are replaced, and nobody notices."""

from sqlalchemy import text

from bookbell.store.database import Database, Tx
from processes import until

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def one(tx: Tx) -> int:
    return int(tx.execute(text("SELECT 1")).scalar_one())


def raw_one(tx: Tx) -> int:
    return int(tx.connection.cursor().execute("SELECT 1").fetchone()[0])


def test_a_connection_that_the_server_has_closed_is_replaced(postgresql_url: str) -> None:
    victim, killer = Database(postgresql_url), Database(postgresql_url)
    for run in (victim.write_now, victim.read_now):
        for ask in (one, raw_one):
            assert run(ask) == 1
            killer.write_now(lambda tx: tx.execute(text(f"SELECT pg_terminate_backend(pid) {OTHERS}")).all())
            until("they are closed", lambda: killer.write_now(others) == 0)
            assert run(ask) == 1
    victim.close()
    killer.close()


def others(tx: Tx) -> int:
    return int(tx.execute(text(f"SELECT count(*) {OTHERS}")).scalar_one())
