"""A book is verified once whoever reports last, told in order, to those who may hear of it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bookbell.actions import analytics, documents, reports, uploads
from bookbell.actions.books import BookKey
from bookbell.actions.documents import DocumentKey
from bookbell.actions.reports import (
    AnalyticsReport,
    BookAnalyticsReport,
    ClassifiedPart,
    ClassifiedReport,
    DocumentReport,
    GroupReport,
    MixedReport,
    Report,
    ReportRefused,
)
from bookbell.actions.uploads import Upload
from bookbell.core.errors import DocumentNotFound, IllegalTransition, NotFound, ValidationFailed
from bookbell.core.model import (
    Account,
    AnalyticsStatus,
    Book,
    BookStatus,
    Document,
    DocumentStatus,
    Event,
    ImageGroupStatus,
    JobStatus,
    Level,
    MixedDocument,
    MixedStatus,
)
from bookbell.store import books, delivery_pages, discarded, events, history, images
from bookbell.store.database import Database, Tx
from bookbell.store.schema import endpoints
from world import START, World, new_md5, stamp, world_in

VERIFIED, REJECTED = DocumentStatus.VERIFICATION_COMPLETE, DocumentStatus.REJECTED


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each of these gives, all begun at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def report(world: World, *given: Report) -> None:
    for each in given:
        world.db.write_now(reports.apply, each, stamp())


def verified(uuid: str) -> DocumentReport:
    return DocumentReport(uuid=uuid, status=VERIFIED)


def told(world: World, account: Account) -> list[Event]:
    """The events of the account's books, oldest first."""
    found = world.db.read_now(events.list_events, account.organization_id, account.id, before=None, count=500)
    return found[::-1]


def types(world: World, account: Account) -> list[str]:
    return [event.type for event in told(world, account)]


def upload(world: World, account: Account, book: Book, name: str = "statement.pdf") -> Document:
    wanted = Upload(book=BookKey(pk=book.pk, uuid=None), name=name, blob="b", md5=new_md5(), page_count=1)
    made = world.db.write_now(uploads.upload_document, account, wanted, stamp()).value
    assert isinstance(made, Document)
    return made


def test_of_two_reports_that_finish_a_book_at_once_one_fires(world: World) -> None:
    account = world.account()
    for _ in range(10):
        book = world.book(account)
        first, second = world.documents(account, book, 2)
        at_once(partial(world.verify, first), partial(world.verify, second))
    assert types(world, account).count("DOC_VERIFIED") == 20
    assert types(world, account).count("BOOK_VERIFIED") == 10
    assert types(world, account).count("book.completed") == 10


