"""A database serves one event loop after another: what one left half told must not swallow the next one's write."""

import asyncio

from bookbell.store.database import Database, Tx


def test_each_loop_hears_of_its_own_writes(db: Database) -> None:
    async def write(number: int) -> int:
        async with asyncio.timeout(30):
            return await db.write(lambda tx: _gives(tx, number))

    assert [asyncio.run(write(number)) for number in range(300)] == list(range(300))


def _gives(tx: Tx, number: int) -> int:
    tx.exec_driver_sql("SELECT 1")
    return number
