"""What retention would remove, counted in bounded ranges; nothing is written or locked."""

from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, not_, select

from bookbell.store import kept
from bookbell.store.database import Tx
from bookbell.store.retention import IS_ANY_PENDING, Removed
from bookbell.store.schema import attempts, deliveries, events


def _of_event(value: ColumnElement[Any]) -> Any:
    its = select(value).select_from(deliveries).where(deliveries.c.event_id == events.c.id)
    return its.correlate(events).scalar_subquery()


_ATTEMPTS = (
    select(func.count())
    .select_from(attempts.join(deliveries, deliveries.c.pk == attempts.c.delivery_pk))
    .where(deliveries.c.event_id == events.c.id)
    .correlate(events)
    .scalar_subquery()
)
_IS_SETTLED = not_(_of_event(func.coalesce(IS_ANY_PENDING, false())))
_EVENTS = (
    select(
        kept.EVENT_BYTES.label("bytes"),
        _of_event(func.count()).label("deliveries"),
        _ATTEMPTS.label("attempts"),
    )
    .where(kept.between("events"), _IS_SETTLED)
    .subquery()
)
_WHOLE = select(
    func.count(),
    func.coalesce(func.sum(_EVENTS.c.deliveries), 0),
    func.coalesce(func.sum(_EVENTS.c.attempts), 0),
    func.coalesce(func.sum(_EVENTS.c.bytes), 0),
)


def whole_events(tx: Tx, *, after: str, until: str) -> Removed:
    """How much would go with the events of this range, if all of them balance."""
    row = tx.execute(_WHOLE, {"after": after, "until": until}).one()
    return Removed(events=row[0], deliveries=int(row[1]), attempts=int(row[2]), byte_count=int(row[3]))


def _bodies(kind: str, size: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    rows = select(size.label("bytes")).where(kept.between(kind), size > 0, *conditions).subquery()
    return select(func.count(), func.coalesce(func.sum(rows.c.bytes), 0)).select_from(rows)


_BODIES = {
    "events": _bodies("events", kept.EVENT_BYTES, _IS_SETTLED),
    "attempts": _bodies("attempts", kept.ATTEMPT_BYTES),
}


def bodies(tx: Tx, kind: str, *, after: str, until: str) -> tuple[int, int]:
    """How many events or attempts (kind) of this range would be emptied, and of how many bytes."""
    row = tx.execute(_BODIES[kind], kept.ends(kind, after, until)).one()
    return int(row[0]), int(row[1])
