"""The scenarios by name: what each measures, how much of it, and its target.

A scenario is a function without arguments that gives the Figures of one run; `short` ones take seconds, `full` ones
are of the size that the targets speak of.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bookbell.bench.drains import Drain, run_bare, run_drain
from bookbell.bench.figures import Figures
from bookbell.bench.isolation import Isolation, run_isolation
from bookbell.bench.publishing import Publish, run_publish
from bookbell.bench.reporting import run_reports
from bookbell.bench.starting import run_help, run_start

Run = Callable[[], Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """target: in words, what the full one is to reach on one core."""

    title: str
    target: str
    short: Run
    full: Run


def scenarios(database_url: str | None = None) -> dict[str, Scenario]:
    """All of them by name, in order. database_url: a PostgreSQL to measure on; None is SQLite."""

    def drain(count: int, **changes: object) -> Run:
        plan = Drain(count=count, database_url=database_url)
        return lambda: run_drain(replace(plan, **changes))  # type: ignore[arg-type] # the fields of a Drain

    def publish(count: int, **changes: object) -> Run:
        plan = Publish(count=count, database_url=database_url)
        return lambda: run_publish(replace(plan, **changes))  # type: ignore[arg-type] # the fields of a Publish

    def pair(title: str, target: str, short: Run, full: Run) -> Scenario:
        return Scenario(title=title, target=target, short=short, full=full)

    many = {"endpoint_count": 1_000}
    return {
        "bare": pair(
            "a bare loop around libcurl that signs and posts (reference)",
            "the price of everything else is the ratio to it",
            lambda: run_bare(20_000),
            lambda: run_bare(100_000),
        ),
        "drain-1": pair("drain due deliveries, one endpoint", "≤ 60 µs each", drain(20_000), drain(200_000)),
        "drain-1000": pair(
            "drain due deliveries, 1,000 endpoints", "≤ 60 µs each", drain(20_000, **many), drain(200_000, **many)
        ),
        "publish": pair(
            "publish one event per request, 64 connections, delivered",
            "≤ 200 µs per event in all",
            publish(3_000),
            publish(50_000),
        ),
        "publish-100": pair(
            "publish in batches of 100, delivered",
            "≤ 80 µs per event",
            publish(20_000, batch=100),
            publish(200_000, batch=100),
        ),
        "reports": pair(
            "document status reports through the full lifecycle",
            "≤ 400 µs per report",
            lambda: run_reports(400),
            lambda: run_reports(5_000),
        ),
        "open-loop": pair(
            "publish at a rate below capacity: latency to the first byte",
            "p50 ≤ 3 ms, p99 ≤ 20 ms",
            publish(2_000, rate_per_s=400.0),
            publish(20_000, rate_per_s=400.0),
        ),
        "isolation": pair(
            "100 endpoints, 10 of which hang: p99 of the others against the same without",
            "ratio ≤ 1.1",
            lambda: run_isolation(Isolation(count=2_000)),
            lambda: run_isolation(Isolation(count=20_000)),
        ),
        "tls": pair(
            "HTTPS, connections kept", "≤ 1.4 × plain", drain(5_000, connection="tls"), drain(50_000, connection="tls")
        ),
        "tls-new": pair(
            "HTTPS, one request per connection",
            "≥ 1,800 connections/s",
            drain(1_000, connection="tls_new"),
            drain(10_000, connection="tls_new"),
        ),
        "slow": pair(
            "4,000 attempts in flight to slow receivers",
            "memory ≤ 400 MB",
            drain(8_000, endpoint_count=250, path="slow", delay_ms=2_000),
            drain(40_000, endpoint_count=250, path="slow", delay_ms=2_000),
        ),
        "backlog": pair(
            "a backlog in many endpoints, due instants in random order",
            "cost ≤ 1.25 × that of a small one; memory ≤ 300 MB",
            drain(20_000, endpoint_count=2_000, spread_ms=3_600_000),
            drain(1_000_000, endpoint_count=20_000, spread_ms=3_600_000),
        ),
        "start": pair("from start to ready", "≤ 1 s", run_start, run_start),
        "help": pair("bookbell --help", "≤ 200 ms", run_help, run_help),
    }
