"""What commands print: tables and sentences for people, JSON for machines, and errors with what to do."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from bookbell.config import SettingsError, StartError
from bookbell.core.errors import BookbellError

JSON_OPTION = typer.Option(False, "--json", help="Print JSON for machines.")


@contextmanager
def explained() -> Iterator[None]:
    """One border: an error a user can cause becomes one line on standard error and exit status 2."""
    from bookbell.vault import VaultError

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
        typer.echo(f"{name:<{width}}  {_for_people(name, item)}".rstrip())


def show_table(values: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print dictionaries: one JSON object a line, or a table of these columns."""
    if as_json:
        for value in values:
            typer.echo(json.dumps(value, ensure_ascii=False))
        return
    if not values:
        typer.echo("nothing found")
        return
    rows = [[column.replace("_", " ") for column in columns]]
    rows += [[_for_people(column, value.get(column)) for column in columns] for value in values]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def program() -> str:
    """How to call this program in a shell: by its name where a shell finds it, else by its path."""
    return "bookbell" if shutil.which("bookbell") else shlex.quote(str(Path(sys.executable).with_name("bookbell")))


def _for_people(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_at") and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6] + "Z"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
