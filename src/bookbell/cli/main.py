"""The command `bookbell`: parses, runs one action, prints."""

import signal
import sys

import typer

from bookbell import __version__
from bookbell.cli import (
    accounts,
    bench,
    deliveries,
    keys,
    ledger,
    listen,
    operate,
    policy,
    publishing,
    replay,
    signing,
    trigger,
    verify,
    webhooks,
)
from bookbell.cli.chaos import commands as chaos
from bookbell.cli.sandbox import commands as sandbox

app = typer.Typer(
    name="bookbell",
    help="Self-hosted webhook notifications for books of documents.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _told_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"bookbell {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", callback=_told_version, is_eager=True
    ),
) -> None:
    pass


MODULES = (
    operate,
    keys,
    ledger,
    sandbox,
    accounts,
    webhooks,
    policy,
    signing,
    deliveries,
    replay,
    publishing,
    listen,
    trigger,
    verify,
    bench,
    chaos,
)
for _module in MODULES:
    _module.add_to(app)


def run() -> None:
    """The entry point of the program. SIGTERM ends a command as Ctrl-C does: what it has started ends with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    run()
