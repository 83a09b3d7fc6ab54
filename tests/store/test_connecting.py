"""A server that takes connections and says nothing, as one does whose machine is about to vanish."""

import itertools
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from bookbell.store.connecting import Connecting
from bookbell.store.database import Database
from bookbell.store.faults import is_away


class Silent:
    """Where nobody answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        port = self._listener.getsockname()[1]
        self.parameters: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "x", "connect_timeout": 2}
        self.url = f"postgresql://x@127.0.0.1:{port}/x?connect_timeout=2"

    def tries(self) -> int:
        """How often somebody has tried since this was asked last."""
        for count in itertools.count():
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return count
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    silent = Silent()
    yield silent
    silent.close()


def test_for_as_long_as_it_took_to_find_out_nobody_else_tries(silent: Silent) -> None:
    instants = iter([10_000, 15_000, 19_999, 20_000, 25_000])  # begun, failed; asked too early; begun, failed
    connecting = Connecting(lambda: next(instants))
    told = []
    for tries in (1, 0, 1):
        with pytest.raises(psycopg.OperationalError, match="timeout") as caught:
            connecting.connect(**silent.parameters)
        told.append(str(caught.value))
        assert silent.tries() == tries
    assert told[0] == told[1]


def test_a_server_that_refuses_is_tried_again_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connecting = Connecting(lambda: 10_000)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connecting.connect(host="127.0.0.1", port=port, user="x", dbname="x")
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(0)
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            connecting.connect(host="127.0.0.1", port=port, user="x", dbname="x", connect_timeout=2)


def test_writers_and_readers_find_out_together(silent: Silent) -> None:
    database = Database(silent.url)
    for use in (database.write_now, database.read_now, database.snapshot_now):
        with pytest.raises(DBAPIError, match="timeout") as caught:
            use(lambda tx: None)
        assert is_away(caught.value)
    assert silent.tries() == 1
    database.close()
