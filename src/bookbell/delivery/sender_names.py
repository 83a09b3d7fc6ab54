"""Looks names up for the sender, so that names whose servers are silent hold up no other receiver.

libcurl's own look-ups share twenty threads, and a look-up keeps its thread for as long as the system's resolver
waits, however early the request gave up: twenty silent names would hold up everybody. Here a name is looked up once
at a time, however many requests wait for it, and one that takes long gives its seat to others and shares few seats
from then on.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable

from bookbell.core import limits

SLOW_S = 1.0
Found = tuple[str, ...] | str
"""Addresses in the resolver's order, at least one and without repeats; or why there are none."""


class Names:
    """Look-ups under way and waiting. Use it on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, list[Callable[[Found], None]]] = {}
        self._queued: tuple[deque[str], deque[str]] = (
            deque(),
            deque(),
        )  # of names not known as slow, and of slow ones
        self._quick: set[str] = set()  # being looked up, and not for long
        self._slow: set[str] = set()  # being looked up, for long or by experience
        self._known_slow: dict[str, None] = {}

    def ask(self, host: str, then: Callable[[Found], None]) -> None:
        """Look this up and call `then` on the loop, once."""
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[host] = [then]
        self._queued[host in self._known_slow].append(host)
        self._start()

    def _start(self) -> None:
        quick, slow = self._queued
        while quick and len(self._quick) < limits.LOOKUPS_QUICK_MAX and self._count() < limits.LOOKUPS_MAX:
            host = quick.popleft()
            self._quick.add(host)
            self._loop.call_later(SLOW_S, self._make_room, host)
            self._begin(host)
        while slow and len(self._slow) < limits.LOOKUPS_SLOW_MAX and self._count() < limits.LOOKUPS_MAX:
            host = slow.popleft()
            self._slow.add(host)
            self._begin(host)

    def _count(self) -> int:
        return len(self._quick) + len(self._slow)

    def _begin(self, host: str) -> None:
        thread = threading.Thread(target=self._look_up, args=[host], name=f"look-up of {host}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system allows no more threads
            self._loop.call_soon(self._end, host, f"{host} was not looked up: {error}", 0.0)

    def _look_up(self, host: str) -> None:
        """On a thread of its own: nothing but the question."""
        started = self._loop.time()
        found = _addresses(host)
        try:
            self._loop.call_soon_threadsafe(self._end, host, found, self._loop.time() - started)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits any more

    def _make_room(self, host: str) -> None:
        if host in self._quick:
            self._quick.discard(host)
            self._slow.add(host)
            self._remember(host)
            self._start()

    def _end(self, host: str, found: Found, took_s: float) -> None:
        self._quick.discard(host)
        self._slow.discard(host)
        if took_s < SLOW_S:
            self._known_slow.pop(host, None)
        else:
            self._remember(host)
        for then in self._waiting.pop(host, ()):
            then(found)
        self._start()

    def _remember(self, host: str) -> None:
        self._known_slow[host] = None
        if len(self._known_slow) > limits.SLOW_NAMES_MAX:
            del self._known_slow[next(iter(self._known_slow))]


def needs_lookup(host: str) -> bool:
    """Whether a resolver must be asked: not for an address in any spelling, and not for names of this machine."""
    bare = host.rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return False
    try:
        socket.getaddrinfo(host.encode("ascii"), None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True
    return False


def _addresses(host: str) -> Found:
    try:
        # Bytes, because Python would encode text by rules of its own.
        rows = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return f"Could not resolve {host}: {getattr(error, 'strerror', None) or error}."
    # Without the interface that some resolvers name with a link-local address: libcurl does not read it.
    found = tuple(dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows))[: limits.ADDRESSES_MAX]
    return found or f"Could not resolve {host}: it has no address."
