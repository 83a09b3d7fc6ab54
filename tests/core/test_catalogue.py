"""The catalogue holds the contract's names and knows what a client means."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.catalogue import (
    COUNTERPARTS,
    RETIRED,
    TYPES,
    canonical_account_name,
    canonical_name,
    definition_uuid,
    names,
)
from bookbell.core.model import Level

ACCOUNT_NAMES = [
    "ANALYTICS_COMPLETED",
    "book.analytics_v2.generated",
    "book.classified",
    "book.completed",
    "book.detect.signal_found",
    "book.detect.signal_not_found",
    "BOOK_VERIFIED",
    "book.income.generated",
    "book.income.updated",
    "document.classification_failed",
    "document.classification_succeeded",
    "document.detect.signal_found",
    "document.detect.signal_not_found",
    "document.detect.unable_to_process",
    "document.upload_failed",
    "document.upload_succeeded",
    "DOC_VERIFIED",
    "image_group.upload_failed",
    "image_group.upload_succeeded",
    "IMAGE_GROUP_VERIFIED",
    "mixed_document.rejected",
    "network.book.created",
    "network.book.funded",
    "plaid.upload_failed",
    "plaid.upload_succeeded",
]


def test_the_25_account_level_names_are_those_of_the_contract() -> None:
    assert len(ACCOUNT_NAMES) == 25
    assert set(names(Level.ACCOUNT)) == set(ACCOUNT_NAMES)


def test_every_type_has_a_level_and_texts() -> None:
    assert set(names()) == set(TYPES)
    for each in TYPES.values():
        assert each.levels
        assert each.severity in {"LOW", "MODERATE", "HIGH"}
        assert each.notification in {"STATUS", "ISSUE"}
        assert each.reason
        assert each.description.startswith("Fires when ")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("BOOK_VERIFIED", "BOOK_VERIFIED"),
        ("book.verified", "BOOK_VERIFIED"),
        ("network.book.created (BETA)", "network.book.created"),
        ("book_verified", None),
        ("MIDDESK_VERIFIED", None),
        ("document.verification_succeeded", None),
        ("", None),
    ],
)
def test_what_a_client_means(text: str, meant: str | None) -> None:
    assert canonical_account_name(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("book.verified", "book.verified"),
        ("network.book.funded (BETA)", "network.book.funded"),
        ("BOOK_VERIFIED", None),
        ("SUSPICIOUS_ACTIVITY", None),
    ],
)
def test_an_org_level_webhook_names_the_dotted_types_and_knows_no_alias(text: str, meant: str | None) -> None:
    assert canonical_name(text, Level.ORG) == meant


def test_counterparts_are_account_level_types_and_their_org_level_ones() -> None:
    for name, others in COUNTERPARTS.items():
        assert TYPES[name].levels == {Level.ACCOUNT}
        assert all(TYPES[other].levels == {Level.ORG} for other in others)


def test_retired_names_are_no_types() -> None:
    assert not set(RETIRED) & set(TYPES)


@given(st.sampled_from(names()) | st.text(min_size=1, max_size=64))
def test_a_definitions_uuid_is_that_of_version_5(name: str) -> None:
    found = uuid.UUID(definition_uuid(name))
    assert found == uuid.uuid5(uuid.UUID("5a1d3c0e-7b2f-5e4c-9a6d-8f0b1c2d3e4f"), name)
    assert found.version == 5


def test_definitions_uuids_are_published_and_do_not_change() -> None:
    assert definition_uuid("book.verified") == "27fca0f1-b3a1-5f79-82c7-27caa577e781"
    assert len({definition_uuid(name) for name in names()}) == len(TYPES)
