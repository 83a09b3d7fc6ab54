"""Scenarios that empty a database full of due deliveries: what one delivery costs, and what is in its way."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from bookbell.bench.certificate import make_certificate
from bookbell.bench.figures import Figures, shapes
from bookbell.bench.processes import BenchError, Pinned, Service, Sink, cores, cpu_s, family_cpu_s, spread
from bookbell.bench.seeding import Seeder
from bookbell.bench.sink import addresses
from bookbell.store.database import Database, Tx
from bookbell.store.upgrade import upgrade

LIMIT_S = 600.0
RECORDED_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """count deliveries in endpoint_count webhooks, sent by worker_count processes.

    database_url: None is SQLite; connection: plain, tls (kept) or tls_new (one request each); spread_ms: how
    far back due instants are spread; server_pid: of the database server, whose processor time and syncs are told too.
    """

    count: int
    endpoint_count: int = 1
    worker_count: int = 1
    database_url: str | None = None
    connection: str = "plain"
    spread_ms: int = 0
    server_pid: int | None = None


def run_drain(scenario: Drain) -> Figures:
    """Fill a database, start the workers, and wait until the sink has seen every delivery and the rows say so."""
    own, others = spread(scenario.worker_count)
    prefix = "bookbell-bench-"  # the sink gets the first of the others, a database server the last
    with tempfile.TemporaryDirectory(prefix=prefix) as name, _sink(scenario, Path(name), others[0]) as sink:
        folder = Path(name)
        (folder / "data").mkdir()
        url = scenario.database_url or f"sqlite:///{folder / 'data' / 'bookbell.db'}"
        _fill(url, scenario, _urls(scenario, sink.port))
        settings = {"database_url": scenario.database_url} if scenario.database_url else {}
        server = _Server(scenario.server_pid, url) if scenario.server_pid else None
        with _workers(folder, own, settings) as workers:
            sink.wait_for(scenario.count, LIMIT_S, *workers)
            await_recorded(url, workers)
            used = sum(worker.counted_s() for worker in workers)
            extra = server.used(scenario.count) if server else {}
            asked = [worker.asked() for worker in workers]
            memory = max(worker.memory_mb() for worker in workers)
            for worker in workers:
                worker.stop()
        seen = sink.mark()
        commits = sum(each for _, each in asked)
        return Figures(
            count=scenario.count,
            per_s=seen["count"] / ((seen["last_us"] - seen["first_us"]) / 1e6),
            cpu_us=used / scenario.count * 1e6,
            memory_mb=memory,
            database_bytes=database_size(folder) / scenario.count if not scenario.database_url else None,
            statements=sum(each for each, _ in asked) / scenario.count,
            syncs=(server.syncs() if server else commits) / scenario.count,
            lost=scenario.count - seen["count"],
            repeated=seen["repeated"],
            extra={"connections": seen["connections"], **extra},
            series=shapes(seen),
        )


class _Server:
    """What a PostgreSQL server does from now on."""

    def __init__(self, pid: int, url: str) -> None:
        self._pid, self._url = pid, url
        self._began_s, self._began_syncs = family_cpu_s(pid), self._synced()

    def used(self, count: int) -> dict[str, float]:
        """Its processor time for each of so many deliveries, and at how many a second its one core is full."""
        each_us = (family_cpu_s(self._pid) - self._began_s) / count * 1e6
        return {"server_us": each_us, "database_full_per_s": 1e6 / max(each_us, 1e-3)}

    def syncs(self) -> float:
        """Syncs of its log. Its processes tell of them when they end."""
        return self._synced() - self._began_syncs

    def _synced(self) -> int:
        database = Database(self._url)
        try:
            return database.read_now(_log_syncs)
        finally:
            database.close()


def _log_syncs(tx: Tx) -> int:
    version = int(tx.exec_driver_sql("SHOW server_version_num").scalar_one())
    newer = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
    return int(tx.exec_driver_sql(newer if version >= 180_000 else "SELECT wal_sync FROM pg_stat_wal").scalar_one())


def run_bare(count: int) -> Figures:
    """The same requests from a bare loop around libcurl."""
    import sys

    measured, other = cores()
    with Sink(other) as sink:
        command = [sys.executable, "-m", "bookbell.bench.bare", f"http://127.0.0.1:{sink.port}/h0", str(count)]
        with Pinned(command, measured, environment={}) as loop:
            loop.line()
            before = cpu_s(loop.process.pid)
            loop.tell("go")
            loop.line()
            used = cpu_s(loop.process.pid) - before
        seen = sink.mark()
        return Figures(
            count=count,
            per_s=seen["count"] / ((seen["last_us"] - seen["first_us"]) / 1e6),
            cpu_us=used / count * 1e6,
            lost=count - seen["count"],
            repeated=seen["repeated"],
        )


@contextmanager
def _workers(folder: Path, own: Sequence[int], settings: dict[str, str]) -> Iterator[list[Service]]:
    workers: list[Service] = []
    try:
        for number, core in enumerate(own):
            place = folder / f"worker-{number}"
            place.mkdir()
            data = {"data_dir": str(folder / "data"), **settings}
            workers.append(Service(place, core, "--role", "worker", **data))
        yield workers
    finally:
        for worker in workers:
            worker.__exit__(None, None, None)


def _fill(url: str, scenario: Drain, urls: Sequence[str]) -> None:
    database = Database(url)
    try:
        upgrade(database)
        seeder = Seeder(database)
        seeder.fill(seeder.hooks(urls), scenario.count, spread_ms=scenario.spread_ms)
    finally:
        database.close()


def _urls(scenario: Drain, port: int) -> list[str]:
    scheme = "http" if scenario.connection == "plain" else "https"
    hosts = addresses(scenario.endpoint_count)
    numbers = range(scenario.endpoint_count)
    return [f"{scheme}://{hosts[number % len(hosts)]}:{port}/h{number}" for number in numbers]


def _sink(scenario: Drain, folder: Path, core: int) -> Sink:
    if scenario.connection == "plain":
        return Sink(core, address_count=scenario.endpoint_count)
    certificate, key = make_certificate(folder)
    return Sink(core, tls=[str(certificate), str(key)], is_closing=scenario.connection == "tls_new")


def await_recorded(url: str, workers: Sequence[Service]) -> None:
    """Until no delivery is pending. Raises: BenchError at the limit."""
    from bookbell.ambient import RealAmbient

    clock, database = RealAmbient(), Database(url)
    deadline = clock.monotonic_ms() + RECORDED_S * 1000
    try:
        while waiting := database.read_now(_pending):
            for worker in workers:
                worker.check()
            if clock.monotonic_ms() > deadline:
                raise BenchError(f"{waiting} deliveries were sent and not recorded.")
    finally:
        database.close()


def _pending(tx: Tx) -> int:
    return int(tx.exec_driver_sql("SELECT count(*) FROM deliveries WHERE state = 'pending'").scalar_one())


def database_size(folder: Path) -> int:
    """Bytes of the SQLite file once its log is folded in."""
    path = folder / "data" / "bookbell.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size
