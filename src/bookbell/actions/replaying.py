"""Working on replay jobs, batch by batch: what workers do. One batch is one transaction. Source: docs/replay.md."""

import json
from dataclasses import dataclass, replace

from bookbell.actions.replays import look, refuse_unsendable
from bookbell.actions.stamp import Published, Stamp
from bookbell.actions.webhooks import retire
from bookbell.core import limits
from bookbell.core.errors import IllegalTransition
from bookbell.core.fanout import lane_for
from bookbell.core.model import Delivery, DeliveryId, DeliveryState, LanePk
from bookbell.core.policy import Order, Policy, policy_from
from bookbell.core.replay import (
    Candidate,
    JobState,
    ReplayJob,
    Taken,
    Treatment,
    batch_count,
    due_at,
    take,
)
from bookbell.store import endpoints, events, lanes, replays, stream
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint

WAIT_MS = 1_000
"""How long a job rests that has come to the end but for events of transactions still running."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A job after a batch, and what the batch has done."""

    job: ReplayJob
    recovered_count: int = 0
    replayed_count: int = 0


def work(tx: Tx, job_id: str, stamp: Stamp) -> Published[Worked | None]:
    """Do the next batch of this job if it is due, else nothing. What it makes due, the rate spreads over time.

    The lanes are held first, in a statement of their own: from then on no delivery of the endpoint ends or is made
    due by another job, so what is read next is still so when it is changed.
    """
    job = replays.hold_due(tx, job_id, now=stamp.at)
    if job is None:
        return Published(None)
    source = endpoints.find_any(tx, job.organization_id, job.endpoint_id)
    target = source if job.staging_id is None else endpoints.find_any(tx, job.organization_id, job.staging_id)
    assert source is not None
    assert target is not None
    try:
        refuse_unsendable(target)
    except IllegalTransition as error:
        failed = replace(job, state=JobState.FAILED, detail=error.message, finished_at=stamp.at)
        replays.save_job(tx, failed)
        return Published(Worked(failed))
    lanes.lock_epochs(tx, lanes.of_endpoint(tx, source.id))
    settled_below = stream.settled_below(tx)
    found = look(tx, source, job.wanted, after=job.cursor, below=job.until_position)
    taken = take(
        found,
        job.wanted,
        job_id=job.id,
        is_staging=job.staging_id is not None,
        count_max=batch_count(job.rate_per_s),
    )
    into = _Into(target, tuple(lanes.of_endpoint(tx, target.id)), policy_from(json.loads(target.policy)))
    worked = _made(tx, job, into, taken, stamp)
    is_end = taken.is_all and len(found) < limits.REPLAY_SCAN_COUNT
    after = _moved(worked, taken, stamp, is_end=is_end, settled_below=settled_below)
    replays.save_job(tx, after)
    return Published(replace(worked, job=after), frozenset(into.lanes) if taken.chosen else frozenset())


def forget_staging(tx: Tx, stamp: Stamp) -> int:
    """Forget staging URLs and their secrets once their jobs have ended and nothing waits for them. Gives how many."""
    spent = replays.spent_staging(tx)
    for organization_id, endpoint_id in spent:
        staging = endpoints.find_staging(tx, organization_id, endpoint_id)
        assert staging is not None
        retire(tx, staging, stamp)
    return len(spent)


@dataclass(frozen=True, slots=True)
class _Into:
    """Where deliveries are made: the endpoint, its lanes in their order, and its policy."""

    endpoint: Endpoint
    lanes: tuple[LanePk, ...]
    policy: Policy

    def lane_of(self, book_pk: int | None) -> LanePk:
        return lane_for(self.lanes, self.policy, book_pk)


def _made(tx: Tx, job: ReplayJob, into: _Into, taken: Taken, stamp: Stamp) -> Worked:
    """Make due what was taken, each at its place in the rate. What retention has been quicker with is left."""
    kept = [each for each in taken.chosen if events.hold_event(tx, job.organization_id, each[0].event_id)]
    placed = [
        (candidate, done, due_at(index, job.rate_per_s, stamp.at)) for index, (candidate, done) in enumerate(kept)
    ]
    revived = [(found.delivery_id, at) for found, done, at in placed if done is Treatment.RECOVER]
    copies = [
        (_repetition(found, into, at, stamp), found.delivery_id)
        for found, done, at in placed
        if done is Treatment.REPLAY
    ]
    replays.revive(tx, job, [(delivery_id, at) for delivery_id, at in revived if delivery_id is not None])
    if revived and into.policy.order is Order.BOOK:
        endpoints.mark_changed(tx, into.endpoint)
    replays.insert_replays(tx, job, copies)
    if placed:
        lanes.wake(tx, dict.fromkeys(into.lanes, stamp.at))
    return Worked(job, recovered_count=len(revived), replayed_count=len(copies))


def _repetition(found: Candidate, into: _Into, at: int, stamp: Stamp) -> Delivery:
    return Delivery(
        id=DeliveryId(stamp.new_id()),
        organization_id=into.endpoint.organization_id,
        endpoint_pk=into.endpoint.pk,
        lane_pk=into.lane_of(found.book_pk),
        event_id=found.event_id,
        state=DeliveryState.PENDING,
        attempt_count=0,
        due_at=at,
        created_at=stamp.at,
        queue_pk=found.book_pk if into.policy.order is Order.BOOK else None,
    )


def _moved(worked: Worked, taken: Taken, stamp: Stamp, *, is_end: bool, settled_below: int) -> ReplayJob:
    """The job after a batch: on to the next, or at its end. Events still being written then are waited for."""
    job, count = worked.job, len(taken.chosen)
    after = replace(
        job,
        cursor=taken.cursor or job.cursor,
        recovered_count=job.recovered_count + worked.recovered_count,
        replayed_count=job.replayed_count + worked.replayed_count,
        due_at=due_at(count, job.rate_per_s, stamp.at),
    )
    if not is_end:
        return after
    if job.wanted.is_of_events and settled_below < job.until_position:
        return replace(after, due_at=stamp.at + WAIT_MS)
    return replace(after, state=JobState.DONE, finished_at=stamp.at)
