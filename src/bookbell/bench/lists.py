"""How long reading takes once there are very many deliveries: pages of a list, filtered and not, and one delivery."""

import http.client
import tempfile
import time
from contextlib import closing
from pathlib import Path

import apsw

from bookbell.ambient import RealAmbient
from bookbell.bench.backlog import SPREAD_MS, hooks_in
from bookbell.bench.figures import Figures, latency_fields
from bookbell.bench.multitude import Multitude, fill
from bookbell.bench.processes import Service, cores
from bookbell.bench.seeding import CLIENT_SECRET, Hook
from bookbell.cli.api_client import ApiClient
from bookbell.core.model import DeliveryState

ROUNDS = 100
FEW = 20


def run_lists(count: int) -> Figures:
    """Fill a database, start the service, and ask for each kind of page some hundred times, on one connection.

    count: deliveries of one webhook; another has FEW.
    """
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        big, small, middle = _fill(folder / "data" / "bookbell.db", count)
        with Service(folder, cores()[0], "--role", "api", rate_limit_per_s="0") as service:
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
                count=count,
                memory_mb=service.memory_mb(),
                extra={f"{kind}_p99_ms": latency_fields(each)["p99_ms"] or 0 for kind, each in taken.items()},
                **latency_fields(sorted(each for times in taken.values() for each in times)),
            )


def _fill(path: Path, count: int) -> tuple[Hook, Hook, str]:
    """Old ones that failed or wait, then all others. Gives both webhooks and the id of a delivery in the middle."""
    hooks = big, small = hooks_in(path, ["http://127.0.0.1:9/big", "http://127.0.0.1:9/small"])
    from_at = RealAmbient().now_ms() - 3 * SPREAD_MS
    fill(path, [big], Multitude(count=FEW, from_at=from_at, spread_ms=FEW, state=DeliveryState.EXHAUSTED))
    fill(path, hooks, Multitude(count=2 * FEW, from_at=from_at + SPREAD_MS, spread_ms=FEW))
    many = Multitude(count=count, from_at=from_at + 2 * SPREAD_MS, spread_ms=SPREAD_MS, state=DeliveryState.DELIVERED)
    fill(path, [big], many)
    with closing(apsw.Connection(str(path))) as connection:
        wanted = "SELECT id FROM deliveries ORDER BY pk DESC LIMIT 1 OFFSET ?"  # those that ended lie at the end
        middle = connection.execute(wanted, [count // 2]).get
    return big, small, middle


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
