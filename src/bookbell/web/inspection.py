"""Looks into an uploaded file in a process of its own: how many pages a PDF has, whether an image is one.

Files come from strangers, and a file made for it can keep a parser busy for ever or eat all memory. So each file is
parsed in a child with limits on time, memory and processor, and whatever happens there the answer is a value. The
children are forked by a helper that has loaded the parsers before: starting an interpreter for each file took 0.2 s.
Here is the side that asks, which never loads the parsers; web/inspector.py is the helper.
"""

import asyncio
import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from weakref import WeakValueDictionary

from bookbell.core.limits import INSPECT_S_MAX
from bookbell.core.model import OrganizationId

AT_ONCE_MAX = 2
ANSWER_BYTES_MAX = 64
GRACE_S = 2  # for a loaded machine, beyond what the child may take


async def page_count(path: Path, whose: OrganizationId) -> int | None:
    """Pages of a PDF; None when it is not a valid one, or not within the limits."""
    return await _asked("pdf", path, whose)


async def is_image(path: Path, whose: OrganizationId) -> bool:
    """Whether the file is one JPEG, PNG, BMP or single-page TIFF image."""
    return await _asked("image", path, whose) is not None


async def _asked(kind: str, path: Path, whose: OrganizationId) -> int | None:
    """An organization has one file looked into at a time: however many it sends, others wait for one of them."""
    turn = _turns.setdefault(whose, asyncio.Lock())
    async with turn:
        return await asyncio.get_running_loop().run_in_executor(_threads, _pool.ask, kind, path)


class _Helper:
    """One helper process, which answers one question at a time. Use it from one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bookbell.web.inspector"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it can be killed with its child, and Ctrl-C does not reach it
        )

    def ask(self, kind: str, path: Path) -> bytes | None:
        """The line it answers; None when it does not answer in time. Raises: EOFError when it has ended.

        Either way it is of no use any more.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([kind, str(path)]).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise EOFError from error
        return self._line()

    def _line(self) -> bytes | None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            if not selector.select(INSPECT_S_MAX + GRACE_S):
                return None
        line = os.read(descriptor, ANSWER_BYTES_MAX)  # whole: so few bytes go through a pipe at once
        if not line:
            raise EOFError
        return line

    def end(self) -> None:
        """End it, and what it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


class _Pool:
    """Helpers, started when they are needed and used again: as many as there are threads that ask."""

    def __init__(self) -> None:
        self._free: list[_Helper] = []
        self._lock = threading.Lock()

    def ask(self, kind: str, path: Path) -> int | None:
        """What the file is found to hold; None when nothing, or too much. It keeps its thread until then."""
        try:
            answer = self._ask(self._taken() or _Helper(), kind, path)
        except EOFError:  # one that was ended while nobody looked must not cost a client its upload
            answer = self._ask(_Helper(), kind, path)
        return int(answer) if answer is not None and answer.strip().isdigit() else None

    def _taken(self) -> _Helper | None:
        with self._lock:
            return self._free.pop() if self._free else None

    def _ask(self, helper: _Helper, kind: str, path: Path) -> bytes | None:
        """Its answer; a helper that gives one is free afterwards, another is ended. Raises: EOFError."""
        answer = None
        try:
            answer = helper.ask(kind, path)
        finally:
            if answer is None:
                helper.end()
        if answer is not None:
            with self._lock:
                self._free.append(helper)
        return answer

    def close(self) -> None:
        """End the helpers that are free."""
        with self._lock:
            free, self._free = self._free, []
        for helper in free:
            helper.end()


_pool = _Pool()
_turns: WeakValueDictionary[OrganizationId, asyncio.Lock] = WeakValueDictionary()
_threads = ThreadPoolExecutor(AT_ONCE_MAX, "inspection")  # those that wait take none that other files need
atexit.register(_pool.close)
