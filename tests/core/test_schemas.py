"""Every body that is ever made validates against its schema, and the schemas refuse what is not such a body."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bookbell.core.catalogue import TYPES, EventType
from bookbell.core.events import Draft, body
from bookbell.core.fields import fields_of
from bookbell.core.model import DocumentStatus, Level, Task
from bookbell.core.samples import DOCUMENT, sample_body, sample_draft
from bookbell.core.schemas import schema_of
from scene import BOOK, GROUP, MIXED

ALL = [(kind.name, level) for kind in TYPES.values() for level in sorted(kind.levels)]
VALIDATORS = {
    (name, level): Draft202012Validator(
        schema_of(TYPES[name], level), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for name, level in ALL
}
pks = st.integers(0, 2**53 - 1)
uuids = st.uuids().map(str)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@st.composite
def drafts(draw: st.DrawFn, kind: EventType) -> Draft:
    """Any draft of this type, as lifecycles and reports can make them."""
    status = draw(st.sampled_from(kind.statuses)) if kind.statuses else ""
    document = replace(
        DOCUMENT,
        pk=draw(pks),
        uuid=draw(uuids),
        name=draw(texts),
        mixed_pk=draw(st.none() | pks),
        mixed_uuid=draw(st.none() | uuids),
        image_group_pk=draw(st.none() | pks),
        image_group_uuid=draw(st.none() | uuids),
    )
    is_refusal = kind.name in {"document.upload_failed", "plaid.upload_failed"}
    made = replace(
        sample_draft(kind, status),
        document=None if is_refusal and draw(st.booleans()) else document,
        name=draw(texts),
        mixed=replace(MIXED, pk=draw(pks), uuid=draw(uuids)),
        group=replace(GROUP, pk=draw(pks), uuid=draw(uuids)),
        analytics_request_id=draw(uuids),
    )
    if made.rejection_reason is not None:
        made = replace(made, rejection_reason=draw(texts))
    if kind.name == "book.completed":
        made = replace(made, tasks=tuple(draw(st.sets(st.sampled_from(list(Task)), min_size=1))))
    return made


statuses = st.lists(st.tuples(uuids, st.sampled_from([str(each) for each in DocumentStatus])), max_size=4)


@given(data=st.data())
@settings(max_examples=150)
def test_every_body_validates_against_its_schema(data: st.DataObject) -> None:
    name, level = data.draw(st.sampled_from(ALL))
    book = replace(BOOK, pk=data.draw(pks), uuid=data.draw(uuids), name=data.draw(texts))
    sent = body(data.draw(drafts(TYPES[name])), level, book, data.draw(statuses))
    assert sent is not None
    VALIDATORS[name, level].validate(json.loads(sent))


@pytest.mark.parametrize(("name", "level"), ALL)
def test_the_sample_has_every_key_in_order_and_no_other(name: str, level: Level) -> None:
    found = json.loads(sample_body(name, level) or b"")
    expected = [field.name for field in fields_of(TYPES[name], level) if not field.is_optional or field.name in found]
    assert list(found) == expected
    VALIDATORS[name, level].validate(found)


def changed(found: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**found, **values}


@pytest.mark.parametrize(("name", "level"), ALL)
def test_a_schema_refuses_what_lacks_a_key_or_names_another_event(name: str, level: Level) -> None:
    found = json.loads(sample_body(name, level) or b"")
    check = VALIDATORS[name, level]
    Draft202012Validator.check_schema(check.schema)
    for field in fields_of(TYPES[name], level):
        if not field.is_optional:
            assert not check.is_valid({key: value for key, value in found.items() if key != field.name})
    assert not check.is_valid(changed(found, event_name="book.other"))
    assert check.is_valid(changed(found, a_key_of_tomorrow=1))
    if "status" in found:
        assert not check.is_valid(changed(found, status="DONE"))
    if "book_pk" in found:
        assert not check.is_valid(changed(found, book_pk="1"))
    if "book_uuid" in found:
        assert not check.is_valid(changed(found, book_uuid="no uuid"))
