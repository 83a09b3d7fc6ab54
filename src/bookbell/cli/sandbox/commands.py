"""The command `bookbell sandbox`: a local stand-in of the API, and the player of scenarios.

The command has the options of both; each of the two functions below declares its own.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import typer

from bookbell.cli.printing import explained
from bookbell.config import StartError

PORT = 8080


def sandbox(**given: Any) -> None:
    """Stand in for the API on this machine, with keys, simulator and nothing to configure; or play a scenario."""
    played = {option.name: given.pop(option.name) for option in _options_of(_play)}
    with explained():
        if played["scenario"] or played["scenarios"]:
            _play(**played, as_json=given["is_env"] is False)
        elif left_out := [f"--{name.replace('_', '-')}" for name, value in played.items() if value]:
            raise StartError(
                f"{left_out[0]} goes with --scenario; `bookbell sandbox --scenarios` lists the shipped ones."
            )
        else:
            _stand(**given)


def _stand(
    port: int | None = typer.Option(None, help=f"Port to listen on, 0 takes a free one; {PORT} if absent."),
    data: Path | None = typer.Option(None, help="Folder to keep everything in; a temporary one if absent."),
    fast: bool = typer.Option(False, "--fast", help="Documents take a fraction of a second instead of some."),
    is_env: bool | None = typer.Option(None, "--env/--json", help="Print lines for a .env file, or JSON."),
) -> None:
    from bookbell.cli.sandbox import standing

    standing.run(data, port=port, is_fast=fast, form={None: "text", True: "env", False: "json"}[is_env])


def _play(
    scenario: list[str] = typer.Option([], help="A file or a shipped scenario to play, `all` for all; repeat it."),
    scenarios: bool = typer.Option(False, "--scenarios", help="List the shipped scenarios."),
    url: str | None = typer.Option(None, help="The receiver that scenarios are played against."),
    secret: str | None = typer.Option(None, help="The secret the receiver verifies with, 16 to 128 characters."),
    next_secret: str | None = typer.Option(None, help="The one it accepts besides; the secret with -next if absent."),
    **form: bool,
) -> None:
    from bookbell.cli.sandbox import playing
    from bookbell.cli.sandbox.receiver import receiver_of

    if scenarios:
        _list(as_json=form["as_json"])
    else:
        receiver = receiver_of(url, secret, next_secret)
        raise typer.Exit(playing.play_all(scenario, receiver, as_json=form["as_json"]))


def _list(*, as_json: bool) -> None:
    from bookbell.cli.sandbox.scenario import shipped

    for each in shipped():
        shown = {"name": each.file.stem, "title": each.title, "about": each.about}
        typer.echo(json.dumps(shown) if as_json else f"{each.file.stem:<22} {each.title}")


def add_to(app: typer.Typer) -> None:
    """Register this command. typer reads options from a signature: here it gets those of both functions."""
    options = [*_options_of(_stand), *_options_of(_play)]
    vars(sandbox)["__signature__"] = inspect.Signature(options)
    sandbox.__annotations__ = {option.name: option.annotation for option in options}
    app.command()(sandbox)


def _options_of(function: Any) -> list[inspect.Parameter]:
    found = inspect.signature(function).parameters.values()
    return [each for each in found if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
