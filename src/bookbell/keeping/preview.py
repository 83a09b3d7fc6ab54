"""What retention would remove now, counted in bounded steps without writing anything."""

from collections.abc import Iterator

from bookbell.actions.retention import KINDS, emptied
from bookbell.core.instants import id_floor
from bookbell.core.retention import Keeping, bodies_before, forgotten_before, history_before
from bookbell.keeping.pruner import Pruned
from bookbell.store import chores, forgetting, kept, retention, retention_preview
from bookbell.store.database import Database, Tx

COUNTED_AT_ONCE = 2_000


def preview(database: Database, keeping: Keeping, now: int) -> Pruned:
    """Rows by kind and bytes that would go, if all that has ended also balances.

    For a bound on bytes only those count that the service has measured by now.
    """
    whole, found = id_floor(history_before(keeping, now)), Pruned()
    sizes = database.read_now(kept.by_hour)
    bodies = id_floor(bodies_before(keeping, now, sizes))
    for after, until in _ranges(database, "events", "", whole):
        each = database.read_now(retention_preview.whole_events, after=after, until=until)
        for kind in ("events", "deliveries", "attempts"):
            found.rows[kind] = found.rows.get(kind, 0) + getattr(each, kind)
        found.byte_count += each.byte_count
    for kind in KINDS:
        name = f"{kind.removesuffix('s')}_bodies"
        begin = max(whole, database.read_now(_position, emptied(kind)))
        for after, until in _ranges(database, kind, begin, bodies):
            count, byte_count = database.read_now(retention_preview.bodies, kind, after=after, until=until)
            found.rows[name] = found.rows.get(name, 0) + count
            found.byte_count += byte_count
    found.rows["books"] = database.read_now(retention.count_books, before=history_before(keeping, now))
    for kind, before in forgotten_before(keeping, now).items():
        found.rows[kind] = database.read_now(forgetting.count_old, kind, before=before)
    return found


def _position(tx: Tx, name: str) -> str:
    return chores.peek(tx, name) or ""


def _ranges(database: Database, kind: str, after: str, until: str) -> Iterator[tuple[str, str]]:
    """The ids from one to another in pieces of a bounded number of rows."""
    while after < until:
        end = database.read_now(kept.range_end, kind, after=after, until=until, count=COUNTED_AT_ONCE)
        yield after, end
        after = end
