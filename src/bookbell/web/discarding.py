"""Removes files that books and documents have given up, in bounded steps that may die anywhere and be done again."""

import asyncio
from pathlib import Path

from bookbell.core import limits
from bookbell.store import discarded
from bookbell.store.database import Database, Tx


async def remove_discarded(database: Database, blob_dir: Path, *, at: int) -> int:
    """One step: remove a bounded number of files, forget them, end the removals they belong to. Gives how many."""
    count = limits.BLOBS_REMOVED_COUNT_MAX
    blobs = await database.read(discarded.oldest_discarded, count=count)
    await asyncio.to_thread(_unlink, blob_dir, blobs)
    await database.write(_settle, blobs, at=at)
    return len(blobs)


def _unlink(blob_dir: Path, blobs: list[str]) -> None:
    for blob in blobs:
        (blob_dir / blob).unlink(missing_ok=True)


def _settle(tx: Tx, blobs: list[str], *, at: int) -> None:
    discarded.forget(tx, blobs)
    discarded.end_removals(tx, count=limits.BLOBS_REMOVED_COUNT_MAX, at=at)
