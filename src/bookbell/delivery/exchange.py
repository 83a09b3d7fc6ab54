"""Shares one sender between the lanes and single requests (the test call of the client API).

So there is one guard and one pool of connections.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from bookbell.core.attempt import Report, Request, Timings, Unreachable

Reports = list[tuple[str, Report]]


class SenderLike(Protocol):
    """What the exchange needs of the sender."""

    def submit(self, requests: Sequence[Request]) -> None: ...


class Exchange:
    """Stands between the sender and who uses it, on their event loop. Give `deliver` to the sender."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._singles: dict[str, asyncio.Future[Report]] = {}
        self._lanes: Callable[[Reports], None] = lambda _reports: None
        self._sender: SenderLike | None = None

    def connect(self, sender: SenderLike, lanes: Callable[[Reports], None] | None = None) -> None:
        """Say where requests go, and where the reports of lanes go."""
        self._sender = sender
        if lanes is not None:
            self._lanes = lanes

    def submit(self, requests: Sequence[Request]) -> None:
        """Send these; each is reported once."""
        assert self._sender is not None
        self._sender.submit(requests)

    async def send(self, request: Request) -> Report:
        """Send one request outside the lanes and wait for its report."""
        future: asyncio.Future[Report] = self._loop.create_future()
        self._singles[request.key] = future
        try:
            self.submit([request])
            async with asyncio.timeout(request.timeout_ms_total / 1000 + 5):
                return await future
        except TimeoutError:
            return Report(Unreachable("internal", "The sender did not report in time."), Timings())
        finally:
            self._singles.pop(request.key, None)

    def deliver(self, reports: Reports) -> None:
        """Take reports from the sender."""
        if self._singles:
            for key, report in reports:
                future = self._singles.get(key)
                if future is not None and not future.done():
                    future.set_result(report)
        self._lanes(reports)
