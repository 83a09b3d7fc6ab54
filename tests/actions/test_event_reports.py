"""Events that are reported by their type: who is told, with what body, and what follows for the book."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bookbell.actions import accounts, event_reports, event_types, uploads, webhooks
from bookbell.actions.books import BookKey
from bookbell.actions.event_reports import Happened
from bookbell.actions.event_types import WantedType
from bookbell.actions.reports import ReportRefused
from bookbell.actions.stamp import Published
from bookbell.actions.uploads import Upload
from bookbell.core.catalogue import TYPES, Source, Subject
from bookbell.core.errors import (
    AccountNotFound,
    BookbellError,
    BookNotFound,
    DocumentNotFound,
    EventTypeNotFound,
    IllegalTransition,
    NotFound,
    OrganizationNotFound,
    ValidationFailed,
)
from bookbell.core.event_report import EventReport
from bookbell.core.model import Account, Book, Event, ImageGroupStatus, Level, Task
from bookbell.store import endpoints, events, images
from bookbell.store.database import Database
from bookbell.store.images import Image
from world import World, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def report(world: World, type_: str, **keys: Any) -> Happened:
    given = EventReport(type=type_, **keys)
    return world.db.write_now(event_reports.report_event, given, stamp()).value


def happened(world: World, account: Account) -> list[Event]:
    """Events of the account's books, oldest first."""
    found = world.db.read_now(events.list_events, world.organization.id, account.id, before=None, count=500)
    return found[::-1]


def types(world: World, account: Account) -> list[str]:
    return [event.type for event in happened(world, account)]


def filled(world: World, account: Account) -> tuple[Book, str]:
    """A book with one classified document, and its uuid."""
    book = world.book(account)
    (uuid,) = world.documents(account, book, 1)
    return book, uuid


def define(world: World, name: str, **wanted: Any) -> None:
    values = {"description": "A test.", "levels": frozenset(Level), "schema": None, "is_active": True, **wanted}
    world.db.write_now(event_types.define, name, WantedType(**values), stamp())


def configure_tasks(world: World, *tasks: str) -> None:
    world.db.write_now(accounts.change_organization, world.organization.id, tasks=tasks)


def group_in(world: World, account: Account, book: Book) -> str:
    """An open image group with one image. Gives its uuid."""
    upload = Upload(book=BookKey(pk=book.pk, uuid=None), name="a.png", blob="b", md5="0" * 32)
    image = world.db.write_now(uploads.upload_image, account, upload, stamp()).value
    assert isinstance(image, Image)
    group = world.db.read_now(images.find_group, world.organization.id, pk=image.image_group_pk)
    assert group is not None
    return group.uuid


def test_each_reported_type_can_be_reported(world: World) -> None:
    account = world.account()
    book, document = filled(world, account)
    for kind in TYPES.values():
        if kind.source is not Source.REPORTED:
            continue
        keys: dict[str, str]
        match kind.subject:
            case Subject.DOCUMENT:
                keys = {"document_uuid": document}
            case Subject.GROUP:
                keys = {"image_group_uuid": group_in(world, account, book)}
            case Subject.ORGANIZATION:
                keys = {"organization_id": world.organization.id}
            case _:
                keys = {"book_uuid": book.uuid}
        if kind.name.startswith("book.copy."):
            keys["organization_id"] = world.organization.id
        event = report(world, kind.name, **keys).event
        assert event is not None, kind.name
        assert (event.body_account is not None) == (Level.ACCOUNT in kind.levels), kind.name
        assert (event.body_org is not None) == (Level.ORG in kind.levels), kind.name


def test_a_detect_event_reaches_who_subscribes_with_the_documented_body(world: World) -> None:
    account = world.account()
    world.webhook(account, "document.detect.signal_found")
    book, document = filled(world, account)
    told = report(world, "document.detect.signal_found", document_uuid=document)
    assert told.event is not None
    assert told.event.matched_count == 1
    assert (told.book and told.book.uuid) == book.uuid
    found = json.loads(told.event.body_account or b"")
    assert len(found) == 11
    assert (found["uploaded_doc_uuid"], found["book_name"]) == (document, book.name)


def test_a_document_that_was_not_taken_in_is_named_by_its_file(world: World) -> None:
    account = world.account()
    book = world.book(account)
    event = report(world, "document.upload_failed", book_uuid=book.uuid, name="broken.pdf").event
    assert event is not None
    found = json.loads(event.body_org or b"")
    assert (found["uploaded_doc_name"], found["uploaded_doc_uuid"], found["status"]) == ("broken.pdf", None, "FAILED")


def test_an_image_group_that_was_not_taken_in_fails_and_a_repeat_fires_nothing(world: World) -> None:
    account = world.account()
    book = world.book(account)
    uuid = group_in(world, account, book)
    assert report(world, "image_group.upload_failed", image_group_uuid=uuid).event is not None
    group = world.db.read_now(images.find_group, world.organization.id, uuid=uuid)
    assert group is not None
    assert group.status is ImageGroupStatus.FAILED
    assert report(world, "image_group.upload_failed", image_group_uuid=uuid).event is None
    assert types(world, account).count("image_group.upload_failed") == 1


