"""Retention: measures what is kept, removes what need not be kept any more, and gives the space back.

Every step is one short transaction that renews the lease, so it may die anywhere and another worker goes on.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bookbell import telemetry
from bookbell.actions import retention
from bookbell.actions.retention import CHORE, KINDS, Hold, Step
from bookbell.core import limits
from bookbell.core.instants import made_at
from bookbell.core.retention import Keeping, bodies_before, forgotten_before, history_before
from bookbell.keeping.auditor import tell
from bookbell.keeping.batches import Chores, taken, walk
from bookbell.store import kept
from bookbell.store.retention import oldest_event

SPACE_PAGES = 1_000  # of an SQLite file that are given back at a time


@dataclass(slots=True)
class Pruned:
    """What a run did: rows by kind, bytes of bodies, pages of an SQLite file, and events left for not balancing."""

    rows: dict[str, int] = field(default_factory=dict)
    byte_count: int = 0
    pages: int = 0
    problems: int = 0

    def add(self, kind: str, count: int) -> None:
        """That many more rows of this kind are gone."""
        self.rows[kind] = self.rows.get(kind, 0) + count
        telemetry.PRUNED_ROWS.labels(kind).inc(count)


async def prune(parts: Chores, keeping: Keeping, on_step: Callable[[Pruned], None] = lambda _: None) -> Pruned | None:
    """Remove all that need not be kept. Gives what went, None if another worker does this now.

    Raises: ChoreLost when this worker was stalled for so long that another has taken over.
    """
    async with taken(parts, CHORE) as is_ours:
        if not is_ours:
            return None
        run = _Run(parts, keeping, on_step)
        await run.all()
    done = run.done
    if any(done.rows.values()) or done.problems:
        telemetry.log().info("retention_ran", **done.rows, bytes=done.byte_count, problems=done.problems)
    return done


class _Run:
    def __init__(self, parts: Chores, keeping: Keeping, on_step: Callable[[Pruned], None]) -> None:
        self._parts, self._database, self._on_step = parts, parts.database, on_step
        self._keeping = keeping
        self._now = parts.ambient.now_ms()
        self.done = Pruned()

    async def all(self) -> None:
        """Every kind of step, until none is left."""
        for kind in KINDS:
            await self._walk(self._measure(kind))
        history = history_before(self._keeping, self._now)
        sizes = await self._database.read(kept.by_hour)
        bodies = bodies_before(self._keeping, self._now, sizes)
        for kind in KINDS:
            await self._walk(self._empty(kind, bodies))
        await self._walk(self._remove(history))
        await self._walk(self._remove_books(history))
        for kind, before in forgotten_before(self._keeping, self._now).items():
            await self._walk(self._forget(kind, before))
        await self._walk(self._give_back_space)
        await self._show_what_is_kept()

    async def _walk(self, step: Callable[[int], Awaitable[bool]]) -> None:
        async def and_tell(count: int) -> bool:
            is_last = await step(count)
            self._on_step(self.done)
            return is_last

        await walk(self._parts, and_tell)

    def _hold(self) -> Hold:
        return Hold(owner=self._parts.owner, lease_until=self._parts.lease_until())

    def _measure(self, kind: str) -> Callable[[int], Awaitable[bool]]:
        before = self._now - limits.CHORE_LAG_MS

        async def step(count: int) -> bool:
            done = await self._database.write(retention.measure, self._hold(), kind, before=before, count=count)
            return done.is_last

        return step

    def _empty(self, kind: str, before: int) -> Callable[[int], Awaitable[bool]]:
        async def step(count: int) -> bool:
            done = await self._database.write(retention.empty, self._hold(), kind, before=before, count=count)
            self._count(done)
            self.done.add(f"{kind.removesuffix('s')}_bodies", done.emptied)
            return done.is_last

        return step

    def _remove(self, before: int) -> Callable[[int], Awaitable[bool]]:
        after = ""

        async def step(count: int) -> bool:
            nonlocal after
            done = await self._database.write(retention.remove, self._hold(), after=after, before=before, count=count)
            self._count(done)
            for kind in ("events", "deliveries", "attempts"):
                self.done.add(kind, getattr(done.removed, kind))
            after = done.after
            return done.is_last

        return step

    def _count(self, done: Step) -> None:
        self.done.byte_count += done.byte_count
        telemetry.PRUNED_BYTES.inc(done.byte_count)
        self.done.problems += len(done.findings)
        tell(done.findings)

    def _remove_books(self, before: int) -> Callable[[int], Awaitable[bool]]:
        async def step(_count: int) -> bool:
            count = await self._database.write(retention.remove_books, self._hold(), before=before)
            self.done.add("books", count)
            return count == 0

        return step

    def _forget(self, kind: str, before: int) -> Callable[[int], Awaitable[bool]]:
        async def step(count: int) -> bool:
            done = await self._database.write(retention.forget, self._hold(), kind, before=before, count=count)
            self.done.add(kind, done)
            return done < count

        return step

    async def _give_back_space(self, _count: int) -> bool:
        pages = await self._database.give_back_space(SPACE_PAGES)
        self.done.pages += pages
        return pages == 0

    async def _show_what_is_kept(self) -> None:
        sizes = await self._database.read(kept.by_hour)
        telemetry.KEPT_BYTES.set(sum(sizes.values()))
        oldest = await self._database.read(oldest_event)
        telemetry.KEPT_SINCE.set(made_at(oldest) / 1000 if oldest else self._now / 1000)
