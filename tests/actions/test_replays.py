"""Replays choose what they are asked for, and recover, repeat or make up for it, each exactly once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bookbell.actions import org_webhooks, replaying, replays, webhooks
from bookbell.actions.replays import Asked, Plan, Staging
from bookbell.core import limits
from bookbell.core.errors import (
    IllegalTransition,
    NotFound,
    NotPermittedManager,
    OrgWebhookNotFound,
    ValidationFailed,
    WebhookNotFound,
)
from bookbell.core.model import Account, DeliveryId, DeliveryState, EndpointId, Role
from bookbell.core.org_webhook import Asked as OrgAsked
from bookbell.core.replay import JobState, ReplayJob, Selection, Wanted
from bookbell.store import endpoints, events, lanes, ledger
from bookbell.store import replays as stored
from bookbell.store.database import Database, Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import events as event_table
from world import START, TERMS, Plain, World, stamp, world_in

LATER = START + 60_000
STAGING = Staging(url="http://127.0.0.1:9/staging", masked="http://127.0.0.1:9/staging")


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def rows(world: World, **having: Any) -> list[Any]:
    """The deliveries with these values, in order of id."""

    def read(tx: Tx) -> list[Any]:
        query = table.select().order_by(table.c.id)
        for name, value in having.items():
            query = query.where(table.c[name] == value)
        return list(tx.execute(query))

    return world.db.read_now(read)


def staged(world: World, job: ReplayJob) -> list[Any]:
    """The deliveries to where this job sends that does not send to a webhook, in order of id."""
    return rows(world, endpoint_pk=staging_pk(world, job))


def staging_pk(world: World, job: ReplayJob) -> int:
    staging = world.db.read_now(endpoints.find_any, job.organization_id, job.staging_id or "")
    assert staging is not None
    return staging.pk


def change(world: World, statement: Any) -> None:
    def run(tx: Tx) -> None:
        tx.execute(statement)

    world.db.write_now(run)


def fail_all(world: World, state: str = "exhausted", reason: str | None = "attempts_used_up") -> None:
    """End everything that waits, as if it had been tried in vain."""
    ended = {"state": state, "reason": reason, "attempt_count": 9, "finished_at": START}
    change(world, table.update().where(table.c.state == "pending").values(**ended))


def asked(selection: Selection = Selection.FAILED, **given: Any) -> Asked:
    options = {name: given.pop(name) for name in ("staging", "rate_per_s") if name in given}
    return Asked(wanted=Wanted(selection=selection, **{"since_at": START, "until_at": LATER, **given}), **options)


def plan(world: World, account: Account, wanted: Asked, webhook_uuid: str | None = None) -> Plan:
    return world.db.read_now(replays.plan_own, account, wanted, webhook_uuid)


def start(world: World, account: Account, wanted: Asked, at: int = LATER) -> ReplayJob:
    return world.db.write_now(replays.start, plan(world, account, wanted), account, Plain(), stamp(at))


def finish(world: World, job: ReplayJob, at: int = LATER) -> ReplayJob:
    """Work on a job until it has ended, each batch when it is due."""
    for _ in range(1_000):
        worked = world.db.write_now(replaying.work, job.id, stamp(at)).value
        assert worked is not None, "the batch was not due"
        if worked.job.state is not JobState.RUNNING:
            return worked.job
        at = max(at, worked.job.due_at)
    raise AssertionError("it does not end")


def balance(world: World) -> Iterator[str]:
    """What is not accounted for; that nothing was really sent is left out."""
    for each in world.db.read_now(ledger.ledgers, since=0, until=2**52):
        yield from (problem for problem in each.problems() if "matched" in problem)


def test_what_failed_waits_again_under_the_same_request_id_with_all_attempts_before_it(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    world.publish(account, 3)
    fail_all(world)
    before = [row.id for row in rows(world)]
    job = start(world, account, asked())
    assert (job.total_count, job.is_total_exact) == (4, True)
    done = finish(world, job)
    assert (done.state, done.recovered_count, done.replayed_count) == (JobState.DONE, 4, 0)
    found = rows(world)
    assert [row.id for row in found] == before
    assert {(row.state, row.reason, row.finished_at, row.replay_job_id) for row in found} == {
        ("pending", None, None, job.id)
    }
    assert {row.attempt_count for row in found} == {9}, "attempts are numbered on"
    assert world.db.read_now(stored.outcomes, job.id)[DeliveryState.PENDING] == 4
    assert list(balance(world)) == []


def test_a_replay_wakes_the_lane(world: World) -> None:
    account = world.account()
    lane_pk = world.webhook(account, "DOC_VERIFIED").lane_pk
    world.publish(account, 1)
    fail_all(world)
    world.db.write_now(lanes.acquire, [lane_pk], owner="w", now=START, lease_until=START)
    world.db.write_now(lanes.park, {lane_pk: 0}, owner="w")
    job = start(world, account, asked())
    published = world.db.write_now(replaying.work, job.id, stamp(LATER))
    assert published.lanes == {lane_pk}
    assert world.db.read_now(lanes.candidates, owner="w", now=LATER, renewal_ms=(500, 2_000), count=9).free == [
        lane_pk
    ]


def test_what_was_delivered_is_repeated_by_a_new_delivery_once(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    change(world, table.update().values(state="delivered", attempt_count=1))
    originals = {row.id for row in rows(world)}
    for _ in range(2):
        job = start(world, account, asked(Selection.DELIVERED))
        done = finish(world, job)
        assert (done.recovered_count, done.replayed_count) == (0, 2)
        copies = rows(world, replay_job_id=job.id)
        assert {row.replay_of for row in copies} == originals
        assert {(row.state, row.attempt_count) for row in copies} == {("pending", 0)}
        change(world, table.update().values(state="delivered"))
    assert len(rows(world)) == 6


@pytest.mark.parametrize(("order", "is_queued"), [("book", True), ("none", False)])
def test_repetitions_queue_by_book_where_the_policy_wants_an_order(world: World, order: str, is_queued: bool) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.db.write_now(webhooks.set_policy, account, {"order": order, "lanes": 2}, stamp())
    for _ in range(2):
        world.publish(account, 2)
    change(world, table.update().values(state="delivered"))
    job = start(world, account, asked(Selection.DELIVERED))
    finish(world, job)
    queues = {row.id: (row.lane_pk, row.queue_pk) for row in rows(world, replay_job_id=None)}
    copies = rows(world, replay_job_id=job.id)
    assert [(row.lane_pk, row.queue_pk) for row in copies] == [queues[row.replay_of] for row in copies]
    assert {row.queue_pk is not None for row in copies} == {is_queued}
    assert len({row.lane_pk for row in copies}) == 2


def test_filters_choose_by_type_book_time_and_state(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    world.publish(account, 2)
    book_pk = world.db.read_now(events.list_events, account.organization_id, account.id, before=None, count=1)[
        0
    ].book_pk
    world.publish(account, 1, START + 5_000)
    fail_all(world)
    first = rows(world)[0]
    change(world, table.update().where(table.c.id == first.id).values(state="cancelled", reason="deregistered"))

    def count(wanted: Asked) -> int:
        return plan(world, account, wanted).expected.count

    assert count(asked()) == 5
    assert count(asked(event_types=frozenset({"BOOK_VERIFIED"}))) == 2
    assert count(asked(book_pk=book_pk)) == 3
    assert count(asked(since_at=START + 1)) == 2
    assert count(asked(until_at=START)) == 3
    assert count(asked(Selection.CANCELLED)) == 1
    assert count(asked(Selection.EXHAUSTED)) == 4
    assert count(asked(Selection.DELIVERED)) == 0
    assert count(asked(Selection.ALL)) == 5
    change(world, table.update().where(table.c.id == first.id).values(reason="superseded"))
    assert count(asked()) == 4, "superseded ones are not failed"
    assert count(asked(Selection.CANCELLED)) == 1


def test_a_plan_changes_nothing_and_shows_a_sample(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, limits.REPLAY_SAMPLE_COUNT + 2)
    fail_all(world)
    before = rows(world)
    found = plan(world, account, asked()).expected
    assert (found.count, found.is_exact) == (limits.REPLAY_SAMPLE_COUNT + 2, True)
    assert [each.delivery_id for each in found.sample] == [row.id for row in before[: limits.REPLAY_SAMPLE_COUNT]]
    assert rows(world) == before


def test_a_long_look_is_cut_off_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 3)
    fail_all(world)
    monkeypatch.setattr(limits, "REPLAY_COUNTED_MAX", 2)
    monkeypatch.setattr(limits, "REPLAY_SCAN_COUNT", 3)
    found = plan(world, account, asked()).expected
    assert (found.count, found.is_exact) == (3, False)


def test_one_delivery_can_be_replayed_whatever_became_of_it(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    change(world, table.update().values(state="delivered"))
    first, _ = rows(world)
    wanted = asked(Selection.ALL, delivery_id=DeliveryId(first.id), since_at=0, until_at=0)
    job = start(world, account, wanted)
    assert finish(world, job).replayed_count == 1
    (copy,) = rows(world, replay_of=first.id)
    change(world, table.update().values(state="exhausted", reason="attempts_used_up"))
    again = asked(Selection.ALL, delivery_id=DeliveryId(copy.id), since_at=0, until_at=0)
    assert finish(world, start(world, account, again)).recovered_count == 1
    assert [row.state for row in rows(world, id=copy.id)] == ["pending"]
    assert list(balance(world)) == []


def test_events_missed_while_unregistered_are_made_up_for_once(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    world.db.write_now(webhooks.deregister, account, stamp())
    world.publish(account, 3)
    world.publish(world.account("another"), 2)
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    before = len(rows(world))
    job = start(world, account, asked(Selection.MISSED))
    assert job.total_count == 3, "not those of a type it does not subscribe to, and nobody else's"
    assert finish(world, job).replayed_count == 3
    made = rows(world, replay_job_id=job.id)
    assert len(rows(world)) == before + 3
    assert {(row.state, row.replay_of) for row in made} == {("pending", None)}
    assert finish(world, start(world, account, asked(Selection.MISSED))).replayed_count == 0
    assert list(balance(world)) == []


def test_missed_events_are_walked_on_although_the_last_one_was_pruned(world: World) -> None:
    account = world.account()
    world.publish(account, 6)
    world.webhook(account, "DOC_VERIFIED")
    job = start(world, account, asked(Selection.MISSED, rate_per_s=2))
    worked = world.db.write_now(replaying.work, job.id, stamp(LATER)).value
    assert worked is not None
    _, last = worked.job.cursor.split(":")
    change(world, event_table.delete().where(event_table.c.id == last))
    assert finish(world, job, worked.job.due_at).replayed_count == 6


def test_two_workers_on_one_job_do_each_batch_once(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 25)
    change(world, table.update().values(state="delivered"))
    job = start(world, account, asked(Selection.DELIVERED, rate_per_s=5))

    def worker() -> int:
        made, at = 0, LATER
        for _ in range(200):
            worked = world.db.write_now(replaying.work, job.id, stamp(at)).value
            made += worked.replayed_count if worked is not None else 0
            at += 250
        return made

    with ThreadPoolExecutor(4) as pool:
        made = sum(each.result() for each in [pool.submit(worker) for _ in range(4)])
    copies = rows(world, replay_job_id=job.id)
    assert made == len(copies) == len({row.replay_of for row in copies}) == 25
    assert world.db.read_now(replays.demand, replays.scope_of(account), job.id).state is JobState.DONE


def test_two_jobs_for_the_same_missed_events_make_each_delivery_once(world: World) -> None:
    account = world.account()
    world.publish(account, 20)
    world.webhook(account, "DOC_VERIFIED")
    jobs = [start(world, account, asked(Selection.MISSED, rate_per_s=3)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(finish, world, job) for job in jobs]:
            assert each.result().state is JobState.DONE
    made = rows(world)
    assert len(made) == len({row.event_id for row in made}) == 20
    assert list(balance(world)) == []


def test_replaying_while_events_are_published_touches_what_was_there_only(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 10)
    change(world, table.update().values(state="delivered"))
    job = start(world, account, asked(Selection.DELIVERED, rate_per_s=2))
    with ThreadPoolExecutor(2) as pool:
        publishing = [pool.submit(world.publish, account, 5, LATER + 1) for _ in range(3)]
        done = finish(world, job)
        for each in publishing:
            each.result()
    assert done.replayed_count == 10
    assert len(rows(world)) == 10 + 10 + 15
    assert list(balance(world)) == []


def test_the_rate_spreads_what_is_made_due(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 5)
    fail_all(world)
    job = start(world, account, asked(rate_per_s=2))
    assert world.db.read_now(stored.due_jobs) == [(job.id, LATER)]
    worked = world.db.write_now(replaying.work, job.id, stamp(LATER)).value
    assert worked is not None
    assert (worked.recovered_count, worked.job.due_at) == (2, LATER + 1_000)
    assert world.db.write_now(replaying.work, job.id, stamp(LATER + 999)).value is None
    finish(world, job, LATER + 1_000)
    assert [row.due_at - LATER for row in rows(world)] == [0, 500, 1_000, 1_500, 2_000]
    assert world.db.read_now(stored.due_jobs) == []


def test_a_staging_url_gets_copies_and_the_webhook_is_left_alone(world: World) -> None:
    account = world.account()
    own = world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 3)
    first, second, third = (row.id for row in rows(world))
    change(world, table.update().where(table.c.id == first).values(state="delivered"))
    change(world, table.update().where(table.c.id == second).values(state="exhausted", reason="gone"))
    before = rows(world)
    secret = Staging(url=STAGING.url, masked=STAGING.masked, secret="staging-secret-0123")
    job = start(world, account, asked(Selection.ALL, staging=secret))
    done = finish(world, job)
    assert (done.recovered_count, done.replayed_count) == (0, 3)
    assert rows(world, endpoint_pk=own.pk) == before
    assert job.staging_id is not None
    copies = staged(world, job)
    assert {row.replay_of for row in copies} == {first, second, third}
    assert {row.lane_pk for row in copies}.isdisjoint({own.lane_pk})
    assert list(balance(world)) == []
    shown = world.db.read_now(endpoints.list_endpoints, account.organization_id)
    assert [each.id for each in shown] == [own.id]
    staging = world.db.read_now(endpoints.find_staging, account.organization_id, job.staging_id)
    assert staging is not None
    assert b"staging-secret-0123" in (staging.secret_sealed or b"")


def test_a_staging_url_is_forgotten_when_nothing_waits_for_it(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    job = start(world, account, asked(Selection.ALL, staging=STAGING))
    assert world.db.write_now(replaying.forget_staging, stamp(LATER)) == 0, "it runs"
    finish(world, job)
    assert world.db.write_now(replaying.forget_staging, stamp(LATER)) == 0, "something waits"
    change(world, table.update().where(table.c.endpoint_pk == staging_pk(world, job)).values(state="delivered"))
    assert world.db.write_now(replaying.forget_staging, stamp(LATER)) == 1
    assert world.db.write_now(replaying.forget_staging, stamp(LATER)) == 0
    staging = world.db.read_now(endpoints.find_staging, account.organization_id, EndpointId(job.staging_id or ""))
    assert staging is not None
    assert (staging.url_sealed, staging.url_masked, staging.is_registered) == (None, None, False)


def test_a_deregistered_account_can_still_send_to_a_staging_url(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    world.db.write_now(webhooks.deregister, account, stamp())
    with pytest.raises(IllegalTransition):
        start(world, account, asked())
    assert finish(world, start(world, account, asked(staging=STAGING))).replayed_count == 2


def test_cancelling_makes_nothing_more_due(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 4)
    fail_all(world)
    job = start(world, account, asked(rate_per_s=1))
    world.db.write_now(replaying.work, job.id, stamp(LATER))
    scope = replays.scope_of(account)
    cancelled = world.db.write_now(replays.cancel, scope, job.id, stamp(LATER)).value
    assert (cancelled.state, cancelled.recovered_count, cancelled.finished_at) == (JobState.CANCELLED, 1, LATER)
    assert world.db.write_now(replaying.work, job.id, stamp(LATER + 10_000)).value is None
    assert len(rows(world, state="pending")) == 1
    with pytest.raises(IllegalTransition):
        world.db.write_now(replays.cancel, scope, job.id, stamp(LATER))


def test_cancelling_a_staging_replay_cancels_what_waits_for_it_too(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    job = start(world, account, asked(Selection.ALL, staging=STAGING))
    finish(world, job)
    world.db.write_now(replays.cancel, replays.scope_of(account), job.id, stamp(LATER))
    assert {row.state for row in staged(world, job)} == {"cancelled"}
    with pytest.raises(IllegalTransition):
        world.db.write_now(replays.cancel, replays.scope_of(account), job.id, stamp(LATER))


def test_a_job_fails_when_its_webhook_is_given_up(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 2)
    fail_all(world)
    job = start(world, account, asked())
    world.db.write_now(webhooks.deregister, account, stamp())
    failed = finish(world, job)
    assert (failed.state, failed.recovered_count) == (JobState.FAILED, 0)
    assert "not registered" in (failed.detail or "")


def test_who_may_replay_what(world: World) -> None:
    account, other, manager = world.account(), world.account("other"), world.account("boss", Role.MANAGER)
    with pytest.raises(WebhookNotFound):
        plan(world, account, asked())
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    (delivery,) = rows(world)
    job = start(world, account, asked())
    with pytest.raises(NotFound):
        world.db.read_now(replays.demand, replays.scope_of(other), job.id)
    with pytest.raises(NotFound):
        plan(world, other, asked(Selection.ALL, delivery_id=DeliveryId(delivery.id)))
    with pytest.raises(NotPermittedManager):
        plan(world, account, asked(), "a-webhook")
    with pytest.raises(OrgWebhookNotFound):
        plan(world, manager, asked(), "a-webhook")
    assert job.account_id == account.id
    mine = world.db.read_now(stored.list_jobs, replays.scope_of(account), before=None, count=9)
    assert [each.id for each in mine] == [job.id]
    assert world.db.read_now(stored.list_jobs, replays.scope_of(manager), before=None, count=9) == []
    assert world.db.read_now(stored.list_jobs, replays.scope_of(account), before=job.id, count=9) == []


def test_a_replay_is_for_the_webhook_of_the_delivery_that_is_named(world: World) -> None:
    manager = world.account("boss", Role.MANAGER)
    own, central = world.webhook(manager, "DOC_VERIFIED"), of_the_organization(world, manager)
    world.publish(manager, 1)
    fail_all(world)
    for each in (own, central):
        (delivery,) = rows(world, endpoint_pk=each.pk)
        found = plan(world, manager, asked(Selection.ALL, delivery_id=DeliveryId(delivery.id)))
        assert found.endpoint.id == each.id


def test_a_webhook_that_is_not_sent_to_is_left_out_where_all_are_meant(world: World) -> None:
    manager = world.account("boss", Role.MANAGER)
    own, central = world.webhook(manager, "DOC_VERIFIED"), of_the_organization(world, manager)

    def planned() -> set[str]:
        plans = world.db.read_now(replays.plan_all, world.organization.id, asked(), None)
        return {each.endpoint.id for each in plans}

    assert planned() == {own.id, central.id}
    off = OrgAsked(is_active=False)
    world.db.write_now(org_webhooks.change, manager, central.id, off, Plain(), stamp())
    assert planned() == {own.id}


def of_the_organization(world: World, manager: Account) -> Endpoint:
    wanted = OrgAsked(url="https://hooks.example.net/org", event_types=("document.verification_succeeded",))
    return world.db.write_now(org_webhooks.add, manager, wanted, TERMS, Plain(), stamp()).value


def test_the_operator_replays_across_an_organization(world: World) -> None:
    accounts = [world.account(str(number)) for number in range(2)]
    own = [world.webhook(account, "DOC_VERIFIED") for account in accounts]
    for account in accounts:
        world.publish(account, 2)
    fail_all(world)
    organization_id = world.organization.id
    plans = world.db.read_now(replays.plan_all, organization_id, asked(), None)
    assert [each.expected.count for each in plans] == [2, 2]
    one = world.db.read_now(replays.plan_all, organization_id, asked(), own[1].id)
    assert [each.endpoint.id for each in one] == [own[1].id]
    with pytest.raises(WebhookNotFound):
        world.db.read_now(replays.plan_all, organization_id, asked(), "unknown")
    for each in plans:
        job = world.db.write_now(replays.start, each, None, Plain(), stamp(LATER))
        assert job.account_id is None
        finish(world, job)
    assert len(rows(world, state="pending")) == 4


def test_only_so_many_run_at_a_time_and_a_short_secret_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    monkeypatch.setattr(limits, "REPLAYS_RUNNING_MAX", 1)
    with pytest.raises(ValidationFailed):
        start(world, account, asked(staging=Staging(url=STAGING.url, masked=STAGING.masked, secret="short")))
    start(world, account, asked())
    with pytest.raises(IllegalTransition):
        start(world, account, asked())


def test_replays_that_are_started_at_once_keep_to_the_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    monkeypatch.setattr(limits, "REPLAYS_RUNNING_MAX", 3)
    gate = threading.Barrier(8)

    def ask(_: int) -> bool:
        gate.wait()
        try:
            start(world, account, asked())
        except IllegalTransition:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [False] * 5 + [True] * 3
    assert world.db.read_now(stored.count_running, world.organization.id) == 3


def test_a_crash_in_a_batch_leaves_the_job_where_it_was(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 3)
    change(world, table.update().values(state="delivered"))
    job = start(world, account, asked(Selection.DELIVERED))

    def crash(tx: Tx) -> None:
        replaying.work(tx, job.id, stamp(LATER))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.db.write_now(crash)
    assert len(rows(world)) == 3
    assert finish(world, job).replayed_count == 3
    assert len(rows(world)) == 6


def test_a_copy_that_vanished_shows_in_the_ledger(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED")
    world.publish(account, 1)
    job = start(world, account, asked(Selection.ALL, staging=STAGING))
    finish(world, job)
    change(world, table.delete().where(table.c.replay_job_id == job.id))
    assert "2 deliveries were matched, but 1 are accounted for." in list(balance(world))
    change(world, event_table.update().values(replayed_count=0))
    assert list(balance(world)) == []
