"""The simulator moves uploads to the outcome their name chooses, may be stopped anywhere, and may run twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from bookbell.actions import analytics, uploads
from bookbell.actions.books import BookKey, find_book
from bookbell.actions.uploads import Upload
from bookbell.ambient import RealAmbient
from bookbell.core.model import Account, AnalyticsStatus, Book, BookStatus, Document, LanePk, MixedDocument
from bookbell.pipeline.simulator import Simulator
from bookbell.store import documents, events
from bookbell.store.database import Database
from world import START, World, new_md5, stamp, world_in

DELAY_MS = 1_000
TURNS_MAX = 200


class Hand(RealAmbient):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def now_ms(self) -> int:
        return self.now


class Bench:
    """An account with a book, and simulators that work on it."""

    def __init__(self, db: Database) -> None:
        self.world: World = world_in(db)
        self.account: Account = self.world.account()
        self.book: Book = self.world.book(self.account)
        self.key = BookKey(pk=self.book.pk, uuid=None)
        self.clock = Hand()
        self.rung: set[LanePk] = set()

    def simulator(self) -> Simulator:
        def ring(lanes: Iterable[LanePk]) -> None:
            self.rung |= set(lanes)

        return Simulator(self.world.db, self.clock, ring, DELAY_MS)

    def upload(self, name: str) -> str:
        """Upload a PDF of this name. Gives its uuid."""
        made = self._do(uploads.upload_document, name)
        assert isinstance(made, Document)
        return made.uuid

    def upload_mixed(self, name: str) -> str:
        made = self._do(uploads.upload_mixed, name)
        assert isinstance(made, MixedDocument)
        return made.uuid

    def _do(self, action: Callable[..., object], name: str) -> object:
        wanted = Upload(book=self.key, name=name, blob="b", md5=new_md5(), page_count=1)
        published = self.world.db.write_now(action, self.account, wanted, stamp(self.clock.now))
        return published.value  # type: ignore[attr-defined] # an upload's Published

    def statuses(self) -> dict[str, str]:
        """Name and state of each document, mixed ones too."""
        db, org, pk = self.world.db, self.account.organization_id, self.book.pk
        found = {each.name: each.status.value for each in db.read_now(documents.list_documents, org, pk)}
        return found | {each.name: each.status.value for each in db.read_now(documents.list_mixed, org, pk)}

    def events(self) -> Counter[str]:
        found = self.world.db.read_now(
            events.list_events, self.account.organization_id, self.account.id, before=None, count=500
        )
        return Counter(event.type for event in found)

    def book_status(self) -> BookStatus:
        return self.world.db.read_now(find_book, self.account, self.key).status


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def play(bench: Bench, *simulators: Simulator, until: Callable[[], bool]) -> int:
    """Turn these, all at once each time, moving the clock by one delay. Gives how many turns that took."""

    async def turns() -> int:
        for count in range(TURNS_MAX):
            if until():
                return count
            bench.clock.now += DELAY_MS
            await asyncio.gather(*(each.turn() for each in simulators))
        raise AssertionError(f"after {TURNS_MAX} turns: {bench.statuses()}")

    return asyncio.run(turns())


def test_names_choose_outcomes(bench: Bench) -> None:
    for name in ("good.pdf", "Reject.pdf", "reject-unreadable.pdf", "FAILING.pdf"):
        bench.upload(name)
    bench.upload_mixed("forms-x3.pdf")
    bench.upload_mixed("fail-forms.pdf")
    play(bench, bench.simulator(), until=lambda: bench.book_status() is BookStatus.VERIFIED)
    assert bench.statuses() == {
        "good.pdf": "VERIFICATION_COMPLETE",
        "Reject.pdf": "REJECTED",
        "reject-unreadable.pdf": "REJECTED",
        "FAILING.pdf": "FAILED",
        "forms-x3.pdf(0)": "VERIFICATION_COMPLETE",
        "forms-x3.pdf(1)": "VERIFICATION_COMPLETE",
        "forms-x3.pdf(2)": "VERIFICATION_COMPLETE",
        "forms-x3.pdf": "COMPLETED",
        "fail-forms.pdf": "FAILED",
    }
    reasons = bench.world.db.read_now(documents.list_documents, bench.account.organization_id, bench.book.pk)
    assert {each.name: each.rejection_reason for each in reasons if each.rejection_reason} == {
        "Reject.pdf": "INVALID DOCUMENT",
        "reject-unreadable.pdf": "DOCUMENT IS UNREADABLE",
    }
    assert bench.events()["DOC_VERIFIED"] == 6
    assert bench.events()["BOOK_VERIFIED"] == 1


def test_nothing_moves_before_its_delay_and_a_slow_one_takes_ten_times_as_long(bench: Bench) -> None:
    bench.upload("quick.pdf")
    bench.upload("slow.pdf")
    simulator = bench.simulator()
    bench.clock.now += DELAY_MS - 1
    assert asyncio.run(simulator.turn()) == 0
    bench.clock.now -= DELAY_MS - 1
    quick = play(bench, simulator, until=lambda: bench.statuses()["quick.pdf"] == "VERIFICATION_COMPLETE")
    slow = play(bench, simulator, until=lambda: bench.statuses()["slow.pdf"] == "VERIFICATION_COMPLETE")
    assert (quick, quick + slow) == (5, 50)


def test_one_that_was_stopped_anywhere_is_continued_by_another(bench: Bench) -> None:
    for name in ("a.pdf", "reject.pdf"):
        bench.upload(name)
    bench.upload_mixed("forms.pdf")
    # A new simulator for each turn: nothing is kept but what is in the tables.
    for _ in range(TURNS_MAX):
        if bench.book_status() is BookStatus.VERIFIED:
            break
        bench.clock.now += DELAY_MS
        asyncio.run(bench.simulator().turn())
    assert bench.events()["BOOK_VERIFIED"] == 1
    assert bench.events()["DOC_VERIFIED"] == 4


def test_two_at_once_do_each_step_once(bench: Bench) -> None:
    bench.world.webhook(bench.account, "DOC_VERIFIED", "BOOK_VERIFIED")
    for number in range(6):
        bench.upload(f"{number}.pdf")
    for number in range(3):
        bench.upload_mixed(f"forms-{number}.pdf")
    pair = (bench.simulator(), bench.simulator())
    play(bench, *pair, until=lambda: bench.book_status() is BookStatus.VERIFIED)
    assert bench.events()["DOC_VERIFIED"] == 12
    assert bench.events()["BOOK_VERIFIED"] == 1
    assert len(bench.rung) == 1


def test_analytics_and_image_groups_are_finished_too(bench: Bench) -> None:
    db = bench.world.db
    request = db.write_now(analytics.request_analytics, bench.account, bench.key, stamp(bench.clock.now)).value
    image = Upload(book=bench.key, name="page.png", blob="b", md5=new_md5(), page_count=1)
    db.write_now(uploads.upload_image, bench.account, image, stamp(bench.clock.now))
    db.write_now(uploads.finalize_group, bench.account, bench.key, "A_PAYSTUB", stamp(bench.clock.now))
    play(bench, bench.simulator(), until=lambda: bench.book_status() is BookStatus.VERIFIED)
    found = db.read_now(analytics.find_result, bench.account, request.id)
    assert found.status is AnalyticsStatus.COMPLETED
    assert "simulator" in (found.result or "")
    assert (bench.events()["IMAGE_GROUP_VERIFIED"], bench.events()["ANALYTICS_COMPLETED"]) == (1, 1)


def test_a_quiet_book_is_left_alone(bench: Bench) -> None:
    bench.clock.now += 100 * DELAY_MS
    assert asyncio.run(bench.simulator().turn()) == 0
    assert bench.events() == Counter()
