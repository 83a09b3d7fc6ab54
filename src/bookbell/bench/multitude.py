"""Fills a SQLite file with millions of events and deliveries, written by the database itself.

What ten million publishers would leave behind, in minutes instead of hours: events in the order of their ids, their
receivers in turn, due instants at random, deliveries where `bookbell.store.places` puts those of a backlog or, if they
have ended, those of a lane that has none. The indexes are taken down for it and made again afterwards, and nothing is
safe from a crash meanwhile.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from bookbell.bench.seeding import BODY, EVENT_TYPE, Hook
from bookbell.core.instants import KEY_BITS
from bookbell.core.model import DeliveryState
from bookbell.store.places import END, STRETCH_BITS

LOOK_UP_STEPS = 1_000_000  # of SQLite's machine; then the interpreter sees whether there was a Ctrl-C
PACE = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF;
PRAGMA cache_size = -262144;
"""
_ID = "printf('%08x-%04x-7{kind}-8000-%012x', at >> 16, at & 65535, i)"
_ROWS = """
WITH RECURSIVE numbered(i, at) AS (
    SELECT 0, :from_at UNION ALL
    SELECT i + 1, :from_at + (i + 1) * :spread / :count FROM numbered WHERE i + 1 < :count
)
"""
_EVENTS = f"""
INSERT INTO events (id, position, organization_id, account_id, type, body_account, matched_count, created_at)
{_ROWS} SELECT {_ID.format(kind="e00")}, at, organization, account, :type, :body, 1, at
FROM numbered JOIN receivers ON receivers.number = i % :receivers
"""  # noqa: S608 - all text is ours
_TURNS = """
WITH RECURSIVE turns(turn) AS (SELECT 0 UNION ALL SELECT turn + 1 FROM turns WHERE turn < (:count - 1) / :receivers),
waiting AS (
    SELECT *, :from_at + i * :spread / :count AS at
    FROM (SELECT *, turn * :receivers + number AS i FROM receivers CROSS JOIN turns) WHERE i < :count
)
"""
_COLUMNS = """
(pk, id, organization_id, endpoint_pk, lane_pk, event_id, state, attempt_count, due_at, created_at, finished_at)
"""
_OF_DELIVERY = f"{_ID.format(kind='d00')}, organization, endpoint, lane, {_ID.format(kind='e00')}, :state"
_PENDING = f"""
INSERT INTO deliveries {_COLUMNS} {_TURNS} SELECT place + turn + 1, {_OF_DELIVERY}, 0,
:from_at + abs(random()) % :spread, at, NULL FROM waiting
"""  # noqa: S608 - all text is ours
_ENDED = f"""
INSERT INTO deliveries {_COLUMNS} {_ROWS} SELECT :last + i + 1, {_OF_DELIVERY}, 1,
:from_at + abs(random()) % :spread, at, at FROM numbered JOIN receivers ON receivers.number = i % :receivers
"""  # noqa: S608 - all text is ours
_ATTEMPTS = f"""
INSERT INTO attempts (pk, organization_id, delivery_pk, number, worker, started_at, is_stale, outcome, status_code,
detail, dns_us, connect_us, tls_us, first_byte_us, total_us, remote_address)
{_ROWS} SELECT (at << {KEY_BITS}) + i % {1 << KEY_BITS}, organization, :last + i + 1, 1, 'bench', at, 0, 'answered',
200, '', 0, 0, 0, 500, 600, '127.0.0.1'
FROM numbered JOIN receivers ON receivers.number = i % :receivers
"""  # noqa: S608 - all text is ours
_LAST = f"SELECT max({END}, coalesce(max(pk), 0)) FROM deliveries"  # noqa: S608 - a number of ours
_PLACES = f"""
UPDATE receivers SET place = coalesce(
    (SELECT max(pk) FROM deliveries WHERE pk >= lane << {STRETCH_BITS} AND pk < lane + 1 << {STRETCH_BITS}),
    lane << {STRETCH_BITS})
"""  # noqa: S608 - numbers of ours
_WAKE = """
UPDATE lanes SET due_at = coalesce(
    (SELECT min(due_at) FROM deliveries WHERE lane_pk = lanes.pk AND state = 'pending'), lanes.due_at)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multitude:
    """count deliveries, made evenly from from_at for spread_ms. Those that are not pending have had one attempt."""

    count: int
    from_at: int
    spread_ms: int
    state: DeliveryState = DeliveryState.PENDING


def fill(path: Path, hooks: Sequence[Hook], wanted: Multitude) -> None:
    """Add that many deliveries to a file that no other process has open, with their events."""
    has_ended = wanted.state is not DeliveryState.PENDING
    values = {
        "count": wanted.count,
        "from_at": wanted.from_at,
        "spread": wanted.spread_ms,
        "state": wanted.state.value,
        "receivers": len(hooks),
        "type": EVENT_TYPE,
        "body": BODY,
    }
    with closing(apsw.Connection(str(path))) as connection:
        connection.set_progress_handler(lambda: False, LOOK_UP_STEPS)
        connection.execute(PACE).fetchall()
        _name_receivers(connection, hooks)
        values["last"] = connection.execute(_LAST).get
        with _without_indexes(connection):
            for statement in (_EVENTS, *((_ENDED, _ATTEMPTS) if has_ended else (_PENDING,))):
                connection.execute(statement, values)
        connection.execute(_WAKE)
    with path.open("rb") as file:  # what is not on the disk yet would be written while something is measured
        os.fsync(file.fileno())


def _name_receivers(connection: apsw.Connection, hooks: Sequence[Hook]) -> None:
    connection.execute(
        "CREATE TEMP TABLE receivers (number INTEGER PRIMARY KEY, organization, account, endpoint, lane, place)"
    )
    rows = (
        (number, hook.account.organization_id, hook.account.id, hook.endpoint_pk, hook.lane_pk)
        for number, hook in enumerate(hooks)
    )
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO receivers VALUES (?, ?, ?, ?, ?, NULL)", rows)
    connection.execute(_PLACES)
    connection.execute("COMMIT")


@contextmanager
def _without_indexes(connection: apsw.Connection) -> Iterator[None]:
    """Made again from sorted rows they cost a tenth of what adding to them in random order does."""
    tables = "('events', 'deliveries', 'attempts')"
    found = connection.execute(
        f"SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN {tables}"  # noqa: S608 - ours
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, sql in found:
        connection.execute(str(sql))
