"""The command `bookbell`: parses, runs one action, prints."""

import sys

import typer

from bookbell.cli import (
    accounts,
    bench,
    deliveries,
    listen,
    operate,
    policy,
    publishing,
    trigger,
    verify,
    webhooks,
)
from bookbell.cli.sandbox import commands as sandbox

app = typer.Typer(
    name="bookbell",
    help="Self-hosted webhook notifications for books of documents.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
MODULES = (
    operate,
    sandbox,
    accounts,
    webhooks,
    policy,
    deliveries,
    publishing,
    listen,
    trigger,
    verify,
    bench,
)
for _module in MODULES:
    _module.add_to(app)


def run() -> None:
    """The entry point of the program."""
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    run()
