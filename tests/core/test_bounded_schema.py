"""An operator's schema is checked when it is taken, and no schema and no body can keep a process busy."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core import limits
from bookbell.core.bounded_schema import check_schema, problem_of
from bookbell.core.errors import ValidationFailed

LOAN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["loan"],
    "properties": {"loan": {"type": "integer"}, "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}}},
    "$defs": {"part": {"type": "string", "minLength": 1}},
}

TEXT = json.dumps(LOAN)


def deep(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    return schema


def test_a_body_fits_or_is_told_where_it_does_not() -> None:
    check_schema(LOAN, 100)
    assert problem_of(TEXT, {"loan": 1, "parts": ["a"]}) is None
    assert problem_of(TEXT, {}) == "body: 'loan' is a required property"
    assert problem_of(TEXT, {"loan": 1, "parts": ["a", ""]}) == "body.parts[1]: '' should be non-empty"


def test_a_long_problem_is_cut() -> None:
    assert len(problem_of(TEXT, {"loan": "x" * 10_000}) or "") < 400


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "loan"}, "'loan' is not valid"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, r"its \$schema can only be"),
        ({"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, r"the keyword \$schema"),
        ({"$ref": "https://example.com/schema.json"}, "references to elsewhere"),
        ({"allOf": [{"$ref": "file:///etc/passwd"}]}, "references to elsewhere"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "refers to itself without end"),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, "the keyword pattern is"),
        ({"patternProperties": {"^a": {}}}, "the keyword patternProperties is"),
        ({"$id": "https://example.com/a"}, r"the keyword \$id"),
        (deep(3_000), "nested too deep"),
    ],
)
def test_a_schema_that_cannot_be_taken_is_refused_with_the_reason(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationFailed, match=message):
        check_schema(schema, 100)


def test_a_schema_has_a_size() -> None:
    with pytest.raises(ValidationFailed, match="at most 65536 bytes"):
        check_schema({}, limits.SCHEMA_BYTES_MAX + 1)


def test_names_of_properties_and_values_are_no_keywords() -> None:
    check_schema({"properties": {"pattern": {"type": "string"}, "$id": True}, "const": {"pattern": "a"}}, 100)


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ({"uniqueItems": True}, list(range(1_000))),
        ({"items": {"anyOf": [{"$ref": "#/$defs/a"}] * 50 + [{}]}, "$defs": {"a": {"enum": [1]}}}, ["x"] * 2_000),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [{"items": {"$ref": "#/$defs/n"}, "type": "array"}] * 8}}},
            [[[[[[[[[[1]]]]]]]]]],
        ),
    ],
)
def test_an_evaluation_ends_at_its_bound(schema: dict[str, Any], body: Any) -> None:
    check_schema(schema, 100)
    assert "takes more than 50000 steps" in (problem_of(json.dumps(schema), body) or "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
keywords = st.sampled_from(
    ["type", "properties", "items", "anyOf", "not", "$ref", "enum", "required", "pattern", "if"]
)


@given(st.dictionaries(keywords | st.text(), json_values), json_values)
def test_any_schema_is_taken_or_refused_and_a_taken_one_judges_any_body(schema: dict[str, Any], body: Any) -> None:
    try:
        check_schema(schema, 100)
    except ValidationFailed:
        return
    assert problem_of(json.dumps(schema), body) is None or isinstance(problem_of(json.dumps(schema), body), str)
