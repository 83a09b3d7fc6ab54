"""What a replay does with each delivery and event, and how the rate spreads it."""

from dataclasses import replace
from typing import Any

import pytest

from bookbell.core import limits
from bookbell.core.instants import DAY_MS, id_floor
from bookbell.core.model import DeliveryId, DeliveryState, EventId
from bookbell.core.replay import (
    Candidate,
    Selection,
    Taken,
    Treatment,
    Wanted,
    batch_count,
    due_at,
    first_cursor,
    last_cursor,
    narrowed,
    take,
    treatment,
)

LEAVE, RECOVER, REPLAY = Treatment.LEAVE, Treatment.RECOVER, Treatment.REPLAY
PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED
EXHAUSTED, CANCELLED = DeliveryState.EXHAUSTED, DeliveryState.CANCELLED


def found(state: DeliveryState | None = EXHAUSTED, **given: Any) -> Candidate:
    base = Candidate(
        cursor="c",
        delivery_id=None if state is None else DeliveryId("d"),
        event_id=EventId("e"),
        event_type="DOC_VERIFIED",
        book_pk=7,
        state=state,
        created_at=500,
    )
    return replace(base, **given)


def wanted(selection: Selection = Selection.FAILED, **given: Any) -> Wanted:
    return replace(Wanted(selection=selection, since_at=100, until_at=900), **given)


def done(wanted: Wanted, candidate: Candidate, *, is_staging: bool = False) -> Treatment:
    return treatment(wanted, candidate, job_id="job", is_staging=is_staging)


@pytest.mark.parametrize(
    ("selection", "state", "in_place", "to_staging"),
    [
        (Selection.FAILED, PENDING, LEAVE, LEAVE),
        (Selection.FAILED, DELIVERED, LEAVE, LEAVE),
        (Selection.FAILED, EXHAUSTED, RECOVER, REPLAY),
        (Selection.FAILED, CANCELLED, RECOVER, REPLAY),
        (Selection.FAILED, None, LEAVE, LEAVE),
        (Selection.EXHAUSTED, EXHAUSTED, RECOVER, REPLAY),
        (Selection.EXHAUSTED, CANCELLED, LEAVE, LEAVE),
        (Selection.EXHAUSTED, None, LEAVE, LEAVE),
        (Selection.CANCELLED, CANCELLED, RECOVER, REPLAY),
        (Selection.CANCELLED, EXHAUSTED, LEAVE, LEAVE),
        (Selection.DELIVERED, DELIVERED, REPLAY, REPLAY),
        (Selection.DELIVERED, EXHAUSTED, LEAVE, LEAVE),
        (Selection.ALL, PENDING, LEAVE, REPLAY),
        (Selection.ALL, DELIVERED, REPLAY, REPLAY),
        (Selection.ALL, EXHAUSTED, RECOVER, REPLAY),
        (Selection.ALL, CANCELLED, RECOVER, REPLAY),
        (Selection.ALL, None, LEAVE, LEAVE),
        (Selection.MISSED, None, REPLAY, REPLAY),
        (Selection.MISSED, DELIVERED, LEAVE, LEAVE),
    ],
)
def test_what_is_done_follows_from_selection_and_state(
    selection: Selection, state: DeliveryState | None, in_place: Treatment, to_staging: Treatment
) -> None:
    assert done(wanted(selection), found(state)) is in_place
    assert done(wanted(selection), found(state), is_staging=True) is to_staging


@pytest.mark.parametrize("reason", ["superseded", "skipped", "skipped_by_receiver"])
def test_what_was_cancelled_on_purpose_is_recovered_only_when_asked_for_as_such(reason: str) -> None:
    cancelled = found(CANCELLED, reason=reason)
    assert done(wanted(Selection.FAILED), cancelled) is LEAVE
    assert done(wanted(Selection.ALL), cancelled) is LEAVE
    assert done(wanted(Selection.CANCELLED), cancelled) is RECOVER
    assert done(wanted(Selection.FAILED), found(CANCELLED, reason="deregistered")) is RECOVER


