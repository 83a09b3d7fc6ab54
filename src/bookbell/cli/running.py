"""Starts the service, or just its parts, for commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer
import uvloop

from bookbell import telemetry
from bookbell.cli.sandbox.keys import MARKER
from bookbell.config import StartError, read_settings
from bookbell.service import Opened, Role, Service, open_parts


def serve_until_stopped(role: str, *, is_simulating: bool, overrides: Mapping[str, Any]) -> None:
    """Run one process of the service. Raises: StartError, SettingsError, VaultError."""
    if role not in list(Role):
        raise StartError(f"--role is one of {', '.join(Role)}, not {role}.")
    settings = read_settings(**overrides)
    if _exists(settings.data_dir / MARKER):
        raise StartError(
            f"{settings.data_dir} is a sandbox's: its keys and tokens are known to everybody. Run `bookbell sandbox "
            f"--data {settings.data_dir}` to go on with it, or name another folder with --data."
        )
    telemetry.set_up_logging(settings.log_format)
    parts = open_parts(settings)

    async def main() -> None:
        await Service(parts, role=Role(role), is_simulating=is_simulating).run(_announce)

    uvloop.run(main())


@contextmanager
def opened(*, is_checked: bool = True) -> Iterator[Opened]:
    """Vault and database for a command, closed at its end."""
    settings = read_settings()
    is_new = not settings.database_url and not _exists(settings.data_dir / "bookbell.db")
    parts = open_parts(settings, is_checked=is_checked)
    if is_new:
        typer.echo(
            f"bookbell: {settings.data_dir.absolute()} held no database, so a new, empty one was made there. "
            "For one that is elsewhere set BOOKBELL_DATA_DIR.",
            err=True,
        )
    try:
        yield parts
    finally:
        parts.database.close()


def _exists(path: Path) -> bool:
    """Whether it is there; what must not be looked at is not, and `open_parts` says why."""
    try:
        return path.exists()
    except OSError:
        return False


def _announce(address: str) -> None:
    with suppress(OSError):  # who started it has gone away, or its disk is full
        typer.echo(f"bookbell is ready at {address}")
