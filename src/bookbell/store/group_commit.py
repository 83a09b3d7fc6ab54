"""One commit for all writes that wait: on a database with a single writer, waiting for the disk is shared.

Each write runs under a savepoint of its own, so what one of them is refused for undoes that one alone. Should anything
else go wrong, the whole group is undone and its writes are run again one by one: a bug or a full disk is then told to
the write that meets it. A write that waits alone has a transaction of its own, as if there were no groups.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from bookbell.core.errors import BookbellError

GROUP_ROWS_MAX = 500  # some 20 ms; who waits for a commit waits for the rest of its group

Write = Callable[[Connection], Any]


@dataclass(slots=True)
class _Item:
    """A write that waits. Once it is over, either error is set or value holds what it gave."""

    write: Write
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class GroupCommit:
    """The writes of one engine. alone: runs one write in a transaction of its own, with its retries."""

    engine: Engine
    alone: Callable[[Write], Any]
    thread: ThreadPoolExecutor
    _prompt: deque[_Item] = field(default_factory=deque)
    _waiting: deque[_Item] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_working: bool = False

    async def run(self, write: Write, *, is_prompt: bool) -> Any:
        """Run this write; gives what it gives once that is committed. A prompt one goes before all that are not."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._lock:
            (self._prompt if is_prompt else self._waiting).append(_Item(write, future))
            is_idle, self._is_working = not self._is_working, True
        if is_idle:
            self.thread.submit(self._work)
        return await future

    def _work(self) -> None:
        while (first := self._next()) is not None:
            group = [first]
            if not (self._prompt or self._waiting) or not self._together(group):
                for item in group:
                    self._alone(item)
            for loop in {item.future.get_loop() for item in group}:  # one, but for tests that open one after another
                _tell_on(loop, [item for item in group if item.future.get_loop() is loop])

    def _next(self) -> _Item | None:
        """The write whose turn it is; None when none waits, and then this thread's work is over."""
        with self._lock:
            waiting = self._prompt or self._waiting
            self._is_working = bool(waiting)
            return waiting.popleft() if waiting else None

    def _together(self, group: list[_Item]) -> bool:
        """Run the first one, and those that wait meanwhile, in one transaction; these are added to the group.

        Gives whether it was committed; if not, nothing of it was.
        """
        try:
            with self.engine.begin() as tx:
                rows_before = _rows(tx)
                _try(tx, group[0])
                while _rows(tx) - rows_before < GROUP_ROWS_MAX and (self._prompt or self._waiting):
                    following = self._next()
                    assert following is not None, "only this thread takes from the queues"
                    group.append(following)
                    _try(tx, following)
        except Exception:  # noqa: BLE001 - each is run again alone, and meets it there
            return False
        return True

    def _alone(self, item: _Item) -> None:
        item.value, item.error = None, None
        try:
            item.value = self.alone(item.write)
        except BaseException as error:  # noqa: BLE001 - it is raised where the write is awaited
            item.error = error


def _rows(tx: Connection) -> int:
    """Rows that its connection has changed so far."""
    driver: Any = tx.connection.driver_connection
    return int(driver.total_changes)


def _try(tx: Connection, item: _Item) -> None:
    """Run it under a savepoint: what it is refused for undoes it, and nothing else."""
    tx.exec_driver_sql("SAVEPOINT one")
    item.error = None
    try:
        item.value = item.write(tx)
    except BookbellError as error:
        item.error = error
        tx.exec_driver_sql("ROLLBACK TO one")
    tx.exec_driver_sql("RELEASE one")


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
