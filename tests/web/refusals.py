"""What every refusal must be: the contract's envelope with a code, and a database that is as it was."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

from bookbell.store.database import Database, Tx
from bookbell.store.schema import metadata
from in_process import Opened, Peopled, opened
from raw_asgi import Answer

JSON = "application/json"


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""

    def read(tx: Tx) -> dict[str, list[Any]]:
        return {table.name: sorted(map(repr, tx.execute(select(table)))) for table in metadata.sorted_tables}

    return database.read_now(read)


def changing_nothing(peopled: Peopled, ask: Callable[[Opened], Awaitable[None]]) -> None:
    """Run against the application, and find everything in the database as it was."""

    async def run() -> None:
        async with opened(peopled) as app:
            await ask(app)
            assert app.rung == []

    before = everything(peopled.database)
    asyncio.run(run())
    assert everything(peopled.database) == before
    assert [path for path in peopled.blob_dir.rglob("*") if path.is_file()] == []


def headers_of(app: Opened, who: str, kind: str | None = JSON) -> list[tuple[str, str | bytes]]:
    """The credentials of somebody, and the content type."""
    found: list[tuple[str, str | bytes]] = list(app.credentials(who).items())
    return found if kind is None else [*found, ("Content-Type", kind)]


def assert_refused(answer: Answer, status: set[int], codes: set[int], what: object) -> None:
    """The answer is the contract's envelope of an error with one of these statuses and codes."""
    body = answer.json()
    assert answer.status in status, (what, answer.status, body)
    assert body.keys() - {"details"} == {"status", "code", "response", "message", "meta"}, (what, body)
    assert body["status"] == answer.status, what
    assert body["code"] in codes, (what, body)
    assert body["response"] is None, what
    assert body["message"], what
    assert body["meta"] == {"status": body["status"], "msg": body["message"], "code": body["code"]}, what
