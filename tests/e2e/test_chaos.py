"""`bookbell chaos` in its short form, on both databases; and what its verdict makes of a run that went wrong."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from bookbell.cli.chaos.receivers import KINDS, ChaosReceiver
from bookbell.cli.chaos.verdict import Verdict, missing_count, stall_ms

WAIT_S = 700  # starting, healing and draining take as long as a busy machine needs
GOOD = Verdict(
    seed=1,
    database="sqlite",
    workers=1,
    seconds=20.0,
    events=8,
    refused=0,
    delivered=8,
    repeated=1,
    lost=0,
    waiting=0,
    stall_ms=5,
    faults={"kill_a_worker": 1},
    balances=True,
    died=[],
)


@pytest.mark.parametrize(
    ("database", "wanted"),
    [
        ("sqlite", {"kill_a_worker", "kill_the_api", "freeze_a_worker_past_its_lease", "fill_the_disk"}),
        ("postgresql", {"kill_a_worker", "kill_the_api", "freeze_a_worker_past_its_lease", "crash_the_database"}),
    ],
)
def test_chaos_loses_nothing(database: str, wanted: set[str]) -> None:
    arguments = ["chaos", "--seconds", "22", "--seed", "4", "--workers", "2", "--database", database, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bookbell.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert verdict["is_good"]
    assert (verdict["seed"], verdict["lost"], verdict["waiting"], verdict["died"]) == (4, 0, 0, [])
    assert verdict["delivered"] == verdict["events"] > 0
    assert verdict["balances"]
    assert verdict["faults"].keys() == wanted, "every fault has had its turn"


@pytest.mark.parametrize(
    "broken",
    [
        replace(GOOD, lost=1),
        replace(GOOD, waiting=1),
        replace(GOOD, balances=False),
        replace(GOOD, died=["worker 1: out of memory"]),
        replace(GOOD, events=0),
    ],
)
def test_one_broken_promise_makes_the_verdict_bad(broken: Verdict) -> None:
    assert GOOD.is_good
    assert not broken.is_good
    assert broken.rows()[-1] == ("verdict", "A PROMISE WAS BROKEN")


def test_what_has_not_arrived_is_missed_and_what_came_late_is_told() -> None:
    receivers = [ChaosReceiver(kind) for kind in ("good", "failing")]
    try:
        good, failing = receivers
        good.taken |= {0: 10.5, 1: 11.0}
        failing.taken |= {0: 99.0}
        accepted = {0: 10.0, 1: 10.9}
        assert missing_count(receivers, accepted) == 1
        assert stall_ms(receivers, accepted) == 500, "only healthy ones are asked"
        good.take("a", b'{"number": 2}')
        good.take("a", b'{"number": 2}')
        assert good.repeated_count() == 1
    finally:
        for receiver in receivers:
            receiver.close()
    assert len(KINDS) == len(set(KINDS))
