"""Lanes that nothing rings for are looked at a period after the last look at them, however many there are."""

from itertools import pairwise

import pytest

from bookbell.core.model import LanePk
from bookbell.delivery.rounds import Rounds
from bookbell.store.deliveries import LOOK_LANES_MAX

PERIOD_MS = 1_000


def lanes_of(count: int) -> list[LanePk]:
    return [LanePk(number) for number in range(count)]


def looked_at(lanes: list[LanePk], now: int = 0) -> Rounds:
    rounds = Rounds(PERIOD_MS)
    for lane in lanes:
        rounds.note(lane, now)
    return rounds


@pytest.mark.parametrize("count", [1, LOOK_LANES_MAX - 1, LOOK_LANES_MAX, LOOK_LANES_MAX + 1, 340, 2_048])
def test_each_lane_has_its_turn_once_in_a_period(count: int) -> None:
    lanes = lanes_of(count)
    rounds = looked_at(lanes)
    told = [(now, some) for now in range(5 * PERIOD_MS) if (some := rounds.due(lanes, now))]
    assert all(len(some) <= LOOK_LANES_MAX for _, some in told)
    for lane in (lanes[0], lanes[-1]):
        turns = [now for now, some in told if lane in some]
        assert len(turns) >= 3
        gaps = [after - before for before, after in pairwise(turns)]
        assert all(PERIOD_MS <= gap <= PERIOD_MS * 1.2 for gap in gaps)


def test_a_hundred_lanes_that_were_looked_at_one_by_one_have_their_turns_some_together() -> None:
    lanes = lanes_of(100)
    rounds = Rounds(PERIOD_MS)
    for number, lane in enumerate(lanes):
        rounds.note(lane, number * 10)
    turns = [some for now in range(PERIOD_MS, 2 * PERIOD_MS + 1) if (some := rounds.due(lanes, now))]
    assert len(turns) == 21
    assert set().union(*turns) == set(lanes)


def test_without_lanes_nothing_is_due_until_the_period_is_over() -> None:
    rounds = Rounds(PERIOD_MS)
    assert rounds.due([], 0) == []
    assert rounds.next_at == PERIOD_MS


def test_a_lane_that_was_looked_at_meanwhile_has_its_turn_a_period_after_that() -> None:
    lanes = lanes_of(2)
    rounds = looked_at(lanes)
    rounds.note(lanes[0], 600)
    assert rounds.due(lanes, PERIOD_MS) == lanes[1:]
    assert rounds.due(lanes, rounds.next_at - 1) == []
    assert rounds.next_at == 600 + PERIOD_MS
    assert rounds.due(lanes, rounds.next_at) == lanes[:1]


def test_a_lane_that_was_given_back_has_no_turn() -> None:
    lanes = lanes_of(2 * LOOK_LANES_MAX)
    rounds = looked_at(lanes)
    assert rounds.due(lanes[-1:], PERIOD_MS) == lanes[-1:]
    rounds.note(lanes[0], PERIOD_MS)
    assert rounds.due(lanes, 2 * PERIOD_MS) == [lanes[-1], lanes[0]]
