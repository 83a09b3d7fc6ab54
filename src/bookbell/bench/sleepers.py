"""What an event costs when nothing is warm: each is for a webhook that has had none yet, among very many others.

Its lane is nobody's, so it is acquired, its endpoint is read, and it is given back some seconds later. An organization
that has no other webhooks tells whether one pays for the number of all.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbell.bench.beside import EVENT_TYPE, Office, request_for
from bookbell.bench.drains import await_recorded
from bookbell.bench.figures import Figures, latency_fields, shapes
from bookbell.bench.processes import Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S, Publish, load
from bookbell.bench.seeding import Seeder
from bookbell.store.database import Database

RATE_PER_S = 100.0
GIVEN_BACK_S = 7.0  # until idle lanes have been

Requests = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What the sink saw, and what each event cost the service."""

    seen: dict[str, Any]
    cpu_us: float
    statements: float
    commits: float


def run_sleepers(count: int, webhook_count: int) -> Figures:
    """One event for each of `count` webhooks: of an organization that has no others, then of one that has so many.

    small_us: what the first cost each; ratio_to_small: what the second cost against it.
    """
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other) as sink,
        Service(Path(name), measured, rate_limit_per_s="0") as service,
    ):
        Office(f"http://127.0.0.1:{service.port}", sink.port)  # who makes the type of the events known
        warm, small, large = (_asleep(service, sink, number) for number in (count, count, webhook_count))
        _stretch(service, sink, warm)
        few, many = _stretch(service, sink, small), _stretch(service, sink, large[:: webhook_count // count][:count])
        return Figures(
            count=count,
            cpu_us=many.cpu_us,
            memory_mb=service.memory_mb(),
            statements=many.statements,
            syncs=many.commits,
            lost=sum(count - each.seen["count"] for each in (few, many)),
            repeated=sum(each.seen["repeated"] for each in (few, many)),
            extra={"webhooks": webhook_count, "small_us": few.cpu_us, "ratio_to_small": many.cpu_us / few.cpu_us},
            series=shapes(many.seen),
            **latency_fields(many.seen["latencies_ms"]),
        )


def _asleep(service: Service, sink: Sink, webhook_count: int) -> Requests:
    """Requests that publish an event each for as many webhooks, all of a new organization."""
    with closing(Database(service.database_url)) as database:
        seeder = Seeder(database)
        urls = [f"http://127.0.0.1:{sink.port}/h{number}" for number in range(webhook_count)]
        return [
            request_for(seeder.organization_id, hook.account.id) for hook in seeder.hooks(urls, event_type=EVENT_TYPE)
        ]


def _stretch(service: Service, sink: Sink, requests: Requests) -> _Stretch:
    """Publish these, each once, until they are delivered and recorded and their lanes are given back."""
    count = len(requests)
    service.restart_count()
    load(service, requests, Publish(count=count, rate_per_s=RATE_PER_S))
    sink.wait_for(count, LIMIT_S, service)
    await_recorded(service.database_url, [service])
    time.sleep(GIVEN_BACK_S)
    statements, commits = service.asked()
    return _Stretch(sink.mark(), service.counted_s() / count * 1e6, statements / count, commits / count)