def test_a_book_is_completed_when_its_organizations_tasks_are_done(world: World) -> None:
    configure_tasks(world, "CAPTURE", "DETECT", "ANALYTICS")
    account = world.account()
    world.webhook(account, "book.completed")
    book, document = filled(world, account)
    report(world, "book.analytics_v2.generated", book_uuid=book.uuid)
    world.verify(document)
    assert "book.completed" not in types(world, account)
    report(world, "book.detect.signal_not_found", book_uuid=book.uuid)
    last = happened(world, account)[-1]
    assert (last.type, last.matched_count) == ("book.completed", 1)
    body = json.loads(last.body_account or b"")
    assert body["tasks"] == ["ANALYTICS", "CAPTURE", "DETECT"]
    assert body["notification_reason"] == "Completed tasks: ANALYTICS,CAPTURE,DETECT"
    report(world, "book.detect.signal_found", book_uuid=book.uuid)
    assert types(world, account).count("book.completed") == 1


def test_a_book_whose_work_begins_again_is_completed_again(world: World) -> None:
    configure_tasks(world, "CAPTURE", "DETECT")
    account = world.account()
    book, document = filled(world, account)
    world.verify(document)
    report(world, "book.detect.signal_found", book_uuid=book.uuid)
    (later,) = world.documents(account, book, 1)
    world.verify(later)
    assert types(world, account).count("book.completed") == 1
    report(world, "book.detect.signal_found", book_uuid=book.uuid)
    assert types(world, account).count("book.completed") == 2


def test_of_reports_that_finish_a_book_together_exactly_one_completes_it(world: World) -> None:
    configure_tasks(world, "CAPTURE", "DETECT", "INCOME")
    account = world.account()
    for _ in range(5):
        book, document = filled(world, account)
        finishing: list[Callable[[], object]] = [
            partial(world.verify, document),
            partial(report, world, "book.detect.signal_found", book_uuid=book.uuid),
            partial(report, world, "book.income.generated", book_uuid=book.uuid),
        ]
        with ThreadPoolExecutor(len(finishing)) as pool:
            for future in [pool.submit(each) for each in finishing]:
                future.result()
    assert types(world, account).count("book.completed") == 5


def test_by_default_a_verified_book_is_completed(world: World) -> None:
    account = world.account()
    _, document = filled(world, account)
    world.verify(document)
    assert types(world, account)[-3:] == ["BOOK_VERIFIED", "book.verified", "book.completed"]
    assert world.organization.tasks == (Task.CAPTURE,)


def test_a_copied_book_is_told_to_the_organization_that_the_report_names(world: World) -> None:
    account = world.account()
    book, _ = filled(world, account)
    other = world_in(world.db)
    told = report(world, "book.copy.request_received", book_uuid=book.uuid, organization_id=other.organization.id)
    assert told.event is not None
    assert (told.event.organization_id, told.event.account_id) == (other.organization.id, None)
    assert "book.copy.request_received" not in types(world, account)


def test_only_org_level_webhooks_hear_of_what_has_no_account(world: World) -> None:
    define(world, "loan.funded")
    account = world.account()
    world.webhook(account, "loan.funded")
    keys = {"organization_id": world.organization.id, "body": b"{}"}
    assert report(world, "loan.funded", **keys).event.matched_count == 0  # type: ignore[union-attr] # it fired
    assert report(world, "loan.funded", account_id=account.id, **keys).event.matched_count == 1  # type: ignore[union-attr]


def test_a_published_body_is_kept_byte_for_byte(world: World) -> None:
    define(world, "loan.funded")
    account = world.account()
    body = '{ "loan" : 1.50,\n"name":"\\u00dc Ü", "loan": 2}'.encode()
    event = report(world, "loan.funded", organization_id=world.organization.id, account_id=account.id, body=body).event
    assert event is not None
    assert (event.body_account, event.body_org) == (body, body)
    assert happened(world, account)[0].body_account == body


def test_a_body_must_fit_the_schema_of_its_type(world: World) -> None:
    define(world, "loan.funded", schema={"type": "object", "required": ["loan"]})
    with pytest.raises(ValidationFailed, match="body: 'loan' is a required property"):
        report(world, "loan.funded", organization_id=world.organization.id, body=b"{}")
    report(world, "loan.funded", organization_id=world.organization.id, body=b'{"loan": 1}')


def test_what_an_account_level_type_needs(world: World) -> None:
    define(world, "loan.funded", levels=frozenset({Level.ACCOUNT}))
    with pytest.raises(ValidationFailed, match="needs an account"):
        report(world, "loan.funded", organization_id=world.organization.id, body=b"{}")


