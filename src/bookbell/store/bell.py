"""The bell between processes, on PostgreSQL: NOTIFY and LISTEN on one channel. Payloads are for delivery/far_bell.py.

A notification costs the whole server one short lock at its commit, so it is sent by itself, never within a
transaction that does something else.
"""

from collections.abc import AsyncIterator

import psycopg
from psycopg import sql
from sqlalchemy import func, select

from bookbell.store.address import parameters
from bookbell.store.database import Database, Tx

CHANNEL = "bookbell_lanes"
CHECK_S = 10  # how often it makes sure that the server it listens to is still the one that is written to


def notify(tx: Tx, payload: str) -> None:
    """Send this to all that listen. The connection commits by itself."""
    tx.execute(select(func.pg_notify(CHANNEL, payload)))


async def payloads(database: Database) -> AsyncIterator[str]:
    """An empty text once it listens, then what is sent. Ends when the server became read-only.

    Raises: psycopg.Error when the connection is lost.
    """
    given = parameters(database.url, {"application_name": "bookbell-bell"})
    async with await psycopg.AsyncConnection.connect(autocommit=True, **given) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        yield ""
        while True:
            async for notification in connection.notifies(timeout=CHECK_S):
                yield notification.payload
            if await _is_read_only(connection):
                return


async def _is_read_only(connection: psycopg.AsyncConnection) -> bool:
    """Whether nothing is written here any more, so that nobody rings here either."""
    cursor = await connection.execute("SHOW transaction_read_only")
    return await cursor.fetchone() == ("on",)
