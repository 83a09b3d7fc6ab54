"""The catalogue holds the contract's names and knows what a client means."""

import pytest

from bookbell.core.catalogue import TYPES, canonical_account_name, names
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
    ("given", "meant"),
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
def test_what_a_client_means(given: str, meant: str | None) -> None:
    assert canonical_account_name(given) == meant
