"""Hours of operation under random faults, with the promises checked at every request and every step.

Everything is drawn from one seed, so a failing seed replays exactly.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import bindparam, func, select

from bookbell.core.attempt import Answered, Outcome, Request, TimedOut, Unreachable
from bookbell.core.model import LanePk
from bookbell.store import lanes
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import lanes as lanes_table
from simulated import OK, InlineDatabase, Network, Scene, Worker, stop
from world import World

P = ParamSpec("P")
T = TypeVar("T")
HOUR = 3_600_000
SKEWS_MS = (60_000, 60_000, 3 * HOUR)  # by how much the clock of a machine is wrong at most
RATE_PER_S = 5
LOOKS_MS = HOUR // 2  # between looks of a worker at what there is: long, so that little is found by looking
FAILURES: tuple[Outcome, ...] = (
    Answered(500),
    Answered(429, "2"),
    Answered(301),
    TimedOut("first_byte"),
    Unreachable("reset", "reset"),
    Unreachable("dns", "no such host"),
)


EARLIER = table.alias("earlier")
ASKED = Prepared(
    select(
        table.c.state,
        select(func.count())
        .select_from(EARLIER)
        .where(
            EARLIER.c.lane_pk == table.c.lane_pk,
            EARLIER.c.queue_pk == table.c.queue_pk,
            EARLIER.c.state == lanes.PENDING,
            EARLIER.c.id < table.c.id,
        )
        .scalar_subquery()
        .label("earlier_count"),
    ).where(table.c.id == bindparam("request"))
)
"""What is known of a delivery that is being sent: its state, and how many of its book should have come before."""


class Broken(AssertionError):
    """A promise was broken."""


class Link:
    """One worker's way to the database, on which things get lost.

    loss: how likely a call fails before it begins, before, amid or after any of its statements, or after its commit.
    """

    def __init__(self, database: InlineDatabase, chance: Any) -> None:
        self._database = database
        self._chance = chance
        self.loss = 0.0
        self.is_cut = False

    def _strike(self) -> None:
        if self._chance.random() < self.loss / 2:  # each statement is struck twice
            raise ConnectionError("lost at a statement")

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await self._call(self._database.write, fn, *args, **kwargs)
        return found

    async def write_promptly(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.write(fn, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await self._call(self._database.read, fn, *args, **kwargs)
        return found

    async def _call(self, run: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        def inside(tx: Tx) -> Any:
            if not self.loss:
                return fn(tx, *args, **kwargs)
            self._database.strike = self._strike
            try:
                return fn(tx, *args, **kwargs)
            finally:
                del self._database.strike

        if self.is_cut or self._chance.random() < self.loss:
            raise ConnectionError("lost before it began")
        value = await run(inside)
        if self._chance.random() < self.loss:
            raise ConnectionError("lost after the commit")
        return value


class Watched(Network):
    """A network that looks at each request as it leaves: may it?"""

    scene: "Hours"

    def begin(self, request: Request, line: Any) -> None:
        self.scene.check_request(request)
        if "kind2" in request.url:
            self.scene.check_rate()
        super().begin(request, line)


class Hours(Scene):
    """A scene in which everything goes wrong now and then."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed)
        self.network = Watched(self.simulation)
        self.network.scene = self
        self.chance = self.simulation.chance
        self.links: dict[str, Link] = {}
        self.broken: list[str] = []
        self._recent: deque[int] = deque()
        self.urls = [self._receiver(number) for number in range(5)]
        self._names = iter(range(1_000))
        self.all_lanes = self.world.db.read_now(all_lanes)

    def _receiver(self, number: int) -> str:
        """One of every kind: in order, with few in flight, slow, mostly down, without a circuit."""
        policies: list[dict[str, Any]] = [
            {"order": "book", "schedule_ms": [2_000, 60_000, HOUR, HOUR]},
            {"in_flight_max": 2},
            {"rate_per_s": RATE_PER_S},
            {"collapse": True, "schedule_ms": [60_000] * 6},
            {"circuit_failures": None, "schedule_ms": [5_000] * 8},
        ]
        fast: dict[str, Any] = {"timeout_ms_total": 900, "timeout_ms_connect": 900}
        url = self.receiver(f"kind{number}", **fast, **policies[number])
        self.turn_weather(url)
        return url

    def turn_weather(self, url: str) -> None:
        """From now on the receiver fails this often."""
        chance, odds = self.chance, self.chance.choice([0.0, 0.1, 0.5, 1.0])
        self.network.receivers[url] = lambda _count: (
            chance.choice(FAILURES) if chance.random() < odds else OK,
            chance.randrange(1, 800),
        )

    def new_worker(self) -> Worker:
        """Another worker, with a link of its own."""
        name = f"w{next(self._names)}"
        database = self.world.db
        assert isinstance(database, InlineDatabase)
        link: Any = Link(database, self.chance)
        self.links[name] = link
        made = Worker(self.simulation, self.network, link, name, poll_ms=LOOKS_MS, presence_ms=LOOKS_MS)
        self.workers.append(made)
        return made

    def check_request(self, request: Request) -> None:
        """Nothing recorded as ended is sent, and nothing before the earlier ones of its book."""

        (asked,) = self.world.db.read_now(lambda tx: ASKED.rows(tx, request=request.key))
        if asked.state == "delivered":
            self.broken.append(f"{request.key} was sent again after it was recorded as delivered")
        if asked.earlier_count:
            self.broken.append(f"{request.key} overtook {asked.earlier_count} of its book")

    def check_rate(self) -> None:
        """Nobody sends more in a second than the bucket holds and is filled with meanwhile, all workers together."""
        recent, now = self._recent, self.simulation.now
        recent.append(now)
        while recent[0] < now - 1_000:
            recent.popleft()
        if len(recent) > 2 * RATE_PER_S:
            self.broken.append(f"{len(recent)} requests in a second")

    def check_step(self) -> None:
        """Nothing was sent that must not be; one live owner for each lane; bounds in flight; nobody oversleeps."""
        if self.broken:
            raise Broken(self.broken[0])
        owners = Counter(
            lane.pk
            for worker in self.workers
            for lane in worker.engine.dispatch.lanes.values()
            if self.simulation.now < lane.lease_end
        )
        if owners and owners.most_common(1)[0][1] > 1:
            raise Broken("two live owners of a lane")
        if any(count > (2 if "kind1" in url else 16) for url, count in self.network.in_flight.items()):
            raise Broken("too many in flight")
        now = self.simulation.now_ms()
        asleep = self.world.db.read_now(lanes.overslept, now=now, since=now - 1_000, count=10)
        if asleep:
            raise Broken(f"{len(asleep)} lanes sleep over due work")

    async def live(self, turns: int) -> None:
        """That many turns of work and faults; then let everything come to rest."""
        chance = self.chance
        for _ in range(2):
            self.new_worker()
        for _ in range(turns):
            await self._one_turn()
        for link in self.links.values():
            link.loss, link.is_cut = 0.0, False
        for url in self.urls:
            self.answer(url, OK, 50)
        for _ in range(200):
            if self.is_settled():
                break
            await self.simulation.pass_ms(chance.randrange(HOUR, 3 * HOUR))
            self.check_step()
        if not self.is_settled():
            raise Broken(f"not everything ended: {self.states()}")
        for worker in self.workers:
            await stop(worker, self)

    def _upset_clocks(self) -> None:
        """The clock of one machine is wrong by a minute or by hours, or all clocks jump by hours."""
        if self.chance.random() < 0.5:
            most = self.chance.choice(SKEWS_MS)
            self.chance.choice(self.workers).clock.skew = self.chance.randrange(-most, most)
            return
        self.simulation.wall_offset += self.chance.randrange(-3 * HOUR, 3 * HOUR)
        for worker in self.workers:
            worker.engine.hint([])  # the next poll, which finds what has come due

    def _cut(self, name: str, duration_ms: int) -> None:
        """Nothing of this worker reaches the database for that long."""
        link = self.links[name]
        link.is_cut = True
        self.simulation.at(self.simulation.now + duration_ms, lambda: setattr(link, "is_cut", False))

    async def _cut_off_in_the_midst(self) -> None:
        """The busiest worker loses the database amid requests, for less or more than its lease."""
        for url in self.chance.sample(self.urls, 2):
            self.publish(url, 8)
        for worker in self.workers:
            worker.engine.ring(self.all_lanes)
        busy = max(self.workers, key=lambda each: len(each.engine.dispatch.lanes))
        for _ in range(40):
            if busy.engine.dispatch.in_flight:
                break
            await self.simulation.pass_ms(50)
            busy = max(self.workers, key=lambda each: len(each.engine.dispatch.in_flight))
        self._cut(busy.name, self.chance.choice([5_000, 25_000]))
        for _ in range(15):
            await self.simulation.pass_ms(2_000)
            self.check_step()

    async def _one_turn(self) -> None:
        chance = self.chance
        if chance.random() < 0.7:
            self.publish(chance.choice(self.urls), chance.randrange(1, 5))
        fault = chance.randrange(12)
        if fault == 0:
            await self.workers.pop(chance.randrange(len(self.workers))).die()
            self.new_worker()
        elif fault == 1:
            await self._cut_off_in_the_midst()
        elif fault == 2:
            self.links[chance.choice(self.workers).name].loss = chance.choice([0.02, 0.2])
        elif fault in {3, 4}:
            for link in self.links.values():
                link.loss, link.is_cut = 0.0, False
        elif fault == 5:
            self._upset_clocks()
        elif fault in {6, 7}:
            self.turn_weather(chance.choice(self.urls))
        elif fault == 8:
            await stop(self.workers.pop(0), self) if len(self.workers) > 1 else None
            self.new_worker()
        span = chance.choice([300, 3_000, 12_000, 60_000, HOUR, 10 * HOUR])
        steps = chance.randrange(2, 6)
        for _ in range(steps):
            await self.simulation.pass_ms(max(1, span // steps + chance.randrange(-50, 50)))
            self.check_step()


def all_lanes(tx: Tx) -> list[LanePk]:
    """The lanes there are."""
    return [row.pk for row in tx.execute(select(lanes_table.c.pk))]


def simulate(world: World, seed: int, turns: int = 60) -> Hours:
    """Live through it, and check what must hold at the end."""
    hours = Hours(world, seed)
    hours.simulation.run(lambda: hours.live(turns))
    hours.check()
    return hours
