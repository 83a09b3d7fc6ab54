"""Commands for replays: send again what failed, was missed or was delivered. A running service does the work."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.deliveries import owner_of
from bookbell.cli.printing import JSON_OPTION, explained, show, show_table
from bookbell.core import limits
from bookbell.core.errors import ValidationFailed
from bookbell.core.instants import instant_from
from bookbell.core.replay import JobState, ReplayJob, Selection

if TYPE_CHECKING:
    from rich.progress import Progress

    from bookbell.actions.replays import Asked, Plan
    from bookbell.core.model import Account, OrganizationId
    from bookbell.service import Opened
    from bookbell.store.history import Scope

replay = typer.Typer(help="Send again what failed, was missed or was delivered.", no_args_is_help=True)
SELECT_ARGUMENT = typer.Argument(help="What to take.")
SINCE_OPTION = typer.Option(None, help="Nothing older: an instant like 2026-05-30T16:00:00Z, or 90m, 36h, 7d ago.")
ONLY_OPTION = typer.Option([], help="event=TYPE, book=PK, until=INSTANT or delivery=ID; can be given several times.")
TO_OPTION = typer.Option(None, "--to", help="Send copies to this staging URL, and leave the webhook alone.")
COLUMNS = ["id", "state", "selection", "endpoint_id", "recovered_count", "replayed_count", "total_count", "created_at"]
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a command acts: an account and perhaps one webhook, or the operator in an organization."""

    account: str | None
    webhook: str | None
    organization: str | None
    rate: int
    secret: str | None


@replay.callback()
def choose(
    context: typer.Context,
    account: str | None = typer.Option(None, help="For this account's webhook (client id or e-mail address)."),
    webhook: str | None = typer.Option(None, help="For this webhook (its uuid); of an account that is a manager."),
    organization: str | None = typer.Option(None, help="For every webhook of this organization (its id)."),
    rate: int = typer.Option(limits.REPLAY_RATE_DEFAULT, help="Made due in a second.", min=1, max=1_000),
    secret: str | None = typer.Option(None, help="Sign what goes to a staging URL with this."),
) -> None:
    """Send again what failed, was missed or was delivered."""
    context.obj = Caller(account, webhook, organization, rate, secret)


