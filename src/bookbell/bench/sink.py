"""A receiver for measuring: answers every request with 200 at once and keeps when its first byte came.

Usage: python -m bookbell.bench.sink OPTIONS, a JSON object: `address_count` (loopback addresses to listen on), `tls`
(files of certificate and key), `is_closing` (one request per connection), `delay_ms` (of an answer on a path that
begins with /slow, give or take half of it; one that begins with /hang gets none). Prints `ready PORT`; to `count` on
standard input it answers how many different requests it has seen since the last mark, to `mark` one JSON line about
them. The latency of a request is taken from its id, a UUID of version 7 that was made inside the publishing
transaction: commit included, each half a millisecond more or less. Requests that hang are not counted.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from typing import Any

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
ID_LAG_MS = 0.5  # an id says its millisecond only, so on average it is that much older than it says
_ID = b"webhook-request-id: "
_LENGTH = b"content-length: "
_ID_CHARS = 36


class Seen:
    """What arrived since the last mark. at_us: the wall clock of each request's first byte, by request id."""

    def __init__(self) -> None:
        self.at_us: dict[bytes, int] = {}
        self.request_count = 0
        self.connection_count = 0
        self.first_us = 0
        self.last_us = 0

    def note(self, head: bytes, now_us: int) -> None:
        """Take in one request."""
        at = head.find(_ID)
        key = head[at + len(_ID) : at + len(_ID) + _ID_CHARS] if at >= 0 else str(self.request_count).encode()
        self.at_us.setdefault(key, now_us)
        self.request_count += 1
        self.first_us = self.first_us or now_us
        self.last_us = now_us

    def told(self) -> dict[str, Any]:
        """All of it as JSON-ready fields; latencies only of requests that have an id."""
        latencies = sorted(
            max(0.0, round(at / 1000 - int(key.replace(b"-", b"")[:12], 16) - ID_LAG_MS, 3))
            for key, at in self.at_us.items()
            if len(key) == _ID_CHARS
        )
        return {
            "count": len(self.at_us),
            "repeated": self.request_count - len(self.at_us),
            "connections": self.connection_count,
            "first_us": self.first_us,
            "last_us": self.last_us,
            "latencies_ms": latencies,
            "per_s": self._per_s(),
        }

    def _per_s(self) -> list[int]:
        """How many came first in each second since the first."""
        seconds = [(at - self.first_us) // 1_000_000 for at in self.at_us.values()]
        counts = [0] * (max(seconds, default=-1) + 1)
        for second in seconds:
            counts[second] += 1
        return counts


class Connection(asyncio.Protocol):
    """One connection. Understands just the requests that libcurl and wrk send: a head, and a body of known length."""

    def __init__(self, seen: list[Seen], options: dict[str, Any]) -> None:
        self._seen = seen
        self._is_closing = bool(options.get("is_closing"))
        self._delay_s = float(options.get("delay_ms", 0)) / 1000
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        """A receiver's accept."""
        self._transport = transport
        self._seen[0].connection_count += 1

    def data_received(self, data: bytes) -> None:
        """Answer each whole request in what has come."""
        now_us = time.time_ns() // 1000
        buffer = self._buffer + data if self._buffer else data
        answer_count = 0
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            size = end + 4 + _length(head)
            if len(buffer) < size:
                break
            buffer = buffer[size:]
            if head.startswith(b"post /hang"):
                continue
            self._seen[0].note(head, now_us)
            if head.startswith(b"post /slow"):
                delay_s = self._delay_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads the answers
                asyncio.get_running_loop().call_later(delay_s, self._answer, 1)
            else:
                answer_count += 1
        self._buffer = buffer
        if answer_count:
            self._answer(answer_count)

    def _answer(self, count: int) -> None:
        if self._is_closing:
            self._transport.write(LAST_ANSWER)
            self._transport.close()
        else:
            self._transport.write(ANSWER * count)


def addresses(count: int) -> list[str]:
    """That many loopback addresses, at most 1,000: each is a host of its own to a sender."""
    return ["127.0.0.1", *(f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(999))][: max(1, count)]


def _length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + len(_LENGTH) : end if end >= 0 else len(head)])


async def serve(options: dict[str, Any]) -> None:
    """Serve until standard input ends."""
    seen = [Seen()]
    loop = asyncio.get_running_loop()
    context = None
    if options.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options["tls"])
    server = await loop.create_server(lambda: Connection(seen, options), "127.0.0.1", 0, backlog=4096, ssl=context)
    port = server.sockets[0].getsockname()[1]
    others = [address for address in addresses(int(options.get("address_count", 1))) if address != "127.0.0.1"]
    if others:
        await loop.create_server(lambda: Connection(seen, options), others, port, backlog=4096, ssl=context)
    print(f"ready {port}", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "count":
            print(len(seen[0].at_us), flush=True)
        else:
            done, seen[0] = seen[0], Seen()
            print(json.dumps(done.told()), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))
