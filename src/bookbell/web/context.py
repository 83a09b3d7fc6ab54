"""What the handlers need from the rest of the service, handed over once when the app is made."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from bookbell.actions.stamp import Published, Stamp
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.attempt import Report, Request
from bookbell.core.errors import BookbellError
from bookbell.core.guard import GuardRules
from bookbell.core.model import LanePk, Made
from bookbell.store.database import Database, Tx
from bookbell.vault import Vault
from bookbell.web.throttle import Throttle

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(slots=True)
class Waiting:
    """Requests that wait for an event; a bounded number."""

    count: int = 0

    def enter(self) -> bool:
        """Whether one more may wait; it then leaves in the end."""
        is_free = self.count < limits.EVENTS_WAITING_MAX
        self.count += is_free
        return is_free

    def leave(self) -> None:
        self.count -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """send: one request to a receiver, now, outside the lanes; ring: a hint that these lanes have due work,
    and what it is where all of it is known.
    """

    database: Database
    ambient: Ambient
    vault: Vault
    guard: GuardRules
    operator_tokens: tuple[str, ...]
    pipeline_tokens: tuple[str, ...]
    preset: str
    blob_dir: Path
    upload_bytes_max: int
    send: Callable[[Request], Awaitable[Report]]
    ring: Callable[[Iterable[LanePk], Sequence[Made]], None]
    are_books_public: bool = False
    are_books_paginated: bool = False
    throttle: Throttle = field(default_factory=lambda: Throttle(0))
    waiting: Waiting = field(default_factory=Waiting)
    is_always_200: bool = False
    is_stopping: Callable[[], bool] = lambda: False
    org_webhooks_max: int = limits.ORG_WEBHOOKS_MAX

    def stamp(self) -> Stamp:
        return Stamp(self.ambient.now_ms(), self.ambient.new_id)

    async def perform(
        self, action: Callable[Concatenate[Tx, P], Published[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an action that may publish, in one transaction; ring its lanes once it is committed."""
        return self._rung(await self.database.write(action, *args, **kwargs))

    async def perform_each(
        self, action: Callable[[Tx, Sequence[tuple[Item, Stamp]]], Sequence[Published[T] | BookbellError]], item: Item
    ) -> T:
        """`perform` of one item, by an action that is handed the items of others that wait too."""
        return self._rung(await self.database.write_each(action, (item, self.stamp())))

    def _rung(self, published: Published[T]) -> T:
        if published.lanes:
            self.ring(published.lanes, published.made)
        return published.value
