"""Bodies are the contract's, key by key."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bookbell.core.catalogue import TYPES
from bookbell.core.events import TEST_BODY, Draft, body, needs_documents, subject_pk
from bookbell.core.model import Level
from scene import BOOK, DOCUMENT, GROUP, MIXED, REQUEST

STATUSES = [("c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10", "VERIFICATION_COMPLETE")]
LISTED = [{"uuid": "c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10", "status": "VERIFICATION_COMPLETE"}]
BOOK_KEYS = {"book_pk": 40120077, "book_uuid": "7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11"}
DOCUMENT_KEYS = {
    "uploaded_doc_pk": 88100231,
    "uploaded_doc_uuid": "c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10",
    "doc_uuid": "c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10",
    "mixed_uploaded_doc_pk": None,
    "mixed_uploaded_doc_uuid": None,
    "uploaded_image_group_pk": None,
    "uploaded_image_group_uuid": None,
}


def told(draft: Draft, level: Level) -> dict[str, Any]:
    sent = body(draft, level, BOOK, STATUSES)
    assert sent is not None
    found: dict[str, Any] = json.loads(sent)
    return found


def test_the_test_body_is_exact() -> None:
    assert TEST_BODY == b'{"status": "VERIFICATION_COMPLETE", "uploaded_doc_pk": 0, "book_pk": 0}'


def test_book_verified() -> None:
    sent = body(Draft(type="BOOK_VERIFIED", status="BOOK_COMPLETE"), Level.ACCOUNT, BOOK, STATUSES)
    assert sent == (
        b'{"status":"BOOK_COMPLETE","book_pk":40120077,"book_uuid":"7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11",'
        b'"event_name":"BOOK_VERIFIED","event":"BOOK_VERIFIED","book_name":"Loan 2210",'
        b'"notification_type":"STATUS","notification_reason":"Book is verified",'
        b'"uploaded_docs":[{"uuid":"c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10","status":"VERIFICATION_COMPLETE"}]}'
    )


def test_doc_verified() -> None:
    draft = Draft(type="DOC_VERIFIED", status="VERIFICATION_COMPLETE", document=DOCUMENT)
    found = told(draft, Level.ACCOUNT)
    assert found == {
        "status": "VERIFICATION_COMPLETE",
        **BOOK_KEYS,
        **DOCUMENT_KEYS,
        "event_name": "DOC_VERIFIED",
        "event": "DOC_VERIFIED",
        "notification_type": "STATUS",
        "notification_reason": "Document verified",
    }
    assert list(found)[:4] == ["status", "uploaded_doc_pk", "book_pk", "book_uuid"]


def test_doc_verified_of_a_rejected_document_says_why() -> None:
    draft = Draft(type="DOC_VERIFIED", status="REJECTED", document=DOCUMENT, rejection_reason="INVALID DOCUMENT")
    found = told(draft, Level.ACCOUNT)
    assert (found["status"], found["rejection_reason"]) == ("REJECTED", "INVALID DOCUMENT")
    assert found["notification_reason"] == "Document rejected"


def test_image_group_verified() -> None:
    assert told(Draft(type="IMAGE_GROUP_VERIFIED", status="REJECTED", group=GROUP), Level.ACCOUNT) == {
        "status": "REJECTED",
        **BOOK_KEYS,
        "uploaded_image_group_pk": 903311,
        "uploaded_image_group_uuid": "0e7c4a1d-52b8-4f6a-b6c1-2d3e4f5a6b7c",
        "event_name": "IMAGE_GROUP_VERIFIED",
        "event": "IMAGE_GROUP_VERIFIED",
        "notification_type": "STATUS",
        "notification_reason": "Image group verified",
    }


def test_analytics_completed_at_both_levels() -> None:
    draft = Draft(type="ANALYTICS_COMPLETED", status="COMPLETED", analytics_request_id=REQUEST.id)
    assert told(draft, Level.ACCOUNT) == {
        "event": "ANALYTICS_COMPLETED",
        "status": "COMPLETED",
        **BOOK_KEYS,
        "event_name": "ANALYTICS_COMPLETED",
        "analytics_request_id": REQUEST.id,
    }
    org = told(replace(draft, type="book.analytics_completed"), Level.ORG)
    assert (org["analytics_request_id"], org["severity"]) == (REQUEST.id, "MODERATE")


def test_document_verification_succeeded_is_the_published_body() -> None:
    document = replace(DOCUMENT, mixed_pk=MIXED.pk, mixed_uuid=MIXED.uuid)
    draft = Draft(type="document.verification_succeeded", status="VERIFICATION_COMPLETE", document=document)
    assert told(draft, Level.ORG) == {
        "event_name": "document.verification_succeeded",
        "severity": "LOW",
        "notification_type": "STATUS",
        "notification_reason": "Document verified",
        "status": "VERIFICATION_COMPLETE",
        **BOOK_KEYS,
        **DOCUMENT_KEYS,
        "mixed_uploaded_doc_pk": MIXED.pk,
        "mixed_uploaded_doc_uuid": MIXED.uuid,
    }


def test_book_verified_at_org_level() -> None:
    assert told(Draft(type="book.verified", status="BOOK_COMPLETE"), Level.ORG) == {
        "event_name": "book.verified",
        "severity": "MODERATE",
        "notification_type": "STATUS",
        "notification_reason": "Book is verified",
        "status": "BOOK_COMPLETE",
        **BOOK_KEYS,
        "book_name": "Loan 2210",
        "uploaded_docs": LISTED,
    }


def test_book_completed_names_its_tasks() -> None:
    draft = Draft(type="book.completed", status="BOOK_COMPLETE", tasks=("DETECT", "CAPTURE"))
    found = told(draft, Level.ACCOUNT)
    assert found["notification_reason"] == "Completed tasks: CAPTURE,DETECT"
    assert found["tasks"] == ["CAPTURE", "DETECT"]
    assert "severity" not in found


def test_the_detect_body_is_the_documented_one_without_severity() -> None:
    draft = Draft(type="document.detect.signal_found", status="VERIFICATION_COMPLETE", document=DOCUMENT)
    found = told(draft, Level.ACCOUNT)
    documented = {
        "status": "VERIFICATION_COMPLETE",
        **BOOK_KEYS,
        "book_name": "Loan 2210",
        "event_name": "document.detect.signal_found",
        "uploaded_doc_pk": 88100231,
        "uploaded_doc_name": "statement-03.pdf",
        "uploaded_doc_uuid": "c1a5b7d2-6b0e-4f4b-8d0e-0a3b5c7d9e10",
        "is_cloud_compliant": True,
        "notification_type": "STATUS",
        "notification_reason": "Detect signals found in document",
    }
    assert documented.items() <= found.items()
    assert "severity" not in found


def test_mixed_and_group_events_name_their_subject() -> None:
    mixed = Draft(type="mixed_document.rejected", status="REJECTED", mixed=MIXED, rejection_reason="NO_TRANSACTIONS")
    assert told(mixed, Level.ORG)["mixed_uploaded_doc_uuid"] == MIXED.uuid
    assert told(mixed, Level.ORG)["rejection_reason"] == "NO_TRANSACTIONS"
    group = Draft(type="image_group.upload_succeeded", status="QUEUED", group=GROUP)
    assert told(group, Level.ACCOUNT)["uploaded_image_group_pk"] == GROUP.pk


@pytest.mark.parametrize("name", list(TYPES))
def test_each_type_has_a_body_at_its_levels_and_at_no_other(name: str) -> None:
    draft = Draft(type=name, status="S", document=DOCUMENT, mixed=MIXED, group=GROUP, analytics_request_id="a")
    for level in Level:
        sent = body(draft, level, BOOK, STATUSES)
        assert (sent is not None) == (level in TYPES[name].levels)
        if sent is not None:
            assert (json.loads(sent).get("severity") is not None) == (level is Level.ORG)
            assert needs_documents(draft) == ("uploaded_docs" in json.loads(sent))


def test_names_keep_their_letters() -> None:
    sent = body(Draft(type="BOOK_VERIFIED", status="S"), Level.ACCOUNT, replace(BOOK, name="Übergabe «1»"), ())
    assert sent is not None
    assert "Übergabe «1»".encode() in sent


def test_a_status_of_a_document_is_superseded_by_its_later_ones_and_a_finding_is_not() -> None:
    told_status = Draft(type="DOC_VERIFIED", status="VERIFICATION_COMPLETE", document=DOCUMENT)
    assert subject_pk(told_status) == DOCUMENT.pk
    assert subject_pk(replace(told_status, type="document.detect.signal_found")) is None
    assert subject_pk(Draft(type="BOOK_VERIFIED", status="BOOK_COMPLETE")) is None