@replay.command("plan")
def plan_replay(
    context: typer.Context,
    select: Selection = SELECT_ARGUMENT,
    since: str | None = SINCE_OPTION,
    only: list[str] = ONLY_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """Say what there is to do, and do nothing."""
    caller: Caller = context.obj
    with explained():
        from bookbell.cli.running import opened

        with opened() as parts:
            plans = _plans(parts, caller, _asked(parts, caller, select, since, only))
        columns = ["webhook", "count", "is_exact"]
        shown = [
            {"webhook": each.endpoint.id, "count": each.expected.count, "is_exact": each.expected.is_exact}
            for each in plans
        ]
        show_table(shown, columns, as_json=as_json)


@replay.command("start")
def start_replay(
    context: typer.Context,
    select: Selection = SELECT_ARGUMENT,
    since: str | None = SINCE_OPTION,
    only: list[str] = ONLY_OPTION,
    to: str | None = TO_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """Start a replay; a running service works on it, and `watch` shows how far it is."""
    caller: Caller = context.obj
    with explained():
        from bookbell.actions import replays
        from bookbell.cli.running import opened

        with opened() as parts:
            asked = _asked(parts, caller, select, since, only, to)
            plans = _plans(parts, caller, asked)
            stamp = parts.stamp()
            if caller.organization is None:
                owner = _account(parts, caller)
                jobs = [parts.database.write_now(replays.start, plans[0], owner, parts.vault, stamp)]
            else:
                jobs = parts.database.write_now(replays.start_all, plans, parts.vault, stamp)
        show_table([_row(job) for job in jobs], COLUMNS, as_json=as_json)


@replay.command("list")
def list_replays(
    context: typer.Context,
    limit: int = typer.Option(20, help="How many, newest first.", min=1, max=500),
    as_json: bool = JSON_OPTION,
) -> None:
    """List replays."""
    caller: Caller = context.obj
    with explained():
        from bookbell.cli.running import opened
        from bookbell.store import replays

        with opened() as parts:
            found = parts.database.read_now(replays.list_jobs, _scope(parts, caller), before=None, count=limit)
        show_table([_row(job) for job in found], COLUMNS, as_json=as_json)


@replay.command("show")
def show_replay(context: typer.Context, replay_id: str, as_json: bool = JSON_OPTION) -> None:
    """Show one replay, and what became of what it has sent."""
    caller: Caller = context.obj
    with explained():
        from bookbell.actions import replays
        from bookbell.cli.running import opened

        with opened() as parts:
            job, outcomes = parts.database.read_now(replays.inspect, _scope(parts, caller), replay_id)
        shown = {**_row(job), "detail": job.detail, **{state.value: count for state, count in outcomes.items()}}
        show(shown, as_json=as_json, rows=list(shown.items()))


@replay.command("watch")
def watch_replay(context: typer.Context, replay_id: str, as_json: bool = JSON_OPTION) -> None:
    """Show a replay's progress until it has ended; exit status 1 unless it is done."""
    caller: Caller = context.obj
    with explained():
        from rich.console import Console
        from rich.progress import Progress

        from bookbell.cli.running import opened

        with opened() as parts, Progress(console=Console(stderr=True), disable=as_json) as progress:
            job = _followed(parts, _scope(parts, caller), replay_id, progress)
        show(_row(job), as_json=as_json, rows=list(_row(job).items()))
    raise typer.Exit(0 if job.state is JobState.DONE else 1)


@replay.command("cancel")
def cancel_replay(context: typer.Context, replay_id: str, as_json: bool = JSON_OPTION) -> None:
    """Make nothing more due; what already is stays so, but for what waits for a staging URL."""
    caller: Caller = context.obj
    with explained():
        from bookbell.actions import replays
        from bookbell.cli.running import opened

        with opened() as parts:
            stamp = parts.stamp()
            job = parts.database.write_now(replays.cancel, _scope(parts, caller), replay_id, stamp).value
        show(_row(job), as_json=as_json, rows=list(_row(job).items()))


def _followed(parts: "Opened", scope: "Scope", replay_id: str, progress: "Progress") -> ReplayJob:
    """Show how far the job is, again and again. Gives it once it has ended."""
    from bookbell.actions import replays

    bar = progress.add_task("replay")
    while True:
        job = parts.database.read_now(replays.demand, scope, replay_id)
        done = job.recovered_count + job.replayed_count
        progress.update(bar, total=max(1, job.total_count, done), completed=done, description=job.state.value)
        if job.state is not JobState.RUNNING:
            return job
        threading.Event().wait(LOOK_S)


def _row(job: ReplayJob) -> dict[str, Any]:
    shown = {name: getattr(job, name) for name in COLUMNS if name != "selection"}
    return {**shown, "selection": job.wanted.selection.value, "state": job.state.value}


def _asked(
    parts: "Opened",
    caller: Caller,
    select: Selection,
    since: str | None,
    only: Sequence[str],
    url: str | None = None,
) -> "Asked":
    from bookbell.actions.replays import Asked, Staging
    from bookbell.core.guard import demand_target
    from bookbell.core.model import DeliveryId
    from bookbell.core.replay import Wanted

    now, chosen = parts.ambient.now_ms(), _chosen(only)
    delivery_id, book = chosen.get("delivery", [None])[0], chosen.get("book", [None])[0]
    if since is None and delivery_id is None:
        raise ValidationFailed("Say how far back with --since, or which one with --only delivery=ID.")
    wanted = Wanted(
        selection=select if delivery_id is None else Selection.ALL,
        since_at=0 if since is None else _instant(since, now),
        until_at=min(now, _instant(chosen["until"][0], now)) if "until" in chosen else now,
        delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
        event_types=frozenset(chosen["event"]) if "event" in chosen else None,
        book_pk=None if book is None else _number(book),
    )
    if url is None:
        return Asked(wanted=wanted, rate_per_s=caller.rate)
    staging = Staging(url=url, masked=demand_target(url, parts.guard).masked(), secret=caller.secret)
    return Asked(wanted=wanted, rate_per_s=caller.rate, staging=staging)


def _chosen(only: Sequence[str]) -> dict[str, list[str]]:
    chosen: dict[str, list[str]] = {}
    for each in only:
        name, _, value = each.partition("=")
        if name not in {"event", "book", "until", "delivery"} or not value:
            raise ValidationFailed(f"--only is event=TYPE, book=PK, until=INSTANT or delivery=ID, not {each}.")
        chosen.setdefault(name, []).append(value)
    return chosen


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        raise ValidationFailed(f"A book is named by its number, not {text}.")
    return int(text)


def _instant(text: str, now: int) -> int:
    instant = instant_from(text, now)
    if instant is None:
        raise ValidationFailed(f"{text} is no instant; write 2026-05-30T16:00:00Z, or 90m, 36h, 7d.")
    return instant


def _plans(parts: "Opened", caller: Caller, asked: "Asked") -> "list[Plan]":
    from bookbell.actions import replays

    if caller.organization is not None:
        if asked.staging is not None and caller.webhook is None:
            raise ValidationFailed("Say with --webhook of which webhook the staging URL gets copies.")
        organization_id = _organization(parts, caller.organization)
        return parts.database.read_now(replays.plan_all, organization_id, asked, caller.webhook)
    return [parts.database.read_now(replays.plan_own, _account(parts, caller), asked, caller.webhook)]


def _scope(parts: "Opened", caller: Caller) -> "Scope":
    from bookbell.actions.replays import scope_of
    from bookbell.store.history import Scope

    if caller.organization is not None:
        organization_id = _organization(parts, caller.organization)
        return Scope(organization_id=organization_id, account_id=None, is_whole=True)
    return scope_of(_account(parts, caller))


def _organization(parts: "Opened", organization_id: str) -> "OrganizationId":
    from bookbell.actions.accounts import demand_organization

    return parts.database.read_now(demand_organization, organization_id).id


def _account(parts: "Opened", caller: Caller) -> "Account":
    if caller.account is None:
        raise ValidationFailed("Say for whom: bookbell replay --account LOGIN … or --organization ID …")
    return owner_of(parts, caller.account)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(replay, name="replay")
