"""The engine under random faults for thousands of hours; and bugs planted in it, which this must find."""

import os
import shutil
from pathlib import Path

import pytest

from bookbell.core.model import LanePk
from bookbell.delivery.lane import Lane
from bookbell.delivery.owning import Owning
from bookbell.store import deliveries
from bookbell.store.database import Tx
from bookbell.store.schema import lanes as lanes_table
from hours import HOUR, simulate
from simulated import InlineDatabase
from world import World, world_in

SEEDS = range(int(os.environ.get("SIMULATED_SEEDS", "20")))  # each lives through 150 hours in three seconds
SEEDS_TO_FIND_A_BUG = (7, 5, 4, 1, 2, 3, 6, 0)  # those in which the most goes wrong come first


@pytest.fixture
def sqlite_world(sqlite_url: str) -> World:
    return world_in(InlineDatabase(sqlite_url))


@pytest.mark.parametrize("seed", SEEDS)
def test_hours_of_faults_break_no_promise(sqlite_world: World, seed: int) -> None:
    lived = simulate(sqlite_world, seed)
    assert lived.simulation.now > 10 * HOUR


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_on_postgresql_neither(postgresql_url: str, seed: int) -> None:
    database = InlineDatabase(postgresql_url)
    simulate(world_in(database), seed, turns=30)
    database.close()


def test_a_seed_replays_exactly(sqlite_url: str, tmp_path: Path) -> None:
    told, empty = [], Path(sqlite_url.removeprefix("sqlite:///"))
    for name in ("one", "two"):
        copy = shutil.copy(empty, tmp_path / name)
        database = InlineDatabase(f"sqlite:///{copy}")
        lived = simulate(world_in(database), 5, turns=20)
        told.append([(at, to) for at, to, _ in lived.network.sent])
        database.close()
    assert told[0] == told[1]


def found(sqlite_url: str) -> str:
    """What the simulation says of a planted bug, looking at a few seeds."""
    database = InlineDatabase(sqlite_url)
    for seed in SEEDS_TO_FIND_A_BUG:
        try:
            simulate(world_in(database), seed)
        except AssertionError as broken:
            return str(broken) or "an attempt was recorded twice"
    return ""


def test_it_finds_a_worker_that_sends_after_its_lease(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owning, "_sending_ms", lambda _self: 100 * HOUR)
    assert "two live owners" in found(sqlite_url)


def test_it_finds_a_takeover_that_believes_wall_clocks(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owning, "_silence_ms", lambda _self: 0)
    assert "two live owners" in found(sqlite_url)


def test_it_finds_a_record_that_does_not_ask_for_the_epoch(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Whatever(int):
        """An epoch that equals all others."""

        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            return True

    monkeypatch.setattr(deliveries, "lock_epochs", lambda _tx, ids: dict.fromkeys(ids, Whatever()))
    told = found(sqlite_url)
    assert told
    assert "not everything ended" not in told


def test_it_finds_a_lane_parked_by_what_was_known_before(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(tx: Tx, lane_pks: list[LanePk], due: int) -> None:
        tx.execute(
            lanes_table.update().where(lanes_table.c.pk.in_(lane_pks)).values(owner=None, lease_until=0, due_at=due)
        )

    async def give_back(self: Owning, given: list[Lane]) -> None:
        for lane in given:
            self._hold.dispatch.forget(lane)
            await self._ambient.sleep_ms(100)
            await self._database.write(blind, [lane.pk], lane.next_due)

    monkeypatch.setattr(Owning, "give_back", give_back)
    assert "sleep over due work" in found(sqlite_url)
