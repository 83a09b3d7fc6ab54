"""The ledger of each organization, recomputed from the rows."""

from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, select

from bookbell.core.ledger import Ledger
from bookbell.core.model import DeliveryState
from bookbell.store.database import Tx
from bookbell.store.schema import attempts, deliveries, events

_UNSENT = [DeliveryState.EXHAUSTED.value, DeliveryState.CANCELLED.value]


def ledgers(tx: Tx, *, since: int, until: int, organization_id: str | None = None) -> list[Ledger]:
    """One ledger for each organization with events in this range of creation, in order of id."""
    events_chosen = [events.c.created_at >= since, events.c.created_at < until]
    if organization_id is not None:
        events_chosen.append(events.c.organization_id == organization_id)
    matched = (
        select(
            events.c.organization_id,
            func.sum(events.c.matched_count).label("matched"),
            func.sum(events.c.replayed_count).label("replayed"),
        )
        .where(*events_chosen)
        .group_by(events.c.organization_id)
    )
    counts = {row.organization_id: row for row in tx.execute(_counted(events_chosen))}
    found = []
    for row in tx.execute(matched.order_by(events.c.organization_id)):
        counted = counts.get(row.organization_id)
        columns = {} if counted is None else dict(counted._mapping)
        columns.pop("organization_id", None)
        found.append(
            Ledger(
                organization_id=row.organization_id, matched=int(row.matched), replayed=int(row.replayed), **columns
            )
        )
    return found


def _counted(chosen: list[ColumnElement[bool]]) -> Any:
    def count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    answered = exists().where(attempts.c.delivery_id == deliveries.c.id, attempts.c.outcome == "answered")
    is_delivered = deliveries.c.state == DeliveryState.DELIVERED.value
    return (
        select(
            deliveries.c.organization_id,
            *(count_of(deliveries.c.state == state.value).label(state.value) for state in DeliveryState),
            count_of(deliveries.c.state.in_(_UNSENT) & deliveries.c.reason.is_(None)).label("unexplained"),
            count_of(is_delivered & ~answered).label("unproven"),
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .where(*chosen)
        .group_by(deliveries.c.organization_id)
    )
