"""Replaying: which deliveries and events a job concerns, and what it does with each.

A delivery that ended unsent is *recovered*: it waits again, under the request id it always had. One that was delivered
is *replayed*: a new delivery, with a request id of its own, repeats it; so is everything that is sent to a staging
URL, whatever became of the original. An event that has no delivery gets its first one. Source: docs/replay.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from bookbell.core import limits
from bookbell.core.instants import DAY_MS, id_floor
from bookbell.core.model import AccountId, DeliveryId, DeliveryState, EndpointId, EventId, OrganizationId

FINAL_REASONS = frozenset({"superseded", "skipped", "skipped_by_receiver"})
"""Cancelled for good: a newer event says more, or somebody asked for it. `failed` leaves these out."""


class Selection(StrEnum):
    """What a job takes: deliveries of an endpoint by their state, or events that no delivery was made of."""

    FAILED = "failed"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    DELIVERED = "delivered"
    ALL = "all"
    MISSED = "missed"


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Treatment(StrEnum):
    """What is done with a candidate."""

    LEAVE = "leave"
    RECOVER = "recover"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is chosen; None does not restrict. since_at, until_at: when the event or its delivery was made, inclusive.

    delivery_id: this one only, whatever its state.
    """

    selection: Selection
    since_at: int
    until_at: int
    delivery_id: DeliveryId | None = None
    event_types: frozenset[str] | None = None
    book_pk: int | None = None

    @property
    def is_of_events(self) -> bool:
        """Whether it is looked for among events, in the order of their commits, rather than among deliveries."""
        return self.selection is Selection.MISSED and self.delivery_id is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A delivery of the endpoint or, where delivery_id and state are None, an event without one.

    cursor: from where a walk goes on after it.
    """

    cursor: str
    delivery_id: DeliveryId | None
    event_id: EventId
    event_type: str
    book_pk: int | None
    state: DeliveryState | None
    created_at: int
    reason: str | None = None
    attempt_count: int = 0
    replay_of: DeliveryId | None = None
    replay_job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJob:
    """A job as it is stored. account_id None: the operator's; staging_id: where it sends to instead of endpoint_id.

    cursor: where the last delivery or event looked at stands; until_position: where the events end that were there
    when it began; total_count: how many there were to do then, at least, and exactly if is_total_exact.
    """

    id: str
    organization_id: OrganizationId
    account_id: AccountId | None
    endpoint_id: EndpointId
    staging_id: EndpointId | None
    wanted: Wanted
    until_position: int
    rate_per_s: int
    state: JobState
    detail: str | None
    cursor: str
    total_count: int
    is_total_exact: bool
    recovered_count: int
    replayed_count: int
    due_at: int
    created_at: int
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch takes of what it looked at: candidates that something is done with, and the last one looked at.

    is_all: nothing is left of what was looked at; cursor None: nothing was there.
    """

    chosen: tuple[tuple[Candidate, Treatment], ...]
    cursor: str | None
    is_all: bool


def take(found: Sequence[Candidate], wanted: Wanted, *, job_id: str, is_staging: bool, count_max: int) -> Taken:
    """As many of the candidates as a batch may take, in their order."""
    chosen: list[tuple[Candidate, Treatment]] = []
    cursor: str | None = None
    for candidate in found:
        done = treatment(wanted, candidate, job_id=job_id, is_staging=is_staging)
        if done is not Treatment.LEAVE:
            if len(chosen) == count_max:
                return Taken(tuple(chosen), cursor, is_all=False)
            chosen.append((candidate, done))
        cursor = candidate.cursor
    return Taken(tuple(chosen), cursor, is_all=True)


def treatment(wanted: Wanted, found: Candidate, *, job_id: str, is_staging: bool) -> Treatment:
    """What a job does with a candidate. A delivery that the job itself has made or made due is left alone."""
    if found.replay_job_id == job_id or not _is_chosen(wanted, found):
        return Treatment.LEAVE
    if is_staging or found.state in {None, DeliveryState.DELIVERED}:
        return Treatment.REPLAY
    return Treatment.LEAVE if found.state is DeliveryState.PENDING else Treatment.RECOVER


def _is_chosen(wanted: Wanted, found: Candidate) -> bool:
    if wanted.delivery_id is not None:
        return found.delivery_id == wanted.delivery_id
    return (
        wanted.since_at <= found.created_at <= wanted.until_at
        and (wanted.event_types is None or found.event_type in wanted.event_types)
        and (wanted.book_pk is None or found.book_pk == wanted.book_pk)
        and _is_in_state(wanted.selection, found)
    )


def _is_in_state(selection: Selection, found: Candidate) -> bool:
    """A repetition that was delivered is not repeated again: its original is, once."""
    is_original = found.state is DeliveryState.DELIVERED and found.replay_of is None
    is_failed = found.state is DeliveryState.EXHAUSTED or (
        found.state is DeliveryState.CANCELLED and found.reason not in FINAL_REASONS
    )
    match selection:
        case Selection.FAILED:
            return is_failed
        case Selection.DELIVERED:
            return is_original
        case Selection.ALL:
            return is_failed or is_original or found.state is DeliveryState.PENDING
        case Selection.MISSED:
            return found.state is None
        case Selection.EXHAUSTED | Selection.CANCELLED:
            return found.state is not None and found.state.value == selection.value
        case _:
            assert_never(selection)


def batch_count(rate_per_s: int) -> int:
    """The most that one batch makes due: what the rate allows in a second, within a bound."""
    return min(rate_per_s, limits.REPLAY_BATCH_COUNT_MAX)


def due_at(index: int, rate_per_s: int, now: int) -> int:
    """When the delivery of this place in a batch, from 0, is due; for one after the last, when the next batch is.

    >>> [due_at(index, 4, 1_000) for index in range(5)]
    [1000, 1250, 1500, 1750, 2000]
    """
    return now + index * 1000 // rate_per_s


def narrowed(wanted: Wanted, subscribed: Iterable[str]) -> Wanted:
    """What is wanted of a webhook: it has missed only events of types that it subscribes to."""
    if not wanted.is_of_events:
        return wanted
    types = frozenset(subscribed)
    return replace(wanted, event_types=types if wanted.event_types is None else wanted.event_types & types)


def first_cursor(wanted: Wanted) -> str:
    """Where a walk over what may be wanted begins.

    In order of ids that is a day before, for an id is made a little before or after its instant.
    """
    is_walk_of_ids = not wanted.is_of_events and wanted.delivery_id is None
    return id_floor(wanted.since_at - DAY_MS) if is_walk_of_ids else ""


def last_cursor(until_at: int) -> str:
    """Where a walk in order of ids may end, likewise."""
    return id_floor(until_at + DAY_MS)
