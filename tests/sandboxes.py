"""Real processes of `bookbell sandbox` for tests."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typer.testing import CliRunner, Result

from bookbell.cli.main import app

WAIT_S = 60.0
BOOKBELL = [sys.executable, "-m", "bookbell.cli.main"]


def environment(**settings: str) -> dict[str, str]:
    """The environment without settings of bookbell but these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOOKBELL_")}
    return {**clean, "PYTHONWARNINGS": "default", **settings}


def bookbell(*arguments: str, within_s: float = WAIT_S, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*BOOKBELL, *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def invoked(*arguments: str) -> Result:
    """Run a command in this process; for those that start no service."""
    return CliRunner().invoke(app, arguments)


class Sandbox:
    """A running sandbox and what it printed with --json; its client may be as quick as the machine lets it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*BOOKBELL, "sandbox", "--json", "--port", "0", *arguments],
            env=environment(BOOKBELL_RATE_LIMIT_PER_S="0"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())

    @property
    def url(self) -> str:
        return str(self.told["base_url"])

    @property
    def folder(self) -> Path:
        return Path(self.told["data_dir"])

    def key(self, name: str) -> tuple[str, str]:
        """Client id and secret of a key."""
        found = next(key for key in self.told["keys"] if key["name"] == name)
        return found["clientId"], found["clientSecret"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Ctrl-C. Gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status
