"""What others cost those whose receivers are quick: their latency with and without the others beside them.

Both are measured in the same process, in turn, several times.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.processes import OPERATOR, Service, Sink
from bookbell.bench.publishing import LIMIT_S, SETTINGS, Publish, load
from bookbell.bench.seeding import BODY, SECRET
from bookbell.cli.api_client import ApiClient

EVENT_TYPE = "bench.happened"
RATE_PER_S = 200.0  # each wakes an endpoint that sleeps, which keeps half of a core busy
QUICK_COUNT = 90


@dataclass(frozen=True, slots=True)
class Receiver:
    """An account with a webhook, and the request that publishes an event for it."""

    client: ApiClient
    request: tuple[str, str]


def stretch(service: Service, sink: Sink, receivers: Sequence[Receiver], seconds: int) -> dict[str, Any]:
    """What the sink saw, with `expected`: how many it was to see. The healthy ones get the same rate each time."""
    rate_per_s = RATE_PER_S * len(receivers) / QUICK_COUNT
    count = int(rate_per_s * seconds) // len(receivers) * len(receivers)
    load(service, [each.request for each in receivers], Publish(count=count, rate_per_s=rate_per_s))
    expected = count // len(receivers) * QUICK_COUNT
    sink.wait_for(expected, LIMIT_S, service)
    return {**sink.mark(), "expected": expected}


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Deliveries that count too: how many, and of them the lost and the repeated."""

    count: int = 0
    lost: int = 0
    repeated: int = 0

    def __add__(self, more: "Others") -> "Others":
        return Others(
            count=self.count + more.count, lost=self.lost + more.lost, repeated=self.repeated + more.repeated
        )


def seen_in(stretches: Sequence[dict[str, Any]]) -> Others:
    """What was to be seen in these stretches, and was not."""
    return Others(
        count=sum(each["expected"] for each in stretches),
        lost=sum(each["expected"] - each["count"] for each in stretches),
        repeated=sum(each["repeated"] for each in stretches),
    )


def compared(
    service: Service,
    without: Sequence[dict[str, Any]],
    beside: Sequence[dict[str, Any]],
    extra: dict[str, float],
    others: Others = Others(),
) -> Figures:
    """The figures of the stretches without the others, and of those with them.

    p99_ratio: of the medians, over the stretches of a kind, of what 99 of 100 took at most.
    """
    latencies = sorted(latency for each in beside for latency in each["latencies_ms"])
    without_ms, beside_ms = p99_ms(without), p99_ms(beside)
    every = seen_in([*without, *beside]) + others
    asked = service.asked()
    return Figures(
        count=every.count,
        cpu_us=service.counted_s() / every.count * 1e6,
        memory_mb=service.memory_mb(),
        statements=asked[0] / every.count,
        syncs=asked[1] / every.count,
        lost=every.lost,
        repeated=every.repeated,
        extra={"p99_without_ms": without_ms, "p99_ratio": beside_ms / max(0.1, without_ms), **extra},
        series=shapes({**beside[-1], "latencies_ms": latencies}),
        p50_ms=latency_fields(latencies)["p50_ms"],
        p99_ms=beside_ms,
        max_ms=latencies[-1],
    )


def p99_ms(stretches: Sequence[dict[str, Any]]) -> float:
    """The median over these stretches of what 99 of 100 took at most."""
    return statistics.median(latency_fields(each["latencies_ms"])["p99_ms"] or 0.0 for each in stretches)


class Office:
    """Where accounts of an organization are made. All accounts know the type of its events."""

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
        return Receiver(client, request_for(self._organization, account["id"]))


def request_for(organization_id: str, account_id: str) -> tuple[str, str]:
    """What publishes an event for this account, as path and body."""
    event = {"type": EVENT_TYPE, "organization_id": organization_id, "account_id": account_id}
    return "/platform/v1/events", json.dumps({**event, "body": json.loads(BODY)})
