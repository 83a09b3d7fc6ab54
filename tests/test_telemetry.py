"""The log: what cannot be written is lost, and stops nobody."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bookbell import telemetry


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of the libraries' log are the same afterwards."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_that_cannot_be_written_stops_nobody(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        telemetry.set_up_logging(log_format)
        for _ in range(2):
            telemetry.log().error("loop_failed", loop="turn", detail="x" * 10_000)
        monkeypatch.undo()


def test_what_libraries_say_is_a_line_of_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("json")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("asyncio").exception("Exception in callback")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["library"], first["level"]) == ("library_said", "uvicorn.error", "warning")
    assert first["message"] == "Invalid HTTP request received."
    assert "ValueError: broken" in second["exception"]


def test_a_process_without_standard_error_logs_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    telemetry.set_up_logging("json")
    telemetry.log().error("loop_failed", loop="turn")
    assert capsys.readouterr().out == ""
