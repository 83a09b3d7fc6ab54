"""Commands about what is kept: audit (does the ledger balance?) and prune (remove what need not be kept)."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table
from bookbell.core.errors import ValidationFailed
from bookbell.core.instants import id_floor, instant_from, made_at
from bookbell.core.ledger import COUNTS, Ledger, Ledgers, gathered

if TYPE_CHECKING:
    from bookbell.actions.ledger import Range
    from bookbell.store.database import Database

Progress = Callable[[float, str], None]
"""Told how much is done, from 0 to 1, and what has been found."""


def audit(
    since: str = typer.Option("24h", help="From when on events are counted: an instant (ISO 8601) or e.g. 24h, 7d."),
    until: str | None = typer.Option(None, help="Up to when, likewise; now if not given."),
    organization: str | None = typer.Option(None, help="Only this organization's id."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Recompute the ledger from the rows, and name each row that does not balance; exit 1 if there is one."""
    with explained():
        from bookbell.actions.accounts import demand_organization
        from bookbell.actions.ledger import Range
        from bookbell.cli.running import opened

        with opened() as parts:
            if organization is not None:
                parts.database.read_now(demand_organization, organization)
            now = parts.ambient.now_ms()
            wanted = Range(
                since=_instant("--since", since, now),
                before=now + 1 if until is None else _instant("--until", until, now),
                organization_id=organization,
            )
            with _progress("Auditing") as tell:
                found = _audited(parts.database, wanted, tell)
    _show_audit(found, as_json=as_json)
    raise typer.Exit(0 if all(each.is_balanced for each in found.values()) else 1)


def _instant(option: str, text: str, now: int) -> int:
    found = instant_from(text, now)
    if found is None:
        raise ValidationFailed(f"{option}: an instant like 2026-05-30T16:00:00Z or a duration like 24h is expected")
    return found


def _audited(database: "Database", wanted: "Range", tell: Progress) -> Ledgers:
    """All slices together; memory for as many ledgers as there are endpoints, and a bounded number of findings."""
    from bookbell.actions.ledger import audit_slice
    from bookbell.store.retention import oldest_event

    oldest = made_at(database.read_now(oldest_event) or id_floor(wanted.before))
    start, after, problem_count = max(wanted.since, oldest), "", 0
    found: Ledgers = {}
    while True:
        part = database.snapshot_now(audit_slice, wanted, after=after)
        found, after = gathered(part.ledgers, found), part.after
        problem_count += len(part.findings)
        done = (made_at(after) - start) / max(1, wanted.before - start)
        tell(min(1.0, max(0.0, done)), f"{problem_count} problems")
        if part.is_last:
            return found


def _show_audit(found: Ledgers, *, as_json: bool) -> None:
    shown = [_shown(found, each) for (_, endpoint_id), each in sorted(found.items()) if not endpoint_id]
    if as_json:
        show_table(shown, [], as_json=True)
        return
    columns = ["organization_id", "endpoint_id", *COUNTS]
    show_table([row for each in shown for row in (each, *each["endpoints"])], columns, as_json=False)
    for each in shown:
        for problem in each["problems"]:
            typer.echo(problem)


def _shown(found: Ledgers, own: Ledger) -> dict[str, Any]:
    owner = own.organization_id
    its = [each for key, each in sorted(found.items()) if key[0] == owner and each.endpoint_id]
    return {
        "organization_id": owner,
        **_counts(own),
        "problems": list(own.problems()),
        "endpoints": [{"endpoint_id": each.endpoint_id, **_counts(each)} for each in its],
        "findings": [asdict(each) for each in own.findings],
    }


def _counts(ledger: Ledger) -> dict[str, int]:
    return {name: getattr(ledger, name) for name in COUNTS}


def prune(
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count what would go."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Remove what the BOOKBELL_KEEP_ settings do not want kept; the service does so by itself."""
    with explained():
        import asyncio

        from bookbell import telemetry
        from bookbell.cli.running import opened
        from bookbell.config import StartError
        from bookbell.keeping import preview, pruner

        with opened() as parts, _progress("Counting" if dry_run else "Pruning") as tell:
            telemetry.set_up_logging(parts.settings.log_format, is_quiet=True)
            keeping = parts.settings.keeping
            if dry_run:
                done: pruner.Pruned | None = preview.preview(parts.database, keeping, parts.ambient.now_ms())
            else:
                done = asyncio.run(
                    pruner.prune(parts.chores, keeping, lambda run: tell(0.0, f"{sum(run.rows.values())} rows"))
                )
        if done is None:
            raise StartError("Another process is pruning now. If it has died, its lease ends within a minute.")
    shown = {**done.rows, "bytes": done.byte_count}
    show(shown, as_json=as_json, rows=[(name.replace("_", " "), count) for name, count in shown.items()])


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _found: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[found]}"), TimeElapsedColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0, found="")
        yield lambda done, found: bar.update(task, completed=done, found=found)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(audit)
    app.command()(prune)
