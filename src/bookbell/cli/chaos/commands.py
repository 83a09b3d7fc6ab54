"""The command that breaks things on purpose."""

import json
import secrets

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show


def chaos(
    seconds: float = typer.Option(60.0, help="How long things are broken; healing and draining come after.", min=5),
    seed: int | None = typer.Option(None, help="Repeats the faults of an earlier run; it is printed."),
    workers: int = typer.Option(3, help="Processes that deliver, on PostgreSQL.", min=1, max=16),
    per_s: float = typer.Option(
        10.0, "--rate", help="Events a second, for each of the eight receivers.", min=1, max=200
    ),
    database: str = typer.Option(
        "sqlite", help="sqlite, postgresql (a server of its own) or the address of an empty PostgreSQL database."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Kill, freeze and starve real processes while they deliver, on loopback; exit 1 if a promise was broken."""
    with explained():
        from bookbell.cli.chaos.running import Wanted, run_chaos

        chosen = secrets.randbelow(2**32) if seed is None else seed
        typer.echo(f"bookbell chaos --seed {chosen}", err=True)
        wanted = Wanted(seconds=seconds, seed=chosen, workers=workers, per_s=per_s, database=database)
        verdict = run_chaos(wanted, lambda what: typer.echo(f"  {what}", err=True))
    show(json.loads(json.dumps(verdict.as_json())), as_json=as_json, rows=verdict.rows())
    raise typer.Exit(0 if verdict.is_good else 1)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(chaos)
