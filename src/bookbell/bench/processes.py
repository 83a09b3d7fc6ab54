"""The processes of a measurement: what is measured on one core, sink and load on another, each a real process.

Processor time is the operating system's own account of a finished stretch (user and system, all threads); it is the
figure that can be compared between runs, because a busy machine changes it least. Linux only.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bookbell.bench.certificate import CERTIFICATE_NAME

STOP_S = 60
LINE_S = 900.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MASTER_KEY = "A" * 43
OPERATOR, PIPELINE = "bench-operator", "bench-pipeline"


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


def cores() -> tuple[int, int]:
    """The core for what is measured and the core for the rest; one and the same on a machine with one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def spread(count: int) -> tuple[list[int], list[int]]:
    """A core for each of so many processes to measure, and those left for what serves them: at least one.

    Where there are too few, the measured ones share.
    """
    available = sorted(os.sched_getaffinity(0))
    own = available[: max(1, min(count, len(available) - 1))]
    return [own[number % len(own)] for number in range(count)], available[len(own) :] or available


# Byte code is kept, as where it is installed; output has its buffer, without which a long line can be cut short when a
# signal comes.
_AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONUNBUFFERED": ""}


class Pinned:
    """A process bound to one core, which does not outlive its parent. Its output is read line by line."""

    def __init__(
        self, command: Sequence[str], core: int, *, environment: dict[str, str], log: Path | None = None
    ) -> None:
        self.log = log
        self._errors = log.open("wb") if log else None
        self.process = subprocess.Popen(
            list(command),
            env={**os.environ, **_AS_INSTALLED, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            process_group=0,  # ctrl-c is for the benchmark, which then ends them in its order
            preexec_fn=partial(prepare, core),  # noqa: PLW1509 - there is one thread here
        )

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

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Within its constructor: nothing of it is left over should it not get ready, or not be waited for."""
        try:
            yield
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def line(self) -> str:
        """The next line it prints. Raises: BenchError when it ends instead, or is silent for too long."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], LINE_S)[0]:
            raise BenchError(f"{self.name} has said nothing for {LINE_S:.0f} s.")
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(STOP_S)
            raise BenchError(self.ending())
        return line

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return " ".join(map(str, self.process.args[1:4])) if isinstance(self.process.args, list) else "A process"

    def ending(self) -> str:
        """A sentence about how it ended, with the end of its log."""
        said = self.log.read_text()[-2_000:] if self.log else ""
        return f"{self.name} ended with status {self.process.returncode}. {said}".rstrip()

    def check(self) -> None:
        """Raises: BenchError when it has ended."""
        if self.process.poll() is not None:
            raise BenchError(self.ending())

    def tell(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self) -> int:
        """SIGTERM. Gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


def prepare(core: int) -> None:
    """In the child: whatever becomes of the benchmark, nothing of it is left over."""
    os.sched_setaffinity(0, {core})
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


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
        with self._starting():
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

    def wait_for(self, count: int, limit_s: float, *senders: Pinned) -> None:
        """Until that many different requests have come. Raises: BenchError at the limit, or when a sender ends."""
        deadline = time.monotonic() + limit_s
        while (seen := self.count()) < count:
            for sender in senders:
                sender.check()
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
        with self._starting():
            ready = self.line()
            self.start_s = time.perf_counter() - began
            self.port = int(ready.rsplit(":", 1)[1])
            self.restart_count()

    @property
    def database_url(self) -> str:
        """Of its SQLite database, if it has been given no other."""
        return f"sqlite:///{self.folder / 'data' / 'bookbell.db'}"

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        return cpu_s(self.process.pid)

    def restart_count(self) -> None:
        """Count processor time, statements and commits from here."""
        self._asked_from = self._asked()
        self._counted_from = self.cpu_s()

    def counted_s(self) -> float:
        """Processor seconds since the count was started."""
        return self.cpu_s() - self._counted_from

    def asked(self) -> tuple[float, float]:
        """Statements and commits since the count was started."""
        statements, commits = self._asked()
        return statements - self._asked_from[0], commits - self._asked_from[1]

    def _asked(self) -> tuple[float, float]:
        told = self.metrics()
        return told["bookbell_database_statements_total"], told["bookbell_database_commits_total"]

    def metrics(self) -> dict[str, float]:
        """Its metrics; the labels are part of a name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=STOP_S) as answer:
            lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def memory_mb(self) -> int:
        """The most memory held so far."""
        return memory_mb(self.process.pid)
