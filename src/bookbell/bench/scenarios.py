"""The scenarios by name: what each measures, how much of it, and its target.

A scenario is a function without arguments that gives the Figures of one run; `short` ones take seconds, `full` ones
are of the size that the targets speak of.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bookbell.bench.backlog import Backlog, run_backlog
from bookbell.bench.crowd import run_crowd
from bookbell.bench.drains import Drain, run_bare, run_drain
from bookbell.bench.figures import Figures
from bookbell.bench.isolation import run_isolation
from bookbell.bench.lists import run_lists
from bookbell.bench.overload import run_overload
from bookbell.bench.publishing import Publish, run_publish
from bookbell.bench.reporting import run_reports
from bookbell.bench.sleepers import run_sleepers
from bookbell.bench.starting import run_help, run_start

Run = Callable[[], Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """target: in words, what the full one is to reach on one core. is_long: it repeats itself, so it runs once;
    is_once: once is enough of the short one.
    """

    title: str
    target: str
    short: Run
    full: Run
    is_long: bool = False
    is_once: bool = False


def scenarios() -> dict[str, Scenario]:
    """All of them by name, in order; the first is the reference."""
    return {**_drains(), **_publishing(), **_conditions(), **_sizes(), **_starts()}


def _drain(count: int, **changes: Any) -> Run:
    return lambda: run_drain(Drain(count=count, **changes))


def _publish(count: int, **changes: Any) -> Run:
    return lambda: run_publish(Publish(count=count, **changes))


def _of(title: str, target: str, short: Run, full: Run, **how_often: bool) -> Scenario:
    return Scenario(title=title, target=target, short=short, full=full, **how_often)


def _drains() -> dict[str, Scenario]:
    return {
        "bare": _of(
            "a bare loop around libcurl that signs and posts (reference)",
            "",
            lambda: run_bare(20_000),
            lambda: run_bare(100_000),
        ),
        "drain-1": _of("drain due deliveries, one endpoint", "≤ 60 µs each", _drain(20_000), _drain(200_000)),
        "drain-1000": _of(
            "drain due deliveries, 1,000 endpoints on as many hosts",
            "≤ 60 µs each",
            _drain(20_000, endpoint_count=1_000),
            _drain(200_000, endpoint_count=1_000),
        ),
        "backlog": _of(
            "a part of a long backlog in many endpoints, due instants in random order, against short ones",
            "cost ≤ 1.25 × that of a small one; memory ≤ 300 MB",
            lambda: run_backlog(Backlog(count=100_000, endpoint_count=1_000, drained_count=10_000)),
            lambda: run_backlog(Backlog(count=10_000_000, endpoint_count=100_000, drained_count=200_000)),
            is_long=True,
        ),
    }


def _publishing() -> dict[str, Scenario]:
    return {
        "publish": _of(
            "publish one event per request, 64 connections, delivered",
            "≤ 200 µs per event in all",
            _publish(3_000),
            _publish(50_000),
        ),
        "publish-100": _of(
            "publish in batches of 100, delivered",
            "≤ 80 µs per event",
            _publish(20_000, batch=100),
            _publish(200_000, batch=100),
        ),
        "reports": _of(
            "document status reports through the full lifecycle",
            "≤ 400 µs per report",
            lambda: run_reports(400),
            lambda: run_reports(5_000),
        ),
        "open-loop": _of(
            "publish 2,500 events a second, each a request: latency to the first byte",
            "p50 ≤ 3 ms, p99 ≤ 20 ms",
            _publish(7_500, rate_per_s=2_500.0),
            _publish(50_000, rate_per_s=2_500.0),
        ),
        "asleep": _of(
            "100 events a second, each for a webhook that has had none for long, among very many of an organization",
            "cost as among few",
            lambda: run_sleepers(300, 3_000),
            lambda: run_sleepers(1_000, 20_000),
            is_long=True,
        ),
    }


def _conditions() -> dict[str, Scenario]:
    return {
        "isolation": _of(
            "100 endpoints, 10 of which hang: p99 of the others against the same without",
            "ratio ≤ 1.1",
            lambda: run_isolation(rounds=3, stretch_s=4),
            lambda: run_isolation(rounds=10, stretch_s=10),
            is_long=True,
        ),
        "tls": _of(
            "HTTPS, connections kept",
            "≤ 1.4 × plain",
            _drain(5_000, connection="tls"),
            _drain(50_000, connection="tls"),
        ),
        "tls-new": _of(
            "HTTPS, one request per connection",
            "≥ 1,800 connections/s",
            _drain(1_000, connection="tls_new"),
            _drain(10_000, connection="tls_new"),
        ),
        "slow": _of(
            "4,000 attempts in flight to slow receivers: p99 of other lanes against the same without",
            "memory ≤ 400 MB; no other lane slower",
            lambda: run_crowd(rounds=2, stretch_s=4),
            lambda: run_crowd(rounds=5, stretch_s=10),
            is_long=True,
        ),
    }


def _sizes() -> dict[str, Scenario]:
    return {
        "lists": _of(
            "pages of deliveries and one delivery, among very many",
            "≤ 20 ms",
            lambda: run_lists(100_000),
            lambda: run_lists(10_000_000),
            is_long=True,
        ),
        "overload": _of(
            "publish in batches at twice the rate of a drain",
            "delivered ≥ 0.8 × half of a drain; bounded memory and answers",
            lambda: run_overload(40_000),
            lambda: run_overload(600_000),
            is_once=True,
        ),
    }


def _starts() -> dict[str, Scenario]:
    return {
        "start": _of("from start to ready", "≤ 1 s", run_start, run_start, is_once=True),
        "help": _of("bookbell --help", "≤ 200 ms", run_help, run_help, is_once=True),
    }
