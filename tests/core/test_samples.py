"""The test call has a sample of every event of org level, shaped like the real ones."""

import json
from typing import Any

import pytest

from bookbell.core import catalogue
from bookbell.core.model import Level
from bookbell.core.samples import sample_body


def sample(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sample_body(name))
    return body


@pytest.mark.parametrize("name", catalogue.names(Level.ORG))
def test_every_org_level_event_has_one(name: str) -> None:
    body, kind = sample(name), catalogue.TYPES[name]
    assert (body["event_name"], body["severity"], body["notification_type"]) == (
        name,
        kind.severity,
        kind.notification,
    )
    assert str(body["notification_reason"]).startswith(kind.reason)


def test_the_documented_one_has_the_documented_keys() -> None:
    documented = {"event_name", "severity", "uploaded_docs", "notification_reason", "notification_type", "book_uuid"}
    body = sample("book.verified")
    assert documented <= body.keys()
    assert (body["severity"], body["notification_reason"]) == ("MODERATE", "Book is verified")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("book.classified", "VERIFYING"),
        ("book.verified", "BOOK_COMPLETE"),
        ("book.analytics_completed", "COMPLETED"),
        ("document.upload_succeeded", "QUEUED"),
        ("document.upload_failed", "FAILED"),
        ("document.classification_succeeded", "CLASSIFIED"),
        ("document.verification_succeeded", "VERIFICATION_COMPLETE"),
        ("document.verification_failed", "REJECTED"),
        ("mixed_document.rejected", "REJECTED"),
        ("image_group.verification_failed", "REJECTED"),
        ("plaid.upload_failed", "FAILED"),
    ],
)
def test_a_sample_has_the_status_of_its_event(name: str, status: str) -> None:
    assert sample(name)["status"] == status


def test_only_a_rejection_has_a_reason() -> None:
    assert sample("document.verification_failed")["rejection_reason"] == "INVALID DOCUMENT"
    assert "rejection_reason" not in sample("document.upload_failed")
    assert sample("book.completed")["tasks"] == ["CAPTURE", "DETECT"]
