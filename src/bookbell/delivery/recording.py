"""Records what became of attempts, in batches: attempts and deliveries, circuits that moved, notices that are due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.circuit import Circuit
from bookbell.core.model import DeliveryState, LanePk
from bookbell.delivery import worker
from bookbell.delivery.dispatch import Finished
from bookbell.delivery.lane import Lane
from bookbell.delivery.parts import Hold
from bookbell.store import circuits, deliveries
from bookbell.store.circuits import Notice
from bookbell.store.database import Tx
from bookbell.store.deliveries import Result
from bookbell.store.faults import is_refusal

DISABLED, DISABLED_PERCENT = "disabled", 100
LINGER_MS = 10  # results are gathered for that long: what one transaction costs is shared by all of them
SUCCESS_KEPT_MS = 600_000  # how exactly the last success of a lane is kept: that is one write in so long


@dataclass(frozen=True, slots=True)
class Written:
    """lost: lanes, with the epochs at which they were of another owner by now; succeeded_beside: lanes that fail while
    others of their endpoint do not; told: the notices that are kept.
    """

    lost: frozenset[tuple[LanePk, int]] = frozenset()
    succeeded_beside: dict[LanePk, int] = field(default_factory=dict)
    told: list[Notice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes.

    succeeded: lanes whose success is to be kept; notices: about the endpoints of lanes; disabled: lanes whose endpoint
    is to be disabled, why, and when it had been resumed last; failing: those of them that have done nothing but fail,
    and since when.
    """

    results: list[Result]
    circuits: list[tuple[LanePk, int, Circuit]]
    succeeded: list[LanePk] = field(default_factory=list)
    notices: list[tuple[LanePk, Notice]] = field(default_factory=list)
    disabled: dict[LanePk, tuple[str, int | None]] = field(default_factory=dict)
    failing: dict[LanePk, int] = field(default_factory=dict)


