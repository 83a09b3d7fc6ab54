"""Commands for organizations and accounts."""

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table

organization = typer.Typer(help="Organizations.", no_args_is_help=True)
account = typer.Typer(help="API accounts.", no_args_is_help=True)


TASKS_HELP = "What completes a book: some of ANALYTICS, CAPTURE, DETECT, INCOME, with commas."


@organization.command("create")
def create_organization(
    name: str, tasks: str = typer.Option("CAPTURE", help=TASKS_HELP), as_json: bool = JSON_OPTION
) -> None:
    """Add an organization."""
    with explained():
        from bookbell.actions import accounts as acting
        from bookbell.cli.running import opened

        with opened() as parts:
            stamp = parts.stamp()
            made = parts.database.write_now(acting.create_organization, name, stamp, tasks=tasks.split(","))
        shown = {"id": made.id, "name": made.name, "tasks": ",".join(made.tasks)}
        show(shown, as_json=as_json, rows=list(shown.items()))


@organization.command("update")
def update_organization(
    organization_id: str,
    name: str | None = typer.Option(None, help="Its new name."),
    tasks: str | None = typer.Option(None, help=TASKS_HELP),
    as_json: bool = JSON_OPTION,
) -> None:
    """Change an organization's name, or the tasks that complete its books."""
    with explained():
        from bookbell.actions import accounts as acting
        from bookbell.cli.running import opened

        wanted = None if tasks is None else tasks.split(",")
        with opened() as parts:
            made = parts.database.write_now(acting.change_organization, organization_id, name=name, tasks=wanted)
        shown = {"id": made.id, "name": made.name, "tasks": ",".join(made.tasks)}
        show(shown, as_json=as_json, rows=list(shown.items()))


@organization.command("list")
def list_organizations(as_json: bool = JSON_OPTION) -> None:
    """List organizations."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.core import limits
        from bookbell.store import accounts

        with opened() as parts:
            found = parts.database.read_now(accounts.list_organizations, after="", count=limits.PAGE_COUNT_MAX)
        shown = [{"id": each.id, "name": each.name, "tasks": ",".join(each.tasks)} for each in found]
        show_table(shown, ["id", "name", "tasks"], as_json=as_json)


@account.command("create")
def create_account(
    organization_id: str,
    name: str,
    manager: bool = typer.Option(False, "--manager", help="Give it the role manager."),
    email: str | None = typer.Option(None, help="Its e-mail address, which also works as a legacy login."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Add an account to an organization; its secret is shown once."""
    with explained():
        from bookbell.actions import accounts as acting
        from bookbell.cli.running import opened
        from bookbell.core.model import Role
        from bookbell.vault import hash_of_secret

        with opened() as parts:
            secret = parts.ambient.new_secret()
            wanted = acting.NewAccount(
                name=name,
                role=Role.MANAGER if manager else Role.STANDARD,
                email=email,
                client_id=acting.client_id_from(parts.ambient.new_secret()),
                secret_hash=hash_of_secret(secret),
            )
            stamp = parts.stamp()
            made = parts.database.write_now(acting.create_account, organization_id, wanted, stamp)
        shown = {"id": made.id, "name": made.name, "role": made.role.value, "email": made.email}
        shown |= {"client_id": made.client_id, "client_secret": secret}
        credentials = {"clientId": made.client_id, "clientSecret": secret}  # the file that existing clients read
        show({**shown, "credentials": credentials}, as_json=as_json, rows=list(shown.items()))


@account.command("list")
def list_accounts(organization_id: str, as_json: bool = JSON_OPTION) -> None:
    """List the accounts of an organization."""
    with explained():
        from bookbell.actions import accounts as acting
        from bookbell.cli.running import opened
        from bookbell.core import limits
        from bookbell.store import accounts

        with opened() as parts:
            owner = parts.database.read_now(acting.demand_organization, organization_id)
            found = parts.database.read_now(accounts.list_accounts, owner.id, after="", count=limits.PAGE_COUNT_MAX)
        columns = ["id", "name", "role", "email", "client_id", "revoked_at"]
        show_table([{name: getattr(each, name) for name in columns} for each in found], columns, as_json=as_json)


@account.command("revoke")
def revoke_account(organization_id: str, account_id: str) -> None:
    """End an account's access for good."""
    with explained():
        from bookbell.actions import accounts as acting
        from bookbell.cli.running import opened

        with opened() as parts:
            stamp = parts.stamp()
            made = parts.database.write_now(acting.revoke, organization_id, account_id, stamp)
        typer.echo(f"{made.name} ({made.client_id}) mints and uses no tokens any more.")


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(organization, name="organization")
    app.add_typer(account, name="account")
