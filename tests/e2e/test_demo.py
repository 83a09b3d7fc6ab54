"""The demo tells its story to the end, and says why when it cannot."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from processes import until

COLUMN = re.compile(r" {2,}")


class Demo:
    """A demo that runs, its temporary files in a folder of the test's."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self._output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bookbell.cli.main", "demo", *arguments],
            env={**os.environ, "TMPDIR": str(folder), **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def end(self) -> tuple[int, str]:
        """Exit status and all it printed."""
        status = self.process.wait(120)
        return status, self.output()

    def children(self) -> dict[str, int]:
        """The process ids of its service and its receiver, by the module or command they run."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
                words = (path.parent / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid:
                kind = "receiver" if b"bookbell.cli.demo_receiver" in words else "service"
                found[kind] = int(path.parent.name)
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._output.close()


@contextmanager
def playing(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    demo = Demo(folder, *arguments, **environment)
    children: dict[str, int] = {}
    try:
        children |= until("its processes", lambda: found if len(found := demo.children()) == 2 else None)
        yield demo
    finally:
        demo.close()
        for pid in children.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_the_demo_tells_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    settings = {"BOOKBELL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "BOOKBELL_PORT": "1"}
    with playing(tmp_path, **settings) as demo:  # what is set for another service does not touch the demo
        status, told = demo.end()
    assert status == 0, told
    arrived = [COLUMN.split(line.strip()) for line in told.splitlines() if line.strip().startswith("●")]
    by_key = {key: sorted(row[1] for row in arrived if row[0] == f"● key {key}") for key in ("one", "two")}
    # A receiver that is killed just before it answers is sent the same again.
    twice = re.search(r"(\d+) arrived twice", told)
    repeated = 0 if twice is None else int(twice[1])
    assert repeated <= 3
    assert sorted(set(by_key["two"])) == ["BOOK_VERIFIED", "document.upload_succeeded"]
    assert 0 <= len(by_key["two"]) - 2 <= repeated
    # On a machine so slow that a book is verified before its last upload, it is re-opened and verified again.
    assert 0 <= by_key["one"].count("DOC_VERIFIED") - 9 <= repeated
    assert by_key["one"].count("BOOK_VERIFIED") >= 2
    assert abs(by_key["one"].count("BOOK_VERIFIED") - by_key["one"].count("book.completed")) <= repeated
    assert {"IMAGE_GROUP_VERIFIED", "ANALYTICS_COMPLETED"} <= set(by_key["one"])
    assert {row[2] for row in arrived} == {"Loan 2210", "Loan 3175", "Loan 4096"}
    assert all(row[-1] == "signature and credentials right" and re.fullmatch(r"\d+ ms", row[-2]) for row in arrived)
    assert sum("REJECTED" in row for row in arrived) == 1
    count = len(arrived) - repeated
    story = [
        "Organization PennyMae gets two API keys",
        "test: 200 Success calling webhook endpoint",
        "the rejected document says why: DOCUMENT IS UNREADABLE",
        "The receiver goes down; events wait",
        "waiting  BOOK_VERIFIED",
        "The receiver comes back; the backlog drains",
        "deliveries drained, none is waiting",
        f"matched {count} = delivered {count} + pending 0 + exhausted 0 + cancelled 0",
        "Everything arrived and the ledger balances",
    ]
    places = [told.find(line) for line in story]
    assert -1 not in places, told
    assert places == sorted(places)
    assert "Traceback" not in told
    assert list(tmp_path.glob("bookbell-demo-*")) == []


def test_a_demo_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        until("the first lines", lambda: "gets two API keys" in demo.output())
        children = demo.children().values()
        demo.process.terminate()
        status, told = demo.end()
        assert (status, "Traceback" in told) == (0, False), told
        until("its processes have ended", lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    assert list(tmp_path.glob("bookbell-demo-*")) == []


@pytest.mark.parametrize("victim", ["service", "receiver"])
def test_the_demo_fails_with_the_reason_when_one_of_its_processes_dies(tmp_path: Path, victim: str) -> None:
    with playing(tmp_path) as demo:
        until("the first lines", lambda: "gets two API keys" in demo.output())
        os.kill(demo.children()[victim], signal.SIGKILL)
        status, told = demo.end()
    assert status == 1, told
    reason = told.partition("The demo failed:\n")[2]
    assert reason.strip(), told
    assert "Traceback" not in told
    assert "the ledger balances" not in told
    assert list(tmp_path.glob("bookbell-demo-*")) == []


def test_the_demo_fails_when_the_ledger_does_not_balance(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        until("the backlog", lambda: "The receiver goes down" in demo.output())
        tamper(tmp_path, lambda: demo.process.poll() is None)
        status, told = demo.end()
    assert status == 1, told
    assert re.search(r"\d+ deliveries were matched, but \d+ are accounted for\.", told), told[-3000:]


def tamper(folder: Path, is_running: Callable[[], bool]) -> None:
    """Make one event claim a delivery that there never was."""
    (file,) = folder.glob("bookbell-demo-*/data/bookbell.db")
    assert is_running()
    connection = sqlite3.connect(file, timeout=30)
    with connection:
        claim = "UPDATE events SET matched_count = matched_count + 1 WHERE id = (SELECT min(id) FROM events)"
        connection.execute(claim)
    connection.close()


def test_keep_leaves_the_service_running_with_commands_that_work(tmp_path: Path) -> None:
    with playing(tmp_path, "--keep") as demo:
        until("what to try", lambda: "Ctrl-C ends it" in demo.output())
        told = demo.output()
        commands = [line.strip() for line in told.splitlines() if line.startswith("  ") and "key " not in line]
        commands = commands[-3:]
        assert [command.partition(" ")[0].partition("=")[0] for command in commands] == [
            "TOKEN",
            "curl",
            "BOOKBELL_DATA_DIR",
        ]
        folder = Path(sys.executable).parent
        done = subprocess.run(
            ["bash", "-c", "set -euo pipefail\n" + "\n".join(commands)],
            env={"PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("delivered") >= 6, done.stdout
        page = re.search(r"(http://\S+)/dashboard, with any user name and the password (\S+)", told)
        assert page is not None, told
        assert httpx.get(f"{page[1]}/dashboard", auth=("anyone", page[2])).status_code == 200
        for pid in (*demo.children().values(), demo.process.pid):  # as the terminal does on Ctrl-C
            os.kill(pid, signal.SIGINT)
        status, told = demo.end()
    assert status == 0, told
    assert "Traceback" not in told
    assert list(tmp_path.glob("bookbell-demo-*")) == []
