"""Commands for event types and for publishing events of the operator's own types."""

import sys
from pathlib import Path
from typing import Any

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table

event_types = typer.Typer(help="Event types.", no_args_is_help=True)


@event_types.command("list")
def list_types(
    markdown: bool = typer.Option(False, "--markdown", help="Print the page docs/events.md instead."),
    as_json: bool = JSON_OPTION,
) -> None:
    """List the event types of the contract, and those you have defined."""
    with explained():
        from bookbell.core.catalogue import TYPES, definition_uuid

        if markdown:
            from bookbell.core.event_page import event_page

            typer.echo(event_page(), nl=False)
            return
        shown: list[dict[str, Any]] = [
            {
                "name": kind.name,
                "levels": ",".join(sorted(kind.levels)),
                "source": kind.source.value,
                "is_active": kind.is_active,
                "uuid": definition_uuid(kind.name),
                "description": kind.description,
            }
            for kind in [*TYPES.values(), *_defined()]
        ]
        show_table(shown, ["name", "levels", "source", "is_active", "description"], as_json=as_json)


def _defined() -> list[Any]:
    from bookbell.cli.running import opened
    from bookbell.store import event_types as stored

    with opened() as parts:
        return [each.as_event_type() for each in parts.database.read_now(stored.list_types)]


def publish(
    event_type: str = typer.Argument(metavar="TYPE"),
    organization: str = typer.Option(..., help="Id of the organization whose webhooks are told."),
    body: str = typer.Option(..., help="File with the JSON body, - for standard input; sent byte for byte."),
    account: str | None = typer.Option(None, help="Id of the account whose account-level webhook is told too."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Publish an event of a type you have defined; a running service sends it within a second."""
    with explained():
        from bookbell.actions.event_reports import report_event
        from bookbell.cli.running import opened
        from bookbell.core.event_report import EventReport

        report = EventReport(type=event_type, organization_id=organization, account_id=account, body=_read(body))
        with opened() as parts:
            stamp = parts.stamp()
            event = parts.database.write_now(report_event, report, stamp).value.event
        assert event is not None
        shown = {"event_id": event.id, "matched_count": event.matched_count}
        show(shown, as_json=as_json, rows=list(shown.items()))


def _read(name: str) -> bytes:
    from bookbell.core import limits
    from bookbell.core.errors import InvalidRequest

    most = limits.EVENT_BODY_BYTES_MAX + 1
    if name == "-":
        return sys.stdin.buffer.read(most)
    try:
        with Path(name).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror}") from error


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(publish)
    app.add_typer(event_types, name="event-types")
