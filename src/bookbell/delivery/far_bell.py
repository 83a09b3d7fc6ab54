"""Tells the workers of other processes which lanes have due work, and hears it from them. PostgreSQL only.

It is a hint: whatever is lost is found by the next poll. What is rung within a few milliseconds goes out together.
A payload is the name of its sender, so that it does not hear itself, and keys of lanes, separated by spaces.
"""

import asyncio
from collections.abc import Callable, Iterable

from bookbell import telemetry
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.model import LanePk
from bookbell.store import bell
from bookbell.store.database import Database

RING_MS = 5  # at most one notification in so long; each costs the server's commits a short lock
RECONNECT_MS_FIRST = 100
RECONNECT_MS_MAX = 5_000


class FarBell:
    """One process's end of the bell."""

    def __init__(self, database: Database, ambient: Ambient, hear: Callable[[list[LanePk]], None]) -> None:
        """hear: called on the loop with the lanes others rang for; with none when some rings may have been missed."""
        self._database = database
        self._ambient = ambient
        self._hear = hear
        self._name = ambient.new_id()[-12:]
        self._rung: set[LanePk] = set()
        self._is_rung = asyncio.Event()
        self._has_heard = False

    def ring(self, lane_pks: Iterable[LanePk]) -> None:
        """Tell the others soon. From the loop only."""
        self._rung.update(lane_pks)
        self._is_rung.set()

    async def tell(self) -> None:
        """Send what is rung for, for ever."""
        while True:
            await self._is_rung.wait()
            await self._ambient.sleep_ms(RING_MS)
            self._is_rung.clear()
            rung, self._rung = sorted(self._rung), set()
            for start in range(0, len(rung), limits.BELL_LANE_COUNT_MAX):
                payload = " ".join([self._name, *map(str, rung[start : start + limits.BELL_LANE_COUNT_MAX])])
                try:
                    await self._database.read(bell.notify, payload)
                except Exception:  # noqa: BLE001 - the border of a loop's turn; a hint may be lost
                    telemetry.log().error("loop_failed", loop="bell", exc_info=True)
                    break

    async def listen(self) -> None:
        """Hear the others, for ever; a connection that is lost is made again."""
        wait_ms = RECONNECT_MS_FIRST
        while True:
            self._has_heard = False
            try:
                await self._listen_once()
            except Exception:  # noqa: BLE001 - the border of a loop's turn
                telemetry.log().error("loop_failed", loop="listener", exc_info=True)
            wait_ms = RECONNECT_MS_FIRST if self._has_heard else min(2 * wait_ms, RECONNECT_MS_MAX)
            await self._ambient.sleep_ms(wait_ms)

    async def _listen_once(self) -> None:
        async for payload in bell.payloads(self._database):
            self._has_heard = True
            sender, *lane_pks = payload.split(" ")
            if sender != self._name:
                self._hear([LanePk(int(lane_pk)) for lane_pk in lane_pks])
