"""The audit in the background: every event once, some minutes after it was made; and every problem it finds is told.

Retention audits each event a second time, before it is removed.
"""

from collections.abc import Iterable

from bookbell import telemetry
from bookbell.actions import ledger
from bookbell.actions.ledger import Range
from bookbell.core import limits
from bookbell.core.instants import DAY_MS, id_floor, made_at
from bookbell.core.ledger import Finding
from bookbell.keeping.batches import Chores, taken, walk


async def audit(parts: Chores) -> int | None:
    """Audit what has become old enough. Gives how many problems were found, None if another worker does this now.

    The first audit of an installation begins a day back.
    """
    async with taken(parts, ledger.CHORE) as is_ours:
        found = await _audit(parts) if is_ours else None
    until = await parts.database.read(ledger.audited_until)
    telemetry.LEDGER_AUDITED_UNTIL.set(made_at(until) / 1000)
    return found


async def _audit(parts: Chores) -> int:
    now, found = parts.ambient.now_ms(), 0
    wanted = Range(since=0, before=now - limits.CHORE_LAG_MS)
    after = await parts.database.read(ledger.audited_until) or id_floor(now - DAY_MS)

    async def step(_count: int) -> bool:
        nonlocal after, found
        part = await parts.database.snapshot(ledger.audit_slice, wanted, after=after)
        tell(part.findings)
        found += len(part.findings)
        after = max(after, part.after)
        await parts.database.write(ledger.move_audit, after, owner=parts.owner, lease_until=parts.lease_until())
        return part.is_last

    await walk(parts, step)
    return found


def tell(findings: Iterable[Finding]) -> None:
    """Count these problems and log them, as many as limits.AUDIT_FINDINGS_MAX at a time."""
    for index, each in enumerate(findings):
        telemetry.LEDGER_PROBLEMS.labels(each.problem.value).inc()
        if index < limits.AUDIT_FINDINGS_MAX:
            telemetry.log().error(
                "ledger_problem",
                problem=each.problem.value,
                organization=each.organization_id,
                event_id=each.event_id,
                request_id=each.delivery_id,
                detail=each.detail,
            )
