"""What very many requests in flight cost: memory, and the latency of lanes whose receivers are quick.

Two organizations have nearly all in flight that one worker takes, to receivers that answer after one to three seconds;
a third is sent events at a steady rate meanwhile, and before.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path

from bookbell.bench.beside import QUICK_COUNT, Office, Others, compared, stretch
from bookbell.bench.drains import await_recorded
from bookbell.bench.figures import Figures
from bookbell.bench.processes import BenchError, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S
from bookbell.bench.seeding import Seeder
from bookbell.bench.sink import addresses
from bookbell.store.database import Database

CROWD_COUNT = 4_000
DELAY_MS = 2_000
LANE_COUNT = CROWD_COUNT // 2 // 16  # of each organization; a lane has 16 requests in flight at most
REACHED = 0.95  # of the crowd are in flight: some have just been answered


def run_crowd(rounds: int, stretch_s: int) -> Figures:
    """Publish at the same rate to quick receivers, that many seconds without the crowd beside them, then with.

    in_flight: the least that was seen at the ends of the stretches with it.
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
        quick = [office.receiver(f"h{number}") for number in range(QUICK_COUNT)]
        stretch(service, sink, quick, stretch_s)  # warms up
        service.restart_count()
        without, beside, in_flight = [], [], []
        for _ in range(rounds):
            without.append(stretch(service, sink, quick, stretch_s))
            crowd.gather(CROWD_COUNT * (stretch_s * 1000 // DELAY_MS + 3))
            beside.append(stretch(service, sink, quick, stretch_s))
            in_flight.append(crowd.in_flight())
            crowd.disperse()
        others = Others(count=crowd.count, lost=crowd.count - crowd.seen, repeated=crowd.repeated)
        return compared(service, without, beside, {"in_flight": min(in_flight)}, others)


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
