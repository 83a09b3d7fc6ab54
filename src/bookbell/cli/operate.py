"""Commands that run the service and keep its database: serve, demo, db, tokens, openapi."""

import time
from pathlib import Path

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show

database = typer.Typer(help="Keep the database.", no_args_is_help=True)


def serve(
    role: str = typer.Option("all", help="all, api (answers requests) or worker (delivers)."),
    simulate: bool = typer.Option(False, "--simulate", help="Play the pipeline: move uploads through their states."),
    host: str | None = typer.Option(None, help="Address to listen on (BOOKBELL_HOST)."),
    port: int | None = typer.Option(None, help="Port to listen on, 0 takes a free one (BOOKBELL_PORT)."),
    data: Path | None = typer.Option(None, help="Data folder (BOOKBELL_DATA_DIR)."),
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    with explained():
        from bookbell.cli.running import serve_until_stopped

        serve_until_stopped(role, is_simulating=simulate, overrides={"host": host, "port": port, "data_dir": data})


def demo(
    keep: bool = typer.Option(False, "--keep", help="Leave the service running at the end, and say how to use it."),
) -> None:
    """Watch real books ring real webhooks, in under 20 seconds."""
    with explained():
        from bookbell.cli.demo import run_demo

        raise typer.Exit(run_demo(is_kept=keep))


def tokens(as_json: bool = JSON_OPTION) -> None:
    """Print the tokens of the operator and of the pipeline."""
    with explained():
        from bookbell.cli.running import opened

        with opened() as parts:
            found = {"operator_token": parts.operator_token, "pipeline_token": parts.pipeline_token}
        show(found, as_json=as_json, rows=list(found.items()))


def openapi() -> None:
    """Print the OpenAPI document of the HTTP API."""
    import json

    from bookbell.web.openapi import document
    from bookbell.web.routes import ROUTES

    typer.echo(json.dumps(document(ROUTES), indent=2))


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the database to this version's schema."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.config import StartError
        from bookbell.store.database import DatabaseError
        from bookbell.store.upgrade import upgrade

        started = time.perf_counter()
        with opened(is_checked=False) as parts:
            try:
                upgrade(parts.database)
            except DatabaseError as error:
                raise StartError(str(error)) from error
        typer.echo(f"The database is up to date ({time.perf_counter() - started:.1f} s).")


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (serve, demo, tokens, openapi):
        app.command()(command)
    app.add_typer(database, name="db")
