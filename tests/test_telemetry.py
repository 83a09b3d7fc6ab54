"""The log: what cannot be written is lost, and stops nobody."""

import sys
from pathlib import Path

import pytest

from bookbell import telemetry


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_that_cannot_be_written_stops_nobody(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        telemetry.set_up_logging(log_format)
        for _ in range(2):
            telemetry.log().error("loop_failed", loop="turn", detail="x" * 10_000)
        monkeypatch.undo()


def test_a_process_without_standard_error_logs_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    telemetry.set_up_logging("json")
    telemetry.log().error("loop_failed", loop="turn")
    assert capsys.readouterr().out == ""