@pytest.mark.parametrize(
    ("given", "candidate"),
    [
        ({}, found(created_at=99)),
        ({}, found(created_at=901)),
        ({"event_types": frozenset({"BOOK_VERIFIED"})}, found()),
        ({"book_pk": 8}, found()),
        ({"delivery_id": DeliveryId("another")}, found()),
        ({}, found(replay_job_id="job")),
    ],
)
def test_what_the_filters_exclude_is_left(given: dict[str, Any], candidate: Candidate) -> None:
    assert done(wanted(**given), candidate) is LEAVE


def test_what_the_filters_name_is_taken() -> None:
    exact = wanted(since_at=500, until_at=500, event_types=frozenset({"DOC_VERIFIED"}), book_pk=7)
    assert done(exact, found(replay_job_id="an earlier job")) is RECOVER


def test_one_delivery_that_is_named_is_taken_whatever_else_it_is() -> None:
    one = wanted(Selection.ALL, delivery_id=DeliveryId("d"), until_at=0)
    assert done(one, found(CANCELLED, reason="superseded")) is RECOVER
    assert done(one, found(DELIVERED, replay_of=DeliveryId("older"))) is REPLAY
    assert done(one, found(PENDING)) is LEAVE


def test_a_repetition_is_not_repeated_with_its_original() -> None:
    repetition = found(DELIVERED, replay_of=DeliveryId("older"))
    assert done(wanted(Selection.DELIVERED), repetition) is LEAVE
    assert done(wanted(Selection.FAILED), replace(repetition, state=EXHAUSTED)) is RECOVER


def test_a_batch_takes_so_many_and_remembers_the_last_it_looked_at() -> None:
    ids = [DeliveryId(name) for name in "abcd"]
    looked_at = [found(DELIVERED if each == "b" else EXHAUSTED, delivery_id=each, cursor=each) for each in ids]

    def taken(count: int) -> Taken:
        return take(looked_at, wanted(), job_id="job", is_staging=False, count_max=count)

    first = taken(1)
    assert ([each.delivery_id for each, _ in first.chosen], first.cursor, first.is_all) == (["a"], "b", False)
    everything = taken(3)
    assert ([each.delivery_id for each, _ in everything.chosen], everything.cursor) == (["a", "c", "d"], "d")
    assert everything.is_all
    assert take([], wanted(), job_id="job", is_staging=False, count_max=1) == Taken((), None, is_all=True)


def test_an_event_moves_the_cursor_too() -> None:
    missed = take([found(None)], wanted(Selection.MISSED), job_id="job", is_staging=False, count_max=1)
    assert (missed.cursor, missed.chosen[0][1]) == ("c", REPLAY)


def test_the_rate_spreads_a_batch() -> None:
    assert batch_count(5) == 5
    assert batch_count(100_000) == limits.REPLAY_BATCH_COUNT_MAX
    assert [due_at(index, 3, 100) for index in range(4)] == [100, 433, 766, 1_100]


def test_a_walk_by_ids_leaves_a_day_on_both_sides() -> None:
    assert first_cursor(wanted(since_at=2 * DAY_MS)) == id_floor(DAY_MS)
    assert last_cursor(2 * DAY_MS) == id_floor(3 * DAY_MS)


def test_a_walk_of_events_and_a_single_delivery_begin_at_the_start() -> None:
    assert first_cursor(wanted(Selection.MISSED, since_at=2 * DAY_MS)) == ""
    assert first_cursor(wanted(since_at=2 * DAY_MS, delivery_id=DeliveryId("d"))) == ""


def test_only_events_that_are_subscribed_to_are_missed() -> None:
    missed = wanted(Selection.MISSED)
    assert narrowed(missed, ["a", "b"]).event_types == frozenset({"a", "b"})
    assert narrowed(replace(missed, event_types=frozenset({"b", "c"})), ["a", "b"]).event_types == frozenset({"b"})
    assert narrowed(wanted(), ["a"]) == wanted()
