"""Sends one prepared request after another over many connections, and tells how long the answers took.

Usage: python -m bookbell.bench.loader PORT < PLAN, where PLAN is one JSON line: `requests` (path and body of each;
fewer are used round and round), `token`, `count`, `connections`, and `rate_per_s` (0: each connection sends as soon as
it has its answer; else requests start at that rate, whatever has been answered: an open loop, and the time counts from
when a request should have started). Prints one JSON line: seconds, answered, refused, latencies_ms (sorted), and
answers_ms (sorted): the same from when a request was sent, without its wait for a connection that is free.
"""

import asyncio
import json
import sys
import time
from collections import deque
from typing import Any

import uvloop


class Load:
    """What is to be sent, and what came of it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._requests = [_request(path, plan["token"], body) for path, body in plan["requests"]]
        self._count = int(plan["count"])
        self._started = 0
        self.connection_count = int(plan["connections"])
        self.rate_per_s = float(plan["rate_per_s"])
        self.latencies_us: list[int] = []
        self.answers_us: list[int] = []
        self.refused: dict[str, int] = {}
        self.done = asyncio.Event()
        self.waiting: deque[int] = deque()
        self.idle: deque[Connection] = deque()  # used in turn, or the server closes those that rest

    def next(self) -> bytes | None:
        """The next request, None when all have been started."""
        if self._started >= self._count:
            return None
        self._started += 1
        return self._requests[(self._started - 1) % len(self._requests)]

    def answered(self, status: str, taken_us: int, answer_us: int) -> None:
        """Note an answer: how long it took since it was due, and since it was sent."""
        self.latencies_us.append(taken_us)
        self.answers_us.append(answer_us)
        if not status.startswith("2"):
            self.refused[status] = self.refused.get(status, 0) + 1
        if len(self.latencies_us) >= self._count:
            self.done.set()


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._began_us = self._sent_us = 0

    def connection_made(self, transport: Any) -> None:
        """Begin, unless requests come at a rate."""
        self._transport = transport
        if self._load.rate_per_s:
            self._load.idle.append(self)
        else:
            self.send(_now_us())

    def send(self, began_us: int) -> None:
        """Send the next request; its time counts from began_us."""
        request = self._load.next()
        if request is not None:
            self._began_us, self._sent_us = began_us, _now_us()
            self._transport.write(request)

    def connection_lost(self, _error: Exception | None) -> None:
        """A service that closes what is under way is not measured any further."""
        if not self._load.done.is_set():
            self._load.refused["connection closed"] = self._load.refused.get("connection closed", 0) + 1
            self._load.done.set()

    def data_received(self, data: bytes) -> None:
        """Take the answer, and go on."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        status = head[9:12].decode("latin-1")
        self._buffer = b""
        now_us = _now_us()
        self._load.answered(status, now_us - self._began_us, now_us - self._sent_us)
        if not self._load.rate_per_s:
            self.send(_now_us())
        elif self._load.waiting:
            self.send(self._load.waiting.popleft())
        else:
            self._load.idle.append(self)


async def run(port: int, plan: dict[str, Any]) -> dict[str, Any]:
    """Send the whole plan. Gives what is printed."""
    load = Load(plan)
    loop = asyncio.get_running_loop()
    began_us = _now_us()
    for _ in range(load.connection_count):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    if load.rate_per_s:
        await _pace(load, int(plan["count"]))
    await load.done.wait()
    return {
        "seconds": (_now_us() - began_us) / 1e6,
        "answered": len(load.latencies_us),
        "refused": load.refused,
        "latencies_ms": sorted(each / 1000 for each in load.latencies_us),
        "answers_ms": sorted(each / 1000 for each in load.answers_us),
    }


async def _pace(load: Load, count: int) -> None:
    began_us = _now_us()
    for number in range(count):
        due_us = began_us + int(number * 1e6 / load.rate_per_s)
        while (early_us := due_us - _now_us()) > 0:
            await asyncio.sleep(early_us / 1e6)
        if load.idle:
            load.idle.popleft().send(due_us)
        else:
            load.waiting.append(due_us)
        await asyncio.sleep(0)


def _request(path: str, token: str, body: str) -> bytes:
    raw = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\n"
    )
    return f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw


def _now_us() -> int:
    return time.perf_counter_ns() // 1000


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(int(sys.argv[1]), json.loads(sys.stdin.readline())))), flush=True)
