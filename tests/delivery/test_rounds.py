"""Lanes that nothing rings for are looked at once in each period, however many there are."""

from itertools import pairwise

import pytest

from bookbell.core.model import LaneId
from bookbell.delivery.rounds import Rounds
from bookbell.store.deliveries import LOOK_LANES_MAX

PERIOD_MS = 1_000


def lanes_of(count: int) -> list[LaneId]:
    return [LaneId(f"lane-{number}") for number in range(count)]


@pytest.mark.parametrize("count", [1, LOOK_LANES_MAX - 1, LOOK_LANES_MAX, LOOK_LANES_MAX + 1, 340, 2_048])
def test_each_lane_has_its_turn_once_in_a_period(count: int) -> None:
    rounds, lanes = Rounds(PERIOD_MS), lanes_of(count)
    told = [(now, some) for now in range(3 * PERIOD_MS) if (some := rounds.due(lanes, now))]
    assert all(len(some) <= LOOK_LANES_MAX for _, some in told)
    for lane in (lanes[0], lanes[-1]):
        turns = [now for now, some in told if lane in some]
        assert len(turns) >= 3
        gaps = [after - before for before, after in pairwise(turns)]
        assert all(PERIOD_MS * 0.8 <= gap <= PERIOD_MS * 1.2 for gap in gaps)


def test_without_lanes_nothing_is_due_until_the_period_is_over() -> None:
    rounds = Rounds(PERIOD_MS)
    assert rounds.due([], 0) == []
    assert rounds.next_at == PERIOD_MS


def test_a_lane_that_was_given_back_has_no_turn() -> None:
    rounds, lanes = Rounds(PERIOD_MS), lanes_of(2 * LOOK_LANES_MAX)
    first = rounds.due(lanes, 0)
    left = first[:1]
    assert rounds.due(left, rounds.next_at) == left


def test_a_new_lane_has_its_turn_in_the_next_round() -> None:
    rounds, lanes = Rounds(PERIOD_MS), lanes_of(1)
    rounds.due(lanes, 0)
    assert LaneId("new") in rounds.due([*lanes, LaneId("new")], rounds.next_at)
