"""The golden cases: how a file of them reads, and the page that lists them all.

`python tests/contract/cases.py` writes docs/contract.md anew; a test fails when the page is stale.
A file is one call (or one subject); its cases are in order. The fields are those of the dataclasses below.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent.parent / "docs" / "contract.md"
CERTAINTIES = ("D", "D*", "C", "I")
METHODS = ("get", "post", "put", "delete", "patch", "head", "options")
_FILE_KEYS = {"call", "source", "cases"}
_CASE_KEYS = {"name", "source", "certainty", "deviation", "databases", "receiver", "given", "request", "answer"}
_CASE_KEYS |= {"received"}
_REQUEST_KEYS = {*METHODS, "as", "json", "form", "multipart", "files", "body", "headers"}
_GIVEN_KEYS = {*_REQUEST_KEYS, "keep", "status", "after_s"}
_ANSWER_KEYS = {"status", "json", "text", "headers"}
BEGIN = "<!-- From here on written by `python tests/contract/cases.py`. -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and its answer. call, source: of its file, unless the case names another source."""

    file: str
    call: str
    source: str
    name: str
    certainty: str
    deviation: str | None
    is_on_both: bool
    receiver: int | str | None
    given: list[dict[str, Any]]
    request: dict[str, Any]
    answer: dict[str, Any]
    received: list[dict[str, Any]] | None

    @property
    def id(self) -> str:
        """How the test is called."""
        return f"{self.file}: {self.name}"


def load_all() -> list[Case]:
    """Every case of every file, in order of file names."""
    return [case for path in sorted(FOLDER.glob("*.yaml")) for case in load(path)]


def load(path: Path) -> list[Case]:
    """The cases of one file. Raises: AssertionError that names what is wrong with it."""
    found = yaml.safe_load(path.read_text())
    assert found.keys() == _FILE_KEYS, f"{path.name}: a file has the keys {sorted(_FILE_KEYS)}"
    cases = [_case(path.stem, found, each, index == 0) for index, each in enumerate(found["cases"])]
    assert len({case.name for case in cases}) == len(cases), f"{path.name}: two cases have the same name"
    return cases


def _case(file: str, found: dict[str, Any], each: dict[str, Any], is_first: bool) -> Case:
    where = f"{file}: {each.get('name')}"
    _check(where, each, _CASE_KEYS)
    _check(where, each["request"], _REQUEST_KEYS)
    _check(where, each["answer"], _ANSWER_KEYS)
    for given in each.get("given", []):
        _check(where, given, _GIVEN_KEYS)
    assert each["certainty"] in CERTAINTIES, f"{where}: certainty is one of {CERTAINTIES}"
    return Case(
        file=file,
        call=found["call"],
        source=str(each.get("source", found["source"])),
        name=each["name"],
        certainty=each["certainty"],
        deviation=each.get("deviation"),
        is_on_both=is_first or each.get("databases") == "both",
        receiver=each.get("receiver"),
        given=each.get("given", []),
        request=each["request"],
        answer=each["answer"],
        received=each.get("received"),
    )


def _check(where: str, given: dict[str, Any], known: set[str]) -> None:
    assert given.keys() <= known, f"{where}: unknown keys {sorted(given.keys() - known)}"


def page(introduction: str, cases: list[Case]) -> str:
    """The page: its introduction, then one table for each file."""
    parts = [introduction, BEGIN]
    for file in dict.fromkeys(case.file for case in cases):
        own = [case for case in cases if case.file == file]
        parts.append(f"\n## {own[0].call}\n\n`tests/contract/{file}.yaml`\n\n")
        parts.append("| fact | source | certainty | deviation |\n|---|---|---|---|\n")
        for case in own:
            deviation = case.deviation or ""
            parts.append(f"| {_cell(case.name)} | {_cell(case.source)} | {case.certainty} | {_cell(deviation)} |\n")
    return "".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def introduction() -> str:
    """What is written by hand at the top of the page."""
    return PAGE.read_text().partition(BEGIN)[0]


if __name__ == "__main__":
    PAGE.write_text(page(introduction(), load_all()))
    sys.stdout.write(f"wrote {PAGE}\n")
