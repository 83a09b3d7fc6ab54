"""What hanging receivers cost the others: latency of 90 endpoints with and without 10 that never answer.

Both are measured in the same process, in turn, several times. Each time other endpoints hang, which nobody has sent to
before; they are deregistered before the next stretch without. A stretch is longer than it takes a hanging endpoint to
time out, to be tried again, and to have its circuit opened.
"""

import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.processes import OPERATOR, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S, SETTINGS, Publish, load
from bookbell.bench.seeding import BODY, SECRET
from bookbell.cli.api_client import ApiClient

EVENT_TYPE = "bench.happened"
RATE_PER_S = 200.0  # each wakes an endpoint that sleeps, which keeps half of a core busy
HEALTHY_COUNT, HANGING_COUNT = 90, 10
HANGING_POLICY = {
    "preset": "standard",
    "timeout_ms_connect": 400,
    "timeout_ms_total": 400,
    "schedule_ms": [400, 1_000, 5_000, 60_000],
}


@dataclass(frozen=True, slots=True)
class Receiver:
    """An account with a webhook, and the request that publishes an event for it."""

    client: ApiClient
    request: tuple[str, str]


def run_isolation(rounds: int, stretch_s: int) -> Figures:
    """Publish at the same rate to the healthy ones, that many seconds without hanging ones beside them, then with.

    p99_ratio: of the medians, over the rounds, of what 99 of 100 took at most.
    """
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other) as sink,
        Service(Path(name), measured, rate_limit_per_s="0") as service,
    ):
        sign_up = Office(f"http://127.0.0.1:{service.port}", sink.port)
        healthy = [sign_up.receiver(f"h{number}") for number in range(HEALTHY_COUNT)]
        groups = [[sign_up.hanging(f"hang{each}-{at}") for at in range(HANGING_COUNT)] for each in range(rounds)]
        stretch(service, sink, healthy, stretch_s)  # warms up
        service.restart_count()
        without, beside = [], []
        for hanging in groups:
            without.append(stretch(service, sink, healthy, stretch_s))
            beside.append(stretch(service, sink, [*healthy, *hanging], stretch_s))
            for each in hanging:
                each.client.post(f"{SETTINGS}/update/webhook_endpoint", {"webhook_endpoint": "", "event": []})
        told = service.metrics()
        return _figures(service, without, beside, told)


def _figures(
    service: Service, without: Sequence[dict[str, Any]], beside: Sequence[dict[str, Any]], told: dict[str, float]
) -> Figures:
    every, p99s = [*without, *beside], [p99_ms_of(each) for each in beside]
    latencies = sorted(latency for each in beside for latency in each["latencies_ms"])
    without_ms, beside_ms = statistics.median(map(p99_ms_of, without)), statistics.median(p99s)
    asked = service.asked()
    count = sum(each["expected"] for each in every)
    timeouts = sum(value for name, value in told.items() if name.startswith('bookbell_attempts_total{outcome="time'))
    opened = told.get('bookbell_circuit_changes_total{state="open"}', 0)
    return Figures(
        count=count,
        cpu_us=service.counted_s() / count * 1e6,
        memory_mb=service.memory_mb(),
        statements=asked[0] / count,
        syncs=asked[1] / count,
        lost=sum(each["expected"] - each["count"] for each in every),
        repeated=sum(each["repeated"] for each in every),
        extra={
            "p99_without_ms": without_ms,
            "p99_ratio": beside_ms / max(0.1, without_ms),
            "timeouts": timeouts,
            "circuits_opened": opened,
        },
        series=shapes({**beside[-1], "latencies_ms": latencies}),
        p50_ms=latency_fields(latencies)["p50_ms"],
        p99_ms=beside_ms,
        max_ms=latencies[-1],
    )


def p99_ms_of(seen: dict[str, Any]) -> float:
    """What 99 of 100 took at most."""
    return latency_fields(seen["latencies_ms"])["p99_ms"] or 0.0


def stretch(service: Service, sink: Sink, receivers: Sequence[Receiver], seconds: int) -> dict[str, Any]:
    """What the sink saw, with `expected`: how many it was to see. The healthy ones get the same rate each time."""
    rate_per_s = RATE_PER_S * len(receivers) / HEALTHY_COUNT
    count = int(rate_per_s * seconds) // len(receivers) * len(receivers)
    load(service, [each.request for each in receivers], Publish(count=count, rate_per_s=rate_per_s))
    expected = count // len(receivers) * HEALTHY_COUNT
    sink.wait_for(expected, LIMIT_S, service)
    return {**sink.mark(), "expected": expected}


class Office:
    """Where accounts are made."""

    def __init__(self, base: str, sink_port: int) -> None:
        self._base, self._sink_port = base, sink_port
        self._operator = ApiClient(base, OPERATOR)
        self._organization = self._operator.post("/platform/v1/organizations", {"name": "bench"})["id"]
        wanted = {"name": EVENT_TYPE, "description": "bench", "levels": ["account"]}
        self._operator.post("/platform/v1/event-types", wanted)

    def receiver(self, path: str) -> Receiver:
        """One whose webhook leads to this path of the sink."""
        account = self._operator.post(f"/platform/v1/organizations/{self._organization}/accounts", {"name": path})
        client = ApiClient(self._base).signed_in(account["client_id"], account["client_secret"])
        webhook = {"webhook_endpoint": f"http://127.0.0.1:{self._sink_port}/{path}", "event": [EVENT_TYPE]}
        client.post(f"{SETTINGS}/update/webhook_endpoint", webhook)
        client.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": SECRET})
        event = {"type": EVENT_TYPE, "organization_id": self._organization, "account_id": account["id"]}
        return Receiver(client, ("/platform/v1/events", json.dumps({**event, "body": json.loads(BODY)})))

    def hanging(self, path: str) -> Receiver:
        """One that is given up on soon."""
        made = self.receiver(path)
        made.client.put(f"{SETTINGS}/webhook/policy", HANGING_POLICY)
        return made
