"""What is done to the processes, drawn from one seed: first every fault once, in any order, then any."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bookbell.cli.chaos.processes import LEASE_MS, Breakable, Process

FROZEN_S = 1.6 * LEASE_MS / 1000
FULL_S = 2.0
PAUSE_S = (1.0, 2.5)  # between two faults


@dataclass(slots=True)
class Faults:
    """workers: those that deliver; api: who answers; one and the same on SQLite. database: ours to crash, or None."""

    workers: list[Process]
    api: Process
    database: Breakable | None
    draw: random.Random
    is_sqlite: bool
    done: Counter[str] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)

    def inject(self, ending: threading.Event, say: Callable[[str], None]) -> None:
        """One fault after another until it is time to end. Everything runs again afterwards."""
        for name, fault in self._plan():
            if ending.wait(self.draw.uniform(*PAUSE_S)):
                return
            say(name.replace("_", " "))
            fault(ending)
            self.done[name] += 1
            self.revive()

    def revive(self) -> None:
        """Start again what has ended by itself, and remember that it has: nothing should."""
        for process in {id(each): each for each in (*self.workers, self.api)}.values():
            if process.has_died:
                self.died.append(f"{process.name}: {''.join(list(process.log)[-8:])}")
            if process.has_ended:
                process.start()

    def _plan(self) -> Iterator[tuple[str, Callable[[threading.Event], None]]]:
        known: dict[str, Callable[[threading.Event], None]] = {
            "kill_a_worker": self._kill_worker,
            "kill_the_api": self._kill_api,
            "freeze_a_worker_past_its_lease": self._freeze_worker,
        }
        if self.is_sqlite:
            known["fill_the_disk"] = self._fill_disk
        if self.database is not None:
            known["crash_the_database"] = self._crash_database
        names = sorted(known)
        self.draw.shuffle(names)
        while True:
            yield from ((name, known[name]) for name in names)
            names = [self.draw.choice(sorted(known))]

    def _kill_worker(self, _ending: threading.Event) -> None:
        worker = self.draw.choice(self.workers)
        worker.kill()
        worker.start()

    def _kill_api(self, _ending: threading.Event) -> None:
        self.api.kill()
        self.api.start()

    def _freeze_worker(self, ending: threading.Event) -> None:
        worker = self.draw.choice(self.workers)
        worker.freeze()
        ending.wait(FROZEN_S)
        worker.thaw()

    def _fill_disk(self, ending: threading.Event) -> None:
        self.api.limit_files(4_096)
        ending.wait(FULL_S)
        self.api.limit_files(-1)

    def _crash_database(self, _ending: threading.Event) -> None:
        assert self.database is not None
        self.database.crash()
