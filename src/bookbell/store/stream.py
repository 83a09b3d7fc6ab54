"""Events in the order of their commits, so that a reader who goes on after the last one he saw misses none.

An id is made before its transaction commits, so an event with a smaller id may appear after one with a larger. Each
event therefore has a `position`, and a reader gets only what no later commit can come before:

- PostgreSQL: the number of the transaction that made it. Below the oldest transaction still running everything is
  committed and visible, or never will be; a reader's statement stops there. Whoever keeps a writing transaction open
  for long therefore holds readers back, but makes them miss nothing.
- SQLite: one more than the last, for writers are serial; not below the event's instant, for the last may be pruned.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, cast, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from bookbell.core import limits
from bookbell.core.instants import id_floor
from bookbell.core.model import AccountId, Level, OrganizationId
from bookbell.store.bulk import Row, insert_rows
from bookbell.store.database import Tx
from bookbell.store.schema import events

POSITION_MAX = 2**62
SLACK_MS = 3_600_000
"""An event's transaction begins within that time of its instant; only where a stretch since an instant begins
depends on it."""

_ORDER = (events.c.position, events.c.id)
_AFTER_LAST = "coalesce((SELECT position + 1 FROM events ORDER BY rowid DESC LIMIT 1), 0)"
_NEWEST_COUNT = 10_000
"""Events looked at to find out whether there is anything to settle: whatever was restored is among the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Whose events: those of an account's books, or (account_id None) of the organization. level: whose bodies."""

    organization_id: OrganizationId
    account_id: AccountId | None
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a stream; None does not restrict. after: an event's id; below: a position; since_at: inclusive.

    place: position and id of an event that may be gone, where `after` needs one that is there.
    """

    after: str | None = None
    place: tuple[int, str] | None = None
    since_at: int | None = None
    below: int | None = None
    event_types: Collection[str] | None = None
    book_pk: int | None = None
    count: int


def insert_placed(tx: Tx, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Add these events, in order, at the place of this transaction. columns: those given, with `created_at`."""
    insert_rows(tx, events, columns, rows, on_sqlite=("position", f"max({{created_at}}, {_AFTER_LAST})"))


def settled_below(tx: Tx) -> int:
    """The position below which no event will appear any more."""
    return int(tx.execute(select(_settled_below(tx))).scalar_one())


def next_position(tx: Tx) -> int:
    """A position above those of all events that are committed or being written now."""
    if tx.dialect.name == "sqlite":
        return _after_last(tx)
    return int(tx.execute(select(_number(func.pg_snapshot_xmax(func.pg_current_snapshot())))).scalar_one())


def settle_restored(tx: Tx) -> int:
    """Put events that were restored from another database cluster before all new ones. Gives how many.

    Their positions are numbers of that cluster's transactions, which may not have come up in this one yet.
    """
    if tx.dialect.name == "sqlite":
        return 0
    following = next_position(tx)
    newest = select(events.c.position).order_by(events.c.id.desc()).limit(_NEWEST_COUNT).cte()
    if tx.execute(select(newest.c.position).where(newest.c.position >= following).limit(1)).first() is None:
        return 0
    return tx.execute(update(events).where(events.c.position >= following).values(position=0)).rowcount


def _after_last(tx: Tx) -> int:
    return int(tx.exec_driver_sql(f"SELECT {_AFTER_LAST}").scalar_one())


def is_known(tx: Tx, stream: Stream, event_id: str) -> bool:
    """Whether this is an event of the stream, though its body may not be kept any more."""
    query = select(events.c.id).where(events.c.id == event_id, events.c.organization_id == stream.organization_id)
    if stream.account_id is not None:
        query = query.where(events.c.account_id == stream.account_id)
    return tx.execute(query).first() is not None


def chosen(tx: Tx, stream: Stream, stretch: Stretch, *columns: Any) -> Select[Any]:
    """A query for these columns of the events of a stretch, in order, and of none that another can still precede."""
    query = select(*columns).where(*_placed(tx, stream, stretch), *_wanted(stream, stretch))
    return query.order_by(*_ORDER).limit(stretch.count)


