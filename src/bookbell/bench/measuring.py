"""Runs scenarios in turn, several times, and puts their figures beside the reference of the same runs."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from bookbell.bench.figures import Figures, summarized
from bookbell.bench.scenarios import Scenario

REFERENCE = "bare"


class Measured(NamedTuple):
    """What was measured. is_whole: it was not interrupted; if it was, rows has what had been measured until then."""

    rows: list[dict[str, Any]]
    is_whole: bool


def measure(chosen: Mapping[str, Scenario], *, runs: int, is_full: bool, say: Callable[[str], None]) -> Measured:
    """Figures of each scenario: median, min and max over its `runs`, and the ratio of processor time to the reference.

    The runs are interleaved (each scenario once, then all again), so that a machine that changes changes all of them.
    A scenario that fails is told, not run again, and has `failed` set to why; the others go on.
    """
    done: dict[str, list[Figures]] = {name: [] for name in chosen}
    failed: dict[str, str] = {}
    took_s = dict.fromkeys(chosen, 0.0)
    turns = [(number, name) for number in range(runs) for name in chosen if _is_due(chosen[name], number, is_full)]
    is_whole = True
    with _cleared_on_sigterm():
        for number, name in turns:
            if name in failed:
                continue
            say(f"run {number + 1} of {runs}: {name} …")
            began = time.monotonic()
            try:
                done[name].append(chosen[name].full() if is_full else chosen[name].short())
                what = _progress(done[name][-1])
            except KeyboardInterrupt:
                is_whole = False
                break
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the others are measured
                failed[name] = str(error) or type(error).__name__
                what = f"failed: {failed[name]}"
            took_s[name] += time.monotonic() - began
            say(f"  {what} ({time.monotonic() - began:.0f} s)")
    if not is_whole:
        say(f"interrupted in run {number + 1} of {runs}: what follows is what was measured until then")
    rows = [
        {
            "name": name,
            "title": each.title,
            "target": each.target,
            "runs": len(done[name]),
            "figures": summarized(done[name]),
            "series": done[name][-1].series if done[name] else {},
            "seconds": round(took_s[name], 1),
            "failed": failed.get(name),
        }
        for name, each in chosen.items()
        if done[name] or name in failed
    ]
    return Measured(_beside_reference(rows), is_whole)


def _beside_reference(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """These rows with what the processor time of each is of that of the reference."""
    costs = {row["name"]: row["figures"]["cpu_us"]["median"] for row in rows if "cpu_us" in row["figures"]}
    reference = costs.pop(REFERENCE, None)
    return [
        {**row, "ratio_to_bare": costs[row["name"]] / reference if row["name"] in costs and reference else None}
        for row in rows
    ]


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


def _progress(found: Figures) -> str:
    """One run in few words."""
    words = [f"{found.per_s:,.0f}/s"] if found.per_s else []
    words += [f"{found.cpu_us:,.1f} µs each"] if found.cpu_us else []
    words += [f"p99 {found.p99_ms:,.1f} ms"] if found.p99_ms is not None else []
    return ", ".join(words) or "done"
