"""Whether the process lives and can serve, and what it answers when it cannot."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bookbell.store.database import Database
from in_process import Peopled, opened


def answers(peopled: Peopled, *paths: str, is_stopping: bool = False) -> list[tuple[int, Any]]:
    """Status and body of a GET of each path, asked by `one`."""

    async def run() -> list[tuple[int, Any]]:
        async with opened(peopled, is_stopping=is_stopping) as app:
            found = [await app.client.get(path, headers=app.credentials("one")) for path in paths]
            return [(answer.status_code, answer.json()) for answer in found]

    return asyncio.run(run())


@contextlib.contextmanager
def logged() -> Iterator[list[Any]]:
    """The lines that are logged meanwhile; other tests keep the log quiet."""
    quiet = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        with capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=quiet)


@pytest.fixture(params=["sqlite", "postgresql"])
def away(request: pytest.FixtureRequest, peopled_sqlite: Peopled, tmp_path: Path) -> Iterator[Peopled]:
    """A database that is not there: a folder that does not exist, a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    missing = f"sqlite:///{tmp_path / 'nowhere' / 'bookbell.db'}"
    database = Database(missing if request.param == "sqlite" else f"postgresql://nobody@127.0.0.1:{port}/bookbell")
    yield replace(peopled_sqlite, database=database)
    database.close()


def test_a_process_is_ready_while_its_database_answers(peopled: Peopled) -> None:
    assert answers(peopled, "/health/live", "/health/ready") == [(200, {"status": "live"}), (200, {"status": "ready"})]


def test_a_process_lives_but_is_not_ready_while_its_database_is_away(away: Peopled) -> None:
    live, ready = answers(away, "/health/live", "/health/ready")
    assert live == (200, {"status": "live"})
    assert ready == (503, {"status": "database unreachable", "detail": "OperationalError"})


def test_a_process_lives_but_is_not_ready_while_it_stops(peopled_sqlite: Peopled) -> None:
    live, ready = answers(peopled_sqlite, "/health/live", "/health/ready", is_stopping=True)
    assert live == (200, {"status": "live"})
    assert ready == (503, {"status": "stopping"})


def test_a_call_is_answered_in_the_envelope_while_the_database_is_away_and_the_log_says_why(away: Peopled) -> None:
    with logged() as lines:
        ((status, body),) = answers(away, "/v1/books")
    assert status == 503
    assert body == {
        "status": 503,
        "code": 1100,
        "response": None,
        "message": "The database cannot be reached at the moment; try again later",
        "meta": {"status": 503, "msg": body["message"], "code": 1100},
    }
    assert "sqlalchemy" not in str(body).lower()
    (line,) = lines
    assert (line["event"], line["method"], line["path"]) == ("request_failed", "GET", "/v1/books")
    assert type(line["exc_info"]).__name__ == "OperationalError"
