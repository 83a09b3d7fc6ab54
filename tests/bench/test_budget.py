"""What deliveries and events may cost, counted instead of timed: statements, commits and calls for each thousand.

A statement for many rows counts once for each row. The counts come from a simulated run and are the same on every
machine. When a change makes one smaller, lower its budget; raise one only with a reason, and a line in
bench/FINDINGS.md.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from bookbell.actions import event_reports, event_types
from bookbell.actions.event_types import WantedType
from bookbell.actions.stamp import Published
from bookbell.core.event_report import EventReport
from bookbell.core.model import Level
from bookbell.store import endpoints
from bookbell.store.database import Database, Tx
from in_process import Opened, Peopled, opened
from raw_asgi import call
from simulated import InlineDatabase, Scene
from world import World, stamp, world_in

THOUSAND = 1_000
DELIVERIES = {"statements": 2_200, "commits": 26, "calls": 95_000}
IN_A_HUNDRED_LANES = {"statements": 2_500, "commits": 6, "calls": 98_000}
PUBLISHED_ALONE = {"statements": 11_200, "commits": 1_000, "calls": 290_000}
PUBLISHED_TOGETHER = {"statements": 2_600, "commits": 50, "calls": 45_000}
PUBLISHED_IN_HUNDREDS = {"statements": 2_150, "commits": 10, "calls": 30_000}
REQUESTED = {"statements": 11_200, "commits": 1_000, "calls": 445_000}
"""The last of a request from end to end, the others of the action alone."""
TYPE = "bench.happened"


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    database = InlineDatabase(sqlite_url)
    yield world_in(database)
    database.close()


@contextmanager
def counting(database: Database) -> Iterator[Counter[str]]:
    """Count what happens within the block."""
    counts: Counter[str] = Counter(statements=0, commits=0, calls=0)

    def on_statement(*_: object) -> bool:
        counts["statements"] += 1
        return True

    def on_begin(connection: Any) -> None:
        connection.connection.driver_connection.exec_trace = on_statement  # the driver's own: nothing goes past it

    def on_commit(_: object) -> None:
        counts["commits"] += 1

    def on_call(_frame: FrameType, what: str, _argument: object) -> None:
        counts["calls"] += what == "call"

    engines = (database._writer, database._reader)
    for engine in engines:
        event.listen(engine, "begin", on_begin)
    event.listen(database._writer, "commit", on_commit)
    sys.setprofile(on_call)
    try:
        yield counts
    finally:
        sys.setprofile(None)
        for engine in engines:
            event.remove(engine, "begin", on_begin)
        event.remove(database._writer, "commit", on_commit)


def within(counts: Counter[str], budget: dict[str, int]) -> None:
    """Fails when something is over its budget, or so far under it that the budget says nothing any more."""
    for name, most in budget.items():
        assert counts[name] <= most, f"{name}: {counts[name]} for a thousand, {most} are the budget"
        assert counts[name] * 2 >= most, f"{name}: {counts[name]} for a thousand; lower the budget of {most}"


def own_events(world: World) -> Callable[[int], EventReport]:
    """An account whose webhook hears a type of the operator's own, and the report of its n-th event."""
    account = world.account()
    webhook = world.webhook(account, "DOC_VERIFIED")
    wanted = WantedType(description="d", levels=frozenset({Level.ACCOUNT}), schema=None, is_active=True)
    world.db.write_now(event_types.define, TYPE, wanted, stamp())

    def subscribe(tx: Tx) -> None:
        endpoints.replace_subscriptions(tx, world.organization.id, webhook.id, [TYPE])

    world.db.write_now(subscribe)
    organization_id = world.organization.id
    return lambda number: EventReport(
        type=TYPE, organization_id=organization_id, account_id=account.id, body=b'{"n": %d}' % number
    )


@pytest.mark.parametrize(("lane_count", "budget"), [(1, DELIVERIES), (100, IN_A_HUNDRED_LANES)])
def test_a_thousand_deliveries(world: World, lane_count: int, budget: dict[str, int]) -> None:
    scene, counts = Scene(world), Counter[str]()
    urls = [scene.receiver(f"r{number}") for number in range(lane_count)]

    async def deliver(count: int) -> None:
        """To each as many, until all have been recorded."""

        def arrived() -> int:
            return sum(len(scene.arrived(url)) for url in urls)

        end = arrived() + count
        with counting(world.db) as counted:
            await scene.simulation.run_until(lambda: arrived() == end, 600_000)
            await scene.simulation.pass_ms(1_000)
        counts.clear()
        counts.update(counted)

    async def story() -> None:
        scene.worker()
        for each in (1, THOUSAND // lane_count):  # the first makes the statements
            for url in urls:
                scene.publish(url, each)
            await deliver(each * lane_count)

    scene.simulation.run(story)
    assert scene.states()["delivered"] == THOUSAND + lane_count
    within(counts, budget)


def test_a_thousand_events_published_one_by_one(world: World) -> None:
    report = own_events(world)

    def publish(number: int) -> Published[event_reports.Happened]:
        return world.db.write_now(event_reports.report_event, report(number), stamp())

    publish(0)
    with counting(world.db) as counts:
        for number in range(THOUSAND):
            publish(number)
    within(counts, PUBLISHED_ALONE)


def test_a_thousand_events_that_wait_together(world: World) -> None:
    report = own_events(world)

    def publish(start: int) -> None:
        together = [(report(start + each), stamp()) for each in range(20)]
        world.db.write_now(event_reports.report_each, together)

    publish(0)
    with counting(world.db) as counts:
        for start in range(0, THOUSAND, 20):
            publish(start)
    within(counts, PUBLISHED_TOGETHER)


def test_a_thousand_requests(world: World, tmp_path: Path) -> None:
    report = own_events(world)(0)
    words = {"type": TYPE, "organization_id": report.organization_id, "account_id": report.account_id}
    body = msgspec.json.encode({**words, "body": {"n": 1}})

    async def ask(app: Opened, count: int) -> None:
        headers = [*app.credentials("pipeline").items(), ("Content-Type", "application/json")]
        for _ in range(count):
            answer = await call(app.app, "POST", "/platform/v1/events", headers, [body])
            assert answer.status == 200, answer.body

    async def run() -> Counter[str]:
        async with opened(Peopled(world.db, {}, tmp_path)) as app:
            await ask(app, 1)
            with counting(world.db) as counts:
                await ask(app, THOUSAND)
        return counts

    within(asyncio.run(run()), REQUESTED)


def test_a_thousand_events_published_in_hundreds(world: World) -> None:
    report = own_events(world)

    def publish(start: int) -> None:
        world.db.write_now(event_reports.report_events, [report(start + each) for each in range(100)], stamp())

    publish(0)
    with counting(world.db) as counts:
        for start in range(0, THOUSAND, 100):
            publish(start)
    within(counts, PUBLISHED_IN_HUNDREDS)
