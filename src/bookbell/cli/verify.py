"""The command that verifies one received request."""

import sys
from pathlib import Path

import typer


def verify(
    secret: list[str] = typer.Option(
        ..., help="The webhook's secret, or its public key (whpk_…); repeat it while rotating."
    ),
    header: list[str] = typer.Option([], "--header", "-H", help="A received header, `Name: value`; repeat it."),
    body: Path | None = typer.Option(
        None, exists=True, dir_okay=False, help="File with the raw body; standard input if absent."
    ),
    tolerance: float = typer.Option(300.0, help="How many seconds the timestamp may be off."),
) -> None:
    """Check the signature of a request as a receiver would; exit 1 with the mistake if it does not fit."""
    from bookbell import receiver

    if odd := next((line for line in header if ":" not in line), None):
        raise typer.BadParameter(f"`Name: value` is expected, not {odd!r}.", param_hint="-H")
    raw = sys.stdin.buffer.read() if body is None else body.read_bytes()
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in header)]
    try:
        found = receiver.verify(pairs, raw, secret, tolerance_s=tolerance)
    except receiver.VerificationError as error:
        typer.secho(f"{error.mistake}: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
    typer.echo(f"The signature is right. Request id {found.request_id}, signed at {found.timestamp_s}.")


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(verify)
