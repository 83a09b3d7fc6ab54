"""Shapes of JSON, written once: each piece is a JSON Schema that carries an example, and wholes are put together.

The example of a whole is made of the examples of its parts (`example_of`), so none has to be written out twice.
Source: JSON Schema 2020-12, which OpenAPI 3.1 uses as it is.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]

INTEGER_MAX = 2**53 - 1  # what every client can hold exactly


def text(example: str, **bounds: Any) -> Schema:
    """A text. bounds: keywords of JSON Schema, e.g. maxLength, pattern, format."""
    return {"type": "string", **bounds, "examples": [example]}


def whole(example: int, *, least: int = 0, most: int = INTEGER_MAX) -> Schema:
    """A whole number within these bounds, both included."""
    return {"type": "integer", "minimum": least, "maximum": most, "examples": [example]}


def flag(example: bool = True) -> Schema:
    """True or false."""
    return {"type": "boolean", "examples": [example]}


def choice(values: Iterable[str], example: str | None = None) -> Schema:
    """One of these texts; the example is the first unless another is named."""
    known = [str(value) for value in values]
    return {"type": "string", "enum": known, "examples": [example or known[0]]}


def uuid(example: str = "7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11") -> Schema:
    """A UUID as text."""
    return text(example, format="uuid")


def instant(example: str = "2026-05-30T16:15:14Z") -> Schema:
    """An instant in UTC, to the second."""
    return text(example, format="date-time")


def exact_instant() -> Schema:
    """An instant in UTC, to the millisecond."""
    return instant("2026-05-30T16:15:14.123Z")


def nullable(schema: Schema) -> Schema:
    """This, or null."""
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def listed(item: Schema, **bounds: Any) -> Schema:
    """A list of such items. bounds: keywords of JSON Schema, e.g. minItems."""
    return {"type": "array", "items": item, **bounds}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with exactly these keys; optional ones may be absent, and are in no example."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapped(value: Schema, key_example: str) -> Schema:
    """An object with any keys, whose values are such."""
    return {"type": "object", "additionalProperties": value, "examples": [{key_example: example_of(value)}]}


def anything(example: Any) -> Schema:
    """Any JSON value, or any object where the example is one."""
    kind: dict[str, Any] = {"type": "object"} if isinstance(example, dict) else {}
    return {**kind, "examples": [example]}


def either(*schemas: Schema) -> Schema:
    """One or several of these; the example is the first one's."""
    return {"anyOf": list(schemas)}


def example_of(schema: Schema) -> Any:
    """The example of a shape, made of those of its parts."""
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0])
    match schema["type"]:
        case "object" | ["object", "null"]:
            return {name: example_of(schema["properties"][name]) for name in schema["required"]}
        case "array" | ["array", "null"]:
            return [example_of(schema["items"])]
        case _:
            raise TypeError(f"no example in {schema}")
