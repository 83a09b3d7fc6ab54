"""A report gives what its type needs, and nothing else."""

from dataclasses import replace

import pytest

from bookbell.core import limits
from bookbell.core.catalogue import TYPES, EventType, Source
from bookbell.core.errors import ValidationFailed
from bookbell.core.event_report import EventReport, check_report, draft_of, needed_keys, parsed_body, possible_keys
from bookbell.core.model import BookStatus, DocumentStatus
from scene import BOOK, DOCUMENT, LOAN, ORGANIZATION

REPORTED = [kind for kind in TYPES.values() if kind.source is Source.REPORTED]
KINDS = [*REPORTED, LOAN.as_event_type()]


def report(type_: str, /, **keys: str) -> EventReport:
    given = {key: value.encode() if key == "body" else value for key, value in keys.items()}
    return EventReport(type=type_, **given)  # type: ignore[arg-type] # the body alone is bytes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_set_of_needed_keys_will_do_and_less_or_more_will_not(kind: EventType) -> None:
    for needed in needed_keys(kind):
        check_report(kind, report(kind.name, **dict.fromkeys(needed, "x")))
        with pytest.raises(ValidationFailed, match=f"{kind.name} needs"):
            check_report(kind, report(kind.name, **dict.fromkeys([*needed, "image_group_uuid", "document_uuid"], "x")))
    with pytest.raises(ValidationFailed, match="given: nothing"):
        check_report(kind, report(kind.name))


def test_derived_types_are_not_reported() -> None:
    with pytest.raises(ValidationFailed, match="BOOK_VERIFIED is not reported"):
        check_report(TYPES["BOOK_VERIFIED"], report("BOOK_VERIFIED", book_uuid="x"))


def test_a_status_is_one_of_the_types() -> None:
    kind = TYPES["book.copy.docs_added"]
    assert possible_keys(kind) == {"status"}
    check_report(kind, report(kind.name, book_uuid="x", organization_id="y", status="SUCCESSFUL"))
    with pytest.raises(ValidationFailed, match="has one of IN_PROGRESS, AWAITING_RECIPIENT, SUCCESSFUL, not DONE"):
        check_report(kind, report(kind.name, book_uuid="x", organization_id="y", status="DONE"))


def status(name: str, given: EventReport | None = None) -> str:
    working = replace(BOOK, status=BookStatus.UPLOAD)
    document = replace(DOCUMENT, status=DocumentStatus.GROOMING) if name.startswith("document.") else None
    return draft_of(TYPES[name], given or report(name), working, document).status


def test_the_status_is_the_subjects_where_the_type_tells_it() -> None:
    assert status("document.detect.unable_to_process") == "GROOMING"
    assert status("network.book.created") == "UPLOAD"
    assert status("book.detect.signal_found") == "BOOK_COMPLETE"
    assert status("document.detect.signal_found") == "VERIFICATION_COMPLETE"
    assert status("book.copy.docs_added") == "IN_PROGRESS"
    assert status("network.book.created", report("network.book.created", status="VERIFIED")) == "VERIFIED"


def test_what_was_not_taken_in_is_named() -> None:
    draft = draft_of(TYPES["document.upload_failed"], report("document.upload_failed", name="a.pdf"), BOOK, None)
    assert (draft.status, draft.name, draft.document) == ("FAILED", "a.pdf", None)
    plaid = draft_of(TYPES["plaid.upload_failed"], report("plaid.upload_failed"), BOOK, DOCUMENT)
    assert (plaid.status, plaid.document) == ("FAILED", DOCUMENT)


def test_what_is_about_the_organization_names_it() -> None:
    given = report("analytics.config_updated", organization_id=ORGANIZATION)
    draft = draft_of(TYPES["analytics.config_updated"], given, None, None)
    assert (draft.status, draft.organization_id) == ("", ORGANIZATION)


def test_a_body_is_an_object_in_utf_8() -> None:
    assert parsed_body('{"a": "ä", "n": 1e3}'.encode()) == {"a": "ä", "n": 1000.0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationFailed, match="body: "):
        parsed_body(body)


def test_a_body_has_a_size() -> None:
    with pytest.raises(ValidationFailed, match="at most 262144 bytes"):
        parsed_body(b" " * (limits.EVENT_BODY_BYTES_MAX + 1))


def test_reports_that_differ_in_their_bodies_only_have_the_same_words() -> None:
    first, second = (EventReport(type="a.b", organization_id="o", body=body) for body in (b"{}", b"[]"))
    assert first.words == second.words
    assert first.words != EventReport(type="a.b", organization_id="p", body=b"{}").words
