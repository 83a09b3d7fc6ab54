"""How many bytes of bodies are kept, by the hour they are from.

Measured in batches behind the present, each row once, by range of positions (core.instants); what retention removes is
subtracted in the transaction that removes it. So publishing and recording pay nothing for it, and asking reads a row
for each hour.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from bookbell.core.instants import last_key, position_of
from bookbell.store.database import Tx
from bookbell.store.schema import attempts, events, kept_bytes


def _length_of(column: ColumnElement[Any]) -> ColumnElement[int]:
    return func.coalesce(func.length(column), literal_column("0"))


EVENT_BYTES = _length_of(events.c.body_account) + _length_of(events.c.body_org)
ATTEMPT_BYTES = _length_of(attempts.c.response_head) + _length_of(attempts.c.response_body)
EVENT_HOUR = (events.c.created_at - events.c.created_at % literal_column("3600000")).label("hour")
ATTEMPT_HOUR = (attempts.c.started_at - attempts.c.started_at % literal_column("3600000")).label("hour")


_KEYS = {"events": events.c.id, "attempts": attempts.c.pk}


def between(kind: str) -> ColumnElement[bool]:
    """That a row of this kind lies in the range whose ends `ends` gives."""
    key = _KEYS[kind]
    return and_(key > bindparam("after", type_=key.type), key <= bindparam("until", type_=key.type))


def ends(kind: str, after: str, until: str) -> dict[str, Any]:
    """The values of a range between two positions for a statement with `between`."""
    if kind == "attempts":
        return {"after": last_key(after), "until": last_key(until)}
    return {"after": after, "until": until}


def _measured(kind: str, hour: ColumnElement[int], size: ColumnElement[int]) -> Select[Any]:
    rows = select(hour, size.label("bytes")).where(between(kind), size > 0).subquery()
    return select(rows.c.hour, func.sum(rows.c.bytes).label("bytes")).group_by(rows.c.hour)


def _end(kind: str) -> Select[Any]:
    key = _KEYS[kind]
    return select(key).where(between(kind)).order_by(key).limit(1).offset(bindparam("skipped"))


_ENDS = {kind: _end(kind) for kind in _KEYS}
_MEASURED = {
    "events": _measured("events", EVENT_HOUR, EVENT_BYTES),
    "attempts": _measured("attempts", ATTEMPT_HOUR, ATTEMPT_BYTES),
}


def range_end(tx: Tx, kind: str, *, after: str, until: str, count: int) -> str:
    """Where a range of that many events or attempts (kind) ends behind `after`; `until` if there are fewer."""
    found = tx.execute(_ENDS[kind], {**ends(kind, after, until), "skipped": count - 1}).scalar()
    if found is None:
        return until
    return position_of(found) if kind == "attempts" else str(found)


def measure(tx: Tx, kind: str, *, after: str, until: str, count: int) -> tuple[str, dict[int, int]]:
    """Bytes by hour of so many events or attempts (kind) behind one position and up to another.

    Gives the last position that was measured, or `until` when all were; and the bytes.
    """
    last = range_end(tx, kind, after=after, until=until, count=count)
    rows = tx.execute(_MEASURED[kind], ends(kind, after, last))
    return last, {int(row.hour): int(row.bytes) for row in rows}


_ADD = (
    update(kept_bytes)
    .where(kept_bytes.c.hour_at == bindparam("hour"))
    .values(byte_count=kept_bytes.c.byte_count + bindparam("more"))
)


def add(tx: Tx, more: Mapping[int, int]) -> None:
    """Count these bytes too, by hour; removed ones are negative. An hour of which nothing is left is forgotten."""
    for hour, count in sorted(more.items()):
        if count and tx.execute(_ADD, {"hour": hour, "more": count}).rowcount == 0:
            tx.execute(insert(kept_bytes).values(hour_at=hour, byte_count=count))
    if any(count < 0 for count in more.values()):
        emptied = [hour for hour, count in more.items() if count < 0]
        tx.execute(delete(kept_bytes).where(kept_bytes.c.hour_at.in_(emptied), kept_bytes.c.byte_count <= 0))


def subtract(tx: Tx, sizes: Iterable[tuple[int, int]]) -> int:
    """These bodies, each with its hour and bytes, are gone. Gives their bytes."""
    less: dict[int, int] = {}
    for hour, size in sizes:
        less[hour] = less.get(hour, 0) - size
    add(tx, less)
    return -sum(less.values())


def by_hour(tx: Tx) -> dict[int, int]:
    """Bytes of bodies that are kept, by the start of the hour."""
    return {row.hour_at: row.byte_count for row in tx.execute(select(kept_bytes))}
