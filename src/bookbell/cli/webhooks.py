"""Commands for registered webhooks."""

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show_table

webhook = typer.Typer(help="Registered webhooks.", no_args_is_help=True)
COLUMNS = ["id", "level", "account", "url", "state", "is_signed", "event_count", "description"]


@webhook.command("list")
def list_webhooks(
    organization: str = typer.Option(..., "--organization", help="The organization's id."),
    as_json: bool = JSON_OPTION,
) -> None:
    """List the webhooks of an organization, those of its accounts too, without their credentials."""
    with explained():
        from bookbell.actions.accounts import demand_organization
        from bookbell.cli.running import opened
        from bookbell.store import endpoints

        with opened() as parts:
            found = parts.database.read_now(demand_organization, organization)
            listed = parts.database.read_now(endpoints.list_endpoints, found.id)
        shown = [
            {
                "id": each.id,
                "level": each.level.value,
                "account": each.account_id,
                "url": each.url_masked,
                "state": each.state,
                "is_signed": each.secret_sealed is not None,
                "event_count": len(each.event_types),
                "description": each.description,
            }
            for each in listed
        ]
        show_table(shown, COLUMNS, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(webhook, name="webhook")
