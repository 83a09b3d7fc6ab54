"""One commit for all writes that wait: waiting for the disk is shared, and so are the statements of equal writes.

On SQLite, which has a single writer, all writes go this way; on PostgreSQL those of which many may be one call.

Each write runs under a savepoint of its own, so what one of them is refused for undoes that one alone; items of one
write are one call of it. Should anything else go wrong, the whole group is undone and its writes are run again one by
one: a bug or a full disk is then told to the write that meets it. A write that waits alone has a transaction of its
own, as if there were no groups.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from bookbell.core.errors import BookbellError
from bookbell.store.counted import COUNTED
from bookbell.store.faults import is_lost
from bookbell.store.prepared import execute, rows_changed

GROUP_COUNT_MAX = 64
GROUP_ROWS_MAX = 500  # some 20 ms; who waits for a commit waits for the rest of its group

Write = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""What is to be done for each of these items. Gives, for each, its value or the error that it is refused for; nothing
was written for such an item. Raises the error instead where there is one item.
"""


@dataclass(slots=True)
class _Item:
    """An item that waits to be written. Once that is over, either error is set or value holds what it gave."""

    write: Write
    item: Any
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class GroupCommit:
    """The writes of one engine. alone: runs a function in a transaction of its own, with its retries."""

    engine: Engine
    alone: Callable[[Callable[[Connection], Any]], Any]
    thread: ThreadPoolExecutor
    _prompt: deque[_Item] = field(default_factory=deque)
    _waiting: deque[_Item] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_working: bool = False

    async def run(self, write: Write, item: Any = None, *, is_prompt: bool = False) -> Any:
        """Write this item; gives what that gives once it is committed. A prompt one goes before all that are not."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._lock:
            (self._prompt if is_prompt else self._waiting).append(_Item(write, item, future))
            is_idle, self._is_working = not self._is_working, True
        if is_idle:
            loop.call_soon(self._begin)  # others that write in this turn of the loop are of the same group
        return await future

    def _begin(self) -> None:
        try:
            self.thread.submit(self._work)
        except RuntimeError as error:  # closed
            while group := self._take():
                for item in group:
                    item.error = error
                _tell(group)

    def _work(self) -> None:
        while group := self._take():
            if len(group) == 1 or not self._together(group):
                for item in group:
                    self._alone(item)
            for loop in {item.future.get_loop() for item in group}:  # one, but for tests that open one after another
                _tell_on(loop, [item for item in group if item.future.get_loop() is loop])

    def _take(self) -> list[_Item]:
        """Those whose turn it is; none when none waits, and then this thread's work is over."""
        with self._lock:
            count = min(len(self._prompt) + len(self._waiting), GROUP_COUNT_MAX)
            self._is_working = count > 0
            return [(self._prompt or self._waiting).popleft() for _ in range(count)]

    def _together(self, group: list[_Item]) -> bool:
        """Run them in one transaction. Gives whether it was committed; if not, nothing of it was.

        Those that are too much for one go back to the head of the queue, and are taken out of the group.
        """
        writes, done, is_ending = _by_write(group), 0, False
        try:
            with self.engine.begin() as tx:
                most = rows_changed(tx) + GROUP_ROWS_MAX
                while done < len(writes) and rows_changed(tx) < most:
                    _try(tx, writes[done], is_only=len(writes) == 1)
                    done += 1
                is_ending = True
            COUNTED.commits += 1
        except Exception as error:  # noqa: BLE001 - each is run again alone, and meets it there
            if is_lost(error):
                self.engine.dispose()  # as in `Database`: other connections may be as bad
            if not (is_ending and is_lost(error)):
                return False
            for item in group:  # it may have been committed, and would be there twice
                item.value, item.error = None, error
        left = [item for same in writes[done:] for item in same]
        with self._lock:
            self._waiting.extendleft(reversed(left))
        group[:] = [item for same in writes[:done] for item in same]
        return True

    def _alone(self, item: _Item) -> None:
        item.value, item.error = None, None
        try:
            item.value = self.alone(lambda tx: only(item.write, tx, item.item))
        except BaseException as error:  # noqa: BLE001 - it is raised where the write is awaited
            item.error = error


def only(write: Write, tx: Connection, item: Any) -> Any:
    """What a write gives for a single item. Raises: what it is refused for."""
    (value,) = write(tx, [item])
    if isinstance(value, BookbellError):
        raise value
    return value


def _by_write(group: list[_Item]) -> list[list[_Item]]:
    found: dict[Write, list[_Item]] = {}
    for item in group:
        found.setdefault(item.write, []).append(item)
    return list(found.values())


def _try(tx: Connection, same: list[_Item], *, is_only: bool) -> None:
    """Run one write under a savepoint: what it is refused for undoes it, and nothing else. is_only: nothing else is
    there, and several wait for it; whose an error is comes out when each is run alone.
    """
    if not is_only:
        execute(tx, "SAVEPOINT one")
    try:
        values = same[0].write(tx, [item.item for item in same])
    except BookbellError as error:
        if len(same) > 1:
            raise
        values = [error]
        execute(tx, "ROLLBACK TO one")
    for item, value in zip(same, values, strict=True):
        item.value, item.error = (None, value) if isinstance(value, BookbellError) else (value, None)
    if not is_only:
        execute(tx, "RELEASE one")


def _tell_on(loop: asyncio.AbstractEventLoop, group: list[_Item]) -> None:
    try:
        loop.call_soon_threadsafe(_tell, group)
    except RuntimeError:  # the loop is closed: nobody waits any more
        pass


def _tell(group: list[_Item]) -> None:
    for item in group:
        if item.future.done():
            continue  # whoever waited was cancelled
        if item.error is not None:
            item.future.set_exception(item.error)
        else:
            item.future.set_result(item.value)
