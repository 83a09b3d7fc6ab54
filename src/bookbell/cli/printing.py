"""What commands print: tables and sentences for people, JSON for machines, and errors with what to do."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from bookbell.config import SettingsError, StartError
from bookbell.core.errors import BookbellError
from bookbell.vault import VaultError

JSON_OPTION = typer.Option(False, "--json", help="Print JSON for machines.")


@contextmanager
def explained() -> Iterator[None]:
    """One border: an error a user can cause becomes one line on standard error and exit status 2."""
    try:
        yield
    except (SettingsError, StartError, VaultError, BookbellError) as error:
        typer.secho(f"bookbell: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error


def show(value: Any, *, as_json: bool, rows: Sequence[tuple[str, Any]]) -> None:
    """Print a value: whole as JSON, or as aligned names and values."""
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    width = max((len(name) for name, _ in rows), default=0)
    for name, item in rows:
        typer.echo(f"{name:<{width}}  {'' if item is None else item}")


def show_table(values: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print dictionaries: one JSON object a line, or a table of these columns."""
    if as_json:
        for value in values:
            typer.echo(json.dumps(value, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column.endswith("id"))
    for value in values:
        table.add_row(*(str("" if value.get(column) is None else value[column]) for column in columns))
    Console(soft_wrap=True).print(table if values else "nothing found")
