"""Commands for how an account's webhook is delivered to, how it is doing, and stopping and starting it."""

import json
from typing import Any

import typer

from bookbell.cli.deliveries import ACCOUNT_OPTION, owner_of
from bookbell.cli.printing import JSON_OPTION, explained, show

policy = typer.Typer(help="How deliveries to an account's webhook are attempted.", no_args_is_help=True)


@policy.command("show")
def show_policy(account: str = ACCOUNT_OPTION, as_json: bool = JSON_OPTION) -> None:
    """Show the policy, and when the attempts of an event of now would start if each failed."""
    with explained():
        from bookbell.actions import webhooks
        from bookbell.cli.running import opened
        from bookbell.core.policy import policy_from

        with opened() as parts:
            endpoint = parts.database.read_now(webhooks.demand, owner_of(parts, account))
            _show(policy_from(json.loads(endpoint.policy)), parts.ambient.now_ms(), as_json=as_json)


@policy.command("set")
def set_policy(
    fields: list[str] = typer.Argument(help="Fields as name=value, e.g. preset=ocrolus order=book rate_per_s=5."),
    account: str = ACCOUNT_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """Replace the policy: a preset and the fields that differ from it; a value is JSON or a word."""
    with explained():
        from bookbell.actions import webhooks
        from bookbell.cli.running import opened

        wanted = dict(_field(each) for each in fields)
        with opened() as parts:
            stamp = parts.stamp()
            changed = parts.database.write_now(webhooks.set_policy, owner_of(parts, account), wanted, stamp).value
            _show(changed, stamp.at, as_json=as_json)


def health(account: str = ACCOUNT_OPTION, as_json: bool = JSON_OPTION) -> None:
    """Say how an account's webhook is doing."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.actions.signing import of_account
        from bookbell.cli.running import opened

        with opened() as parts:
            which = of_account(owner_of(parts, account))
            told = parts.database.read_now(acting.examine, which, now=parts.ambient.now_ms())
        shown = {"state": told.health.state.value, "sentence": told.health.sentence}
        show(shown, as_json=as_json, rows=list(shown.items()))


def pause(account: str = ACCOUNT_OPTION) -> None:
    """Send nothing to an account's webhook until it is resumed; what comes is kept."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.actions.signing import of_account
        from bookbell.cli.running import opened

        with opened() as parts:
            parts.database.write_now(acting.pause, of_account(owner_of(parts, account)), parts.stamp())
        typer.echo("Paused. What comes is kept.")


def resume(
    account: str = ACCOUNT_OPTION,
    drain: bool = typer.Option(True, help="Whether what was held is sent, or else skipped."),
) -> None:
    """Send to an account's webhook again: ends a pause, enables it, closes its circuit."""
    with explained():
        from bookbell.actions import health as acting
        from bookbell.actions.signing import of_account
        from bookbell.cli.running import opened

        with opened() as parts:
            which = of_account(owner_of(parts, account))
            parts.database.write_now(acting.resume, which, is_draining=drain, stamp=parts.stamp())
        typer.echo("Resumed." if drain else "Resumed; what was held is skipped.")


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
