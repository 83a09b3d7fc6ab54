"""Removes files that nothing needs: those that were given up, and those that a crash left before they were taken.

In bounded steps that may die anywhere and be done again, by several processes at once.
"""

import asyncio
from pathlib import Path

from bookbell.core import limits
from bookbell.store import discarded
from bookbell.store.database import Database, Tx
from bookbell.web import files


async def remove_discarded(database: Database, blob_dir: Path, *, at: int) -> int:
    """One step: remove a bounded number of files, forget them, end the removals they belong to. Gives how many."""
    count = limits.BLOBS_REMOVED_COUNT_MAX
    blobs = await database.read(discarded.oldest_discarded, count=count)
    await asyncio.to_thread(_unlink, blob_dir, blobs)
    await database.write(_settle, blobs, at=at)
    return len(blobs)


async def sweep(database: Database, blob_dir: Path, *, before: int) -> int:
    """Remove what uploads cut off by a crash before this instant have left. Gives how many files."""
    gone = await asyncio.to_thread(files.sweep_temporary, blob_dir, before=before)
    while blobs := await asyncio.to_thread(files.unsure, blob_dir, before=before):
        wanted = await database.read(discarded.known_blobs, blobs)
        for blob in blobs:
            await asyncio.to_thread(files.settle, blob_dir, blob, is_wanted=blob in wanted)
        gone += len(set(blobs) - wanted)
    return gone


def _unlink(blob_dir: Path, blobs: list[str]) -> None:
    for blob in blobs:
        (blob_dir / blob).unlink(missing_ok=True)


def _settle(tx: Tx, blobs: list[str], *, at: int) -> None:
    discarded.forget(tx, blobs)
    discarded.end_removals(tx, count=limits.BLOBS_REMOVED_COUNT_MAX, at=at)
