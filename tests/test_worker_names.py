"""Whoever runs on the same machine sees that a worker's process has ended, and never takes a living one for dead."""

import subprocess
import sys

import pytest

from bookbell import worker_names
from bookbell.worker_names import is_gone, new_name

SAYS_ITS_NAME = "from bookbell.worker_names import new_name; print(new_name('x'), flush=True); input()"

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system without /proc."""
    monkeypatch.setattr(worker_names, "_place", lambda: None)


def test_names_of_one_process_differ_and_it_is_not_gone() -> None:
    names = {new_name("a"), new_name("b")}
    assert len(names) == 2
    assert not any(map(is_gone, names))


@needs_proc
def test_a_process_is_gone_once_it_has_ended() -> None:
    command = [sys.executable, "-c", SAYS_ITS_NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert not is_gone(name)
        process.kill()
        process.wait(20)
        assert is_gone(name)


@needs_proc
def test_another_process_with_its_number_does_not_hide_that_it_is_gone() -> None:
    host, _, mark = new_name("a").rpartition(":")
    pid, began, *rest = mark.split("-")
    assert is_gone(f"{host}:{pid}-{int(began) + 1}-{'-'.join(rest)}")


@needs_proc
def test_nothing_is_said_of_another_machine() -> None:
    host, _, mark = new_name("a").rpartition(":")
    _, began, place, number = mark.split("-")
    other = f"{(int(place, 16) + 1) % 16**8:08x}"
    assert not is_gone(f"{host}:999999999-{began}-{other}-{number}")
    assert is_gone(f"{host}:999999999-{began}-{place}-{number}")


@needs_proc
def test_a_process_that_does_not_show_when_it_began_is_not_taken_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = new_name("a")
    monkeypatch.setattr(worker_names, "_began", lambda _pid: None)
    assert not is_gone(name)


@pytest.mark.parametrize("name", ["", "host", "host:", "host:0192f00dcafe", "host:1-2-zz-1", "host:0-0-00000000-1"])
def test_nothing_is_said_of_other_names(name: str) -> None:
    assert not is_gone(name)


@pytest.mark.usefixtures("elsewhere")
def test_where_nothing_can_be_told_the_name_is_what_is_given() -> None:
    assert new_name("0192f00dcafe").endswith(":0192f00dcafe")
    assert not is_gone(new_name("0192f00dcafe"))
