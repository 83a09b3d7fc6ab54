"""What a run came to: every accepted event is at every receiver, or the verdict says what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bookbell.cli.chaos.receivers import HEALTHY, ChaosReceiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """events: accepted, one for each endpoint and number; refused: times the API did not accept and was asked again;
    delivered, lost, waiting: what became of them; repeated: requests taken again under the same id; died: processes
    that ended by themselves; stall_ms: the longest a healthy endpoint waited after acceptance.
    """

    seed: int
    database: str
    workers: int
    seconds: float
    events: int
    refused: int
    delivered: int
    repeated: int
    lost: int
    waiting: int
    stall_ms: int
    faults: dict[str, int]
    balances: bool
    died: list[str]

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.waiting or self.died) and self.balances and self.events > 0

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "is_good": self.is_good}

    def rows(self) -> list[tuple[str, Any]]:
        """For people."""
        shown = [(name, value) for name, value in asdict(self).items() if name not in {"faults", "died", "balances"}]
        shown.append(("faults", ", ".join(f"{count} × {name}" for name, count in sorted(self.faults.items()))))
        shown.append(("ledger", "balances" if self.balances else "does not balance"))
        shown += [("ended by itself", each) for each in self.died]
        return [*shown, ("verdict", "every promise was kept" if self.is_good else "A PROMISE WAS BROKEN")]


def missing_count(receivers: Sequence[ChaosReceiver], accepted: Mapping[int, float]) -> int:
    """Accepted events that have not arrived, over all receivers."""
    return sum(len(accepted.keys() - receiver.taken.keys()) for receiver in receivers)


def stall_ms(receivers: Sequence[ChaosReceiver], accepted: Mapping[int, float]) -> int:
    """The longest that a healthy receiver waited."""
    waits = [
        receiver.taken[number] - at
        for receiver in receivers
        if receiver.kind in HEALTHY
        for number, at in accepted.items()
        if number in receiver.taken
    ]
    return max(0, int(max(waits, default=0.0) * 1000))
