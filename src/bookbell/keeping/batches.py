"""A chore in the background: one worker at a time by a lease, in small batches with rests between them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.retention import next_batch_count
from bookbell.store import chores
from bookbell.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Chores:
    """What chores work with. owner: this process, unlike any other."""

    database: Database
    ambient: Ambient
    owner: str

    def lease_until(self) -> int:
        """How long a lease lasts that is taken or renewed now."""
        return self.ambient.now_ms() + limits.CHORE_LEASE_MS


@asynccontextmanager
async def taken(parts: Chores, name: str) -> AsyncIterator[bool]:
    """Whether this worker does the chore now; it is given back at the end."""
    now, until = parts.ambient.now_ms(), parts.lease_until()
    is_ours = await parts.database.write(chores.take, name, owner=parts.owner, now=now, lease_until=until)
    try:
        yield is_ours
    finally:
        if is_ours:
            await parts.database.write(chores.release, name, owner=parts.owner)


async def walk(parts: Chores, step: Callable[[int], Awaitable[bool]]) -> None:
    """Take a step of so many rows at a time until one says that it was the last; rest as long as each has taken."""
    count = limits.PRUNE_BATCH_COUNT_MAX // 4
    while True:
        started = parts.ambient.monotonic_ms()
        is_last = await step(count)
        took = parts.ambient.monotonic_ms() - started
        if is_last:
            return
        count = next_batch_count(count, took)
        await parts.ambient.sleep_ms(max(limits.CHORE_REST_MS_MIN, took))
