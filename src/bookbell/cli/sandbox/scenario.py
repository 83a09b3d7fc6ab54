"""The file format of scenarios: YAML to checked values, with errors that name the line.

Source: docs/scenarios.md, which describes each step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from bookbell.config import StartError

FILE_BYTES_MAX = 256 * 1024
STEP_COUNT_MAX = 200
TIME_S_MAX = 600
ALL = "all"

Hook = Annotated[str, msgspec.Meta(pattern="^(one|two|manager)$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=120)]
Count = Annotated[int, msgspec.Meta(ge=0, le=500)]
Some = Annotated[int, msgspec.Meta(ge=1, le=500)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=30_000)]
Status = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all steps share: nothing but strictness."""


class Register(Step, frozen=True):
    """Register the webhook of a key, through the relay, with a secret unless is_signed is false."""

    events: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=100)]
    key: Hook = "one"
    level: Literal["account", "org"] = "account"
    is_signed: bool = True
    policy: dict[str, Any] = {}


class AddBook(Step, frozen=True):
    """Create a book; later steps call it by its name."""

    name: Name
    key: Hook = "one"


class Upload(Step, frozen=True):
    """Upload files; the name chooses the outcome. is_open: leave the group of images open."""

    book: Name
    name: Name
    kind: Literal["pdf", "mixed", "images"] = "pdf"
    pages: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    count: Annotated[int, msgspec.Meta(ge=1, le=50)] = 1
    form_type: Name | None = None
    is_open: bool = False


class Hold(Step, frozen=True):
    """Keep the pipeline from working, so that a book can be put together first."""


class Release(Step, frozen=True):
    """Let the pipeline work again."""


class Analytics(Step, frozen=True):
    """Ask for the analytics of a book."""

    book: Name


class Publish(Step, frozen=True):
    """Report an event that no lifecycle derives, as the pipeline does. What it is about: docs/scenarios.md."""

    event: Name
    book: Name | None = None
    document: Name | None = None
    images: Name | None = None
    organization: bool = False
    status: Name | None = None
    name: Name | None = None


class PlayFault(Step, frozen=True):
    """Trouble for the next requests between service and receiver."""

    kind: Literal["status", "hang_up", "slow", "lost_answer"]
    count: Some = 1
    event: Name | None = None
    status: Status = 503
    delay_ms: Milliseconds = 0
    retry_after_s: Count | None = None


class Send(Step, frozen=True):
    """Send one request past the service, right or deliberately wrong."""

    event: Name
    key: Hook = "one"
    mistake: Literal[
        "none",
        "duplicate",
        "late",
        "early",
        "wrong_secret",
        "altered_body",
        "unsigned",
        "no_timestamp",
        "wrong_credentials",
        "not_json",
    ] = "none"
    age_s: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 3_600
    add: dict[str, Any] = {}
    answer: Literal["accepted", "refused"] | Annotated[list[Status], msgspec.Meta(min_length=1)] | None = None


class Expect(Step, frozen=True):
    """Wait for exactly that many deliveries of an event."""

    event: Name
    key: Hook = "one"
    count: Count = 1
    attempts: Some = 1
    state: Literal["delivered", "attempted", "exhausted", "cancelled"] = "delivered"
    body: dict[str, Any] = {}
    within_s: Seconds = 30.0


class ExpectOrder(Step, frozen=True):
    """The receiver took these events in this order, first time of each."""

    events: Annotated[list[Name], msgspec.Meta(min_length=2, max_length=100)]
    key: Hook = "one"


class Settle(Step, frozen=True):
    """Wait until nothing is pending and the ledger balances."""

    within_s: Seconds = 30.0


class RotateSecret(Step, frozen=True):
    """Sign with the receiver's next secret from now on."""

    key: Hook = "one"


class TestCall(Step, frozen=True):
    """Make the API's test call and demand what the receiver answers."""

    key: Hook = "one"
    status: Status = 200


class Deregister(Step, frozen=True):
    """Deregister the webhook of a key."""

    key: Hook = "one"


class Pause(Step, frozen=True):
    """Let real time pass."""

    ms: Milliseconds


