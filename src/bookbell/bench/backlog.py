"""What a long backlog costs: deliveries out of millions, in very many endpoints, against those of a short backlog."""

import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw

from bookbell.ambient import RealAmbient
from bookbell.bench.drains import LIMIT_S, Drain, run_drain
from bookbell.bench.figures import Figures, shapes
from bookbell.bench.multitude import Multitude, fill
from bookbell.bench.processes import BenchError, Service, Sink, cores
from bookbell.bench.seeding import Hook, Seeder
from bookbell.bench.sink import addresses
from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade

SPREAD_MS = 3_600_000
SMALL_COUNT = 10_000
STRETCHES = 3
BYTES_EACH = 2_600  # on the disk while it is filled, indexes and what sorting them takes included


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """count pending in endpoint_count webhooks, of which each of STRETCHES new workers delivers drained_count."""

    count: int
    endpoint_count: int
    drained_count: int


def run_backlog(scenario: Backlog) -> Figures:
    """Drain short backlogs of as many for each endpoint, then parts of the long one. Medians of both, and the ratio.

    Raises: BenchError without room on the disk.
    """
    small_endpoints = max(1, SMALL_COUNT * scenario.endpoint_count // scenario.count)
    plan = Drain(count=SMALL_COUNT, endpoint_count=small_endpoints, spread_ms=SPREAD_MS)
    small_us = statistics.median(run_drain(plan).cpu_us or 0 for _ in range(STRETCHES))
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other, address_count=scenario.endpoint_count) as sink,
    ):
        folder = Path(name)
        size_bytes = _seed(folder, scenario, sink.port)
        stretches = [_stretch(folder / str(number), measured, sink, scenario) for number in range(STRETCHES)]
    cpu_us = statistics.median(each.cpu_us or 0 for each in stretches)
    return Figures(
        count=scenario.drained_count * STRETCHES,
        per_s=statistics.median(each.per_s or 0 for each in stretches),
        cpu_us=cpu_us,
        memory_mb=max(each.memory_mb or 0 for each in stretches),
        database_bytes=size_bytes / scenario.count,
        statements=statistics.median(each.statements or 0 for each in stretches),
        syncs=statistics.median(each.syncs or 0 for each in stretches),
        lost=sum(each.lost for each in stretches),
        repeated=sum(each.repeated for each in stretches),
        extra={"small_us": small_us, "ratio_to_small": cpu_us / max(small_us, 1e-3)},
        series=stretches[-1].series,
    )


def _seed(folder: Path, scenario: Backlog, port: int) -> int:
    """Gives the bytes of the file."""
    free = os.statvfs(folder)
    if free.f_bavail * free.f_frsize < scenario.count * BYTES_EACH:
        raise BenchError(f"{scenario.count:,} deliveries need {scenario.count * BYTES_EACH / 1e9:.0f} GB in {folder}.")
    data = folder / "data"
    data.mkdir()
    hosts, path = addresses(scenario.endpoint_count), data / "bookbell.db"
    hooks = hooks_in(path, [f"http://{hosts[n % len(hosts)]}:{port}/h{n}" for n in range(scenario.endpoint_count)])
    from_at = RealAmbient().now_ms() - SPREAD_MS
    fill(path, hooks, Multitude(count=scenario.count, from_at=from_at, spread_ms=SPREAD_MS))
    return path.stat().st_size


def hooks_in(path: Path, urls: Sequence[str]) -> list[Hook]:
    """Webhooks with these URLs, in a new SQLite file."""
    database = Database(f"sqlite:///{path}")
    try:
        upgrade(database)
        return Seeder(database).hooks(urls)
    finally:
        database.close()


def _stretch(place: Path, core: int, sink: Sink, scenario: Backlog) -> Figures:
    """A new worker on the file, until so many have arrived. What was sent and what was recorded must be the same."""
    place.mkdir()
    data = place.parent / "data"
    before = _attempts(data)
    with Service(place, core, "--role", "worker", data_dir=str(data)) as worker:
        sink.wait_for(scenario.drained_count, LIMIT_S, worker)
        used, sent, asked = worker.counted_s(), sink.count(), worker.asked()
        memory = worker.memory_mb()
        worker.stop()
    seen = sink.mark()
    return Figures(
        count=sent,
        per_s=seen["count"] / ((seen["last_us"] - seen["first_us"]) / 1e6),
        cpu_us=used / sent * 1e6,
        memory_mb=memory,
        statements=asked[0] / sent,
        syncs=asked[1] / sent,
        lost=max(0, _attempts(data) - before - seen["count"]),
        repeated=seen["repeated"],
        series=shapes({**seen, "latencies_ms": []}),
    )


def _attempts(data: Path) -> int:
    with closing(apsw.Connection(str(data / "bookbell.db"))) as connection:
        return int(connection.execute("SELECT count(*) FROM attempts").get)
