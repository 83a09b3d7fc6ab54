"""Commands for events and deliveries of one account."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table
from bookbell.core.model import DeliveryState

if TYPE_CHECKING:
    from bookbell.core.model import Account
    from bookbell.service import Opened
    from bookbell.store.history import DeliveryQuery, DeliveryView

deliveries = typer.Typer(help="Deliveries of an account's webhook.", no_args_is_help=True)
ACCOUNT_OPTION = typer.Option(..., "--account", help="The account's client id or e-mail address.")
WEBHOOK_OPTION = typer.Option(None, "--webhook", help="This org-level webhook (its uuid); the account is a manager.")
LIMIT_OPTION = typer.Option(20, help="How many, newest first.", min=1, max=500)


def events(account: str = ACCOUNT_OPTION, limit: int = LIMIT_OPTION, as_json: bool = JSON_OPTION) -> None:
    """List the events of an account's books."""
    with explained():
        from bookbell.actions import history
        from bookbell.cli.running import opened

        with opened() as parts:
            owner = owner_of(parts, account)
            found = parts.database.read_now(history.list_events, owner, before=None, count=limit)
        columns = ["id", "type", "book_pk", "matched_count", "created_at"]
        show_table([{name: getattr(each, name) for name in columns} for each in found], columns, as_json=as_json)


@deliveries.command("list")
def list_deliveries(
    account: str = ACCOUNT_OPTION,
    state: DeliveryState | None = typer.Option(None, help="Only those in this state."),
    webhook: str | None = WEBHOOK_OPTION,
    limit: int = LIMIT_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """List deliveries."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.store.history import DeliveryQuery

        with opened() as parts:
            owner = owner_of(parts, account)
            found = _newest(parts, owner, webhook, DeliveryQuery(state=state, count=limit))
        columns = ["id", "event_type", "book_pk", "state", "attempt_count", "due_at", "reason"]
        show_table([{name: getattr(each, name) for name in columns} for each in found], columns, as_json=as_json)


def _newest(parts: "Opened", owner: "Account", webhook: str | None, query: "DeliveryQuery") -> "list[DeliveryView]":
    """As many as asked for, over as many pages as that takes."""
    from bookbell.actions import history

    found: list[DeliveryView] = []
    before: str | None = ""
    while before is not None and len(found) < query.count:
        part = replace(query, before=before or None, count=query.count - len(found))
        if webhook is None:
            page = parts.database.read_now(history.list_deliveries, owner, part)
        else:
            page = parts.database.read_now(history.list_org_deliveries, owner, webhook, part)
        found, before = found + page.deliveries, page.next
    return found


@deliveries.command("show")
def show_delivery(delivery_id: str, account: str = ACCOUNT_OPTION, as_json: bool = JSON_OPTION) -> None:
    """Show one delivery with its body and each attempt."""
    with explained():
        from bookbell.actions import history
        from bookbell.cli.running import opened

        with opened() as parts:
            found = parts.database.read_now(history.inspect, owner_of(parts, account), delivery_id)
        columns = ["id", "event_type", "book_pk", "state", "attempt_count", "created_at", "due_at", "reason"]
        shown: dict[str, Any] = {name: getattr(found.delivery, name) for name in columns}
        body = "" if found.body is None else found.body.decode()
        names = ["number", "started_at", "outcome", "status_code", "total_us", "detail", "is_stale"]
        attempts = [{name: getattr(each, name) for name in names} for each in found.attempts]
        show(
            {**shown, "body": json.loads(body or "null"), "pruned": found.body is None, "attempts": attempts},
            as_json=as_json,
            rows=[*shown.items(), ("body", body or "not kept any more")],
        )
        if not as_json:
            show_table(attempts, names, as_json=False)


@deliveries.command("retry")
def retry_delivery(delivery_id: str, account: str = ACCOUNT_OPTION) -> None:
    """Make a waiting or exhausted delivery due now; a running service sends it within a second."""
    with explained():
        from bookbell.actions import history
        from bookbell.cli.running import opened

        with opened() as parts:
            stamp = parts.stamp()
            parts.database.write_now(history.retry_now, owner_of(parts, account), delivery_id, stamp)
        typer.echo(f"Delivery {delivery_id} is due now.")


def owner_of(parts: "Opened", login: str) -> "Account":
    """The account with this client id or e-mail address. Raises: AccountNotFound."""
    from bookbell.core.errors import AccountNotFound
    from bookbell.store import accounts

    found = parts.database.read_now(accounts.find_login, login)
    if found is None:
        raise AccountNotFound(f"No account has the client id or e-mail address {login}.")
    return found[0]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(events)
    app.add_typer(deliveries, name="deliveries")
