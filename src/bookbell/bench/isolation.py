"""What hanging receivers cost the others: latency of 90 endpoints with and without 10 that never answer."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.processes import OPERATOR, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S, Publish, load
from bookbell.bench.seeding import BODY, SECRET
from bookbell.cli.api_client import ApiClient

SETTINGS = "/v1/account/settings"
EVENT_TYPE = "bench.happened"
RATE_PER_S = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """count events, one after another to each of endpoint_count accounts, of which hanging_count never answer."""

    count: int
    endpoint_count: int = 100
    hanging_count: int = 10


def run_isolation(scenario: Isolation) -> Figures:
    """Publish twice at the same rate: to healthy receivers only, then with the hanging ones among them."""
    healthy = scenario.endpoint_count - scenario.hanging_count
    without = _run(scenario.count * healthy // scenario.endpoint_count, healthy, 0)
    beside = _run(scenario.count, healthy, scenario.hanging_count)
    ratio = (beside.p99_ms or 0) / max(1.0, without.p99_ms or 0)
    return Figures(
        count=beside.count,
        cpu_us=beside.cpu_us,
        p50_ms=beside.p50_ms,
        p99_ms=beside.p99_ms,
        max_ms=beside.max_ms,
        memory_mb=beside.memory_mb,
        lost=without.lost + beside.lost,
        repeated=without.repeated + beside.repeated,
        extra={"p99_without_ms": without.p99_ms or 0, "p99_ratio": ratio},
        series=beside.series,
    )


def _run(count: int, healthy_count: int, hanging_count: int) -> Figures:
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other) as sink,
        Service(Path(name), measured, rate_limit_per_s="0") as service,
    ):
        paths = [f"h{number}" for number in range(healthy_count)] + [f"hang{each}" for each in range(hanging_count)]
        requests = _requests(f"http://127.0.0.1:{service.port}", sink.port, paths)
        service.restart_count()
        load(service, requests, Publish(count=count, rate_per_s=RATE_PER_S))
        rounds, left = divmod(count, len(paths))
        expected = rounds * healthy_count + min(left, healthy_count)
        sink.wait_for(expected, LIMIT_S)
        seen = sink.mark()
        return Figures(
            count=expected,
            cpu_us=service.counted_s() / count * 1e6,
            memory_mb=service.memory_mb(),
            lost=expected - seen["count"],
            repeated=seen["repeated"],
            series=shapes(seen),
            **latency_fields(seen["latencies_ms"]),
        )


def _requests(base: str, port: int, paths: list[str]) -> list[tuple[str, str]]:
    """A request to publish for each of these receivers, one account each."""
    operator = ApiClient(base, OPERATOR)
    organization = operator.post("/platform/v1/organizations", {"name": "bench"})["id"]
    operator.post("/platform/v1/event-types", {"name": EVENT_TYPE, "description": "bench", "levels": ["account"]})
    requests = []
    for path in paths:
        account = operator.post(f"/platform/v1/organizations/{organization}/accounts", {"name": path})
        client = ApiClient(base).signed_in(account["client_id"], account["client_secret"])
        webhook = {"webhook_endpoint": f"http://127.0.0.1:{port}/{path}", "event": [EVENT_TYPE]}
        client.post(f"{SETTINGS}/update/webhook_endpoint", webhook)
        client.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": SECRET})
        event = {"type": EVENT_TYPE, "organization_id": organization, "account_id": account["id"]}
        requests.append(("/platform/v1/events", json.dumps({**event, "body": json.loads(BODY)})))
    return requests