def looked_through(tx: Tx, stream: Stream, stretch: Stretch, *columns: Any) -> Select[Any]:
    """The same as far as EVENTS_LOOKED_AT_MAX events reach, wanted or not: what is rare is not looked for without end.

    With `is_wanted` behind the columns, which include those of the order. When there may be more behind, the last one
    looked at is among the rows even if it is not wanted.
    """
    placed = _placed(tx, stream, stretch)
    is_wanted = and_(*_wanted(stream, stretch)).label("is_wanted")
    looked = select(*columns, is_wanted).where(*placed).order_by(*_ORDER).limit(limits.EVENTS_LOOKED_AT_MAX).subquery()
    last = (
        select(events.c.id)
        .where(*placed)
        .order_by(*_ORDER)
        .limit(1)
        .offset(limits.EVENTS_LOOKED_AT_MAX - 1)
        .scalar_subquery()
    )
    query = select(looked).where(or_(looked.c.is_wanted, looked.c.id == last))
    return query.order_by(looked.c.position, looked.c.id).limit(stretch.count)


def _placed(tx: Tx, stream: Stream, stretch: Stretch) -> list[ColumnElement[bool]]:
    """What an index finds: whose they are, and between which places."""
    place = tuple_(*_ORDER)
    found: list[ColumnElement[bool]] = [
        *are_of(stream.organization_id, stream.account_id, stretch.book_pk),
        events.c.position < _settled_below(tx),
    ]
    if stretch.after is not None:
        after = select(events.c.position).where(events.c.id == stretch.after).scalar_subquery()
        found.append(place > tuple_(after, literal(stretch.after)))
    if stretch.place is not None:
        found.append(place > tuple_(*map(literal, stretch.place)))
    if stretch.since_at is not None:
        found.append(events.c.position >= _start(stretch))
    if stretch.below is not None:
        found.append(events.c.position < stretch.below)
    return found


def _wanted(stream: Stream, stretch: Stretch) -> list[ColumnElement[bool]]:
    """What is to be looked at for."""
    body = events.c.body_org if stream.level is Level.ORG else events.c.body_account
    found: list[ColumnElement[bool]] = [body.is_not(None)]
    if stretch.since_at is not None:
        found.append(events.c.created_at >= stretch.since_at)
    if stretch.event_types is not None:
        found.append(events.c.type.in_(sorted(stretch.event_types)))
    return found


class _Checked(FunctionElement[Any]):
    """A column by which SQLite is not to look for rows. PostgreSQL judges by what it knows of the table."""

    inherit_cache = True


@compiles(_Checked, "sqlite")
def _checked_on_sqlite(element: _Checked, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(_Checked, "postgresql")
def _checked_on_postgresql(element: _Checked, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


def are_of(
    organization_id: OrganizationId, account_id: AccountId | None, book_pk: int | None = None
) -> list[ColumnElement[bool]]:
    """That events are those of this organization, account and book; None does not restrict.

    They are found by the narrowest that is given: left the choice, SQLite goes through all events of the organization
    for those of one account, or of the account for a book's.
    """
    asked: list[tuple[ColumnElement[Any], Any]] = [
        (events.c.organization_id, organization_id),
        (events.c.account_id, account_id),
        (events.c.book_pk, book_pk),
    ]
    *checked, (narrowest, value) = [(column, value) for column, value in asked if value is not None]
    return [narrowest == value, *(_Checked(column) == wanted for column, wanted in checked)]


def _start(stretch: Stretch) -> ColumnElement[int]:
    """A position not above that of any event since then, whosever it is: ids tell when they were made."""
    assert stretch.since_at is not None
    older = events.alias("older")
    since = older.c.id > id_floor(stretch.since_at - SLACK_MS)
    first = select(older.c.position).where(since).order_by(older.c.id).limit(1).scalar_subquery()
    return func.coalesce(first, POSITION_MAX)


def _settled_below(tx: Tx) -> ColumnElement[int]:
    if tx.dialect.name == "sqlite":
        return literal(POSITION_MAX, BigInteger)
    return _number(func.pg_snapshot_xmin(func.pg_current_snapshot()))


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction, Text), BigInteger)