KINDS: dict[str, type[Step]] = {
    "register": Register,
    "book": AddBook,
    "upload": Upload,
    "hold": Hold,
    "release": Release,
    "analytics": Analytics,
    "publish": Publish,
    "fault": PlayFault,
    "send": Send,
    "expect": Expect,
    "expect_order": ExpectOrder,
    "settle": Settle,
    "rotate_secret": RotateSecret,
    "test": TestCall,
    "deregister": Deregister,
    "pause": Pause,
}


class _Head(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    title: Name
    about: str = ""
    time_limit_s: Annotated[int, msgspec.Meta(ge=1, le=TIME_S_MAX)] = 120
    steps: Annotated[list[Any], msgspec.Meta(min_length=1, max_length=STEP_COUNT_MAX)]


@dataclass(frozen=True, slots=True)
class Line:
    """One step and where it stands. name: as the file calls it."""

    number: int
    name: str
    step: Step


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. time_limit_s bounds the whole of it."""

    file: Path
    title: str
    about: str
    time_limit_s: int
    lines: tuple[Line, ...]


def shipped() -> list[Scenario]:
    """The scenarios that come with the package, by name."""
    folder = Path(str(resources.files("bookbell"))) / "scenarios"
    return [read(path) for path in sorted(folder.glob("*.yaml"))]


def chosen(names: list[str]) -> list[Scenario]:
    """The scenarios that the command names: files, names of shipped ones, or `all`. Raises: StartError."""
    known = {each.file.stem: each for each in shipped()}
    found: list[Scenario] = []
    for name in names:
        if name == ALL:
            found += known.values()
        elif name in known and not Path(name).is_file():
            found.append(known[name])
        else:
            found.append(read(Path(name)))
    return found


def read(path: Path) -> Scenario:
    """Read and check one file. Raises: StartError that names file, line and what is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise StartError(
            f"{path}: {error.strerror}. `bookbell sandbox --scenarios` lists the shipped ones."
        ) from error
    if len(raw) > FILE_BYTES_MAX:
        raise StartError(f"{path} is larger than {FILE_BYTES_MAX} bytes.")
    node, value = _loaded(path, raw)
    try:
        head = msgspec.convert(value, _Head)
    except msgspec.ValidationError as error:
        raise StartError(f"{path}:{_line(node, error)}: {error}") from error
    lines = tuple(_steps(path, node, head.steps))
    return Scenario(path, head.title, head.about.strip(), head.time_limit_s, lines)


def _loaded(path: Path, raw: bytes) -> tuple[yaml.Node, Any]:
    """The document as nodes, which know their lines, and as a value. Aliases are refused: they grow without end."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(raw, Loader=yaml.SafeLoader)):
            raise StartError(f"{path}: aliases (*name) are not allowed here")
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
        value = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise StartError(f"{path}:{1 if mark is None else mark.line + 1}: not YAML: {problem}") from error
    if node is None:
        raise StartError(f"{path}: the file is empty")
    return node, value


def _steps(path: Path, node: yaml.Node, steps: list[Any]) -> Iterator[Line]:
    nodes = _child(node, "steps").value
    for index, (item, at) in enumerate(zip(steps, nodes, strict=True)):
        number = at.start_mark.line + 1
        place = f"{path}:{number}: step {index + 1}"
        if not isinstance(item, dict) or len(item) != 1:
            raise StartError(f"{place}: a step is one name with its fields, e.g. `- expect: {{event: BOOK_VERIFIED}}`")
        (name, fields), *_ = item.items()
        if name not in KINDS:
            raise StartError(f"{place}: {name} is no step; known are {', '.join(KINDS)}")
        try:
            yield Line(number, name, msgspec.convert(fields or {}, KINDS[name]))
        except msgspec.ValidationError as error:
            line = _line(_child(at, name), error)
            raise StartError(f"{path}:{line}: step {index + 1} ({name}): {error}") from error


def _child(node: yaml.Node, key: str) -> yaml.Node:
    """The node under a key of a mapping node; the node itself when there is none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), node)


def _line(node: yaml.Node, error: msgspec.ValidationError) -> int:
    """The line of what the error names (`... at `$.field``), or of the node."""
    _, _, place = str(error).partition("`$.")
    field = place.rstrip("`").partition("[")[0].partition(".")[0]
    return _child(node, field).start_mark.line + 1
