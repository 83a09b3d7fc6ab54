"""Scenarios that publish over HTTP while the same process delivers: what an event costs from request to receiver."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbell.bench.drains import await_recorded, database_size
from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.processes import OPERATOR, PIPELINE, BenchError, Pinned, Service, Sink, cores
from bookbell.bench.seeding import BODY, SECRET
from bookbell.cli.api_client import ApiClient
from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade

LIMIT_S = 300.0
EVENT_TYPE = "bench.happened"
SETTINGS = "/v1/account/settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """count events in requests of batch each, over that many connections.

    rate_per_s: requests a second, started whatever has been answered; 0: as fast as answers come.
    """

    count: int
    batch: int = 1
    connections: int = 64
    rate_per_s: float = 0
    database_url: str | None = None


def run_publish(scenario: Publish) -> Figures:
    """Publish, and wait until all has been delivered and recorded."""
    with stage(scenario.database_url) as (service, sink, organization):
        service.restart_count()
        told = load(service, requests_of(organization, scenario), scenario)
        sink.wait_for(scenario.count, LIMIT_S, service)
        await_recorded(url_of(service, scenario), [service])
        used, asked = service.counted_s(), service.asked()
        seen = sink.mark()
        return Figures(
            count=scenario.count,
            per_s=seen["count"] / ((seen["last_us"] - seen["first_us"]) / 1e6),
            cpu_us=used / scenario.count * 1e6,
            memory_mb=service.memory_mb(),
            database_bytes=None if scenario.database_url else database_size(service.folder) / scenario.count,
            statements=asked[0] / scenario.count,
            syncs=None if scenario.database_url else asked[1] / scenario.count,
            lost=scenario.count - seen["count"],
            repeated=seen["repeated"],
            extra={"accept_p99_ms": latency_fields(told["latencies_ms"])["p99_ms"] or 0},
            series=shapes(seen),
            **latency_fields(seen["latencies_ms"]),
        )


def load(service: Service, requests: Sequence[tuple[str, str]], scenario: Publish) -> dict[str, Any]:
    """Send these requests from a process on the other core. Gives what it tells. Raises: BenchError on a refusal."""
    plan = {
        "requests": requests,
        "token": PIPELINE,
        "count": scenario.count // scenario.batch,
        "connections": scenario.connections,
        "rate_per_s": scenario.rate_per_s,
    }
    command = [sys.executable, "-m", "bookbell.bench.loader", str(service.port)]
    with Pinned(command, cores()[1], environment={}) as loader:
        loader.tell(json.dumps(plan))
        told: dict[str, Any] = json.loads(loader.line())
    if told["refused"]:
        raise BenchError(f"requests were refused: {told['refused']}")
    return told


@contextmanager
def stage(database_url: str | None) -> Iterator[tuple[Service, Sink, str]]:
    """A service with one organization whose one account has its webhook at a sink."""
    measured, other = cores()
    settings = {"database_url": database_url} if database_url else {}
    if database_url:
        _migrate(database_url)
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name, Sink(other) as sink:
        folder = Path(name)
        with Service(folder, measured, rate_limit_per_s="0", **settings) as service:
            yield service, sink, _sign_up(f"http://127.0.0.1:{service.port}", sink.port)


def _migrate(database_url: str) -> None:
    database = Database(database_url)
    try:
        upgrade(database)
    finally:
        database.close()


def _sign_up(base: str, port: int) -> str:
    """Gives the organization's id."""
    operator = ApiClient(base, OPERATOR)
    organization = operator.post("/platform/v1/organizations", {"name": "bench"})["id"]
    operator.post("/platform/v1/event-types", {"name": EVENT_TYPE, "description": "bench", "levels": ["org"]})
    wanted = {"name": "bench", "role": "manager"}
    account = operator.post(f"/platform/v1/organizations/{organization}/accounts", wanted)
    client = ApiClient(base).signed_in(account["client_id"], account["client_secret"])
    webhook = {"url": f"http://127.0.0.1:{port}/h0", "description": "bench"}
    made = client.post(f"{SETTINGS}/webhook", {"webhook": webhook, "event_names": [EVENT_TYPE]})
    client.post(f"{SETTINGS}/webhook/{made['uuid']}/rotate-secret", {"secret_key": SECRET})
    return str(organization)


def requests_of(organization: str, scenario: Publish) -> list[tuple[str, str]]:
    """What is to be sent, as path and body."""
    event = {"type": EVENT_TYPE, "organization_id": organization, "body": json.loads(BODY)}
    body = event if scenario.batch == 1 else {"events": [event] * scenario.batch}
    return [("/platform/v1/events", json.dumps(body))]


def url_of(service: Service, scenario: Publish) -> str:
    """The database's address."""
    return scenario.database_url or service.database_url
