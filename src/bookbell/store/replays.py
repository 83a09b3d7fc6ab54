"""Replay jobs: what they are to do, how far they have come, and the rows they look at and change.

A batch is one transaction that holds the job's row, moves its cursor and makes its deliveries: two workers never do
one batch twice, and after a crash a job goes on where it was.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, exists, func, insert, or_, select, update

from bookbell.core import limits
from bookbell.core.model import AccountId, Delivery, DeliveryId, DeliveryState, EndpointId, EventId, OrganizationId
from bookbell.core.replay import Candidate, JobState, ReplayJob, Selection, Wanted, last_cursor
from bookbell.store.bulk import insert_rows
from bookbell.store.database import Tx
from bookbell.store.endpoints import key_of
from bookbell.store.history import Scope
from bookbell.store.lanes import PENDING
from bookbell.store.places import places
from bookbell.store.schema import deliveries, endpoints, events, lanes, replay_jobs
from bookbell.store.stream import Stream, Stretch, chosen


def insert_job(tx: Tx, new: ReplayJob) -> None:
    """Add a job."""
    types = new.wanted.event_types
    tx.execute(
        insert(replay_jobs).values(
            id=new.id,
            organization_id=new.organization_id,
            account_id=new.account_id,
            endpoint_id=new.endpoint_id,
            staging_id=new.staging_id,
            selection=new.wanted.selection.value,
            delivery_id=new.wanted.delivery_id,
            event_types=None if types is None else json.dumps(sorted(types)),
            book_pk=new.wanted.book_pk,
            since_at=new.wanted.since_at,
            until_at=new.wanted.until_at,
            until_position=new.until_position,
            rate_per_s=new.rate_per_s,
            total_count=new.total_count,
            is_total_exact=new.is_total_exact,
            created_at=new.created_at,
            **_changing(new),
        )
    )


def save_job(tx: Tx, changed: ReplayJob) -> None:
    """Write what may change of a job."""
    tx.execute(
        update(replay_jobs)
        .where(replay_jobs.c.organization_id == changed.organization_id, replay_jobs.c.id == changed.id)
        .values(**_changing(changed))
    )


def _changing(job: ReplayJob) -> dict[str, Any]:
    return {
        "state": job.state.value,
        "detail": job.detail,
        "cursor": job.cursor,
        "recovered_count": job.recovered_count,
        "replayed_count": job.replayed_count,
        "due_at": job.due_at,
        "finished_at": job.finished_at,
    }


def find_job(tx: Tx, scope: Scope, job_id: str, *, is_locked: bool = False) -> ReplayJob | None:
    """One job, if it is within the scope. is_locked: hold its row until the transaction ends."""
    query = _within(scope).where(replay_jobs.c.id == job_id)
    row = tx.execute(query.with_for_update(of=replay_jobs) if is_locked else query).first()
    return None if row is None else _job(row)


def list_jobs(tx: Tx, scope: Scope, *, before: str | None, count: int) -> list[ReplayJob]:
    """Jobs within the scope, newest first."""
    query = _within(scope).order_by(replay_jobs.c.id.desc()).limit(count)
    if before is not None:
        query = query.where(replay_jobs.c.id < before)
    return [_job(row) for row in tx.execute(query)]


def count_running(tx: Tx, organization_id: OrganizationId) -> int:
    """How many jobs of this organization are running."""
    query = select(func.count()).where(
        replay_jobs.c.organization_id == organization_id, replay_jobs.c.state == JobState.RUNNING.value
    )
    return int(tx.execute(query).scalar_one())


def due_jobs(tx: Tx) -> list[tuple[str, int]]:
    """Running jobs with when their next batch is due, soonest first; a look, which holds nothing."""
    query = (
        select(replay_jobs.c.id, replay_jobs.c.due_at)
        .where(replay_jobs.c.state == JobState.RUNNING.value)
        .order_by(replay_jobs.c.due_at)
        .limit(limits.REPLAYS_LOOKED_AT_MAX)
    )
    return [(row.id, row.due_at) for row in tx.execute(query)]


def hold_due(tx: Tx, job_id: str, *, now: int) -> ReplayJob | None:
    """The job, held until the transaction ends, if its next batch is due; who comes second finds that it is not."""
    query = (
        select(replay_jobs)
        .where(
            replay_jobs.c.id == job_id,
            replay_jobs.c.state == JobState.RUNNING.value,
            replay_jobs.c.due_at <= now,
        )
        .with_for_update()
    )
    row = tx.execute(query).first()
    return None if row is None else _job(row)


def outcomes(tx: Tx, job_id: str) -> dict[DeliveryState, int]:
    """How the deliveries that a job has made, or made due, stand now."""
    query = (
        select(deliveries.c.state, func.count().label("total"))
        .where(deliveries.c.replay_job_id == job_id)
        .group_by(deliveries.c.state)
    )
    found = {row.state: row.total for row in tx.execute(query)}
    return {state: found.get(state.value, 0) for state in DeliveryState}


_CANDIDATES = (
    select(
        deliveries.c.id,
        deliveries.c.event_id,
        events.c.type,
        events.c.book_pk,
        deliveries.c.state,
        deliveries.c.created_at,
        deliveries.c.reason,
        deliveries.c.attempt_count,
        deliveries.c.replay_of,
        deliveries.c.replay_job_id,
    )
    .join(events, events.c.id == deliveries.c.event_id)
    .where(
        deliveries.c.endpoint_pk == key_of(bindparam("endpoint")),
        or_(events.c.body_account.is_not(None), events.c.body_org.is_not(None)),
    )
)
_NEXT = (
    _CANDIDATES.where(deliveries.c.id > bindparam("after"), deliveries.c.id < bindparam("before"))
    .order_by(deliveries.c.id)
    .limit(limits.REPLAY_SCAN_COUNT)
)
_ONE = _CANDIDATES.where(deliveries.c.id == bindparam("id"), deliveries.c.id > bindparam("after"))


def next_deliveries(tx: Tx, endpoint_id: EndpointId, wanted: Wanted, *, after: str) -> list[Candidate]:
    """Deliveries of this endpoint in order of id, REPLAY_SCAN_COUNT at most, wanted or not; fewer at the end.

    Those whose body is not kept any more are left out.
    """
    values = {"endpoint": endpoint_id, "after": after}
    if wanted.delivery_id is not None:
        return [_delivery(row) for row in tx.execute(_ONE, {**values, "id": wanted.delivery_id})]
    return [_delivery(row) for row in tx.execute(_NEXT, {**values, "before": last_cursor(wanted.until_at)})]


def next_events(
    tx: Tx, stream: Stream, endpoint_id: EndpointId, wanted: Wanted, *, after: str, below: int
) -> list[Candidate]:
    """Events of this stream in its order, REPLAY_SCAN_COUNT at most; those without a delivery to the endpoint as such.

    after: the cursor of the last, or empty, which holds when that event has been pruned; below: a position.
    """
    is_made = exists().where(deliveries.c.event_id == events.c.id, deliveries.c.endpoint_pk == key_of(endpoint_id))
    stretch = Stretch(
        place=_place(after),
        since_at=wanted.since_at,
        below=below,
        event_types=wanted.event_types,
        book_pk=wanted.book_pk,
        count=limits.REPLAY_SCAN_COUNT,
    )
    columns = (
        events.c.id,
        events.c.position,
        events.c.type,
        events.c.book_pk,
        events.c.created_at,
        is_made.label("is_made"),
    )
    return [
        Candidate(
            cursor=f"{row.position}:{row.id}",
            delivery_id=None,
            event_id=EventId(row.id),
            event_type=row.type,
            book_pk=row.book_pk,
            state=DeliveryState.DELIVERED if row.is_made else None,
            created_at=row.created_at,
        )
        for row in tx.execute(chosen(tx, stream, stretch, *columns))
    ]


def _place(cursor: str) -> tuple[int, str] | None:
    position, _, event_id = cursor.partition(":")
    return (int(position), event_id) if position else None


_REVIVE = (
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("delivery"),
        deliveries.c.organization_id == bindparam("organization"),
        or_(
            deliveries.c.state == DeliveryState.EXHAUSTED.value,
            deliveries.c.state == DeliveryState.CANCELLED.value,
        ),
    )
    .values(
        state=DeliveryState.PENDING.value,
        due_at=bindparam("at"),
        finished_at=None,
        reason=None,
        probe_count=deliveries.c.attempt_count,
        replay_job_id=bindparam("job"),
    )
)


def revive(tx: Tx, job: ReplayJob, due_at: Sequence[tuple[DeliveryId, int]]) -> None:
    """Let these deliveries, which have ended unsent, wait for these instants.

    Attempts are numbered on, but none made before counts for the schedule any more.
    """
    if due_at:
        same = {"organization": job.organization_id, "job": job.id}
        tx.execute(_REVIVE, [{"delivery": delivery_id, "at": at, **same} for delivery_id, at in due_at])


_COLUMNS = ("pk", *Delivery._fields, "replay_of", "replay_job_id")
_COUNT = (
    update(events)
    .where(events.c.id == bindparam("event"), events.c.organization_id == bindparam("organization"))
    .values(replayed_count=events.c.replayed_count + bindparam("more"))
)


def insert_replays(tx: Tx, job: ReplayJob, new: Sequence[tuple[Delivery, DeliveryId | None]]) -> None:
    """Add these deliveries, each with the one it repeats, and count them with their events."""
    if not new:
        return
    pks = places(tx, [each.lane_pk for each, _ in new])
    insert_rows(tx, deliveries, _COLUMNS, [(pk, *each, old, job.id) for pk, (each, old) in zip(pks, new, strict=True)])
    counts = Counter(each.event_id for each, _ in new)
    same = {"organization": job.organization_id}
    tx.execute(_COUNT, [{"event": event_id, "more": counts[event_id], **same} for event_id in sorted(counts)])


def spent_staging(tx: Tx) -> list[tuple[OrganizationId, EndpointId]]:
    """Staging endpoints whose job has ended and for which nothing waits any more."""
    waits = exists().where(deliveries.c.lane_pk == lanes.c.pk, deliveries.c.state == PENDING)
    query = (
        select(endpoints.c.organization_id, endpoints.c.id)
        .join(replay_jobs, replay_jobs.c.staging_id == endpoints.c.id)
        .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
        .where(
            replay_jobs.c.staging_id.is_not(None),
            replay_jobs.c.state != JobState.RUNNING.value,
            endpoints.c.deregistered_at.is_(None),
            ~waits,
        )
        .limit(limits.REPLAYS_LOOKED_AT_MAX)
    )
    return [(OrganizationId(row.organization_id), EndpointId(row.id)) for row in tx.execute(query)]


def _within(scope: Scope) -> Select[Any]:
    seen = [endpoints.c.account_id == scope.account_id]
    if scope.has_org_level:
        seen.append(endpoints.c.account_id.is_(None))
    query = (
        select(replay_jobs)
        .join(endpoints, endpoints.c.id == replay_jobs.c.endpoint_id)
        .where(replay_jobs.c.organization_id == scope.organization_id)
    )
    if scope.endpoint_id is not None:
        query = query.where(endpoints.c.id == scope.endpoint_id)
    return query if scope.is_whole else query.where(or_(*seen))


def _delivery(row: Any) -> Candidate:
    return Candidate(
        cursor=row.id,
        delivery_id=DeliveryId(row.id),
        event_id=EventId(row.event_id),
        event_type=row.type,
        book_pk=row.book_pk,
        state=DeliveryState(row.state),
        created_at=row.created_at,
        reason=row.reason,
        attempt_count=row.attempt_count,
        replay_of=row.replay_of,
        replay_job_id=row.replay_job_id,
    )


def _job(row: Row[Any]) -> ReplayJob:
    values = dict(row._mapping)
    types = values.pop("event_types")
    wanted = Wanted(
        selection=Selection(values.pop("selection")),
        since_at=values.pop("since_at"),
        until_at=values.pop("until_at"),
        delivery_id=values.pop("delivery_id"),
        event_types=None if types is None else frozenset(json.loads(types)),
        book_pk=values.pop("book_pk"),
    )
    account_id = values.pop("account_id")
    return ReplayJob(
        **{**values, "state": JobState(values["state"])},
        wanted=wanted,
        account_id=None if account_id is None else AccountId(account_id),
    )
