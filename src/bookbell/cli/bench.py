"""The command that measures an installation."""

import json
import signal
from collections.abc import Mapping
from typing import Any

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show_table

COLUMNS = (
    *("scenario", "per_s", "cpu_us", "ratio", "p50_ms", "p99_ms", "max_ms", "memory_mb", "database_bytes"),
    *("statements", "syncs", "lost", "repeated"),
)


def bench(
    names: list[str] = typer.Argument(None, help="Scenarios; all of them if none is named.", metavar="[SCENARIO]..."),
    runs: int = typer.Option(3, help="Runs of each, in turn; the median is shown.", min=1, max=50),
    full: bool = typer.Option(False, "--full", help="The full size, which takes much longer."),
    list_them: bool = typer.Option(False, "--list", help="Say what there is to measure."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Measure what deliveries cost on this machine, beside a bare libcurl loop. Needs loopback and free disk only.

    Interrupted, it shows what it has measured until then.
    """
    with explained():
        from bookbell.bench.machine import describe
        from bookbell.bench.measuring import measure
        from bookbell.bench.scenarios import scenarios

        known = scenarios()
        if list_them:
            rows = [{"name": name, "title": each.title, "target": each.target} for name, each in known.items()]
            show_table(rows, ["name", "title", "target"], as_json=as_json)
            return
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(known)}")
        chosen = {name: known[name] for name in names or known}
        rows, is_whole = measure(chosen, runs=runs, is_full=full, say=lambda text: typer.echo(text, err=True))
        machine = describe()
    if as_json:
        typer.echo(json.dumps({"machine": machine, "is_whole": is_whole, "results": rows}, ensure_ascii=False))
    else:
        typer.echo(", ".join(f"{name} {value}" for name, value in machine.items()))
        show_table([_row(each) for each in rows], COLUMNS, as_json=False)
        for each in rows:
            typer.echo(_beside(each))
    if not is_whole:
        raise typer.Exit(128 + signal.SIGINT)
    if any(each["failed"] for each in rows):
        raise typer.Exit(1)


def _row(measured: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _number(each["median"]) for name, each in measured["figures"].items()}
    ratio = measured["ratio_to_bare"]
    return {**shown, "scenario": measured["name"], "ratio": None if ratio is None else f"{ratio:.1f}"}


def _beside(measured: Mapping[str, Any]) -> str:
    """A line of what does not fit into the table."""
    if measured["failed"]:
        return f"{measured['name']} failed: {measured['failed']}"
    own = [
        f"{name} {_number(each['median'])}"
        for name, each in measured["figures"].items()
        if name not in {"count", *COLUMNS}
    ]
    runs = f"runs: {measured['runs']}"
    target = [f"target: {measured['target']}"] if measured["target"] else []
    return f"{measured['name']}: {measured['title']}; {', '.join([*own, runs, *target])}"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 0.1 else f"{value:.4f}"


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(bench)
