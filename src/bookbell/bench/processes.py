"""The processes of a measurement: what is measured on one core, sink and load on another, each a real process.

Processor time is the operating system's own account of a finished stretch (user and system, all threads); it is the
figure that can be compared between runs, because a busy machine changes it least. Linux only.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bookbell.bench.certificate import CERTIFICATE_NAME

STOP_S = 60
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MASTER_KEY = "A" * 43
OPERATOR, PIPELINE = "bench-operator", "bench-pipeline"


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


def cores() -> tuple[int, int]:
    """The core for what is measured and the core for the rest; one and the same on a machine with one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


class Pinned:
    """A process bound to one core. Its output is read line by line."""

    def __init__(
        self, command: Sequence[str], core: int, *, environment: dict[str, str], log: Path | None = None
    ) -> None:
        self.log = log
        self._errors = log.open("wb") if log else None
        self.process = subprocess.Popen(
            list(command),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},  # kept, as where it is installed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        os.sched_setaffinity(self.process.pid, {core})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        if self._errors:
            self._errors.close()

    def line(self) -> str:
        """The next line it prints. Raises: BenchError when it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            said = self.log.read_text()[-2_000:] if self.log else ""
            raise BenchError(f"{self.process.args!r} ended before it was ready. {said}")
        return line

    def tell(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self) -> int:
        """SIGTERM. Gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


def cpu_s(pid: int) -> float:
    """Processor seconds, user and system, that a process has used so far, in steps of 1/100."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def family_cpu_s(pid: int) -> float:
    """Processor seconds that a process, its children, and those of them that have ended, have used so far."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = int(entry.parent.name), entry.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # it has just ended
        if number == pid:
            total += sum(int(each) for each in rest[11:15])
        elif int(rest[1]) == pid:
            total += int(rest[11]) + int(rest[12])
    return total / TICKS_PER_S


def memory_mb(pid: int) -> int:
    """The most memory a process has held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


class Sink(Pinned):
    """The receiver of a measurement."""

    def __init__(self, core: int, **options: Any) -> None:
        command = [sys.executable, "-m", "bookbell.bench.sink", json.dumps(options)]
        super().__init__(command, core, environment={})
        self.port = int(self.line().split()[1])

    def count(self) -> int:
        """Different request ids since the last mark."""
        self.tell("count")
        return int(self.line())

    def mark(self) -> dict[str, Any]:
        """What came since the last mark: count, repeated, connections, first_us, last_us, latencies_ms (sorted)."""
        self.tell("mark")
        found: dict[str, Any] = json.loads(self.line())
        return found

    def wait_for(self, count: int, limit_s: float) -> None:
        """Until that many different requests have come. Raises: BenchError at the limit."""
        deadline = time.monotonic() + limit_s
        while (seen := self.count()) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"Only {seen} of {count} requests had arrived after {limit_s:.0f} s.")
            time.sleep(0.05)


class Service(Pinned):
    """One process of `bookbell serve` on its core."""

    def __init__(self, folder: Path, core: int, *arguments: str, **settings: str) -> None:
        self.folder = folder
        environment = {
            "BOOKBELL_DATA_DIR": str(folder / "data"),
            "BOOKBELL_MASTER_KEY": MASTER_KEY,
            "BOOKBELL_OPERATOR_TOKEN": OPERATOR,
            "BOOKBELL_PIPELINE_TOKEN": PIPELINE,
            "BOOKBELL_ALLOW_NETWORKS": "127.0.0.0/8",
            "BOOKBELL_PORT": "0",
            "BOOKBELL_LOG_FORMAT": "json",
            "SSL_CERT_FILE": str(folder.parent / CERTIFICATE_NAME),
            **{f"BOOKBELL_{name.upper()}": value for name, value in settings.items()},
        }
        command = [sys.executable, "-m", "bookbell.cli.main", "serve", *arguments]
        began = time.perf_counter()
        super().__init__(command, core, environment=environment, log=folder / "service.log")
        ready = self.line()
        self.start_s = time.perf_counter() - began
        self.port = int(ready.rsplit(":", 1)[1])
        self._counted_from = self.cpu_s()

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        return cpu_s(self.process.pid)

    def restart_count(self) -> None:
        """Count processor time from here."""
        self._counted_from = self.cpu_s()

    def counted_s(self) -> float:
        """Processor seconds since the count was started."""
        return self.cpu_s() - self._counted_from

    def memory_mb(self) -> int:
        """The most memory held so far."""
        return memory_mb(self.process.pid)
