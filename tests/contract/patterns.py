"""Compares an answer with what a golden case expects, where `<pk>` and the like stand for what varies."""

import re
from typing import Any

REST = "..."
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TEXTS = {
    "uuid": _UUID,
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "exact time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "md5": "[0-9a-f]{32}",
    "digits": r"\d+",
    "text": ".+",
}
_PLACE = re.compile(f"<({'|'.join(_TEXTS)}|pk)>")
_PK_MAX = 2**53 - 1


def differences(expected: Any, actual: Any, where: str = "answer") -> list[str]:
    """One line for each place where the actual value is not as expected, none when it is."""
    match expected:
        case dict():
            return _of_objects(expected, actual, where)
        case list():
            return _of_lists(expected, actual, where)
        case str():
            is_equal = _is_text_like(expected, actual)
        case _:
            is_equal = type(expected) is type(actual) and expected == actual
    return [] if is_equal else [f"{where}: expected {expected!r}, got {actual!r}"]


def _of_objects(expected: dict[str, Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, dict):
        return [f"{where}: expected an object, got {actual!r}"]
    wanted = expected.keys() - {REST}
    found = [f"{where}.{name}: missing" for name in sorted(wanted - actual.keys())]
    if REST not in expected:
        found += [f"{where}.{name}: unexpected, {actual[name]!r}" for name in sorted(actual.keys() - wanted)]
    for name, value in expected.items():
        if name != REST and name in actual:
            found += differences(value, actual[name], f"{where}.{name}")
    return found


def _of_lists(expected: list[Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, list):
        return [f"{where}: expected a list, got {actual!r}"]
    has_rest = bool(expected) and expected[-1] == REST
    wanted = expected[:-1] if has_rest else expected
    if len(actual) < len(wanted) or (len(actual) > len(wanted) and not has_rest):
        return [f"{where}: expected {len(wanted)} items, got {len(actual)}: {actual!r}"]
    pairs = enumerate(zip(wanted, actual, strict=False))
    return [line for index, (one, other) in pairs for line in differences(one, other, f"{where}[{index}]")]


def _is_text_like(expected: str, actual: Any) -> bool:
    if expected == "<any>":
        return True
    if expected == "<pk>":
        return type(actual) is int and 0 < actual <= _PK_MAX
    if not isinstance(actual, str):
        return False
    parts = _PLACE.split(expected)  # text, place, text, place, ..., text
    pattern = "".join(_piece(part) if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def _piece(place: str) -> str:
    return r"[1-9]\d*" if place == "pk" else _TEXTS[place]
