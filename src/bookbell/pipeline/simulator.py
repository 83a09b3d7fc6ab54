"""The built-in simulator: a pipeline that moves uploads through their states after a delay.

It works through the same actions as a real pipeline and writes no table itself. What to do next it reads from the
tables (a thing is due when it has not moved for the delay), so it can be killed and started at any time, and several
may run: a report that has become illegal because another made it is ignored. File names choose outcomes, see
core.simulation and docs/simulator.md.
"""

from collections.abc import Callable, Iterable
from typing import Any

from bookbell import telemetry
from bookbell.actions import reports
from bookbell.actions.reports import (
    AnalyticsReport,
    BookAnalyticsReport,
    ClassifiedPart,
    ClassifiedReport,
    DocumentReport,
    MixedReport,
    Report,
)
from bookbell.actions.stamp import Stamp
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.errors import BookbellError
from bookbell.core.model import (
    AnalyticsRequest,
    AnalyticsStatus,
    Book,
    Document,
    DocumentStatus,
    JobStatus,
    LanePk,
    MixedDocument,
    MixedStatus,
)
from bookbell.core.simulation import Step, document_step, mixed_step, step_ms
from bookbell.store import analytics, books, documents
from bookbell.store.database import Database, Tx

Waiting = tuple[list[Document], list[MixedDocument], list[AnalyticsRequest], list[Book]]
RETRY_MS = 500


class Simulator:
    """Plays the pipeline until it is cancelled."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        ring: Callable[[Iterable[LanePk]], None],
        delay_ms: int,
        is_held: Callable[[], bool] = lambda: False,
    ) -> None:
        """is_held: while it is true nothing is reported, so that a story can put a book together first."""
        self._database = database
        self._ambient = ambient
        self._ring = ring
        self._delay_ms = delay_ms
        self._is_held = is_held

    async def run(self) -> None:
        """Look for work and do it, for ever."""
        pause_ms = max(20, min(self._delay_ms // 4, 500))
        while True:
            try:
                if not self._is_held():
                    await self.turn()
                await self._ambient.sleep_ms(pause_ms)
            except Exception:  # noqa: BLE001 - the border of a loop's turn
                telemetry.log().error("loop_failed", loop="simulator", exc_info=True)
                await self._ambient.sleep_ms(RETRY_MS)

    async def turn(self) -> int:
        """Report the next step of everything that is due. Gives how many reports were carried out."""
        after_document, after_mixed, after_request, after_book, done = 0, 0, "", 0, 0
        while True:
            now = self._ambient.now_ms()
            found = await self._database.read(
                _waiting,
                before=now - self._delay_ms,
                after=(after_document, after_mixed, after_book),
                after_request=after_request,
            )
            for report in _due(found, now, self._delay_ms):
                done += await self._carry_out(report)
            if max(len(part) for part in found) < limits.PAGE_COUNT_MAX:
                return done
            after_document = found[0][-1].pk if found[0] else after_document
            after_mixed = found[1][-1].pk if found[1] else after_mixed
            after_request = found[2][-1].id if found[2] else after_request
            after_book = found[3][-1].pk if found[3] else after_book

    async def _carry_out(self, report: Report) -> bool:
        stamp = Stamp(self._ambient.now_ms(), self._ambient.new_id)
        try:
            published = await self._database.write(reports.apply, report, stamp)
        except BookbellError:
            return False  # somebody else has moved it, or it is gone
        except Exception:  # noqa: BLE001 - one item must not stop the others
            telemetry.log().error("simulator_item_failed", report=repr(report)[:200], exc_info=True)
            return False
        self._ring(published.lanes)
        return True


def _waiting(tx: Tx, *, before: int, after: tuple[int, int, int], after_request: str) -> Waiting:
    count = limits.PAGE_COUNT_MAX
    return (
        documents.waiting_documents(tx, before=before, after_pk=after[0], count=count),
        documents.waiting_mixed(tx, before=before, after_pk=after[1], count=count),
        analytics.waiting_requests(tx, before=before, after=after_request, count=count),
        books.waiting_books(tx, before=before, after_pk=after[2], count=count),
    )


def _due(found: Waiting, now: int, delay_ms: int) -> Iterable[Report]:
    waiting_documents, waiting_mixed, waiting_requests, waiting_books = found
    for mixed in waiting_mixed:
        step = mixed_step(mixed.name, mixed.status)
        if step is not None and mixed.updated_at + step_ms(mixed.name, delay_ms) <= now:
            yield _mixed_report(mixed, step)
    for document in waiting_documents:
        step = document_step(document.name, document.status, document.source)
        if step is not None and document.updated_at + step_ms(document.name, delay_ms) <= now:
            yield DocumentReport(uuid=document.uuid, status=DocumentStatus(step.status), reason=step.reason)
    for request in waiting_requests:
        yield AnalyticsReport(id=request.id, status=AnalyticsStatus.COMPLETED, result=_result(request))
    for book in waiting_books:
        yield BookAnalyticsReport(book_uuid=book.uuid, status=JobStatus.DONE, results=_results(book))


def _mixed_report(mixed: MixedDocument, step: Step) -> Report:
    if step.status is MixedStatus.COMPLETED:
        return ClassifiedReport(uuid=mixed.uuid, parts=tuple(ClassifiedPart() for _ in range(step.part_count)))
    return MixedReport(uuid=mixed.uuid, status=MixedStatus(step.status), reason=step.reason)


def _result(request: AnalyticsRequest) -> dict[str, Any]:
    return {"book_pk": request.book_pk, "bank_accounts": {}, "source": "bookbell simulator"}


def _results(book: Book) -> dict[str, dict[str, Any]]:
    known = {"book_pk": book.pk, "book_uuid": book.uuid, "book_name": book.name, "source": "bookbell simulator"}
    return {
        "summary": {**known, "txn_count": 0, "daily_balances": {}, "bank_accounts": []},
        "enriched_txns": {**known, "total": 0, "offset": 0, "limit": 50, "enriched_transactions": []},
        "cash_flow_features": {**known, "features": {}},
        "cash_flow_risk_score": {**known, "score": None},
        "benchmarking": {**known, "benchmarks": {}},
    }
