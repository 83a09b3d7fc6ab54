"""Starts the requests of owned lanes and takes their reports.

Lanes with something to send stand in a ring and are served in turn, each up to its own in-flight cap, so a lane with
a long backlog does not keep another waiting. A report frees its slot at once; its result then waits to be recorded.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from bookbell import telemetry
from bookbell.ambient import Ambient
from bookbell.core import limits
from bookbell.core.attempt import Report, Request, describe, kind_of
from bookbell.core.model import DeliveryId, DeliveryState, LaneId
from bookbell.core.verdict import Gone
from bookbell.delivery import worker
from bookbell.delivery.lane import Lane
from bookbell.delivery.worker import Sent, Settling
from bookbell.store.deliveries import Due, Result


class Transport(Protocol):
    """Sends requests and later hands their reports to `Dispatch.on_reports`, on the engine's loop, in batches."""

    def submit(self, requests: Sequence[Request]) -> None: ...


class Dispatch:
    """What this worker sends now, and what of it still has to be recorded.

    hungry: called with a lane that should be looked at again soon; full: called when there are results to record.
    """

    def __init__(
        self,
        ambient: Ambient,
        transport: Transport,
        worker_name: str,
        *,
        hungry: Callable[[Lane], None],
        full: Callable[[], None],
    ) -> None:
        self.lanes: dict[LaneId, Lane] = {}
        self.in_flight: dict[DeliveryId, tuple[Lane, Sent]] = {}
        self.results: deque[tuple[Lane, Result, bool]] = deque()
        self.recording_count = 0
        self._ready: deque[Lane] = deque()
        self._ambient = ambient
        self._transport = transport
        self._worker = worker_name
        self._hungry = hungry
        self._full = full

    def offer(self, lane: Lane) -> None:
        """Let the lane stand in the ring if it has something to send and room to send it."""
        if not lane.is_ready and lane.room() > 0:
            lane.is_ready = True
            self._ready.append(lane)

    def start(self) -> None:
        """Start as many requests as the bounds allow, lane by lane."""
        requests: list[Request] = []
        now, monotonic = self._ambient.now_ms(), self._ambient.monotonic_ms()
        while self._ready and self._budget() > 0:
            lane = self._ready.popleft()
            lane.is_ready = False
            if self.lanes.get(lane.id) is lane and monotonic < lane.lease_end:
                self._start_lane(lane, now, requests)
        if requests:
            self._transport.submit(requests)
        telemetry.IN_FLIGHT.set(len(self.in_flight))

    def on_reports(self, reports: Sequence[tuple[str, Report]]) -> None:
        """Take these reports: judge them, free their slots, start what comes next."""
        for key, report in reports:
            found = self.in_flight.pop(DeliveryId(key), None)
            if found is not None:
                lane, sent = found
                lane.in_flight -= 1
                self._finish_guarded(lane, sent, report)
                self.offer(lane)
        self.start()

    def forget(self, lane: Lane) -> None:
        """The lane is no longer this worker's: start nothing more of it. What is in flight is still reported."""
        if self.lanes.get(lane.id) is lane:
            del self.lanes[lane.id]
        lane.forget_buffer()

    def abandon(self) -> int:
        """Expect no more reports: what is in flight was released and will be sent again. Gives how many."""
        count = len(self.in_flight)
        self.in_flight.clear()
        return count

    def _budget(self) -> int:
        if len(self.results) + self.recording_count >= limits.UNRECORDED_COUNT_MAX:
            return 0
        return limits.REQUESTS_IN_FLIGHT_MAX - len(self.in_flight)

    def _start_lane(self, lane: Lane, now: int, requests: list[Request]) -> None:
        destination, config = lane.destination, lane.config
        assert destination is not None
        assert config is not None
        for _ in range(min(lane.room(), self._budget())):
            due = lane.buffer.popleft()
            sent = Sent(due, config, destination.policy, now)
            _observe_start(due, now)
            if destination.problem is not None:
                self._finish(lane, sent, worker.unsent(destination.problem))
                continue
            lane.in_flight += 1
            self.in_flight[due.id] = (lane, sent)
            requests.append(worker.prepare(due, destination, now=now))
        if lane.has_more and len(lane.buffer) <= destination.policy.in_flight_max:
            self._hungry(lane)
        self.offer(lane)

    def _finish_guarded(self, lane: Lane, sent: Sent, report: Report) -> None:
        """One border: a bug in one report must not lose the others; its lane waits for the lease to end."""
        try:
            self._finish(lane, sent, report)
        except Exception:  # noqa: BLE001 - the border of a report
            telemetry.log().error("loop_failed", loop="report", request_id=sent.due.id, exc_info=True)
            self.forget(lane)

    def _finish(self, lane: Lane, sent: Sent, report: Report) -> None:
        by = Settling(
            worker=self._worker, now=self._ambient.now_ms(), draw=self._ambient.draw(), new_id=self._ambient.new_id
        )
        result, verdict = worker.settle(sent, report, by)
        is_gone = isinstance(verdict, Gone)
        self.results.append((lane, result, is_gone))
        lane.busy_at = self._ambient.monotonic_ms()
        self._full()
        _observe_end(sent, report, result, is_gone=is_gone)


def _observe_start(due: Due, now: int) -> None:
    if due.attempt_count == 0:
        telemetry.LATENCY.observe(max(0, now - due.created_at) / 1000)


def _observe_end(sent: Sent, report: Report, result: Result, *, is_gone: bool) -> None:
    telemetry.ATTEMPTS.labels(kind_of(report.outcome)).inc()
    if result.state is DeliveryState.DELIVERED:
        telemetry.DELIVERIES_SETTLED.labels("delivered").inc()
        return
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
        telemetry.log().info("attempt_failed", next_in_ms=result.due_at - sent.started_at, **fields)
        return
    telemetry.DELIVERIES_SETTLED.labels("exhausted").inc()
    telemetry.log().warning("endpoint_disabled" if is_gone else "delivery_exhausted", reason=result.reason, **fields)
