"""One attempt as values: the request to send, and what came of it.

The worker makes the Request, the sender answers with a Report, core.verdict judges its Outcome, the store keeps
it. An expected failure of the other side is a value here, never an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP POST, ready to go. key: echoed with the Report; url: without userinfo; headers: their lines."""

    key: str
    url: str
    headers: Sequence[str]
    body: bytes
    timeout_ms_connect: int
    timeout_ms_total: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver sent a complete status line and headers. The body does not matter and may have been cut.

    retry_after, feedback: the raw values of Retry-After and Webhook-Delivery, None if absent.
    """

    status_code: int
    retry_after: str | None = None
    feedback: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The guard did not let the request out. rule: the name of the rule, e.g. `loopback`; detail: for people."""

    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The deadline passed. phase: `dns`, `connect`, `tls`, `first_byte` or `body`: what was being waited for."""

    phase: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No complete answer. kind: `dns`, `connect`, `tls`, `reset`, `protocol`, `send` or `internal`."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Oversized:
    """Headers went on beyond the bound, so that no answer could be read. part: `headers`."""

    part: str


Outcome = Answered | Refused | TimedOut | Unreachable | Oversized


class Timings(NamedTuple):
    """Microseconds spent in each phase, in order; a phase that did not happen is 0.

    total_us runs from start to end and is at least the sum of the others.
    """

    dns_us: int = 0
    connect_us: int = 0
    tls_us: int = 0
    first_byte_us: int = 0
    total_us: int = 0


class Report(Struct, frozen=True, gc=False):
    """All that is known of one finished attempt.

    head: status line and headers as they came, at most limits.RESPONSE_HEADERS_BYTES_MAX; `header_pairs` reads them.
    body: the first bytes of the response, at most limits.RESPONSE_KEPT_BYTES_MAX.
    remote_address: the IP that was connected to, None when no connection was made.
    """

    outcome: Outcome
    timings: Timings
    remote_address: str | None = None
    head: bytes = b""
    body: bytes = b""


def header_pairs(head: bytes) -> list[tuple[str, str]]:
    """Names and values of a response's header lines, in order; a line without a colon is left out.

    >>> header_pairs(b"HTTP/1.1 200 OK\\r\\nRetry-After: 5\\r\\nX:\\r\\n\\r\\n")
    [('Retry-After', '5'), ('X', '')]
    """
    lines = head.decode("latin-1").split("\r\n")[1:]
    parts = (line.partition(":") for line in lines)
    return [(name.strip(), value.strip()) for name, colon, value in parts if colon]


def kind_of(outcome: Outcome) -> str:
    """A short stable name for lists, metrics and the attempts table, e.g. `answered`, `timed_out:connect`."""
    match outcome:
        case Answered():
            return "answered"
        case Refused(rule):
            return f"refused:{rule}"
        case TimedOut(phase):
            return f"timed_out:{phase}"
        case Unreachable(kind):
            return f"unreachable:{kind}"
        case Oversized(part):
            return f"oversized:{part}"
        case _:
            assert_never(outcome)


def describe(outcome: Outcome) -> str:
    """One sentence for people: what happened."""
    match outcome:
        case Answered():  # taken apart by hand: each delivery comes this way, and a pattern takes twice as long
            return f"The receiver answered {outcome.status_code}."
        case Refused(_, detail):
            return detail
        case TimedOut(phase):
            return f"The deadline passed while waiting for {_WAITED_FOR[phase]}."
        case Unreachable(_, detail):
            return detail
        case Oversized(part):
            return f"The response {part} exceeded the size limit."
        case _:
            assert_never(outcome)


_WAITED_FOR = {
    "dns": "the name to resolve",
    "connect": "the connection",
    "tls": "the TLS handshake",
    "first_byte": "the first byte of the answer",
    "body": "the rest of the answer",
}
