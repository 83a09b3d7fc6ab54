"""Every key of every body is named once, and the documented bodies have exactly theirs."""

import pytest

from bookbell.core.catalogue import TYPES, Subject
from bookbell.core.fields import FIELDS, fields_of
from bookbell.core.model import Level

ALL = [(kind.name, level) for kind in TYPES.values() for level in sorted(kind.levels)]


def keys(name: str, level: Level) -> list[str]:
    return [field.name for field in fields_of(TYPES[name], level)]


@pytest.mark.parametrize(("name", "level"), ALL)
def test_each_body_names_its_event_and_each_key_once(name: str, level: Level) -> None:
    found = keys(name, level)
    assert len(found) == len(set(found))
    assert set(found) <= set(FIELDS)
    assert "event_name" in found
    assert ("severity" in found) == (level is Level.ORG)


@pytest.mark.parametrize("name", ["document.detect.signal_found", "document.detect.signal_not_found"])
def test_the_documented_detect_body_has_its_eleven_keys(name: str) -> None:
    assert keys(name, Level.ACCOUNT) == [
        "status",
        "book_pk",
        "book_name",
        "book_uuid",
        "event_name",
        "uploaded_doc_pk",
        "uploaded_doc_name",
        "uploaded_doc_uuid",
        "is_cloud_compliant",
        "notification_type",
        "notification_reason",
    ]


def test_a_dotted_event_differs_by_severity_alone_between_the_levels() -> None:
    for kind in TYPES.values():
        is_documented = kind.name in {"document.detect.signal_found", "document.detect.signal_not_found"}
        if len(kind.levels) == 2 and not is_documented:
            org = [name for name in keys(kind.name, Level.ORG) if name != "severity"]
            assert org == keys(kind.name, Level.ACCOUNT)


def test_the_ids_of_the_subject_are_null_only_where_it_may_not_exist() -> None:
    nullable = {
        name
        for name, level in ALL
        for field in fields_of(TYPES[name], level)
        if field.name in {"uploaded_doc_pk", "uploaded_doc_uuid", "doc_uuid"} and field.is_nullable
    }
    assert nullable == {"document.upload_failed", "plaid.upload_failed"}
    for name, level in ALL:
        kind = TYPES[name]
        own = {Subject.GROUP: "uploaded_image_group_pk", Subject.MIXED: "mixed_uploaded_doc_pk"}.get(kind.subject)
        assert all(not field.is_nullable for field in fields_of(kind, level) if field.name == own)


def test_what_is_about_the_organization_has_no_book() -> None:
    assert keys("analytics.config_updated", Level.ORG)[-1] == "organization_id"
    assert "book_pk" not in keys("analytics.config_updated", Level.ORG)
