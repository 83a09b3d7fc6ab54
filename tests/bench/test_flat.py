"""What one account's event and lists cost does not depend on how many other accounts its organization has.

Counted where the database does it: steps of SQLite's machine, rows that PostgreSQL fetches.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import apsw

from bookbell.actions import history, org_webhooks, reports
from bookbell.actions.history import Reading
from bookbell.actions.reports import DocumentReport
from bookbell.bench.seeding import Seeder
from bookbell.core.model import Account, Book, DeliveryState, DocumentStatus, Role
from bookbell.core.org_webhook import Asked
from bookbell.store.database import Database, Tx
from bookbell.store.history import DeliveryQuery
from world import START, TERMS, Plain, World, stamp, world_in

OTHERS = 400
MORE = {"sqlite": 60, "postgresql": 50}  # a tree may be a level higher, and others' rows on the same page


@dataclass(frozen=True, slots=True)
class Office:
    """An account with a webhook, a manager with an org-level one, and a book. uuids: of documents not yet verified."""

    world: World
    account: Account
    manager: Account
    book: Book
    uuids: list[str] = field(default_factory=list)

    def others(self) -> None:
        """Many more accounts of the organization come to have webhooks, and each a delivery."""
        seeder = Seeder(self.world.db, self.world.organization.id)
        hooks = seeder.hooks([f"http://127.0.0.1:9/{number}" for number in range(OTHERS)])
        seeder.fill(hooks, OTHERS, state=DeliveryState.DELIVERED)


def office_in(db: Database) -> Office:
    """Some of its documents are verified."""
    world = world_in(db)
    account, manager = world.account(), world.account(role=Role.MANAGER)
    world.webhook(account, "DOC_VERIFIED")
    asked = Asked(url="https://hooks.example.net/org", event_types=("document.verification_succeeded",))
    db.write_now(org_webhooks.add, manager, asked, TERMS, Plain(), stamp())
    book = world.book(account)
    office = Office(world, account, manager, book, world.documents(account, book, 7))
    for _ in range(3):
        world.verify(office.uuids.pop())
    return office


def report(tx: Tx, office: Office) -> object:
    wanted = DocumentReport(uuid=office.uuids.pop(), status=DocumentStatus.VERIFICATION_COMPLETE)
    return reports.apply(tx, wanted, stamp())


def reading(**asked: Any) -> Callable[[Tx, Office], object]:
    return lambda tx, office: history.read_on(tx, office.account, Reading(count=2, **asked))


def reading_of_book(tx: Tx, office: Office) -> object:
    return history.read_on(tx, office.account, Reading(count=2, book_pk=office.book.pk))


def org_reading_of_book(tx: Tx, office: Office) -> object:
    return history.read_on(tx, office.manager, Reading(count=2, book_pk=office.book.pk, is_org=True))


OPERATIONS: dict[str, Callable[[Tx, Office], object]] = {
    "a report": report,
    "the newest events": lambda tx, office: history.list_events(tx, office.account, before=None, count=2),
    "events in order": reading(),
    "events since an instant": reading(since_at=START),
    "events of some types": reading(event_types=frozenset({"BOOK_VERIFIED"})),
    "events of no type": reading(event_types=frozenset()),
    "events of a book": reading_of_book,
    "events of a book, at org level": org_reading_of_book,
    "deliveries": lambda tx, office: history.list_deliveries(tx, office.account, DeliveryQuery(count=2)),
    "deliveries at org level": lambda tx, office: history.list_org_deliveries(
        tx, office.manager, None, DeliveryQuery(count=2)
    ),
    "org-level webhooks": lambda tx, office: org_webhooks.find_all(tx, office.manager),
}


@contextmanager
def working(tx: Tx) -> Iterator[list[int]]:
    """Count what the database does within the block: one number, in the end."""
    if tx.dialect.name == "sqlite":
        driver: Any = tx.connection.driver_connection
        steps = [0]

        def add(told: dict[str, Any]) -> None:
            steps[0] += told["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

        driver.trace_v2(apsw.SQLITE_TRACE_PROFILE, add)
        try:
            yield steps
        finally:
            driver.trace_v2(0, None)
        return
    tx.exec_driver_sql("SET LOCAL enable_seqscan = off")  # tables as small as here are read from end to end
    before = fetched(tx)
    rows = [0]
    yield rows
    rows[0] = fetched(tx) - before


def fetched(tx: Tx) -> int:
    """Rows that this transaction of PostgreSQL has fetched so far."""
    return int(
        tx.exec_driver_sql(
            "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_xact_user_tables"
        ).scalar_one()
    )


def look_through(db: Database) -> None:
    """Let PostgreSQL see how large its tables are, as it does by itself in time."""
    if not db.is_sqlite:
        db.write_now(lambda tx: tx.exec_driver_sql("ANALYZE"))


def work(tx: Tx, operation: Callable[[Tx, Office], object], office: Office) -> int:
    operation(tx, office)  # makes the statements
    with working(tx) as done:
        operation(tx, office)
    return done[0]


def test_an_account_does_not_pay_for_the_others(db: Database) -> None:
    office, alike = office_in(db), office_in(db)
    look_through(db)
    alone = {name: db.write_now(work, operation, office) for name, operation in OPERATIONS.items()}
    alike.others()
    look_through(db)
    among = {name: db.write_now(work, operation, alike) for name, operation in OPERATIONS.items()}
    more = MORE["sqlite" if db.is_sqlite else "postgresql"]
    assert {name: (alone[name], count) for name, count in among.items() if count > alone[name] + more} == {}
