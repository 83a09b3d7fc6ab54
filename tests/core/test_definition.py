"""Definitions of events have ids that never change, made of their names."""

import uuid

import pytest

from bookbell.core import catalogue
from bookbell.core.definition import definition_uuid, definitions, org_event_types
from bookbell.core.errors import WebhookInvalid
from bookbell.core.model import Level

NAMESPACE = uuid.UUID("b00cbe11-d0c5-4e5f-8a3f-6c1e7d2f9a40")


def test_an_id_is_the_version_5_uuid_of_the_name() -> None:
    for name in catalogue.names():
        assert definition_uuid(name) == str(uuid.uuid5(NAMESPACE, name))


def test_an_id_stays_the_same_for_ever() -> None:
    assert definition_uuid("book.verified") == "a20d5b03-d8ea-5c27-92c5-5383f7affb7c"
    assert definition_uuid("document.verification_succeeded") == "ebfb5e05-682e-59b6-8c3d-7bb4703396a1"


def test_definitions_come_in_the_order_of_the_names() -> None:
    names = ("document.upload_failed", "book.verified")
    found = definitions(names)
    assert [kind.name for kind in found.values()] == list(names)
    assert list(found) == [definition_uuid(name) for name in names]


def test_events_of_org_level_are_taken_as_they_are() -> None:
    names = catalogue.names(Level.ORG)
    assert org_event_types(names) == names


def test_unknown_names_and_those_of_account_level_are_named() -> None:
    with pytest.raises(WebhookInvalid) as caught:
        org_event_types(["book.verified", "book.burnt", "BOOK_VERIFIED"])
    assert caught.value.message == "Event(s) with name book.burnt, BOOK_VERIFIED doesnt exist"
