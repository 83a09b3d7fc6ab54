"""Sends single requests for commands, through the service's own sender: the same guard, deadlines and caps."""

import itertools
import queue
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bookbell.core.attempt import Report, Request
from bookbell.core.guard import GuardRules, demand_target, judge_address
from bookbell.core.target import Target
from bookbell.delivery.sender_thread import SenderThread

STOP_S = 5.0
MARGIN_S = 5.0


class Outgoing:
    """A sender that can be waited for, from any thread."""

    def __init__(self, rules: GuardRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[str, queue.SimpleQueue[Report]] = {}
        self._sender = SenderThread(lambda address: judge_address(address, rules), deliver=self._deliver)

    def __enter__(self) -> Self:
        self._sender.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._sender.stop(STOP_S)

    def target_of(self, url: str) -> Target:
        """The URL taken apart. Raises: InvalidInput when it cannot be read or the guard refuses it."""
        return demand_target(url, self._rules)

    def post(self, url: str, headers: Sequence[str], body: bytes, *, timeout_ms: int) -> Report:
        """Send this with these header lines, and wait for what comes of it."""
        return self.send(
            Request(
                key=str(next(self._numbers)),
                url=url,
                headers=headers,
                body=body,
                timeout_ms_connect=timeout_ms,
                timeout_ms_total=timeout_ms,
            )
        )

    def send(self, request: Request) -> Report:
        """Send it and wait for what comes of it."""
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        with self._lock:
            self._waiting[request.key] = reports
        try:
            self._sender.submit([request])
            return reports.get(timeout=request.timeout_ms_total / 1000 + MARGIN_S)
        finally:
            with self._lock:
                del self._waiting[request.key]

    def _deliver(self, reports: list[tuple[str, Report]]) -> None:
        with self._lock:
            for key, report in reports:
                if key in self._waiting:
                    self._waiting[key].put(report)
