"""What an operator may define."""

from dataclasses import replace

import pytest

from bookbell.core.catalogue import Source
from bookbell.core.defined_types import check_description, check_name, schema_text
from bookbell.core.errors import InvalidRequest, ValidationFailed
from bookbell.core.model import Level
from scene import LOAN


@pytest.mark.parametrize("name", ["loan.funded", "a.b.c_1", "x.1"])
def test_names_are_dotted_lower_case(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["loan", "Loan.funded", "loan.", ".loan", "loan..a", "loan funded.a", "a." + "b" * 64]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationFailed, match="joined by dots"):
        check_name(name)


def test_the_contracts_names_are_taken() -> None:
    with pytest.raises(InvalidRequest, match="of the contract"):
        check_name("book.verified")


def test_a_description_has_a_length() -> None:
    check_description("A loan was funded.")
    for wrong in ("", "  ", "x" * 1_001):
        with pytest.raises(ValidationFailed):
            check_description(wrong)


def test_a_schema_is_kept_as_text_once_it_was_checked() -> None:
    assert schema_text(None) is None
    assert schema_text({"type": "object"}) == '{"type":"object"}'
    with pytest.raises(ValidationFailed):
        schema_text({"type": "loan"})


def test_it_shows_itself_as_the_contracts_types_do() -> None:
    shown = LOAN.as_event_type()
    assert (shown.source, shown.is_active) == (Source.PUBLISHED, False)
    assert shown.levels == {Level.ORG}
    assert LOAN.schema() == {"type": "object"}


def test_without_a_schema_every_object_is_a_body() -> None:
    assert LOAN.problem_of({"any": 1}) is None
    strict = replace(LOAN, body_schema='{"required": ["loan"]}')
    assert strict.problem_of({"loan": 1}) is None
    assert strict.problem_of({}) == "body: 'loan' is a required property"
