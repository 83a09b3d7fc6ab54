"""A running sender for the tests: requests in, reports out."""

import queue
import socket
import threading
from ipaddress import ip_network

from msgspec.structs import replace

from bookbell.core.attempt import Report, Request
from bookbell.core.guard import GuardRules, judge_address
from bookbell.delivery.sender_thread import SenderThread
from receivers import Behaviour

WAIT_S = 30.0
LOOPBACK = GuardRules((ip_network("127.0.0.0/8"), ip_network("::1/128")))
NOWHERE = GuardRules(())
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Post:
    """A running sender, and the reports that have come back."""

    def __init__(self, rules: GuardRules = LOOPBACK, *, proxy: str | None = None, ca_file: str | None = None) -> None:
        self._reports: queue.Queue[tuple[str, Report]] = queue.Queue()
        self.sender = SenderThread(
            lambda address: judge_address(address, rules), deliver=self._take, proxy=proxy, ca_file=ca_file
        )
        self.sender.start()

    def _take(self, reports: list[tuple[str, Report]]) -> None:
        for report in reports:
            self._reports.put(report)

    def collect(self, count: int) -> dict[str, Report]:
        """That many reports, by key."""
        found = dict(self._reports.get(timeout=WAIT_S) for _ in range(count))
        assert len(found) == count, "a request was reported twice"
        return found

    def send(self, request: Request) -> Report:
        """One request's report."""
        self.sender.submit([request])
        return self.collect(1)[request.key]

    def is_quiet(self) -> bool:
        return self._reports.empty()


def to(url: str, key: str = "r", **changes: object) -> Request:
    """A request to this URL."""
    base = Request(
        key=key,
        url=url,
        headers=("Content-Type: application/json", f"Webhook-Request-Id: {key}"),
        body=b'{"a": 1}',
        timeout_ms_connect=10_000,
        timeout_ms_total=20_000,
    )
    return replace(base, **changes)


def says(*chunks: bytes) -> Behaviour:
    """Sends these bytes and closes."""

    def behave(connection: socket.socket, _closing: threading.Event) -> None:
        for chunk in chunks:
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)

    return behave
