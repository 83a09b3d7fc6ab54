"""What a measurement came to, as values: figures, medians over runs, ratios to references, and how they are shown."""

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

LATENCIES_MS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 50, 70, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of one scenario. None where a figure has no meaning there.

    per_s: deliveries (or answers) a second; cpu_us: processor time of the measured processes for each; latencies in
    milliseconds from publishing to the first byte at the receiver; statements, syncs: for each, see `Service.asked`
    and `store.counted` (on PostgreSQL the server's own count of syncs of its log); lost, repeated:
    deliveries, must be 0; series: what is to be plotted (see `shapes`).
    """

    count: int
    per_s: float | None = None
    cpu_us: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    memory_mb: float | None = None
    database_bytes: float | None = None
    statements: float | None = None
    syncs: float | None = None
    lost: int = 0
    repeated: int = 0
    extra: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[int]] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """As JSON-ready fields, without those that have no meaning."""
        found = {name: getattr(self, name) for name in self.__slots__ if name not in {"extra", "series"}}
        return {name: value for name, value in {**found, **self.extra}.items() if value is not None}


class Latencies(TypedDict):
    """Milliseconds; None when there were none."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def latency_fields(sorted_ms: Sequence[float]) -> Latencies:
    """Of latencies in ascending order."""
    if not sorted_ms:
        return {"p50_ms": None, "p99_ms": None, "max_ms": None}
    return {
        "p50_ms": sorted_ms[len(sorted_ms) // 2],
        "p99_ms": sorted_ms[min(len(sorted_ms) - 1, len(sorted_ms) * 99 // 100)],
        "max_ms": sorted_ms[-1],
    }


def shapes(seen: Mapping[str, Any]) -> dict[str, list[int]]:
    """Of what a sink saw: arrivals in each second, and how many latencies fall between the bounds LATENCIES_MS."""
    counts = [0] * (len(LATENCIES_MS) + 1)
    for latency in seen["latencies_ms"]:
        counts[bisect_left(LATENCIES_MS, latency)] += 1
    return {"per_s": seen["per_s"], "latencies": counts}


def summarized(runs: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum of each figure over the runs, none if there was none; lost and repeated added up."""
    rows = [each.fields() for each in runs]
    shown: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [float(row[name]) for row in rows if name in row]
        middle = sum(values) if name in {"lost", "repeated"} else statistics.median(values)
        shown[name] = {"median": _rounded(middle), "min": _rounded(min(values)), "max": _rounded(max(values))}
    return shown


def _rounded(value: float) -> float:
    """Two decimals, four where there is little."""
    return round(value, 2 if abs(value) >= 1 else 4)
