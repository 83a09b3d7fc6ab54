"""Each type has a sample at each of its levels."""

import json

import pytest

from bookbell.core.catalogue import TYPES
from bookbell.core.model import Level
from bookbell.core.samples import sample_body, sample_draft


@pytest.mark.parametrize("name", list(TYPES))
@pytest.mark.parametrize("level", list(Level))
def test_there_is_a_sample_at_the_levels_of_a_type_only(name: str, level: Level) -> None:
    assert (sample_body(name, level) is not None) == (level in TYPES[name].levels)


def test_the_sample_of_the_documented_test_call() -> None:
    found = json.loads(sample_body("book.verified", Level.ORG) or b"")
    documented = {"event_name", "severity", "uploaded_docs", "notification_reason", "notification_type", "book_uuid"}
    assert documented <= set(found)
    assert (found["severity"], found["notification_reason"]) == ("MODERATE", "Book is verified")


def test_a_rejected_subject_says_why() -> None:
    assert sample_draft(TYPES["DOC_VERIFIED"], "REJECTED").rejection_reason == "INVALID DOCUMENT"
    assert sample_draft(TYPES["book.copy.request_rejected"]).rejection_reason is None


def test_a_type_of_the_operators_own_has_a_sample_too() -> None:
    assert sample_body("loan.funded", Level.ORG) == b'{"event":"test"}'
