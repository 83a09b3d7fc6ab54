"""What very many requests in flight cost: memory, and the latency of lanes whose receivers are quick.

Two organizations have all in flight that one worker takes, to receivers that answer after two seconds; a third is sent
events at a steady rate meanwhile, and before. Both are measured in the same process, in turn, several times.
"""

import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bookbell.bench.drains import await_recorded
from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.isolation import HEALTHY_COUNT, Office, p99_ms_of, stretch
from bookbell.bench.processes import BenchError, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S
from bookbell.bench.seeding import Seeder
from bookbell.bench.sink import addresses
from bookbell.store.database import Database

CROWD_COUNT = 4_000
DELAY_MS = 2_000
LANE_COUNT = CROWD_COUNT // 2 // 16  # of each organization; a lane has 16 requests in flight at most
Stretches = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""What the sink saw in the stretches without the crowd, and in those with it."""

REACHED = 0.95  # of the crowd are in flight: some have just been answered


def run_crowd(rounds: int, stretch_s: int) -> Figures:
    """Publish at the same rate to quick receivers, that many seconds without the crowd beside them, then with.

    in_flight: the least that was seen at the ends of the stretches with it; p99_ratio: of the medians over the rounds.
    """
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other) as sink,
        Sink(other, delay_ms=DELAY_MS, address_count=LANE_COUNT) as slow,
        Service(Path(name), measured, rate_limit_per_s="0") as service,
        closing(_Crowd(service, slow)) as crowd,
    ):
        office = Office(f"http://127.0.0.1:{service.port}", sink.port)
        quick = [office.receiver(f"h{number}") for number in range(HEALTHY_COUNT)]
        stretch(service, sink, quick, stretch_s)  # warms up
        service.restart_count()
        without, beside, in_flight = [], [], []
        for _ in range(rounds):
            without.append(stretch(service, sink, quick, stretch_s))
            crowd.gather(CROWD_COUNT * (stretch_s * 1000 // DELAY_MS + 3))
            beside.append(stretch(service, sink, quick, stretch_s))
            in_flight.append(crowd.in_flight())
            crowd.disperse()
        return _figures(service, crowd, (without, beside), min(in_flight))


def _figures(service: Service, crowd: "_Crowd", stretches: Stretches, in_flight: int) -> Figures:
    without, beside = stretches
    every = [*without, *beside]
    count = sum(each["expected"] for each in every) + crowd.count
    latencies = sorted(latency for each in beside for latency in each["latencies_ms"])
    without_ms, beside_ms = (statistics.median(map(p99_ms_of, each)) for each in stretches)
    asked = service.asked()
    return Figures(
        count=count,
        cpu_us=service.counted_s() / count * 1e6,
        memory_mb=service.memory_mb(),
        statements=asked[0] / count,
        syncs=asked[1] / count,
        lost=sum(each["expected"] - each["count"] for each in every) + crowd.count - crowd.seen,
        repeated=sum(each["repeated"] for each in every) + crowd.repeated,
        extra={
            "in_flight": in_flight,
            "p99_without_ms": without_ms,
            "p99_ratio": beside_ms / max(0.1, without_ms),
        },
        series=shapes({**beside[-1], "latencies_ms": latencies}),
        p50_ms=latency_fields(latencies)["p50_ms"],
        p99_ms=beside_ms,
        max_ms=latencies[-1],
    )


class _Crowd:
    """Two organizations whose receivers take their time. Close it once."""

    def __init__(self, service: Service, sink: Sink) -> None:
        self.count = self.seen = self.repeated = 0
        self._service, self._sink = service, sink
        self._url = f"sqlite:///{service.folder / 'data' / 'bookbell.db'}"
        self._database = Database(self._url)
        seeders = Seeder(self._database), Seeder(self._database)
        urls = [f"http://{host}:{sink.port}/slow" for host in addresses(LANE_COUNT)]
        self._halves = [(seeder, seeder.hooks(urls)) for seeder in seeders]

    def gather(self, count: int) -> None:
        """Let that many deliveries be due, and wait until all slots are taken. Raises: BenchError at the limit."""
        for seeder, hooks in self._halves:
            seeder.fill(hooks, count // 2)
        self.count += count // 2 * 2
        deadline = time.monotonic() + LIMIT_S
        while self.in_flight() < CROWD_COUNT * REACHED:
            if time.monotonic() > deadline:
                raise BenchError(f"Only {self.in_flight()} requests were in flight after {LIMIT_S:.0f} s.")
            time.sleep(0.05)

    def in_flight(self) -> int:
        """Requests in flight now, the few to quick receivers included."""
        return int(self._service.metrics()["bookbell_requests_in_flight"])

    def disperse(self) -> None:
        """Wait until all has been delivered and recorded."""
        await_recorded(self._url, [self._service])
        seen = self._sink.mark()
        self.seen, self.repeated = self.seen + seen["count"], self.repeated + seen["repeated"]

    def close(self) -> None:
        """Close its connections to the database."""
        self._database.close()
