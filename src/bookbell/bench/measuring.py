"""Runs scenarios in turn, several times, and puts their figures beside the reference of the same runs."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bookbell.bench.figures import Figures, summarized
from bookbell.bench.scenarios import Scenario

REFERENCE = "bare"


def measure(
    chosen: Mapping[str, Scenario], *, runs: int, is_full: bool, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Figures of each scenario: median, min and max over the runs, and the ratio of processor time to the reference.

    The runs are interleaved (each scenario once, then all again), so that a machine that changes changes all of them.
    A scenario that fails is told, not run again, and has `failed` set to why; the others go on.
    """
    done: dict[str, list[Figures]] = {name: [] for name in chosen}
    failed: dict[str, str] = {}
    took_s = dict.fromkeys(chosen, 0.0)
    turns = [(number, name) for number in range(runs) for name in chosen if _is_due(chosen[name], number, is_full)]
    with _cleared_on_sigterm():
        for number, name in turns:
            if name in failed:
                continue
            say(f"run {number + 1} of {runs}: {name} …")
            began = time.monotonic()
            try:
                done[name].append(chosen[name].full() if is_full else chosen[name].short())
                what = _progress(done[name][-1])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the others are measured
                failed[name] = str(error) or type(error).__name__
                what = f"failed: {failed[name]}"
            took_s[name] += time.monotonic() - began
            say(f"  {what} ({time.monotonic() - began:.0f} s)")
    rows: list[dict[str, Any]] = [
        {"name": name, "title": chosen[name].title, "target": chosen[name].target, "figures": summarized(figures)}
        for name, figures in done.items()
    ]
    reference = next((row["figures"]["cpu_us"]["median"] for row in rows if _is_reference(row)), None)
    for row in rows:
        name, cpu = row["name"], row["figures"].get("cpu_us")
        row["series"] = done[name][-1].series if done[name] else {}
        row["ratio_to_bare"] = cpu["median"] / reference if cpu and reference and name != REFERENCE else None
        row["seconds"] = round(took_s[name], 1)
        row["failed"] = failed.get(name)
    return rows


def _is_due(scenario: Scenario, number: int, is_full: bool) -> bool:
    """Whether the run of that number, from 0, includes it."""
    return number == 0 or not (scenario.is_long or (scenario.is_once and not is_full))


@contextmanager
def _cleared_on_sigterm() -> Iterator[None]:
    """Who ends the benchmark leaves no folders and no processes behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_reference(row: Mapping[str, Any]) -> bool:
    return row["name"] == REFERENCE and "cpu_us" in row["figures"]


def _progress(found: Figures) -> str:
    """One run in few words."""
    words = [f"{found.per_s:,.0f}/s"] if found.per_s else []
    words += [f"{found.cpu_us:,.1f} µs each"] if found.cpu_us else []
    words += [f"p99 {found.p99_ms:,.1f} ms"] if found.p99_ms is not None else []
    return ", ".join(words) or "done"
