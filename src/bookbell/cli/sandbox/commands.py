"""The command `bookbell sandbox`: a local stand-in of the API, and the player of scenarios."""

import json
from pathlib import Path

import typer

from bookbell.cli.printing import JSON_OPTION, explained

PORT = 8080


def sandbox(
    port: int | None = typer.Option(None, help=f"Port to listen on, 0 takes a free one; {PORT} if absent."),
    data: Path | None = typer.Option(None, help="Folder to keep everything in; a temporary one if absent."),
    fast: bool = typer.Option(False, "--fast", help="Documents take a fraction of a second instead of some."),
    env: bool = typer.Option(False, "--env", help="Print the keys as lines for a .env file."),
    as_json: bool = JSON_OPTION,
    scenario: list[str] = typer.Option([], help="A file or a shipped scenario to play, `all` for all shipped."),
    scenarios: bool = typer.Option(False, "--scenarios", help="List the shipped scenarios."),
    url: str | None = typer.Option(None, help="The receiver that a scenario is played against."),
    secret: str | None = typer.Option(None, help="The secret the receiver verifies with, 16 to 128 characters."),
    next_secret: str | None = typer.Option(None, help="The one it accepts besides; the secret with -next if absent."),
) -> None:
    """Stand in for the API on this machine, with keys, simulator and nothing to configure; or play a scenario."""
    with explained():
        if scenarios:
            _list(as_json=as_json)
        elif scenario:
            from bookbell.cli.sandbox import playing
            from bookbell.cli.sandbox.receiver import receiver_of

            receiver = receiver_of(url, secret, next_secret)
            raise typer.Exit(playing.play_all(scenario, receiver, as_json=as_json))
        else:
            from bookbell.cli.sandbox import standing

            standing.run(data, port=port, is_fast=fast, form="env" if env else "json" if as_json else "text")


def _list(*, as_json: bool) -> None:
    from bookbell.cli.sandbox.scenario import shipped

    for each in shipped():
        shown = {"name": each.file.stem, "title": each.title, "about": each.about}
        typer.echo(json.dumps(shown) if as_json else f"{each.file.stem:<22} {each.title}")


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(sandbox)
