"""Commands for how a webhook is delivered to, how it is doing, and stopping and starting it."""

import json
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.deliveries import ACCOUNT_OPTION, WEBHOOK_OPTION, owner_of
from bookbell.cli.printing import JSON_OPTION, explained, show

if TYPE_CHECKING:
    from bookbell.actions.signing import Which
    from bookbell.service import Opened

policy = typer.Typer(help="How deliveries to a webhook are attempted.", no_args_is_help=True)


@policy.command("show")
def show_policy(
    account: str = ACCOUNT_OPTION, webhook: str | None = WEBHOOK_OPTION, as_json: bool = JSON_OPTION
) -> None:
    """Show the policy, and when the attempts of an event of now would start if each failed."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.core.policy import policy_from

        with opened() as parts:
            endpoint = parts.database.read_now(_which(parts, account, webhook))
            _show(policy_from(json.loads(endpoint.policy)), parts.ambient.now_ms(), as_json=as_json)


@policy.command("set")
def set_policy(
    fields: list[str] = typer.Argument(help="Fields as name=value, e.g. preset=ocrolus order=book rate_per_s=5."),
    account: str = ACCOUNT_OPTION,
    webhook: str | None = WEBHOOK_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """Replace the policy: a preset and the fields that differ from it; a value is JSON or a word."""
    with explained():
        from bookbell.actions import signing, webhooks
        from bookbell.actions.stamp import Published
        from bookbell.cli.running import opened
        from bookbell.core.policy import Policy
        from bookbell.store.database import Tx

        wanted = dict(_field(each) for each in fields)
        with opened() as parts:
            which, stamp = _which(parts, account, webhook), parts.stamp()

            def change(tx: Tx) -> Published[Policy]:
                return webhooks.deliver_by(tx, signing.locked(tx, which), wanted, stamp)

            _show(parts.database.write_now(change).value, stamp.at, as_json=as_json)


def health(account: str = ACCOUNT_OPTION, webhook: str | None = WEBHOOK_OPTION, as_json: bool = JSON_OPTION) -> None:
    """Say how a webhook is doing."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.cli.running import opened

        with opened() as parts:
            which = _which(parts, account, webhook)
            told = parts.database.read_now(acting.examine, which, now=parts.ambient.now_ms())
        shown = {"state": told.health.state.value, "sentence": told.health.sentence}
        show(shown, as_json=as_json, rows=list(shown.items()))


def pause(account: str = ACCOUNT_OPTION, webhook: str | None = WEBHOOK_OPTION) -> None:
    """Send nothing to a webhook until it is resumed; what comes is kept."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.cli.running import opened

        with opened() as parts:
            parts.database.write_now(acting.pause, _which(parts, account, webhook), parts.stamp())
        typer.echo("Paused. What comes is kept.")


def resume(
    account: str = ACCOUNT_OPTION,
    webhook: str | None = WEBHOOK_OPTION,
    drain: bool = typer.Option(True, help="Whether what was held is sent, or else skipped."),
) -> None:
    """Send to a webhook again: ends a pause, enables it, closes its circuit."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.cli.running import opened

        with opened() as parts:
            which = _which(parts, account, webhook)
            parts.database.write_now(acting.resume, which, is_draining=drain, stamp=parts.stamp())
        typer.echo("Resumed." if drain else "Resumed; what was held is skipped.")


def _which(parts: "Opened", account: str, webhook: str | None) -> "Which":
    from bookbell.actions.org_webhooks import require_manager
    from bookbell.actions.signing import of_account, of_organization

    owner = owner_of(parts, account)
    if webhook is None:
        return of_account(owner)
    require_manager(owner)
    return of_organization(owner, webhook)


def _show(shown_policy: Any, now: int, *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from bookbell.core.policy import policy_fields, schedule_at

    instants = [
        f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in schedule_at(shown_policy, now)
    ]
    shown = {**policy_fields(shown_policy), "schedule_at": instants}
    show(shown, as_json=as_json, rows=list(shown.items()))


def _field(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(policy, name="policy")
    app.command()(health)
    app.command()(pause)
    app.command()(resume)
