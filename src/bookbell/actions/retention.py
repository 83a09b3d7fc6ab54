"""The steps of retention, each one bounded transaction that demands the lease: measuring, emptying, removing.

A step that dies with its process has done nothing. Only what has ended and balances is removed whole, and its totals
are written in the same transaction, so the ledger balances before and after.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookbell.core import limits
from bookbell.core.instants import day_of, id_floor
from bookbell.core.ledger import Finding, Ledger, gathered
from bookbell.core.retention import fitting
from bookbell.store import chores, forgetting, kept, ledger, retention
from bookbell.store.database import Tx
from bookbell.store.retention import OldDelivery, OldEvent, Removed

CHORE = "retention"
NOTHING = Removed()
KINDS = ("events", "attempts")


def measured(kind: str) -> str:
    """Where it is kept how far events or attempts (kind) have been measured."""
    return f"measured-{kind}"


def emptied(kind: str) -> str:
    """Where it is kept how far the bodies of events or attempts (kind) have been removed."""
    return f"emptied-{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Who does this, and until when the lease is renewed."""

    owner: str
    lease_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step did. is_last: nothing is left to do; after: where the next goes on, for walks that keep it."""

    is_last: bool
    removed: Removed = NOTHING
    emptied: int = 0
    byte_count: int = 0
    after: str = ""
    findings: tuple[Finding, ...] = ()


def measure(tx: Tx, hold: Hold, kind: str, *, before: int, count: int) -> Step:
    """Count the bytes of so many events or attempts (kind) that were made before that instant."""
    _renew(tx, hold)
    after, until = chores.position(tx, measured(kind)), id_floor(before)
    if after >= until:
        return Step(is_last=True)
    last, found = kept.measure(tx, kind, after=after, until=until, count=count)
    kept.add(tx, found)
    chores.move(tx, measured(kind), last)
    return Step(is_last=last == until)


def empty(tx: Tx, hold: Hold, kind: str, *, before: int, count: int) -> Step:
    """Remove the bodies of so many events or attempts (kind) that were made before that instant and are measured.

    An event of which a delivery is pending keeps its bodies, until it is removed whole.
    """
    _renew(tx, hold)
    after = chores.position(tx, emptied(kind))
    until = min(id_floor(before), chores.position(tx, measured(kind)))
    if after >= until:
        return Step(is_last=True)
    take = _empty_events if kind == "events" else retention.empty_attempts
    last, row_count, byte_count = take(tx, after=after, until=until, count=count)
    chores.move(tx, emptied(kind), last or until)
    return Step(is_last=last is None, emptied=row_count, byte_count=byte_count)


def _empty_events(tx: Tx, *, after: str, until: str, count: int) -> tuple[str | None, int, int]:
    old = retention.old_events(tx, after=after, until=until, count=count)
    spared = retention.waiting(tx, [event.id for event in old])
    gone = [event for event in old if event.byte_count and event.id not in spared]
    return (old[-1].id if len(old) == count else None), len(gone), retention.empty_events(tx, gone)


def remove(tx: Tx, hold: Hold, *, after: str, before: int, count: int) -> Step:
    """Remove so many events behind `after` that were made before that instant, with deliveries and attempts.

    Left alone is what is pending and what does not balance; that is given as findings.
    """
    _renew(tx, hold)
    until = min(id_floor(before), *(chores.position(tx, measured(kind)) for kind in KINDS))
    old = retention.old_events(tx, after=after, until=until, count=count)
    if not old:
        return Step(is_last=True)
    taken = old[: fitting([event.matched_count for event in old], limits.PRUNE_BATCH_DELIVERIES_MAX)]
    spared = retention.waiting(tx, [event.id for event in taken])
    findings = ledger.findings(tx, after=after, until=taken[-1].id)
    spared |= {finding.event_id for finding in findings}
    removed = _remove(tx, [event for event in taken if event.id not in spared])
    return Step(
        is_last=len(old) < count and len(taken) == len(old),
        removed=removed,
        byte_count=removed.byte_count,
        after=taken[-1].id,
        findings=tuple(findings),
    )


def _remove(tx: Tx, gone: Sequence[OldEvent]) -> Removed:
    if not gone:
        return Removed()
    their = retention.deliveries_of(tx, [event.id for event in gone])
    days = {event.id: day_of(event.created_at) for event in gone}
    by_day: dict[int, list[OldDelivery]] = defaultdict(list)
    for each in their:
        by_day[days[each.event_id]].append(each)
    for day, ended in sorted(by_day.items()):
        ledger.add_totals(tx, day, gathered(map(_counted, ended)))
    return retention.remove(tx, gone, their)


def _counted(each: OldDelivery) -> Ledger:
    counts: dict[str, Any] = {"matched": 1, "replayed": int(each.is_replay), each.state.value: 1}
    return Ledger(organization_id=each.organization_id, endpoint_id=each.endpoint_id, **counts)


def remove_books(tx: Tx, hold: Hold, *, before: int) -> int:
    """Remove a few books that were deleted before that instant. Gives how many."""
    _renew(tx, hold)
    return retention.remove_books(tx, before=before)


def forget(tx: Tx, hold: Hold, kind: str, *, before: int, count: int) -> int:
    """Forget at most count rows of a kind of core.retention.forgotten_before. Gives how many."""
    _renew(tx, hold)
    return forgetting.forget(tx, kind, before=before, count=count)


def _renew(tx: Tx, hold: Hold) -> None:
    chores.hold(tx, CHORE, owner=hold.owner, lease_until=hold.lease_until)
