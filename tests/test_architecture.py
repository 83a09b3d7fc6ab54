"""The rules of the house, checked: sizes, names, mirror of the tree, and that everything public is documented."""

import ast
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge

from bookbell import telemetry
from bookbell.cli.main import app as cli
from bookbell.config import Settings
from bookbell.core import catalogue
from bookbell.web.routes import ROUTES

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "bookbell"
DOCS = ROOT / "docs"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
NESTING_MAX = 3
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "models"}
NESTS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)

SOURCES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def nesting(node: ast.AST, depth: int = 0) -> int:
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        # An elif is a branch beside its if, not inside it.
        is_elif = isinstance(node, ast.If) and child in node.orelse and isinstance(child, ast.If)
        deeper = isinstance(child, NESTS) and not is_elif
        deepest = max(deepest, nesting(child, depth + deeper))
    return deepest


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_are_small(path: Path) -> None:
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        arguments = function.args
        count = len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
        count -= bool(arguments.args and arguments.args[0].arg in {"self", "cls"})
        assert lines <= FUNCTION_LINES_MAX, f"{function.name} has {lines} lines"
        assert count <= PARAMETERS_MAX, f"{function.name} has {count} parameters"
        assert nesting(function) <= NESTING_MAX, f"{function.name} nests too deep"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "a module opens with what it is"


def test_public_functions_say_what_they_give() -> None:
    missing = [
        f"{relative(path)}: {node.name}"
        for path in SOURCES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not any("StrEnum" in ast.unparse(base) for base in getattr(node, "bases", []))
        and not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    assert missing == []


def test_each_core_module_has_its_tests() -> None:
    core = {path.stem for path in (SOURCE / "core").glob("*.py")} - {"__init__", "model", "limits"}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "core").glob("test_*.py")}
    assert core - tests == set()


def test_tests_mirror_the_tree() -> None:
    known = {path.relative_to(SOURCE).with_suffix("") for path in SOURCES}
    for package in ("core", "store", "actions", "pipeline", "delivery"):
        for test in (ROOT / "tests" / package).glob("test_*.py"):
            name = test.stem.removeprefix("test_")
            assert any(str(module).startswith(f"{package}/") and name.startswith(module.name) for module in known), (
                f"{relative(test)} tests no module of {package}"
            )


def test_nothing_is_mocked() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        assert "unittest" + ".mock" not in path.read_text(), relative(path)


def test_libcurl_is_known_to_the_sender_only() -> None:
    users = {path.name for path in SOURCES if re.search(r"^\s*import pycurl", path.read_text(), re.MULTILINE)}
    own = {"sender.py", "sender_transfer.py", "sender_sessions.py"}
    assert users == own | {"bare.py", "machine.py"}, "bench measures libcurl alone"


def documentation() -> str:
    return "\n".join(path.read_text() for path in [*DOCS.glob("*.md"), ROOT / "README.md"])


def test_every_dependency_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = set(
        re.findall(r"^([a-z0-9-]+)(?=[=\[])", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE)
    )
    missing = {re.split(r"[\[<>=]", each)[0] for each in declared} - locked
    assert not missing, "`make lock` puts them into requirements/"


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()
    for setting in fields(Settings):
        assert f"`BOOKBELL_{setting.name.upper()}`" in text, setting.name
        assert str(setting.metadata["help"]) in text, f"the help of {setting.name} differs from docs/settings.md"


def test_every_route_is_documented() -> None:
    text = documentation()
    for handler in ROUTES:
        for path in handler.paths:
            shown = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
            assert f"`{handler.method} {shown}`" in text, f"{handler.method} {shown} is in no page of docs/"


def test_every_route_describes_itself() -> None:
    """How: the docstring of web/operation.py."""
    missing = [path for handler in ROUTES if "operation" not in handler.opt for path in handler.paths]
    assert missing == []


def test_every_event_type_is_documented() -> None:
    text = documentation()
    for name in catalogue.names():
        assert f"`{name}`" in text, name


def test_every_metric_and_log_event_is_documented() -> None:
    text = (DOCS / "telemetry.md").read_text()
    metrics = {f"{each.name}_total" if each.type == "counter" else each.name for each in telemetry.REGISTRY.collect()}
    for name in metrics | telemetry.LOG_EVENTS.keys():
        assert f"`{name}`" in text, name


def test_every_metric_is_measured() -> None:
    sources = "\n".join(path.read_text() for path in SOURCES)
    metrics = [name for name, value in vars(telemetry).items() if isinstance(value, Counter | Gauge)]
    assert metrics
    assert [name for name in metrics if f"telemetry.{name}." not in sources] == []


def test_log_events_are_those_of_the_catalogue() -> None:
    used = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            is_log = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("telemetry.log().")
            if is_log and isinstance(node, ast.Call):
                used |= {
                    leaf.value
                    for leaf in ast.walk(node.args[0])
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
                }
    assert used <= telemetry.LOG_EVENTS.keys()


def test_every_command_is_documented() -> None:
    text = documentation()
    names = [
        command.name or (command.callback.__name__ if command.callback else "") for command in cli.registered_commands
    ]
    names += [group.name or "" for group in cli.registered_groups]
    for name in names:
        assert f"bookbell {name.replace('_', '-')}" in text, name
