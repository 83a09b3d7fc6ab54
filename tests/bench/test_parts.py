"""The parts of a delivery are each measured; what they cost is nobody's business here."""

import pytest

from bench import parts


def test_every_part_is_measured_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    parts.main(call_count=2)
    _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(parts.parts())
    for line in lines:
        assert all(float(figure) > 0 for figure in line.split()[-3:]), line
