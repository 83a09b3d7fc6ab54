"""The only door to clock, sleep, randomness and new ids.

Everything else gets these as arguments or from an `Ambient` handed to it, so a test or a simulation brings its own.
"""

import asyncio
import os
import random
import secrets
import threading
import time
from typing import Protocol

_TAIL_COUNT = 64  # the randomness of so many ids is asked of the system at once, and put into text


class Ambient(Protocol):
    """What the effectful parts may ask of the world."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970 UTC."""
        ...

    def monotonic_ms(self) -> int:
        """A clock that never goes back, milliseconds since some start."""
        ...

    async def sleep_ms(self, duration_ms: int) -> None:
        """Give way to others for at least that long."""
        ...

    async def wait_ms(self, event: asyncio.Event, duration_ms: int) -> None:
        """Wait for the event, which is set after that time if nobody has set it before."""
        ...

    def draw(self) -> float:
        """A number in [0, 1), for spreading delays; not for secrets."""
        ...

    def new_id(self) -> str:
        """A UUID of version 7: text, unique, and later ones of one process sort after earlier ones."""
        ...

    def new_secret(self) -> str:
        """43 URL-safe characters from 32 random bytes."""
        ...


class RealAmbient:
    """The world as it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._head_ms, self._head = -1, ""
        self._tails: list[str] = []

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)

    async def wait_ms(self, event: asyncio.Event, duration_ms: int) -> None:
        alarm = asyncio.get_running_loop().call_later(duration_ms / 1000, event.set)
        try:
            await event.wait()
        finally:
            alarm.cancel()

    def draw(self) -> float:
        return random.random()  # noqa: S311 - spreads delays, keeps no secret

    def new_id(self) -> str:
        with self._lock:
            now, following = time.time_ns() // 1_000_000 << 12, self._last + 1
            self._last = stamp = now if now > following else following  # noqa: FURB136 - a third of the time of max()
            if stamp >> 12 != self._head_ms:
                self._head_ms, self._head = stamp >> 12, _head(stamp >> 12)
            head = self._head
            if not self._tails:
                self._tails = _random_tails(_TAIL_COUNT)
            tail = self._tails.pop()
        return f"{head}{_COUNTERS[stamp & 0xFFF]}{tail}"

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32)


def _head(unix_ms: int) -> str:
    """What all ids of a millisecond begin with."""
    at = f"{unix_ms:012x}"
    return f"{at[:8]}-{at[8:]}-7"


def _random_tails(count: int) -> list[str]:
    """The random ends of so many ids, cut out of one text: half of the time that numbers take."""
    digits = os.urandom(count * 8).hex()
    return [
        f"{_VARIANTS[digits[at]]}{digits[at + 1 : at + 4]}-{digits[at + 4 : at + 16]}"
        for at in range(0, len(digits), 16)
    ]


_COUNTERS = [f"{number:03x}-" for number in range(1 << 12)]
_VARIANTS = {f"{number:x}": "89ab"[number & 3] for number in range(16)}
