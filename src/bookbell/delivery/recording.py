"""Records what became of attempts, in batches: attempts and deliveries, circuits that moved, notices that are due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bookbell import telemetry
from bookbell.core import limits
from bookbell.core.circuit import Circuit
from bookbell.core.model import DeliveryState, LaneId
from bookbell.delivery.dispatch import Finished
from bookbell.delivery.lane import Lane
from bookbell.delivery.parts import Hold
from bookbell.store import circuits, deliveries
from bookbell.store.circuits import Notice
from bookbell.store.database import Tx
from bookbell.store.deliveries import Result

DISABLED_PERCENT = 100
LINGER_MS = 10  # results are gathered for that long: what one transaction costs is shared by all of them
SUCCESS_KEPT_MS = 600_000  # how exactly the last success of a lane is kept: that is one write in so long


@dataclass(frozen=True, slots=True)
class Written:
    """lost: lanes of another owner by now; succeeded_beside: lanes that fail while others of their endpoint do not."""

    lost: frozenset[LaneId] = frozenset()
    succeeded_beside: dict[LaneId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes.

    succeeded: lanes whose success is to be kept; notices: about the endpoints of lanes; disabled: lanes whose endpoint
    is to be disabled, and why; failing: those of them that have done nothing but fail, and since when.
    """

    results: list[Result]
    circuits: list[tuple[LaneId, int, Circuit]]
    succeeded: list[LaneId] = field(default_factory=list)
    notices: list[tuple[LaneId, Notice]] = field(default_factory=list)
    disabled: dict[LaneId, str] = field(default_factory=dict)
    failing: dict[LaneId, int] = field(default_factory=dict)


class Recording:
    """Empties the queue of results."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._ambient = hold.ambient
        self._is_unsure = False  # a commit failed: of what waits, some may have been recorded all the same

    async def record_turn(self) -> None:
        """Record a batch of results once there are any. What cannot be recorded goes back to the queue."""
        dispatch, ready = self._hold.dispatch, self._hold.results
        await ready.wait()
        waiting = dispatch.results
        if len(waiting) < limits.RECORD_BATCH_COUNT_MAX and not self._hold.is_draining:
            await self._ambient.sleep_ms(LINGER_MS)
        finished = [waiting.popleft() for _ in range(min(len(waiting), limits.RECORD_BATCH_COUNT_MAX))]
        if not waiting:
            ready.clear()
        if not finished:
            return
        dispatch.recording_count = len(finished)
        touched = list({id(each.lane): each.lane for each in finished}.values())
        batch = self._batch(finished, touched)
        write = _write_again if self._is_unsure else _write
        try:
            written = await self._hold.database.write_promptly(write, batch, at=self._ambient.now_ms())
            self._is_unsure = bool(waiting) and self._is_unsure
        except BaseException:
            self._is_unsure = True
            waiting.extendleft(reversed(finished))
            ready.set()
            raise
        finally:
            dispatch.recording_count = 0
        self._settle(finished, batch, touched)
        if written.succeeded_beside:
            _start_anew(touched, written.succeeded_beside)
        self._hold.bell.set()
        self._hold.lose([lane for lane in touched if lane.id in written.lost])
        dispatch.start()

    def _settle(self, finished: Sequence[Finished], batch: Batch, touched: list[Lane]) -> None:
        """What was recorded is not in hand any more."""
        saved = {lane_id: circuit for lane_id, _, circuit in batch.circuits}
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
            lane.saved_circuit = saved.get(lane.id, lane.saved_circuit)
            if lane.id in batch.succeeded:
                lane.succeeded_at = self._ambient.now_ms()
            if lane.id in batch.disabled:
                self._hold.starve(lane)
            self._hold.tend(lane)

    def _batch(self, finished: Sequence[Finished], touched: list[Lane]) -> Batch:
        moved = [(each.id, each.epoch, each.circuit) for each in touched if each.has_moved]
        batch = Batch([each.result for each in finished], moved, self._succeeded(finished))
        for each in finished:
            if each.is_gone:
                batch.disabled[each.lane.id] = "the receiver answered 410 Gone"
                batch.notices.append((each.lane.id, self._notice(each.lane, "disabled", batch.disabled[each.lane.id])))
            elif each.notice_percent:
                self._tell_failing(each, batch)
        return batch

    def _succeeded(self, finished: Sequence[Finished]) -> list[LaneId]:
        """The lanes whose last success was kept too long ago, if at all."""
        now = self._ambient.now_ms()
        lanes = {each.lane.id: each.lane for each in finished if each.result.state is DeliveryState.DELIVERED}
        return [lane.id for lane in lanes.values() if abs(now - (lane.succeeded_at or 0)) >= SUCCESS_KEPT_MS]

    def _tell_failing(self, each: Finished, batch: Batch) -> None:
        circuit = each.lane.circuit
        told = f"nothing but failure, {circuit.failure_count} times in a row"
        if each.notice_percent == DISABLED_PERCENT:
            batch.disabled[each.lane.id] = told
        kind = "disabled" if each.notice_percent == DISABLED_PERCENT else f"failing_{each.notice_percent}"
        batch.failing[each.lane.id] = circuit.failing_since or 0
        batch.notices.append((each.lane.id, self._notice(each.lane, kind, told)))

    def _notice(self, lane: Lane, kind: str, detail: str) -> Notice:
        assert lane.config is not None
        telemetry.log().warning(
            "endpoint_notice",
            kind=kind,
            endpoint=lane.config.endpoint_id,
            organization=lane.config.organization_id,
            detail=detail,
        )
        return Notice(
            id=self._ambient.new_id(),
            organization_id=lane.config.organization_id,
            endpoint_id=lane.config.endpoint_id,
            kind=kind,
            detail=detail,
            created_at=self._ambient.now_ms(),
        )


def _start_anew(touched: Sequence[Lane], succeeded_beside: Mapping[LaneId, int]) -> None:
    """The clock of nothing but failure is the endpoint's: a success of another of its lanes starts it anew."""
    for lane in touched:
        lane.circuit = _anew(lane.circuit, succeeded_beside.get(lane.id))
        lane.saved_circuit = _anew(lane.saved_circuit, succeeded_beside.get(lane.id))


def _anew(circuit: Circuit, succeeded_at: int | None) -> Circuit:
    return circuit if succeeded_at is None else replace(circuit, failing_since=succeeded_at, notice_percent=0)


def _write_again(tx: Tx, batch: Batch, *, at: int) -> Written:
    return _write(tx, replace(batch, results=deliveries.unrecorded(tx, batch.results)), at=at)


def _write(tx: Tx, batch: Batch, *, at: int) -> Written:
    lost = deliveries.record(tx, batch.results, at=at) if batch.results else frozenset()
    circuits.note_successes(tx, [lane_id for lane_id in batch.succeeded if lane_id not in lost], at=at)
    spared = circuits.succeeded_beside(tx, batch.failing) if batch.failing else {}
    moved = [(lane_id, epoch, _anew(circuit, spared.get(lane_id))) for lane_id, epoch, circuit in batch.circuits]
    circuits.save_circuits(tx, [each for each in moved if each[0] not in lost])
    for lane_id, reason in batch.disabled.items():
        if lane_id not in lost and lane_id not in spared:
            circuits.disable_endpoint(tx, lane_id, reason=reason, at=at)
    circuits.insert_notices(tx, [notice for lane_id, notice in batch.notices if lane_id not in spared])
    return Written(lost, spared)
