"""The processes of the demo: the service and the receiver, each a real process on real sockets."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_S = 15
STOP_S = 10
LOG_LINES = 8
ENDING = (signal.SIGINT, signal.SIGTERM)


class DemoFailedError(Exception):
    """The demo did not go as it should; the message says where."""


def started(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """A process that runs this. Ctrl-C and SIGTERM are put off until it is there, so it cannot be left to nobody."""
    told: list[int] = []
    before = {each: signal.signal(each, lambda number, _: told.append(number)) for each in ENDING}
    try:
        process = subprocess.Popen(command, text=True, **options)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if told:
        end(process)
        raise KeyboardInterrupt
    return process


def end(process: subprocess.Popen[str]) -> None:
    """End it, whatever it does."""
    process.kill()
    process.wait()


@contextmanager
def or_ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """It goes on only if this goes well."""
    try:
        yield
    except BaseException:
        end(process)
        raise


class ServiceProcess:
    """`bookbell serve --simulate` on a temporary SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "service.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BOOKBELL_")},
            "BOOKBELL_DATA_DIR": str(folder / "data"),
            "BOOKBELL_ALLOW_NETWORKS": "127.0.0.0/8",
            "BOOKBELL_SIMULATOR_DELAY_MS": "80",
            "BOOKBELL_RATE_LIMIT_PER_S": "200",  # one organization makes all calls of the demo
        }
        command = [sys.executable, "-m", "bookbell.cli.main", "serve", "--simulate", "--port", "0"]
        output = {"stdout": subprocess.PIPE, "stderr": self.log.open("wb")}
        self._process = started(command, env=self.environment, **output)
        with or_ended(self._process):
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if " at http://" not in line:
                raise DemoFailedError(f"The service did not start: {line}{self.log.read_text()[-2000:]}")
        self.base_url = line.split(" at ", 1)[1].strip()

    def command(self, *arguments: str) -> Any:
        """The JSON that a bookbell command prints about this service."""
        command = [sys.executable, "-m", "bookbell.cli.main", *arguments, "--json"]
        process = started(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with or_ended(process):
            printed, problem = process.communicate(timeout=START_S)
        if not printed.strip():
            raise DemoFailedError(f"bookbell {' '.join(arguments)} printed nothing: {problem}")
        return json.loads(printed.splitlines()[0])

    def last_words(self) -> str:
        """The end of its log, for when something went wrong."""
        return "".join(self.log.read_text().splitlines(keepends=True)[-LOG_LINES:])

    def stop(self) -> int:
        """Ask it to stop. Gives its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_S)

    def wait(self) -> None:
        """Until it ends."""
        self._process.wait()

    def kill(self) -> None:
        """End it, whatever it does."""
        end(self._process)


class ReceiverProcess:
    """The receiver, which can be taken down and brought back on the same port. seen: called with each request."""

    def __init__(self, keys: dict[str, tuple[str, str, str]], seen: Callable[[dict[str, Any]], None]) -> None:
        self._keys = keys
        self._seen = seen
        self.port = 0
        self.bring_back()

    def bring_back(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "bookbell.cli.demo_receiver", str(self.port)]
        self._process = started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with or_ended(self._process):
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(self._keys) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            if not line:
                raise DemoFailedError(f"The receiver could not listen on port {self.port} of 127.0.0.1.")
        self.port = int(json.loads(line)["port"])
        threading.Thread(target=self._read, args=[self._process.stdout], daemon=True).start()

    def _read(self, lines: Any) -> None:
        for line in lines:
            if line.endswith("\n"):  # the last one is cut off if the receiver was killed while it wrote
                self._seen(json.loads(line))

    def take_down(self) -> None:
        """Kill it."""
        end(self._process)


class Stage:
    """Both processes and what the receiver saw, cleaned up at the end."""

    receiver: ReceiverProcess
    service: ServiceProcess

    def __init__(self, keys: dict[str, tuple[str, str, str]]) -> None:
        self._keys = keys
        self._seen: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            folder = starting.enter_context(tempfile.TemporaryDirectory(prefix="bookbell-demo-"))
            self.receiver = ReceiverProcess(self._keys, self._seen.put)
            starting.callback(self.receiver.take_down)
            self.service = ServiceProcess(Path(folder))
            starting.callback(self.service.kill)
            self._cleaning = starting.pop_all()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._cleaning.close()

    def next_seen(self, wait_s: float) -> dict[str, Any] | None:
        """The next request that reached the receiver; None if none came in that time."""
        try:
            return self._seen.get(timeout=wait_s)
        except queue.Empty:
            return None
