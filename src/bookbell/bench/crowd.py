"""What very many requests in flight cost: memory, and the latency of lanes whose receivers are quick.

Two organizations have nearly all in flight that one worker takes, to receivers that answer after one to three seconds;
a third is sent events at a steady rate meanwhile, and before. The answers are work too, two thousand a second. So the
same is measured beside few in flight, to as many receivers that answer so much sooner that as many answers come: what
the many cost beyond the few is for being in flight.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bookbell.bench.beside import QUICK_COUNT, Office, Others, compared, p99_ms, seen_in, stretch
from bookbell.bench.drains import await_recorded
from bookbell.bench.figures import Figures
from bookbell.bench.processes import BenchError, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S
from bookbell.bench.seeding import Seeder
from bookbell.bench.sink import addresses
from bookbell.store.database import Database

ANSWERS_PER_S = 2_000
IN_LANE = 16  # requests in flight that a lane has at most
LANE_COUNT = 125  # of each organization
REACHED = 0.9  # of a crowd are in flight: some have just been answered


def run_crowd(rounds: int, stretch_s: int) -> Figures:
    """Publish at the same rate to quick receivers, that many seconds without a crowd beside them, with few, with many.

    in_flight: the least that was seen at the ends of the stretches with many. p99_few_ms: with few.
    """
    measured, other = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bookbell-bench-")))
        sink = stack.enter_context(Sink(other))
        service = stack.enter_context(Service(folder, measured, rate_limit_per_s="0"))
        few, many = (stack.enter_context(_Crowd(service, other, in_lane)) for in_lane in (1, IN_LANE))
        office = Office(f"http://127.0.0.1:{service.port}", sink.port)
        quick = [office.receiver(f"h{number}") for number in range(QUICK_COUNT)]
        stretch(service, sink, quick, stretch_s)  # warms up
        service.restart_count()
        without: list[dict[str, Any]] = []
        for _ in range(rounds):
            without.append(stretch(service, sink, quick, stretch_s))
            for crowd in (few, many):
                crowd.gather(ANSWERS_PER_S * (stretch_s + 6))
                crowd.beside.append(stretch(service, sink, quick, stretch_s))
                crowd.in_flight.append(crowd.count_in_flight())
                crowd.disperse()
        in_flight = {"in_flight": min(many.in_flight), "in_flight_few": min(few.in_flight)}
        others = few.delivered() + many.delivered() + seen_in(few.beside)
        return compared(service, without, many.beside, {"p99_few_ms": p99_ms(few.beside), **in_flight}, others)


class _Crowd:
    """Two organizations whose receivers take their time: the longer, the more requests are in flight to each.

    beside: what was seen of the quick receivers meanwhile. Use it as a context.
    """

    def __init__(self, service: Service, core: int, in_lane: int) -> None:
        self.beside: list[dict[str, Any]] = []
        self.in_flight: list[int] = []
        self._count = self._seen = self._repeated = 0
        self._service, self._in_lane = service, in_lane
        self._size = 2 * LANE_COUNT * in_lane
        self._sink = Sink(core, delay_ms=self._size * 1_000 // ANSWERS_PER_S, address_count=LANE_COUNT)

    def __enter__(self) -> Self:
        self._database = Database(self._service.database_url)
        urls = [f"http://{host}:{self._sink.port}/slow" for host in addresses(LANE_COUNT)]
        seeders = Seeder(self._database), Seeder(self._database)
        self._halves = [(seeder, seeder.hooks(urls, in_flight_max=self._in_lane)) for seeder in seeders]
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._sink.__exit__(None, None, None)

    def gather(self, count: int) -> None:
        """Let that many deliveries be due, and wait until all slots are taken. Raises: BenchError at the limit."""
        for seeder, hooks in self._halves:
            seeder.fill(hooks, count // 2)
        self._count += count // 2 * 2
        deadline = time.monotonic() + LIMIT_S
        while self.count_in_flight() < self._size * REACHED:
            if time.monotonic() > deadline:
                raise BenchError(f"Only {self.count_in_flight()} requests were in flight after {LIMIT_S:.0f} s.")
            time.sleep(0.05)

    def count_in_flight(self) -> int:
        """Requests in flight now, the few to quick receivers included."""
        return int(self._service.metrics()["bookbell_requests_in_flight"])

    def disperse(self) -> None:
        """Wait until all has been delivered and recorded."""
        await_recorded(self._service.database_url, [self._service])
        seen = self._sink.mark()
        self._seen, self._repeated = self._seen + seen["count"], self._repeated + seen["repeated"]

    def delivered(self) -> Others:
        """What was delivered to its receivers."""
        return Others(count=self._count, lost=self._count - self._seen, repeated=self._repeated)
