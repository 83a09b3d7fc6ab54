"""A sender for callers without an event loop (commands, tests): it runs on a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from bookbell.core.attempt import Refused, Request
from bookbell.delivery.sender import Reports, Sender


class SenderThread:
    """As a Sender, from any thread. deliver is called on the sender's thread."""

    def __init__(
        self,
        judge_address: Callable[[str], Refused | None],
        *,
        deliver: Callable[[Reports], None],
        proxy: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._sender = Sender(judge_address, deliver=deliver, proxy=proxy, ca_file=ca_file)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_up = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self._is_up.wait()

    def submit(self, requests: Sequence[Request]) -> None:
        """Send these. Raises: RuntimeError when the sender does not run."""
        with self._lock:
            if self._loop is None:
                raise RuntimeError("The sender does not run.")
            self._loop.call_soon_threadsafe(self._sender.submit, requests)

    def stop(self, timeout_s: float) -> None:
        """Abort what is in flight, report it as aborted, and end the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.call_soon_threadsafe(self._end)
        if loop is not None:
            self._thread.join(timeout_s)

    async def _run(self) -> None:
        self._ended = asyncio.Event()
        self._sender.start()
        self._loop = asyncio.get_running_loop()
        self._is_up.set()
        await self._ended.wait()

    def _end(self) -> None:
        self._sender.stop()
        self._ended.set()
