"""An operator's JSON Schema (draft 2020-12): whether it can be taken, and whether a body fits it, in bounded time.

References stay within the schema, so nothing is ever fetched. Each keyword that is evaluated counts as one step (and a
demand for unique items as the pairs it compares), so recursion and combinations end at a bound. Regular expressions
are refused, because Python's cannot be bounded; `format` is a note, as the draft has it.
"""

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from bookbell.core import limits
from bookbell.core.errors import ValidationFailed
from bookbell.core.schemas import DIALECT

REFUSED = ("pattern", "patternProperties", "$dynamicRef", "$dynamicAnchor", "$id", "$anchor", "$schema")
"""Unbounded, or a way to evaluate by other rules than these."""
PROBLEM_CHARS_MAX = 300
VALIDATORS_KEPT = 256

Schema = dict[str, Any]
_Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class _TooManySteps(Exception):
    """The evaluation came to its bound."""


class _Steps:
    """What one evaluation may still do."""

    def __init__(self) -> None:
        self.left = limits.SCHEMA_STEPS_MAX

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _TooManySteps


# The library calls keywords as plain functions; this is how the count reaches them, one for each evaluation.
_steps: ContextVar[_Steps] = ContextVar("steps")


def _counted(keyword: str, check: _Check, validator: Any, value: Any, instance: Any, schema: Any) -> Any:
    is_paired = keyword == "uniqueItems" and isinstance(instance, list)
    _steps.get().take(1 + (len(instance) ** 2 // 2 if is_paired else 0))
    return check(validator, value, instance, schema)


_Counting = extend(  # type: ignore[no-untyped-call] # not annotated there
    Draft202012Validator,
    {keyword: partial(_counted, keyword, check) for keyword, check in Draft202012Validator.VALIDATORS.items()},
)


def check_schema(schema: Schema, size_bytes: int) -> None:
    """Raises: ValidationFailed unless this can be the schema of a body. size_bytes: of its JSON text."""
    if size_bytes > limits.SCHEMA_BYTES_MAX:
        raise ValidationFailed(f"schema: at most {limits.SCHEMA_BYTES_MAX} bytes are expected, this has {size_bytes}")
    if schema.get("$schema", DIALECT) != DIALECT:
        raise ValidationFailed(f"schema: its $schema can only be {DIALECT}")
    plain = _plain(schema)
    try:
        references = list(_references(plain))
        Draft202012Validator.check_schema(plain)
        resolver = Registry().resolver_with_root(DRAFT202012.create_resource(plain))
        for reference in references:
            resolver.lookup(reference)
        _first_error(_counting(plain), {})  # the empty object need not fit, but trying it must end
    except SchemaError as error:
        raise ValidationFailed(f"schema: {_told(error)}") from error
    except Unresolvable as error:
        raise ValidationFailed(f"schema: a $ref leads nowhere: {str(error)[:PROBLEM_CHARS_MAX]}") from error
    except (_TooManySteps, RecursionError) as error:
        raise ValidationFailed("schema: it is nested too deep, or refers to itself without end") from error


def problem_of(schema_text: str, body: Any) -> str | None:
    """What keeps this body from fitting a schema that was taken, None when it fits. Also when it takes too long.

    schema_text: the schema as JSON text; making a validator of it costs more than most bodies do, so it is kept.
    """
    try:
        error = _first_error(_validator(schema_text), body)
    except (_TooManySteps, RecursionError):
        return f"body: finding out whether it fits takes more than {limits.SCHEMA_STEPS_MAX} steps"
    return None if error is None else f"body{_place(error)}: {_told(error)}"


@lru_cache(VALIDATORS_KEPT)
def _validator(schema_text: str) -> Validator:
    return _counting(_plain(json.loads(schema_text)))


def _counting(schema: Schema) -> Validator:
    made: Validator = _Counting(schema, registry=Registry())
    return made


def _plain(schema: Schema) -> Schema:
    # Where a reference leads to a schema that names its dialect, the library goes on with its own, uncounted, rules.
    return {key: value for key, value in schema.items() if key != "$schema"}


def _first_error(validator: Validator, body: Any) -> ValidationError | None:
    token = _steps.set(_Steps())
    try:
        found: ValidationError | None = next(iter(validator.iter_errors(body)), None)
        return found
    finally:
        _steps.reset(token)


def _references(part: Any) -> Iterator[str]:
    """Each `$ref` of a schema. Raises: ValidationFailed at what is refused."""
    for item in part if isinstance(part, list) else ():
        yield from _references(item)
    for key, value in part.items() if isinstance(part, dict) else ():
        # Under `properties` such a key is just the name of a property, and its value is a schema.
        if (key in REFUSED and not isinstance(value, dict | bool)) or key == "patternProperties":
            raise ValidationFailed(f"schema: the keyword {key} is not supported")
        if key == "$ref" and isinstance(value, str):
            if not value.startswith("#"):
                raise ValidationFailed("schema: a $ref begins with #; references to elsewhere are not followed")
            yield value
        if key not in ("const", "enum", "default", "examples"):
            yield from _references(value)


def _place(error: ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _told(error: ValidationError | SchemaError) -> str:
    text = error.message
    return text if len(text) <= PROBLEM_CHARS_MAX else f"{text[:PROBLEM_CHARS_MAX]}…"
