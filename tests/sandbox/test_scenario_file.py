"""The file format of scenarios: what is wrong is told with its line."""

from pathlib import Path

import pytest

from bookbell.cli.sandbox.scenario import FILE_BYTES_MAX, Expect, read
from bookbell.config import StartError

HEAD = "title: A story\nsteps:\n"


def problem_of(folder: Path, text: str) -> str:
    path = folder / "story.yaml"
    path.write_text(text)
    with pytest.raises(StartError) as caught:
        read(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": the file is empty"),
        ("- just\n- a list\n", ":1: Expected `object`"),
        ("title: A story\n", ":1: Object missing required field `steps`"),
        ("title: A story\nsteps: []\n", ":2: Expected `array` of length >= 1"),
        ("title: A story\nstep: []\nsteps: [pause: {ms: 1}]\n", ":1: Object contains unknown field `step`"),
        ("title: x\ntime_limit_s: 9999\nsteps: [pause: {ms: 1}]\n", ":2: Expected `int` <= 600"),
        (HEAD + "  - pause\n", ":3: step 1: a step is one name"),
        (HEAD + "  - {pause: {ms: 1}, settle: {}}\n", ":3: step 1: a step is one name"),
        (HEAD + "  - settle: {}\n  - dance: {}\n", ":4: step 2: dance is no step; known are register"),
        (HEAD + "  - pause: {ms: soon}\n", ":3: step 1 (pause): Expected `int`, got `str` - at `$.ms`"),
        (
            HEAD + "  - expect:\n      event: BOOK_VERIFIED\n      count: -1\n",
            ":5: step 1 (expect): Expected `int` >= 0",
        ),
        (
            HEAD + "  - expect: {event: X, colour: red}\n",
            ":3: step 1 (expect): Object contains unknown field `colour`",
        ),
        (HEAD + "  - send: {event: X, mistake: rude}\n", ":3: step 1 (send): Invalid enum value 'rude'"),
        (HEAD + "  - register: {events: [X], key: three}\n", ":3: step 1 (register): Expected `str` matching regex"),
        (HEAD + "  - pause: {ms: 1\n", "not YAML"),
        (HEAD + "  - pause: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("a: &a [1]\nb: *a\n", ": aliases (*name) are not allowed here"),
        ("title: \x00\n", "not YAML"),
        (HEAD + "  - [[[" + "[" * 2000 + "\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problem_of(tmp_path, text)


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    assert "is larger than" in problem_of(tmp_path, "#" * (FILE_BYTES_MAX + 1))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        read(tmp_path / "none.yaml")


def test_a_step_becomes_a_value_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "story.yaml"
    path.write_text(HEAD + "  - settle: {}\n  - expect: {event: BOOK_VERIFIED, count: 2}\n")
    line = read(path).lines[1]
    assert (line.number, line.name, line.step) == (4, "expect", Expect(event="BOOK_VERIFIED", count=2))
