"""How long reading takes once there are very many deliveries: pages of a list, filtered and not, and one delivery."""

import http.client
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bookbell.bench.figures import Figures, latency_fields
from bookbell.bench.processes import Service, cores
from bookbell.bench.seeding import CLIENT_SECRET, Hook, Seeder
from bookbell.cli.api_client import ApiClient
from bookbell.core.model import DeliveryState
from bookbell.store.database import Database, Tx
from bookbell.store.upgrade import upgrade

ROUNDS = 100
FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """count deliveries of one webhook, and FEW of another; database_url: None is SQLite."""

    count: int
    database_url: str | None = None


def run_lists(scenario: Lists) -> Figures:
    """Fill a database, start the service, and ask for each kind of page some hundred times, on one connection."""
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        url = scenario.database_url or f"sqlite:///{folder / 'data' / 'bookbell.db'}"
        database = Database(url)
        try:
            upgrade(database)
            big, small, middle = _fill(database, scenario.count)
        finally:
            database.close()
        settings = {"database_url": scenario.database_url} if scenario.database_url else {}
        with Service(folder, cores()[0], "--role", "api", rate_limit_per_s="0", **settings) as service:
            paths = {
                "page": "/v1/deliveries",
                "deep": f"/v1/deliveries?before={middle}",
                "exhausted": "/v1/deliveries?state=exhausted",
                "pending": "/v1/deliveries?state=pending",
                "rare_event": "/v1/deliveries?event=BOOK_COMPLETED",
                "one": f"/v1/deliveries/{middle}",
            }
            taken = {kind: _timed(service.port, _token(service, big), path) for kind, path in paths.items()}
            taken["small_account"] = _timed(service.port, _token(service, small), "/v1/deliveries")
            return Figures(
                count=scenario.count,
                memory_mb=service.memory_mb(),
                extra={f"{kind}_p99_ms": latency_fields(each)["p99_ms"] or 0 for kind, each in taken.items()},
                **latency_fields(sorted(each for times in taken.values() for each in times)),
            )


def _fill(database: Database, count: int) -> tuple[Hook, Hook, str]:
    """Old ones that failed or wait, then all others. Gives both webhooks and the id of a delivery in the middle."""
    seeder = Seeder(database)
    big, small = seeder.hooks(["http://127.0.0.1:9/big", "http://127.0.0.1:9/small"])
    seeder.fill([big], FEW, state=DeliveryState.EXHAUSTED)
    seeder.fill([big, small], FEW)
    seeder.fill([big], count // 2, state=DeliveryState.DELIVERED)
    middle = database.read_now(_newest)
    seeder.fill([big], count - count // 2, state=DeliveryState.DELIVERED)
    return big, small, middle


def _newest(tx: Tx) -> str:
    return str(tx.exec_driver_sql("SELECT max(id) FROM deliveries").scalar_one())


def _token(service: Service, hook: Hook) -> str:
    client = ApiClient(f"http://127.0.0.1:{service.port}")
    return str(client.signed_in(hook.account.client_id, CLIENT_SECRET).token)


def _timed(port: int, token: str, path: str) -> list[float]:
    """Milliseconds that each of ROUNDS answers took, ascending."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, (path, answer.status)
    connection.close()
    return sorted(taken)
