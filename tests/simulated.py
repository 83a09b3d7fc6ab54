"""A false clock and a false network for the engine, over a real database: hours pass in milliseconds.

Everything runs on one event loop without threads, so a run is the same each time it has the same seed. The loop's
clock is the false one: when nothing can go on, it jumps to the next thing that is due.
"""

import asyncio
import itertools
import math
import random
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy import Engine as SqlEngine

from bookbell.actions import webhooks
from bookbell.ambient import RealAmbient
from bookbell.core.attempt import Answered, Outcome, Report, Request, Timings
from bookbell.core.errors import BookbellError
from bookbell.core.model import Account
from bookbell.core.policy import policy_from
from bookbell.delivery.engine import Engine
from bookbell.delivery.lane import Destination
from bookbell.delivery.parts import EngineParts
from bookbell.store import ledger
from bookbell.store.configs import LaneConfig
from bookbell.store.database import Database, Tx
from bookbell.store.group_commit import only
from bookbell.store.schema import attempts
from bookbell.store.schema import deliveries as table
from made_ids import uuid7_text
from struck import struck_postgresql, struck_sqlite
from world import START, World, stamp

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
OK: Outcome = Answered(200)
POLL_MS = 600_000  # long, so that what is found on time was not found by polling
SWEEP_MS = 3_600_000


def nth(count: int) -> Callable[[], None]:
    """Fails when it is called that often."""
    calls = itertools.count(1)

    def strike() -> None:
        if next(calls) == count:
            raise ConnectionError("struck")

    return strike