class Recording:
    """Empties the queue of results."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._ambient = hold.ambient
        self._count_max = limits.RECORD_BATCH_COUNT_MAX  # of a batch; less while something is not taken
        self._is_unsure = False  # a commit failed: of what waits, some may have been recorded all the same

    async def record_turn(self) -> None:
        """Record a batch of results once there are any. What cannot be recorded goes back to the queue."""
        dispatch, ready = self._hold.dispatch, self._hold.results
        await ready.wait()
        waiting = dispatch.results
        if len(waiting) < self._count_max and not self._hold.is_draining:
            await self._ambient.sleep_ms(LINGER_MS)
        finished = [waiting.popleft() for _ in range(min(len(waiting), self._count_max))]
        if not waiting:
            ready.clear()
        if not finished:
            return
        dispatch.count_ended()
        dispatch.recording_count = len(finished)
        touched = list({id(each.lane): each.lane for each in finished}.values())
        batch = self._batch(finished, touched)
        write = _write_again if self._is_unsure else _write
        try:
            written = await self._hold.database.write_promptly(write, batch, at=self._ambient.now_ms())
            self._is_unsure = bool(waiting) and self._is_unsure
            self._count_max = min(2 * self._count_max, limits.RECORD_BATCH_COUNT_MAX)
        except BaseException as error:
            self._is_unsure = True
            is_refused = is_refusal(error)
            waiting.extendleft(reversed(self._narrowed(finished) if is_refused else finished))
            ready.set()
            if is_refused:
                return
            raise
        finally:
            dispatch.recording_count = 0
        self._settle(finished, batch, touched)
        _log(written.told)
        if written.succeeded_beside:
            _start_anew(touched, written.succeeded_beside)
        if written.lost:
            telemetry.ATTEMPTS_STALE.inc(sum((each.lane.pk, each.lane.epoch) in written.lost for each in finished))
            self._hold.lose([lane for lane in touched if (lane.pk, lane.epoch) in written.lost])
        dispatch.start()

    def _narrowed(self, finished: list[Finished]) -> list[Finished]:
        """What to try next of a batch that the database does not take, and never will: it must keep nothing else from
        being recorded. So it is looked for by halves, and recorded without what the receiver had a part in.

        What is not taken even then is given up, and its lane waits for the lease to end: it is sent again.
        """
        self._count_max = max(1, len(finished) // 2)
        if len(finished) > 1:
            return finished
        (only,) = finished
        bare = worker.without_answer(only.result)
        telemetry.log().error("result_refused", request_id=only.result.delivery_id, exc_info=True)
        if bare == only.result:
            self._hold.dispatch.forget(only.lane)
            return []
        return [structs.replace(only, result=bare)]

    def _settle(self, finished: Sequence[Finished], batch: Batch, touched: list[Lane]) -> None:
        """What was recorded is not in hand any more."""
        saved = {lane_pk: circuit for lane_pk, _, circuit in batch.circuits}
        for each in finished:
            lane, result = each.lane, each.result
            lane.held.discard(result.attempt.delivery_pk)
            if lane.is_looking:
                lane.settled.add(result.attempt.delivery_pk)
            if result.state is DeliveryState.PENDING and lane.circuit.opened_at is None:
                lane.next_due = min(lane.next_due, result.due_at)
            elif result.queue_pk is not None:
                self._hold.starve(lane)
        for lane in touched:
            lane.saved_circuit = saved.get(lane.pk, lane.saved_circuit)
            if lane.pk in batch.succeeded:
                lane.succeeded_at = self._ambient.now_ms()
            if lane.pk in batch.disabled:
                self._hold.starve(lane)
            self._hold.tend(lane)

    def _batch(self, finished: Sequence[Finished], touched: list[Lane]) -> Batch:
        moved = [(each.pk, each.epoch, each.circuit) for each in touched if each.has_moved]
        batch = Batch([each.result for each in finished], moved, self._succeeded(finished))
        for each in finished:
            if each.is_gone:
                told = "the receiver answered 410 Gone"
                batch.disabled[each.lane.pk] = told, each.resumed_at
                batch.notices.append((each.lane.pk, self._notice(each.lane, DISABLED, told)))
            elif each.notice_percent:
                self._tell_failing(each, batch)
        return batch

    def _succeeded(self, finished: Sequence[Finished]) -> list[LanePk]:
        """The lanes whose last success was kept too long ago, if at all."""
        now = self._ambient.now_ms()
        lanes = {each.lane.pk: each.lane for each in finished if each.result.state is DeliveryState.DELIVERED}
        return [lane.pk for lane in lanes.values() if abs(now - (lane.succeeded_at or 0)) >= SUCCESS_KEPT_MS]

    def _tell_failing(self, each: Finished, batch: Batch) -> None:
        circuit = each.lane.circuit
        told = f"nothing but failure, {circuit.failure_count} times in a row"
        if each.notice_percent == DISABLED_PERCENT:
            batch.disabled[each.lane.pk] = told, each.resumed_at
        kind = DISABLED if each.notice_percent == DISABLED_PERCENT else f"failing_{each.notice_percent}"
        batch.failing[each.lane.pk] = circuit.failing_since or 0
        batch.notices.append((each.lane.pk, self._notice(each.lane, kind, told)))

    def _notice(self, lane: Lane, kind: str, detail: str) -> Notice:
        assert lane.config is not None
        return Notice(
            id=self._ambient.new_id(),
            organization_id=lane.config.organization_id,
            endpoint_id=lane.config.endpoint_id,
            kind=kind,
            detail=detail,
            created_at=self._ambient.now_ms(),
        )


def _log(told: Sequence[Notice]) -> None:
    for notice in told:
        telemetry.log().warning(
            "endpoint_notice",
            kind=notice.kind,
            endpoint=notice.endpoint_id,
            organization=notice.organization_id,
            detail=notice.detail,
        )


def _start_anew(touched: Sequence[Lane], succeeded_beside: Mapping[LanePk, int]) -> None:
    """The clock of nothing but failure is the endpoint's: a success of another of its lanes starts it anew."""
    for lane in touched:
        lane.circuit = _anew(lane.circuit, succeeded_beside.get(lane.pk))
        lane.saved_circuit = _anew(lane.saved_circuit, succeeded_beside.get(lane.pk))


def _anew(circuit: Circuit, succeeded_at: int | None) -> Circuit:
    return circuit if succeeded_at is None else replace(circuit, failing_since=succeeded_at, notice_percent=0)


def _write_again(tx: Tx, batch: Batch, *, at: int) -> Written:
    return _write(tx, replace(batch, results=deliveries.unrecorded(tx, batch.results)), at=at)


def _write(tx: Tx, batch: Batch, *, at: int) -> Written:
    lost = deliveries.record(tx, batch.results, at=at) if batch.results else frozenset()
    circuits.note_successes(tx, batch.succeeded, at=at)
    spared = circuits.succeeded_beside(tx, batch.failing) if batch.failing else {}
    moved = [(lane_pk, epoch, _anew(circuit, spared.get(lane_pk))) for lane_pk, epoch, circuit in batch.circuits]
    circuits.save_circuits(tx, moved)
    untold = spared.keys() | {lane_pk for lane_pk, _ in lost}
    told: list[Notice] = []
    for lane_pk, notice in batch.notices:
        if lane_pk not in untold and _is_new(tx, batch, lane_pk, notice, at=at):
            circuits.insert_notices(tx, [notice])  # before the next is judged, which may tell the same
            told.append(notice)
    return Written(lost, spared, told)


def _is_new(tx: Tx, batch: Batch, lane_pk: LanePk, notice: Notice, *, at: int) -> bool:
    """Whether a notice tells what is so now and was not told: each lane and each answer has its own. What tells that
    the endpoint is disabled disables it.
    """
    if notice.kind == DISABLED:
        reason, resumed_at = batch.disabled[lane_pk]
        return circuits.disable_endpoint(tx, lane_pk, resumed_at=resumed_at, reason=reason, at=at)
    return not circuits.is_told(tx, notice, since=batch.failing[lane_pk])