def test_one_report_made_by_many_at_once_counts_once(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    (uuid,) = world.documents(account, world.book(account), 1)
    at_once(*[lambda: world.verify(uuid)] * 8)
    assert types(world, account).count("DOC_VERIFIED") == 1
    assert types(world, account).count("BOOK_VERIFIED") == 1


def test_a_later_upload_opens_the_book_again_and_it_fires_again(world: World) -> None:
    account = world.account()
    book = world.book(account)
    for expected in (1, 2, 3):
        report(world, verified(upload(world, account, book).uuid))
        assert types(world, account).count("BOOK_VERIFIED") == expected
    document = upload(world, account, book)
    reopened = world.db.read_now(books.find_book, account.organization_id, pk=book.pk)
    assert reopened is not None
    assert reopened.status is not BookStatus.VERIFIED
    report(world, DocumentReport(uuid=document.uuid, status=REJECTED, reason="INVALID DOCUMENT"))
    assert types(world, account).count("BOOK_VERIFIED") == 4


def test_an_empty_book_and_one_with_work_left_are_not_verified(world: World) -> None:
    account = world.account()
    world.book(account)
    first, _ = world.documents(account, world.book(account), 2)
    report(world, verified(first))
    assert "BOOK_VERIFIED" not in types(world, account)


def test_reporting_a_state_again_changes_nothing(world: World) -> None:
    account = world.account()
    (uuid,) = world.documents(account, world.book(account), 1)
    report(world, verified(uuid))
    before = told(world, account)
    published = world.db.write_now(reports.apply, verified(uuid), stamp())
    assert (published.value.status, published.lanes) == ("VERIFICATION_COMPLETE", frozenset())
    assert told(world, account) == before


def test_two_accounts_hear_of_their_own_books_only(world: World) -> None:
    one, two = world.account("one"), world.account("two")
    lanes = {each.name: world.webhook(each, "DOC_VERIFIED").lane_pk for each in (one, two)}
    stranger = world_in(world.db)
    stranger.webhook(stranger.account(), "DOC_VERIFIED")
    (uuid,) = world.documents(one, world.book(one), 1)
    assert world.verify(uuid).lanes == {lanes["one"]}
    assert types(world, two) == []
    scope = history.Scope(organization_id=two.organization_id, account_id=two.id)
    assert world.db.read_now(delivery_pages.list_deliveries, scope, history.DeliveryQuery()).deliveries == []


def test_an_endpoint_of_the_organization_hears_of_every_accounts_books(world: World) -> None:
    one, two = world.account("one"), world.account("two")
    central = world.webhook(world.account("central"), "document.verification_succeeded", "DOC_VERIFIED")

    def make_it_of_the_organization(tx: Tx) -> None:
        tx.execute(
            endpoints.update().where(endpoints.c.id == central.id).values(level=Level.ORG.value, account_id=None)
        )

    world.db.write_now(make_it_of_the_organization)
    for account in (one, two):
        (uuid,) = world.documents(account, world.book(account), 1)
        assert world.verify(uuid).lanes == {central.lane_pk}
    matched = [event for account in (one, two) for event in told(world, account) if event.matched_count]
    assert [event.type for event in matched] == ["document.verification_succeeded"] * 2
    assert all(b'"severity"' in (event.body_org or b"") for event in matched)


def test_the_events_of_one_change_are_told_from_document_to_book(world: World) -> None:
    account = world.account()
    book = world.book(account)
    document = upload(world, account, book)
    for status in (DocumentStatus.PROCESSING, DocumentStatus.CLASSIFIED):
        report(world, DocumentReport(uuid=document.uuid, status=status))
    report(world, verified(document.uuid))
    happened = types(world, account)
    wanted = [
        "document.upload_succeeded",
        "document.classification_succeeded",
        "book.classified",
        "DOC_VERIFIED",
        "BOOK_VERIFIED",
        "book.completed",
    ]
    assert [name for name in happened if name in wanted] == wanted
    bodies = [event.body_account for event in told(world, account) if event.type == "BOOK_VERIFIED"]
    assert document.uuid.encode() in (bodies[0] or b"")


def test_a_mixed_document_becomes_documents_once(world: World) -> None:
    account = world.account()
    book = world.book(account)
    wanted = Upload(book=BookKey(pk=book.pk, uuid=None), name="tax.pdf", blob="b", md5="m", page_count=2)
    mixed = world.db.write_now(uploads.upload_mixed, account, wanted, stamp()).value
    assert isinstance(mixed, MixedDocument)
    cut = ClassifiedReport(uuid=mixed.uuid, parts=(ClassifiedPart(), ClassifiedPart(name="W-2", form_type="W2")))
    answers = at_once(*[lambda: world.db.write_now(reports.apply, cut, stamp())] * 4)
    (made,) = {answer.value.documents for answer in answers}
    assert [name for _, name in made] == ["tax.pdf(0)", "W-2"]
    with pytest.raises(IllegalTransition):
        report(world, MixedReport(uuid=mixed.uuid, status=MixedStatus.REJECTED))
    report(world, *(verified(uuid) for uuid, _ in made))
    assert types(world, account).count("BOOK_VERIFIED") == 1


def test_an_image_group_is_finished_by_its_documents_or_as_a_whole(world: World) -> None:
    account = world.account()
    key = BookKey(pk=world.book(account).pk, uuid=None)
    for _ in range(2):
        wanted = Upload(book=key, name="page.png", blob="b", md5=new_md5(), page_count=1)
        world.db.write_now(uploads.upload_image, account, wanted, stamp())
        group = world.db.write_now(uploads.finalize_group, account, key, "A_PAYSTUB", stamp()).value.group
        report(world, GroupReport(uuid=group.uuid, status=VERIFIED))
        after = world.db.read_now(images.find_group, account.organization_id, uuid=group.uuid)
        assert after is not None
        assert after.status is ImageGroupStatus.VERIFICATION_COMPLETE
    assert types(world, account).count("IMAGE_GROUP_VERIFIED") == 2
    assert types(world, account).count("DOC_VERIFIED") == 2
    happened = types(world, account)
    assert happened.index("DOC_VERIFIED") < happened.index("IMAGE_GROUP_VERIFIED") < happened.index("BOOK_VERIFIED")


def test_an_analytics_result_is_told_once(world: World) -> None:
    account = world.account()
    key = BookKey(pk=world.book(account).pk, uuid=None)
    request = world.db.write_now(analytics.request_analytics, account, key, stamp()).value
    done = AnalyticsReport(id=request.id, status=AnalyticsStatus.COMPLETED, result={"total": 1})
    at_once(*[lambda: world.db.write_now(reports.apply, done, stamp())] * 4)
    assert types(world, account).count("ANALYTICS_COMPLETED") == 1
    assert world.db.read_now(analytics.find_result, account, request.id).result == '{"total": 1}'


def test_analytics_of_a_book_are_told_when_they_are_new(world: World) -> None:
    account = world.account()
    book = world.book(account)
    for number, (total, expected) in enumerate(((1, 1), (1, 1), (2, 2), (1, 3))):
        done = BookAnalyticsReport(book_uuid=book.uuid, status=JobStatus.DONE, results={"summary": {"total": total}})
        world.db.write_now(reports.apply, done, stamp(START + number))
        assert types(world, account).count("book.analytics_v2.generated") == expected
    after = world.db.read_now(books.find_book, account.organization_id, pk=book.pk)
    assert after is not None
    assert after.analyzed_at == START + 3
    report(world, BookAnalyticsReport(book_uuid=book.uuid, status=JobStatus.FAILED))
    assert types(world, account).count("book.analytics_v2.generated") == 3
    with pytest.raises(ValidationFailed, match="expected with DONE"):
        report(world, BookAnalyticsReport(book_uuid=book.uuid, status=JobStatus.DONE))


def test_a_batch_is_carried_out_whole_or_not_at_all(world: World) -> None:
    account = world.account()
    first, second = world.documents(account, world.book(account), 2)
    with pytest.raises(ReportRefused, match=r"reports\[1\]: Document nowhere not found"):
        world.db.write_now(reports.apply_all, [verified(first), verified("nowhere")], stamp())
    assert "DOC_VERIFIED" not in types(world, account)
    done = world.db.write_now(reports.apply_all, [verified(first), verified(second)], stamp()).value
    assert [each.book_status for each in done] == ["VERIFYING", "VERIFIED"]
    assert types(world, account).count("BOOK_VERIFIED") == 1


def test_batches_that_name_the_same_books_in_opposite_order_both_end(world: World) -> None:
    account = world.account()
    contents = [world.documents(account, world.book(account), 4) for _ in range(6)]

    def batch(number: int, order: Sequence[list[str]]) -> None:
        given = [verified(uuids[number]) for uuids in order]
        world.db.write_now(reports.apply_all, given, stamp())

    at_once(
        lambda: batch(0, contents),
        lambda: batch(1, contents[::-1]),
        lambda: batch(2, contents[3:] + contents[:3]),
        lambda: batch(3, contents[::-1]),
    )
    assert types(world, account).count("DOC_VERIFIED") == 24
    assert types(world, account).count("BOOK_VERIFIED") == 6


def test_what_does_not_exist_is_not_found(world: World) -> None:
    for given, error in (
        (verified("nowhere"), DocumentNotFound),
        (MixedReport(uuid="nowhere", status=MixedStatus.PROCESSING), DocumentNotFound),
        (GroupReport(uuid="nowhere", status=VERIFIED), NotFound),
        (AnalyticsReport(id="nowhere", status=AnalyticsStatus.COMPLETED), NotFound),
    ):
        with pytest.raises(error, match="nowhere not found"):
            report(world, given)


def test_a_finished_document_does_not_move_again(world: World) -> None:
    account = world.account()
    (uuid,) = world.documents(account, world.book(account), 1)
    report(world, verified(uuid))
    with pytest.raises(IllegalTransition, match="VERIFICATION_COMPLETE"):
        report(world, DocumentReport(uuid=uuid, status=DocumentStatus.PROCESSING))


@pytest.mark.parametrize("status", ["DELETING", "DELETED"])
def test_what_a_client_removes_is_not_reported_so_that_no_file_is_left_behind(world: World, status: str) -> None:
    account = world.account()
    book = world.book(account)
    document, mixed = upload(world, account, book), world.mixed(account, book)
    report(world, verified(document.uuid), MixedReport(uuid=mixed.uuid, status=MixedStatus.REJECTED))
    for each in (
        DocumentReport(uuid=document.uuid, status=DocumentStatus(status)),
        MixedReport(uuid=mixed.uuid, status=MixedStatus(status)),
    ):
        with pytest.raises(IllegalTransition):
            report(world, each)
    for uuid in (document.uuid, mixed.uuid):
        world.db.write_now(documents.remove, account, DocumentKey(pk=None, uuid=uuid), stamp())
    assert world.db.read_now(discarded.oldest_discarded, count=10) == ["b"]
