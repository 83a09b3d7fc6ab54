"""The shipped scenarios: what they cover, and that they tell a careful receiver from a sloppy one."""

import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, get_args

import pytest

from bookbell.cli.sandbox.scenario import Expect, PlayFault, Send, shipped
from bookbell.core import catalogue
from example_receivers import NEXT_SECRET, SECRET, CarefulWork, ExampleReceiver, SloppyWork, Work
from sandboxes import BOOKBELL, bookbell, environment, invoked

PLAY_S = 400.0


def play(work: Work, *names: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status, and what was told of each scenario by name."""
    with ExampleReceiver(work) as receiver:
        chosen = [part for name in names for part in ("--scenario", name)]
        secrets = ["--secret", SECRET, "--next-secret", NEXT_SECRET]
        done = bookbell("sandbox", *chosen, "--url", receiver.url, *secrets, "--json", within_s=PLAY_S)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {each["scenario"]: each for each in told}


def impatient(name: str, folder: Path) -> str:
    """The file of a shipped scenario that waits a second, not half a minute, for retries that are to fail."""
    (text,) = (each.file.read_text() for each in shipped() if each.file.stem == name)
    assert "attempts: 3}" in text
    path = folder / f"{name}.yaml"
    path.write_text(text.replace("attempts: 3}", "attempts: 3, within_s: 1}"))
    return str(path)


def failures(told: dict[str, Any]) -> list[str]:
    return [f"{step['step']}: {step['message']}" for step in told["steps"] if not step["ok"]]


def test_a_careful_receiver_passes_every_shipped_scenario() -> None:
    status, told = play(CarefulWork(), "all")
    assert {name: failures(each) for name, each in told.items() if not each["passed"]} == {}
    assert status == 0
    assert set(told) == {each.file.stem for each in shipped()}


def test_a_sloppy_receiver_fails_just_where_it_is_sloppy(tmp_path: Path) -> None:
    status, told = play(SloppyWork(), "forgeries", impatient("duplicates", tmp_path), "newer-service")
    assert status == 1
    forged = ["wrong secret", "altered body", "unsigned", "no timestamp", "late", "early", "wrong credentials"]
    expected = [f"send: DOC_VERIFIED, {mistake}: The receiver answered 200" for mistake in forged]
    assert [each.partition(".")[0] for each in failures(told["forgeries"])] == [
        *expected,
        "send: BOOK_VERIFIED, not json: The receiver answered 500",
    ]
    assert any("BOOK_VERIFIED, duplicate" in each for each in failures(told["duplicates"]))
    assert len(failures(told["newer-service"])) == 3


def test_a_receiver_that_needs_an_order_fails_out_of_order() -> None:
    status, told = play(SloppyWork(), "out-of-order")
    assert status == 1
    assert [each.partition(":")[0] for each in failures(told["out-of-order"])] == ["expect_order"]


def test_a_receiver_that_is_not_there_is_told_and_ends_in_time() -> None:
    done = bookbell(
        "sandbox", "--scenario", "newer-service", "--url", "http://127.0.0.1:9/", "--secret", SECRET, within_s=PLAY_S
    )
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "200 was expected" in done.stdout


class NeverWork:
    """Refuses everything, and tells that something came."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.asked.set()
        return 500


def test_ctrl_c_while_a_step_waits_ends_the_whole_run_and_blames_nobody(tmp_path: Path) -> None:
    story = tmp_path / "waits.yaml"
    story.write_text(
        "title: Waits\nsteps:\n  - register: {events: [DOC_VERIFIED]}\n  - book: {name: Loan 2210}\n"
        "  - upload: {book: Loan 2210, name: statement.pdf}\n  - expect: {event: DOC_VERIFIED, within_s: 60}\n"
    )
    work = NeverWork()
    with ExampleReceiver(work) as receiver:
        played = [*BOOKBELL, "sandbox", "--scenario", str(story), "--scenario", "newer-service", "--json"]
        playing = subprocess.Popen(
            [*played, "--url", receiver.url, "--secret", SECRET], env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert work.asked.wait(PLAY_S)
        playing.send_signal(signal.SIGINT)
        told, _ = playing.communicate(timeout=PLAY_S)
    (only,) = (json.loads(line) for line in told.splitlines())
    assert playing.returncode == 130
    assert (only["scenario"], only["passed"], only["steps_unplayed"], failures(only)) == ("waits", False, 1, [])


def test_the_shipped_scenarios_cover_every_fault_and_mistake() -> None:
    steps = [line.step for scenario in shipped() for line in scenario.lines]
    faults = {step.kind for step in steps if isinstance(step, PlayFault)}
    assert faults == set(get_args(PlayFault.__annotations__["kind"]))
    mistakes = {step.mistake for step in steps if isinstance(step, Send)}
    assert mistakes == set(get_args(Send.__annotations__["mistake"]))


def test_the_shipped_scenarios_cover_every_event() -> None:
    steps = [line.step for scenario in shipped() for line in scenario.lines]
    expected = {step.event for step in steps if isinstance(step, Expect) and step.count}
    missing = set(catalogue.names()) - expected
    assert missing == set()


def test_scenarios_are_listed_by_name() -> None:
    listed = invoked("sandbox", "--scenarios")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [each.file.stem for each in shipped()]


def test_a_url_that_the_guard_refuses_is_refused() -> None:
    refused = invoked("sandbox", "--scenario", "forgeries", "--url", "http://10.0.0.1/", "--secret", SECRET)
    assert refused.exit_code == 2
    assert "private" in refused.stderr


@pytest.mark.parametrize("secret", ["short", "s" * 129])
def test_a_secret_that_no_webhook_can_have_is_refused(secret: str) -> None:
    refused = invoked("sandbox", "--scenario", "forgeries", "--url", "http://localhost:9/", "--secret", secret)
    assert refused.exit_code == 2
    assert "length of value" in refused.stderr
