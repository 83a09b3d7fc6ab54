"""The catalogue of metrics and log events: every name the program emits is here, and in docs/telemetry.md.

Log events are structured: a name and fields. A line is written for what an operator acts on (a failed attempt, an
exhausted delivery, a lost lease, a restart of a loop), not for each success; successes are counted.
"""

import contextlib
import logging
import sys
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from bookbell.store.counted import COUNTED

LOG_EVENTS = {
    "service_started": "The process is ready; says address, role and database.",
    "service_stopping": "A stop was asked for; in-flight requests may finish until the deadline.",
    "service_stopped": "The process is about to exit; `unfinished` attempts were released to be made again.",
    "attempt_failed": "An attempt did not succeed; says what happened and when the next is due.",
    "delivery_skipped": "The receiver asked, by response header, not to be sent this delivery again.",
    "delivery_exhausted": "The last attempt of a delivery failed, or it was refused for good.",
    "endpoint_disabled": "A receiver answered 410 Gone; nothing is sent to it until it is configured again.",
    "circuit_changed": "The circuit of an endpoint's lane opened, began to recover or closed.",
    "endpoint_notice": "An endpoint has been failing for long, or was disabled; the same is kept as a notice.",
    "lanes_lost": "Leases of this worker passed to another; their attempts are kept as history.",
    "lanes_overslept": "Lanes slept although work was due. Should never happen; they were woken.",
    "ledger_problem": "The audit found a row that does not balance; says which and why. Should never happen.",
    "retention_ran": "Retention removed something; says how many rows of each kind and how many bytes of bodies.",
    "result_refused": "The database refuses a result as it is: it is kept without the answer, or sent again.",
    "loop_failed": "A turn of a loop failed, mostly because the database was away; it is tried again.",
    "replay_done": "A replay has made everything due that it was to; says how many were recovered and replayed.",
    "replay_failed": "A replay ended early: nothing can be sent to its webhook any more.",
    "request_failed": "A bug or an outage: a client's request was answered with 500.",
    "library_said": "A library has a warning, such as a request that is no HTTP; says which library, and what.",
    "simulator_item_failed": "The simulator could not move one item; it tries again later.",
}

REGISTRY = CollectorRegistry()

ATTEMPTS = Counter("bookbell_attempts", "Attempts made, by what they came to.", ["outcome"], registry=REGISTRY)
DELIVERIES_SETTLED = Counter(
    "bookbell_deliveries_settled", "Deliveries that ended, by state.", ["state"], registry=REGISTRY
)


class _Latencies(Collector):
    """A histogram that costs an observation one addition; only the event loop's thread observes."""

    BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000)

    def __init__(self) -> None:
        self._counts = [0] * (len(self.BOUNDS_MS) + 1)
        self._sum_ms = 0

    def observe_ms(self, latency_ms: int) -> None:
        """Count one."""
        self._counts[bisect_left(self.BOUNDS_MS, latency_ms)] += 1
        self._sum_ms += latency_ms

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As Prometheus has it: each bucket holds those before it."""
        bounds = [*(str(bound / 1000) for bound in self.BOUNDS_MS), "+Inf"]
        yield HistogramMetricFamily(
            "bookbell_first_attempt_latency_seconds",
            "From the commit of an event to the start of its first attempt.",
            buckets=list(zip(bounds, accumulate(self._counts), strict=True)),
            sum_value=self._sum_ms / 1000,
        )


LATENCY = _Latencies()
REGISTRY.register(LATENCY)


class _Asked(Collector):
    """What the store has counted."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """As it is now."""
        statements, commits = "Statements that the database was asked for.", "Transactions that were committed."
        yield CounterMetricFamily("bookbell_database_statements", statements, value=COUNTED.statements)
        yield CounterMetricFamily("bookbell_database_commits", commits, value=COUNTED.commits)


REGISTRY.register(_Asked())
REPLAYED = Counter(
    "bookbell_deliveries_replayed", "Deliveries made due by replays: recovered or new.", ["kind"], registry=REGISTRY
)
CIRCUIT_CHANGES = Counter(
    "bookbell_circuit_changes",
    "Circuits of lanes that changed, by the state they came to.",
    ["state"],
    registry=REGISTRY,
)
LANES_OWNED = Gauge("bookbell_lanes_owned", "Lanes this worker owns now.", registry=REGISTRY)
IN_FLIGHT = Gauge("bookbell_requests_in_flight", "Requests to receivers in flight now.", registry=REGISTRY)
LANES_OVERSLEPT = Counter(
    "bookbell_lanes_overslept", "Lanes found asleep with due work by the safety net.", registry=REGISTRY
)
ATTEMPTS_STALE = Counter("bookbell_attempts_stale", "Attempts finished after their lane was lost.", registry=REGISTRY)
LEDGER_PROBLEMS = Counter(
    "bookbell_ledger_problems", "Rows that the audit found not to balance, by problem.", ["problem"], registry=REGISTRY
)
LEDGER_AUDITED_UNTIL = Gauge(
    "bookbell_ledger_audited_until_seconds",
    "Events made before that instant (seconds since 1970) have been audited in the background.",
    registry=REGISTRY,
)
PRUNED_ROWS = Counter(
    "bookbell_pruned_rows", "Rows that retention has removed or emptied.", ["kind"], registry=REGISTRY
)
PRUNED_BYTES = Counter("bookbell_pruned_bytes", "Bytes of bodies that retention has removed.", registry=REGISTRY)
KEPT_BYTES = Gauge("bookbell_kept_bytes", "Bytes of bodies that are kept, as last measured.", registry=REGISTRY)
KEPT_SINCE = Gauge(
    "bookbell_kept_since_seconds",
    "When the oldest event was made that is kept, in seconds since 1970.",
    registry=REGISTRY,
)


def metrics_page() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)


def log() -> Any:
    """The structured log. Use a name of LOG_EVENTS for the event."""
    return structlog.get_logger("bookbell")


class _Lines:
    """Writes each line to a stream. What that does not take, because the disk is full or nobody reads the pipe any
    more, is lost: a log that fails must stop nothing, least of all the loop that has just caught another error.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """stream: None when the process was started without one."""
        self._stream = stream

    def msg(self, message: str) -> None:
        """Write one line."""
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
                print(message, file=self._stream, flush=True)

    debug = info = warning = error = critical = msg


class _OfLibraries(logging.Handler):
    """Puts what libraries log into this log, in its form: the web server, and the event loop."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        log().log(
            record.levelno,
            "library_said",
            library=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def set_up_logging(log_format: str, *, is_quiet: bool = False) -> None:
    """Send the log to standard error, as `text` for people or `json` for machines; only warnings if quiet."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr is not None and sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if is_quiet else logging.INFO),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_OfLibraries(logging.WARNING)], level=logging.WARNING, force=True)
