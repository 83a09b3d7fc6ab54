"""A false clock and a false network for the engine, over a real database: hours pass in milliseconds.

Everything runs on one event loop without threads, so a run is the same each time it has the same seed. When nothing
can go on, the clock jumps to the next thing that is due.
"""

import asyncio
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from bookbell.ambient import uuid7_text
from bookbell.core.attempt import Outcome, Report, Request, Timings
from bookbell.core.policy import policy_from
from bookbell.delivery.engine import Engine, EngineParts
from bookbell.delivery.lane import Destination
from bookbell.store.database import Database, Tx
from bookbell.store.lanes import LaneConfig
from world import START

P = ParamSpec("P")
T = TypeVar("T")
SETTLED_TURNS = 30  # turns of the loop after which nothing more happens by itself


class InlineDatabase(Database):
    """The real database, called on the loop's own thread. fails: whether the next call fails."""

    fails: Callable[[], bool] = staticmethod(lambda: False)

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.fails():
            raise ConnectionError("the database is away")
        return self.write_now(fn, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.fails():
            raise ConnectionError("the database is away")
        return self.read_now(fn, *args, **kwargs)


class Simulation:
    """The clock, chance and ids; and the list of what is due."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 0
        self.chance = random.Random(seed)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ids = itertools.count(1)

    def now_ms(self) -> int:
        return START + self.now

    def monotonic_ms(self) -> int:
        return self.now

    def draw(self) -> float:
        return self.chance.random()

    def new_id(self) -> str:
        return uuid7_text(START + self.now, 1, next(self._ids))

    def new_secret(self) -> str:
        return f"secret-{next(self._ids):036d}"

    async def sleep_ms(self, duration_ms: int) -> None:
        await self.wait_ms(asyncio.Event(), duration_ms)

    async def wait_ms(self, event: asyncio.Event, duration_ms: int) -> bool:
        over = asyncio.Event()
        self.at(self.now + duration_ms, over.set)
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(over.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return event.is_set()

    def at(self, instant: int, call: Callable[[], None]) -> None:
        """Call this when the clock gets there."""
        heapq.heappush(self._due, (instant, next(self._order), call))

    async def run_until(self, is_true: Callable[[], bool], limit_ms: int) -> None:
        """Let time pass until this is true. Fails at the limit."""
        end = self.now + limit_ms
        while not is_true():
            for _ in range(SETTLED_TURNS):
                await asyncio.sleep(0)
            assert self.now <= end, "the simulated time is up"
            instant, _, call = heapq.heappop(self._due)
            self.now = max(self.now, instant)
            call()

    async def pass_ms(self, duration_ms: int) -> None:
        """Let that much time pass."""
        end = self.now + duration_ms
        self.at(end, lambda: None)
        await self.run_until(lambda: self.now >= end, duration_ms + 1)


Answer = Callable[[int], tuple[Outcome, int]]
"""What a receiver does with its n-th request: the outcome, and after how many milliseconds."""


class Network:
    """Receivers by URL. Keeps what was sent and how many requests were in flight."""

    def __init__(self, simulation: Simulation) -> None:
        self.receivers: dict[str, Answer] = {}
        self.sent: list[tuple[int, str, str]] = []
        self.in_flight: Counter[str] = Counter()
        self.in_flight_max: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._simulation = simulation

    def line_to(self, engine: Callable[[], Engine]) -> "Line":
        """A transport that reports to this engine."""
        return Line(self, engine)

    def begin(self, request: Request, done: Callable[[Report], None]) -> None:
        """Take one request; done is called when its receiver has answered, or the deadline has passed."""
        url = request.url
        self._counts[url] += 1
        self.sent.append((self._simulation.now, url, request.key))
        self.in_flight[url] += 1
        self.in_flight_max[url] = max(self.in_flight_max[url], self.in_flight[url])
        outcome, after_ms = self.receivers[url](self._counts[url])

        def end() -> None:
            self.in_flight[url] -= 1
            done(Report(outcome, Timings(total_us=after_ms * 1000)))

        self._simulation.at(self._simulation.now + max(1, min(after_ms, request.timeout_ms_total)), end)


class Line:
    """The transport of one engine. Cut it, and nothing is reported any more."""

    def __init__(self, network: Network, engine: Callable[[], Engine]) -> None:
        self._network = network
        self._engine = engine
        self.is_cut = False

    def submit(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._network.begin(request, lambda report, key=request.key: self._report(key, report))  # type: ignore[misc]

    def _report(self, key: str, report: Report) -> None:
        if not self.is_cut:
            self._engine().on_reports([(key, report)])


class Worker:
    """An engine that can be stopped, or die."""

    def __init__(self, simulation: Simulation, network: Network, database: Database, name: str) -> None:
        self._line = network.line_to(lambda: self.engine)
        self.engine = Engine(
            EngineParts(
                database=database,
                ambient=simulation,
                transport=self._line,
                open_destination=open_destination,
                worker=name,
                lease_ms=10_000,
            )
        )
        self.task: asyncio.Task[int] = asyncio.ensure_future(self.engine.run())

    async def die(self) -> None:
        """As by kill -9: nothing more is sent, reported, recorded or given back."""
        self._line.is_cut = True
        self.engine.dispatch.lanes.clear()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def open_destination(config: LaneConfig) -> Destination:
    """As tests seal: the URL stands behind the bar."""
    import json

    url = (config.url_sealed or b"").decode().split("|")[1]
    return Destination(
        url=url,
        authorization=None,
        secret=None,
        policy=policy_from(json.loads(config.policy)),
        version=config.updated_at,
    )


def simulate(story: Callable[[], Awaitable[Any]]) -> None:
    """Run a story on a loop of its own."""

    async def run() -> None:
        await story()

    asyncio.run(run())
