"""The bell between processes, on PostgreSQL: NOTIFY and LISTEN on one channel. Payloads are for delivery/far_bell.py.

A notification costs the whole server one short lock at its commit, so it is sent by itself, never within a
transaction that does something else.
"""

from collections.abc import AsyncIterator

import psycopg
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from bookbell.store.database import Database, Tx

CHANNEL = "bookbell_lanes"
PAYLOAD_CHARS_MAX = 7_900  # the server refuses 8000 bytes
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "application_name": "bookbell-bell",
}


def notify(tx: Tx, payload: str) -> None:
    """Send this to all that listen. The connection commits by itself."""
    tx.execute(select(func.pg_notify(CHANNEL, payload)))


async def payloads(database: Database) -> AsyncIterator[str]:
    """An empty text once it listens, then what is sent. Raises: psycopg.Error when the connection is lost."""
    url = make_url(database.url).set(drivername="postgresql", query={**make_url(database.url).query, **_CONNECT})
    address = url.render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        yield ""
        async for notification in connection.notifies():
            yield notification.payload
