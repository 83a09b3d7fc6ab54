"""Starts the requests of owned lanes and takes their reports.

Lanes with something to send stand in a ring and are served in turn, organization by organization, each up to its own
bounds, so a lane with a long backlog does not keep another waiting. A report frees its slot at once and moves the
lane's circuit; its result then waits to be recorded.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from bookbell import telemetry
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.attempt import Answered, Report, Request, describe
from bookbell.core.circuit import Circuit, after_failure, after_success
from bookbell.core.feedback import Pause, Skip, SlowDown, feedback_of, paused
from bookbell.core.model import DeliveryId, DeliveryState, LanePk, OrganizationId
from bookbell.core.pace import BUSY_COUNT, BUSY_MS, READY_COUNT_MIN, start_count_max
from bookbell.core.verdict import Delivered, Gone, Skipped, Verdict
from bookbell.delivery import worker
from bookbell.delivery.lane import Lane, Meter
from bookbell.delivery.ring import Ring
from bookbell.delivery.worker import Sent, Settling
from bookbell.store.deliveries import Result


class Transport(Protocol):
    """Sends requests and later hands their reports to `Dispatch.on_reports`, on the engine's loop, in batches."""

    def submit(self, requests: Sequence[Request]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What dispatch tells the engine: hungry: look at this lane again soon; full: there are results to record; alarm:
    turn to this lane at that monotonic instant; more: start again soon, there is more to send and room for it; short:
    few lanes are ready.
    """

    hungry: Callable[[Lane], None]
    full: Callable[[], None]
    alarm: Callable[[Lane, int], None]
    more: Callable[[], None]
    short: Callable[[], None]


class Finished(Struct, frozen=True, gc=False):
    """A result that waits to be recorded. is_gone: disable the endpoint; notice_percent: newly reached, else 0.

    resumed_at: when the endpoint it was sent to had been resumed last.
    """

    lane: Lane
    result: Result
    is_gone: bool
    notice_percent: int
    resumed_at: int | None


class Dispatch:
    """What this worker sends now, and what of it still has to be recorded."""

    def __init__(self, ambient: Ambient, transport: Transport, worker_name: str, calls: Calls) -> None:
        self.lanes: dict[LanePk, Lane] = {}
        self.in_flight: dict[DeliveryId, tuple[Lane, Sent]] = {}
        self.results: deque[Finished] = deque()
        self.recording_count = 0
        self.meter = Meter()
        self.ring = Ring()
        self.waiting = Ring()
        self._ended: Counter[tuple[str, DeliveryState]] = Counter()
        self._of_organization: Counter[OrganizationId] = Counter()
        self._ambient = ambient
        self._transport = transport
        self._busy_until = 0
        self._worker = worker_name
        self._calls = calls
        telemetry.IN_FLIGHT.set_function(self.in_flight.__len__)
        telemetry.LANES_OWNED.set_function(self.lanes.__len__)

    def offer(self, lane: Lane) -> None:
        """Let the lane stand in the ring if it has something to send and room to send it.

        While others wait to be read on, each has one request in flight: more would only open more connections.
        """
        if lane.is_ready or not lane.buffer or (lane.in_flight and self.waiting.count):
            return
        if lane.room(self._ambient) > 0:
            lane.is_ready = True
            self.ring.add(lane)
        elif wait_ms := lane.token_wait_ms():
            self._calls.alarm(lane, self._ambient.monotonic_ms() + wait_ms)

    def start(self, ended_count: int = 0) -> None:
        """Start as many requests as the bounds allow, lane by lane. ended_count: requests that have just ended."""
        requests: list[Request] = []
        now, monotonic = self._ambient.now_ms(), self._ambient.monotonic_ms()
        if ended_count >= BUSY_COUNT:
            self._busy_until = monotonic + BUSY_MS
        most = start_count_max(len(self.in_flight), ended_count, is_busy=monotonic < self._busy_until)
        left = min(most, self._budget())
        # Each gets an equal part of what is free, so that many lanes share the connections rather than wear them out.
        turn_count = 1 if self.waiting.count else max(1, left // max(1, self.ring.count))
        while left > 0 and (lane := self.ring.take()) is not None:
            lane.is_ready = False
            if self.lanes.get(lane.pk) is lane and monotonic < lane.lease_end:
                lane.busy_at = monotonic
                left -= self._start_lane(lane, now, requests, min(turn_count, left))
        if self.results:
            self._calls.full()
        if requests:
            self._transport.submit(requests)
        if self.ring.count and self._budget() > 0:
            self._calls.more()
        if self.waiting.count and self.ring.open_count < READY_COUNT_MIN:
            self._calls.short()

    def on_reports(self, reports: Sequence[tuple[str, Report]]) -> None:
        """Take these reports: judge them, free their slots, start what comes next."""
        by, touched = self._settling(), {}
        for key, report in reports:
            found = self.in_flight.pop(DeliveryId(key), None)
            if found is not None:
                lane, sent = found
                lane.in_flight -= 1
                self._release(sent.config.organization_id)
                self._finish_guarded(lane, sent, report, by)
                touched[lane.pk] = lane
        monotonic = self._ambient.monotonic_ms()
        for lane in touched.values():
            lane.busy_at = monotonic
            self.offer(lane)
        self.start(len(reports))

    def forget(self, lane: Lane) -> None:
        """The lane is no longer this worker's: start nothing more of it. What is in flight is still reported."""
        if self.lanes.get(lane.pk) is lane:
            del self.lanes[lane.pk]
        lane.forget_buffer()

    def count_ended(self) -> None:
        """Add what has ended since to the metrics, all of it at once."""
        _observe_all(self._ended)
        self._ended.clear()

    def abandon(self) -> int:
        """Expect no more reports: what is in flight was released and will be sent again. Gives how many."""
        count = len(self.in_flight)
        self.in_flight.clear()
        return count

    def _budget(self) -> int:
        if len(self.results) + self.recording_count >= limits.UNRECORDED_COUNT_MAX:
            return 0
        return limits.REQUESTS_IN_FLIGHT_MAX - len(self.in_flight)

    def _release(self, organization: OrganizationId) -> None:
        self._of_organization[organization] -= 1
        if self._of_organization[organization] == limits.ORGANIZATION_IN_FLIGHT_MAX - 1:
            self.ring.unblock(organization)

    def _start_lane(self, lane: Lane, now: int, requests: list[Request], count_max: int) -> int:
        """Gives how many deliveries it took, sent or not."""
        destination, config = lane.destination, lane.config
        assert destination is not None
        assert config is not None
        organization = config.organization_id
        room = limits.ORGANIZATION_IN_FLIGHT_MAX - self._of_organization[organization]
        is_probe, started = lane.circuit.opened_at is not None, 0
        count = min(lane.room(self._ambient), room, count_max)
        for _ in range(count):
            due = lane.pick()
            sent = Sent(due, config, destination.policy, now, is_probe)
            if due.attempt_count == 0:
                telemetry.LATENCY.observe_ms(max(0, now - due.created_at))
            if destination.problem is not None:
                self._finish(lane, sent, worker.unsent(destination.problem), self._settling())
                if not lane.buffer:
                    break
                continue
            lane.in_flight += 1
            started += 1
            self.in_flight[due.id] = (lane, sent)
            requests.append(worker.prepare(due, destination, now=now))
        self._of_organization[organization] += started
        if lane.has_more and lane.is_short:
            self._calls.hungry(lane)
        self.offer(lane)
        if started == room:
            self.ring.block(organization)
        return count

    def _settling(self) -> Settling:
        return Settling(self._worker, self._ambient.now_ms(), self._ambient.draw)

    def _finish_guarded(self, lane: Lane, sent: Sent, report: Report, by: Settling) -> None:
        """One border: a bug in one report must not lose the others; its lane waits for the lease to end."""
        try:
            self._finish(lane, sent, report, by)
        except Exception:  # noqa: BLE001 - the border of a report
            telemetry.log().error("loop_failed", loop="report", request_id=sent.due.id, exc_info=True)
            self.forget(lane)

    def _finish(self, lane: Lane, sent: Sent, report: Report, by: Settling) -> None:
        is_former = lane.config is not None and lane.config.resumed_at != sent.config.resumed_at
        if is_former:
            sent = worker.of_former(sent)
        result, verdict = worker.settle(sent, report, by)
        is_gone = isinstance(verdict, Gone)
        notice = 0 if is_former else self._move_circuit(lane, sent, verdict, by.now)
        if isinstance(report.outcome, Answered) and report.outcome.feedback is not None:
            self._heed(lane, sent, report, by.now)
        self.results.append(Finished(lane, result, is_gone, notice, sent.config.resumed_at))
        if is_gone or notice == 100:
            lane.forget_buffer()
        self._ended[result.attempt.outcome, result.state] += 1
        if result.state is not DeliveryState.DELIVERED:
            _observe_failure(sent, report, result, is_gone=is_gone)

    def _move_circuit(self, lane: Lane, sent: Sent, verdict: Verdict, now: int) -> int:
        """Let the lane's circuit follow what happened. Gives the notice that is due by it, else 0."""
        before = lane.circuit
        if before.opened_at is not None and now < lane.paused_until and not sent.is_probe:
            return 0  # it was under way when the receiver asked for the pause
        match verdict:
            case Delivered() | Skipped():
                lane.circuit = after_success(before, sent.policy)
            case Gone():
                return 0
            case _:
                lane.circuit = after_failure(before, sent.policy, is_probe=sent.is_probe, now=now)
        if lane.circuit is before:
            return 0
        self._follow_circuit(lane, sent, before)
        is_new = lane.circuit.notice_percent > before.notice_percent
        return lane.circuit.notice_percent if is_new else 0

    def _heed(self, lane: Lane, sent: Sent, report: Report, now: int) -> None:
        """Do what the receiver asks for with its answer."""
        asked = feedback_of(report.outcome, sent.policy)
        match asked:
            case Pause(duration_ms):
                before, lane.paused_until = lane.circuit, now + duration_ms
                lane.circuit = paused(before, asked, now)
                self._follow_circuit(lane, sent, before)
            case SlowDown(duration_ms):
                lane.slow_down(duration_ms, self._ambient.monotonic_ms())
            case Skip() | None:
                pass

    def _follow_circuit(self, lane: Lane, sent: Sent, before: Circuit) -> None:
        if lane.circuit.state is not before.state:
            _observe_circuit(lane, sent)
        if lane.circuit.opened_at is not None:
            lane.walk = (-1, "")
            lane.forget_buffer()


def _observe_circuit(lane: Lane, sent: Sent) -> None:
    state = lane.circuit.state
    telemetry.CIRCUIT_CHANGES.labels(state.value).inc()
    telemetry.log().warning(
        "circuit_changed",
        state=state.value,
        endpoint=sent.config.endpoint_id,
        organization=sent.config.organization_id,
        failures=lane.circuit.failure_count,
    )


def _observe_all(ended: Counter[tuple[str, DeliveryState]]) -> None:
    """Count attempts by what they came to, and deliveries that ended."""
    for (kind, state), count in ended.items():
        telemetry.ATTEMPTS.labels(kind).inc(count)
        if state is not DeliveryState.PENDING:
            telemetry.DELIVERIES_SETTLED.labels(state.value).inc(count)


def _observe_failure(sent: Sent, report: Report, result: Result, *, is_gone: bool) -> None:
    fields = {
        "endpoint": sent.config.endpoint_id,
        "organization": sent.config.organization_id,
        "request_id": sent.due.id,
        "event_type": sent.due.event_type,
        "attempt": result.attempt.number,
        "outcome": result.attempt.outcome,
        "status": result.attempt.status_code,
        "detail": describe(report.outcome),
        "total_us": report.timings.total_us,
    }
    if result.state is DeliveryState.PENDING:
        next_in_ms = None if sent.is_probe else result.due_at - sent.started_at
        telemetry.log().info("attempt_failed", next_in_ms=next_in_ms, is_probe=sent.is_probe, **fields)
        return
    if result.state is DeliveryState.CANCELLED:
        telemetry.log().info("delivery_skipped", **fields)
        return
    telemetry.log().warning("endpoint_disabled" if is_gone else "delivery_exhausted", reason=result.reason, **fields)