def test_what_does_not_exist_is_named(world: World) -> None:
    define(world, "loan.paused", is_active=False)
    elsewhere = world_in(world.db)
    define(world, "loan.elsewhere", organization_id=elsewhere.organization.id)
    stranger, organization = elsewhere.account(), world.organization.id
    body = {"organization_id": organization, "body": b"{}"}
    cases: list[tuple[type[Exception], str, str, dict[str, Any]]] = [
        (BookNotFound, "Book x not found", "book.detect.signal_found", {"book_uuid": "x"}),
        (DocumentNotFound, "Document x not found", "document.detect.signal_found", {"document_uuid": "x"}),
        (NotFound, "Image group x not found", "image_group.upload_failed", {"image_group_uuid": "x"}),
        (OrganizationNotFound, "Organization not found", "analytics.config_updated", {"organization_id": "x"}),
        (EventTypeNotFound, "No event type is named loan.x. Known are BOOK_VERIFIED", "loan.x", body),
        (EventTypeNotFound, "MIDDESK_VERIFIED is retired", "MIDDESK_VERIFIED", body),
        (EventTypeNotFound, "No event type is named loan.elsewhere", "loan.elsewhere", body),
        (IllegalTransition, "is not active", "loan.paused", body),
        (ValidationFailed, "BOOK_VERIFIED is not reported", "BOOK_VERIFIED", {"book_uuid": "x"}),
    ]
    for error, message, type_, keys in cases:
        with pytest.raises(error, match=message):
            report(world, type_, **keys)
    define(world, "loan.funded")
    with pytest.raises(AccountNotFound):
        report(world, "loan.funded", account_id=stranger.id, **body)


def test_a_batch_is_carried_out_whole_or_not_at_all(world: World) -> None:
    account = world.account()
    first, second = filled(world, account)[0], filled(world, account)[0]
    good = [EventReport(type="book.income.updated", book_uuid=book.uuid) for book in (second, first)]
    before = len(happened(world, account))
    bad = EventReport(type="book.income.updated", book_uuid="x")
    with pytest.raises(ReportRefused, match=r"events\[2\]: Book x not found"):
        world.db.write_now(event_reports.report_events, [*good, bad], stamp())
    assert len(happened(world, account)) == before
    done = world.db.write_now(event_reports.report_events, good, stamp()).value
    assert [each.book.pk for each in done if each.book] == [second.pk, first.pk]


def test_reports_that_wait_together_are_answered_each_for_itself(world: World) -> None:
    define(world, "loan.funded")
    account, other = world.account(), world.account()
    world.webhook(other, "loan.funded")
    to: dict[str, Any] = {"organization_id": world.organization.id, "body": b"{}"}
    asked = [
        EventReport(type="loan.funded", account_id=other.id, **to),
        EventReport(type="loan.lost", **to),
        EventReport(type="loan.funded", account_id=account.id, **to),
    ]
    done = world.db.write_now(event_reports.report_each, [(each, stamp()) for each in asked])
    kinds = [type(each) if isinstance(each, BookbellError) else each.value.type for each in done]
    assert kinds == ["loan.funded", EventTypeNotFound, "loan.funded"]
    told = [each.value.event for each in done if isinstance(each, Published)]
    assert [event.matched_count for event in told if event] == [1, 0]
    assert [event.account_id for event in told if event] == [other.id, account.id]


def test_a_deleted_type_ends_its_subscriptions_and_keeps_its_history(world: World) -> None:
    define(world, "loan.funded")
    account = world.account()
    world.webhook(account, "loan.funded", "DOC_VERIFIED")
    keys = {"organization_id": world.organization.id, "account_id": account.id, "body": b'{"loan":1}'}
    report(world, "loan.funded", **keys)
    world.db.write_now(event_types.forget, "loan.funded")
    found = world.db.read_now(endpoints.find_account_endpoint, world.organization.id, account.id)
    assert found is not None
    assert found.event_types == ("DOC_VERIFIED",)
    assert [(event.type, event.body_account) for event in happened(world, account)] == [("loan.funded", b'{"loan":1}')]
    with pytest.raises(EventTypeNotFound):
        report(world, "loan.funded", **keys)
    define(world, "loan.funded")
    assert report(world, "loan.funded", **keys).event.matched_count == 0  # type: ignore[union-attr] # it fired


def test_names_that_a_webhook_can_be_told_of(world: World) -> None:
    define(world, "loan.funded", levels=frozenset({Level.ORG}))
    define(world, "loan.paid", is_active=False)
    define(world, "loan.elsewhere", organization_id=world_in(world.db).organization.id)
    organization = world.organization.id
    account = world.db.read_now(event_types.known_event_types, organization, Level.ACCOUNT)
    org = world.db.read_now(event_types.known_event_types, organization, Level.ORG)
    assert [each.name for each in account][-1:] == ["loan.paid"]
    assert [(each.name, each.is_active) for each in org][-2:] == [("loan.funded", True), ("loan.paid", False)]
    names = world.db.read_now(event_types.defined_names, organization, Level.ACCOUNT)
    assert webhooks.event_types_of(["loan.paid", "loan.funded", "book.verified"], names) == (
        "loan.paid",
        "BOOK_VERIFIED",
    )