class InlineDatabase(Database):
    """The real database, called on the loop's own thread.

    fails: whether the next call fails; strike: called before and after whatever the driver does, may raise.
    """

    fails: Callable[[], bool] = staticmethod(lambda: False)
    strike: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        event.listen(self.engine, "connect", self._hasten)
        for engine in (self.engine, self._reader):
            event.listen(engine, "connect", self._arm)
        self._kept: dict[str, Connection] = {}

    def _arm(self, connection: Any, _record: object) -> None:
        """Everything goes through the driver's cursors: what the toolkit does, and what is done below it."""

        def strike() -> None:
            self.strike()  # as it is then

        connection.cursor_factory = struck_sqlite(strike) if self.is_sqlite else struck_postgresql(strike)

    def _hasten(self, connection: Any, _record: object) -> None:
        """Nobody pulls the plug of a simulation: commits need not reach the disk."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = OFF" if self.is_sqlite else "SET synchronous_commit = off")
        cursor.close()
        if not self.is_sqlite:
            connection.commit()

    def write_now(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """On a connection that is kept: nobody writes beside it, so nothing is to be tried again."""
        connection = self._connection("writer", self._writer)
        with connection.begin():
            return fn(connection, *args, **kwargs)

    def read_now(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        connection = self._connection("reader", self._reader)
        with connection.begin():
            return fn(connection, *args, **kwargs)

    def _connection(self, name: str, engine: SqlEngine) -> Connection:
        """Making one for each call would take a sixth of a simulation's time."""
        if name not in self._kept:
            self._kept[name] = engine.connect()
        return self._kept[name]

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()
        super().close()

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.fails():
            raise ConnectionError("the database is away")
        return self.write_now(fn, *args, **kwargs)

    async def write_each(self, fn: Callable[[Tx, Sequence[Item]], Sequence[T | BookbellError]], item: Item) -> T:
        return await self.write(lambda tx: only(fn, tx, item))

    async def write_promptly(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.write(fn, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.fails():
            raise ConnectionError("the database is away")
        return self.read_now(fn, *args, **kwargs)


class Clock(selectors.DefaultSelector):
    """What the loop waits with: instead of waiting, time passes. Watches are asked whenever nothing else can go on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.watches: list[Watch] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            over = [watch for watch in self.watches if watch.is_true() or self.now >= watch.end]
            for watch in over:
                self.watches.remove(watch)
                watch.reached.set_result(None)
            assert over or timeout is not None, "nothing will ever happen again"
            if not over and timeout is not None:
                self.now += max(1, math.ceil(timeout * 1000 - 1e-6))
        return []


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody waits until this is true, or until the end."""

    is_true: Callable[[], bool]
    end: int
    reached: asyncio.Future[None]


class FalseTime(asyncio.SelectorEventLoop):
    """An event loop whose time is the clock's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.clock = clock

    def time(self) -> float:
        return self.clock.now / 1000


class Simulation:
    """The clock, chance and ids. The time is that of the loop it is run on, and starts with the story."""

    def __init__(self, seed: int = 0) -> None:
        self.chance = random.Random(seed)
        self.wall_offset = 0
        self.clock = Clock()
        self._ids = itertools.count(1)

    @property
    def now(self) -> int:
        """Milliseconds since the start."""
        return self.clock.now

    def run(self, story: Callable[[], Awaitable[Any]]) -> None:
        """Run a story on a loop of its own."""

        async def told() -> None:
            await story()

        with asyncio.Runner(loop_factory=lambda: FalseTime(self.clock)) as runner:
            runner.run(told())

    def now_ms(self) -> int:
        return START + self.now + self.wall_offset

    def monotonic_ms(self) -> int:
        return self.now

    def draw(self) -> float:
        return self.chance.random()

    def new_id(self) -> str:
        return uuid7_text(START + self.now, 1, next(self._ids))

    def new_secret(self) -> str:
        return f"secret-{next(self._ids):036d}"

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)

    async def wait_ms(self, event: asyncio.Event, duration_ms: int) -> None:
        await RealAmbient().wait_ms(event, duration_ms)  # by the loop's clock, which is the simulated one

    def at(self, instant: int, call: Callable[[], None]) -> None:
        """Call this when the clock gets there."""
        asyncio.get_running_loop().call_at(instant / 1000, call)

    async def run_until(self, is_true: Callable[[], bool], limit_ms: int) -> None:
        """Let time pass until this is true. Fails at the limit."""
        reached = asyncio.get_running_loop().create_future()
        self.at(self.now + limit_ms, lambda: None)
        self.clock.watches.append(Watch(is_true, self.now + limit_ms, reached))
        await reached
        assert is_true(), "the simulated time is up"

    async def pass_ms(self, duration_ms: int) -> None:
        """Let that much time pass."""
        end = self.now + duration_ms
        await self.run_until(lambda: self.now >= end, duration_ms)


class OwnClock:
    """The simulation as one machine sees it: its wall clock is off by so much."""

    def __init__(self, simulation: Simulation) -> None:
        self.skew = 0
        self._simulation = simulation

    def now_ms(self) -> int:
        return self._simulation.now_ms() + self.skew

    def __getattr__(self, name: str) -> Any:
        return getattr(self._simulation, name)


Answer = Callable[[int], tuple[Outcome, int]]
"""What a receiver does with its n-th request: the outcome, and after how many milliseconds."""


class Network:
    """Receivers by URL. Keeps what was sent and how many requests were in flight. gone: workers seen to be dead."""

    def __init__(self, simulation: Simulation) -> None:
        self.receivers: dict[str, Answer] = {}
        self.sent: list[tuple[int, str, str]] = []
        self.in_flight: Counter[str] = Counter()
        self.in_flight_max: Counter[str] = Counter()
        self.gone: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._simulation = simulation

    def line_to(self, engine: Callable[[], Engine]) -> "Line":
        """A transport that reports to this engine."""
        return Line(self, engine)

    def begin(self, request: Request, line: "Line") -> None:
        """Take one request; the line hears of it when its receiver has answered, or the deadline has passed."""
        url = request.url
        self._counts[url] += 1
        self.sent.append((self._simulation.now, url, request.key))
        self.in_flight[url] += 1
        self.in_flight_max[url] = max(self.in_flight_max[url], self.in_flight[url])
        outcome, after_ms = self.receivers[url](self._counts[url])
        report = Report(outcome, Timings(total_us=after_ms * 1000))
        ends_at = self._simulation.now + max(1, min(after_ms, request.timeout_ms_total))
        self._simulation.at(ends_at, lambda: line.end(request, report))


class Line:
    """The transport of one engine. Cut it, and its connections end and nothing is reported any more."""

    def __init__(self, network: Network, engine: Callable[[], Engine]) -> None:
        self._network = network
        self._engine = engine
        self._open: Counter[str] = Counter()
        self._is_cut = False

    def submit(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._open[request.url] += 1
            self._network.begin(request, self)

    def end(self, request: Request, report: Report) -> None:
        """This request is over."""
        if not self._is_cut:
            self._open[request.url] -= 1
            self._network.in_flight[request.url] -= 1
            self._engine().on_reports([(request.key, report)])

    def cut(self) -> None:
        """As when the process is gone."""
        self._is_cut = True
        self._network.in_flight.subtract(self._open)


class Worker:
    """An engine that can be stopped, or die."""

    name: str

    def __init__(
        self,
        simulation: Simulation,
        network: Network,
        database: Database,
        name: str,
        *,
        poll_ms: int = POLL_MS,
        presence_ms: int = SWEEP_MS,
    ) -> None:
        self.name = name
        self.clock = OwnClock(simulation)
        self._line = network.line_to(lambda: self.engine)
        ambient: Any = self.clock
        self.engine = Engine(
            EngineParts(
                database=database,
                ambient=ambient,
                transport=self._line,
                open_destination=open_destination,
                worker=name,
                lease_ms=10_000,
                poll_ms=poll_ms,
                sweep_ms=SWEEP_MS,
                presence_ms=presence_ms,
                is_gone=network.gone.__contains__,
            )
        )
        self.task: asyncio.Task[int] = asyncio.ensure_future(self.engine.run())

    async def die(self) -> None:
        """As by kill -9: nothing more is sent, reported, recorded or given back."""
        self._line.cut()
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
        signing=None,
        policy=policy_from(json.loads(config.policy)),
    )


class Scene:
    """A world with accounts that each have a webhook of their own, and a network between."""

    def __init__(self, world: World, seed: int = 0) -> None:
        self.world = world
        self.simulation = Simulation(seed)
        self.network = Network(self.simulation)
        self.workers: list[Worker] = []
        self.accounts: dict[str, Account] = {}

    def receiver(self, name: str, outcome: Outcome = OK, after_ms: int = 5, **policy: Any) -> str:
        url = f"http://{name}.example/hook"
        self.accounts[url] = self.world.account(name)
        self.world.webhook(self.accounts[url], "DOC_VERIFIED", url=url)
        if policy:
            self.world.db.write_now(webhooks.set_policy, self.accounts[url], policy, stamp())
        self.network.receivers[url] = lambda _count: (outcome, after_ms)
        return url

    def answer(self, url: str, outcome: Outcome = OK, after_ms: int = 5) -> None:
        """From now on the receiver does this."""
        self.network.receivers[url] = lambda _count: (outcome, after_ms)

    def publish(self, url: str, count: int) -> None:
        self.world.publish(self.accounts[url], count, at=self.simulation.now_ms())

    def worker(self, name: str = "a", **timing: int) -> Worker:
        return Worker(self.simulation, self.network, self.world.db, name, **timing)

    def states(self) -> Counter[str]:
        def count(tx: Tx) -> Counter[str]:
            return Counter(row.state for row in tx.execute(table.select()))

        return self.world.db.read_now(count)

    def reasons(self) -> Counter[str | None]:
        def count(tx: Tx) -> Counter[str | None]:
            return Counter(row.reason for row in tx.execute(table.select()))

        return self.world.db.read_now(count)

    def is_settled(self) -> bool:
        return self.states()["pending"] == 0

    def arrived(self, url: str) -> list[str]:
        return [key for _, to, key in self.network.sent if to == url]

    def attempt_numbers(self) -> Counter[tuple[int, int]]:
        def read(tx: Tx) -> Counter[tuple[int, int]]:
            rows = tx.execute(attempts.select().where(attempts.c.is_stale.is_(False)))
            return Counter((row.delivery_pk, row.number) for row in rows)

        return self.world.db.read_now(read)

    def check(self) -> None:
        """What must hold at any end: the ledger balances, and each attempt number was recorded once."""
        for each in self.world.db.read_now(ledger.ledgers, since=0, until=2**52):
            assert each.problems() == ()
        assert set(self.attempt_numbers().values()) <= {1}
        assert all(count <= 16 for count in self.network.in_flight_max.values())


async def stop(worker: Worker, scene: Scene) -> int:
    """Stop a worker in good order. Gives how many attempts it left unfinished."""
    worker.engine.stop(1_000)
    await scene.simulation.run_until(worker.task.done, 10_000)
    return worker.task.result()
