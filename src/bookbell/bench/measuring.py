"""Runs scenarios in turn, several times, and puts their figures beside the reference of the same runs."""

from collections.abc import Callable, Mapping
from typing import Any

from bookbell.bench.figures import Figures, summarized
from bookbell.bench.scenarios import Scenario

REFERENCE = "bare"


def measure(
    chosen: Mapping[str, Scenario], *, runs: int, is_full: bool, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Figures of each scenario: median, min and max over the runs, and the ratio of processor time to the reference.

    The runs are interleaved (each scenario once, then all again), so that a machine that changes changes all of them.
    """
    done: dict[str, list[Figures]] = {name: [] for name in chosen}
    for number in range(runs):
        for name, scenario in chosen.items():
            if scenario.is_long and number:
                continue
            say(f"run {number + 1} of {runs}: {name} …")
            done[name].append(scenario.full() if is_full else scenario.short())
    rows: list[dict[str, Any]] = [
        {"name": name, "title": chosen[name].title, "target": chosen[name].target, "figures": summarized(figures)}
        for name, figures in done.items()
    ]
    reference = next((row["figures"]["cpu_us"]["median"] for row in rows if row["name"] == REFERENCE), None)
    for row in rows:
        cpu = row["figures"].get("cpu_us")
        row["series"] = done[row["name"]][-1].series
        row["ratio_to_bare"] = cpu["median"] / reference if cpu and reference and row["name"] != REFERENCE else None
    return rows
