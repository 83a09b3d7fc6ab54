"""Stands between the service and the receiver, so that trouble can be played without the receiver knowing of it.

The service delivers to the relay as to any receiver; the relay passes the request on unchanged and gives the answer
back, unless a fault is due: then it answers badly, or late, or not at all. It keeps what passed by.
"""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from bookbell.ambient import RealAmbient
from bookbell.cli.sandbox.inbox import Incoming, Reply
from bookbell.cli.sandbox.outgoing import Outgoing
from bookbell.core.attempt import Answered, Report, describe
from bookbell.core.target import Target

TIMEOUT_MS = 10_000
KEPT_HEADERS = ("content-type", "user-agent", "webhook-", "authorization")


@dataclass(slots=True)
class Fault:
    """What happens to the next `left` requests, of this event only if one is named."""

    kind: str
    left: int
    event: str | None = None
    status: int = 503
    delay_ms: int = 0
    retry_after_s: int | None = None

    def meets(self, event: str) -> bool:
        return self.left > 0 and self.event in (None, event)


@dataclass(frozen=True, slots=True)
class Seen:
    """One attempt that came by. status: what the service was answered, None if nothing."""

    hook: str
    event: str
    request_id: str
    status: int | None
    problem: str
    incoming: Incoming

    def fields(self) -> dict[str, Any]:
        """The body as JSON; empty when it is none."""
        return fields_of(self.incoming.body)


@dataclass(slots=True)
class Relay:
    """Give `handle` to an inbox. The first part of a path names the hook."""

    outgoing: Outgoing
    target: Target
    ambient: RealAmbient
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    closing: threading.Event = field(default_factory=threading.Event)

    def handle(self, incoming: Incoming) -> Reply | None:
        """Pass it on, or do what the fault says."""
        event = event_of(incoming.body)
        with self.changed:
            fault = next((each for each in self.faults if each.meets(event)), None)
            if fault is not None:
                fault.left -= 1
        match fault.kind if fault else None:
            case "status":
                assert fault is not None
                wait = () if fault.retry_after_s is None else (("Retry-After", str(fault.retry_after_s)),)
                return self._keep(incoming, event, Reply(fault.status, wait), "played: answered by the fault")
            case "hang_up":
                return self._keep(incoming, event, None, "played: connection closed without an answer")
            case "slow":
                assert fault is not None
                self.closing.wait(fault.delay_ms / 1000)
                return self._passed_on(incoming, event)
            case "lost_answer":
                self._forward(incoming)
                return self._keep(incoming, event, None, "played: the answer was lost")
            case _:
                return self._passed_on(incoming, event)

    def of(self, hook: str, event: str | None = None) -> list[Seen]:
        """What came by for a hook, in order of answering."""
        return [each for each in self.seen if each.hook == hook and event in (None, each.event)]

    def _passed_on(self, incoming: Incoming, event: str) -> Reply | None:
        report = self._forward(incoming)
        if not isinstance(report.outcome, Answered):
            return self._keep(incoming, event, Reply(502), describe(report.outcome))
        reply = reply_of(report.outcome, report.body)
        return self._keep(incoming, event, reply, "" if reply.status == 200 else describe(report.outcome))

    def _forward(self, incoming: Incoming) -> Report:
        headers = [f"{name}: {value}" for name, value in incoming.headers if name.lower().startswith(KEPT_HEADERS)]
        return self.outgoing.post(self.target.url, headers, incoming.body, timeout_ms=TIMEOUT_MS)

    def _keep(self, incoming: Incoming, event: str, reply: Reply | None, problem: str) -> Reply | None:
        hook = incoming.path.strip("/").partition("/")[0]
        request_id = incoming.header("Webhook-Request-Id") or incoming.header("webhook-id") or ""
        status = None if reply is None else reply.status
        with self.changed:
            self.seen.append(Seen(hook, event, request_id, status, problem, incoming))
            self.changed.notify_all()
        return reply


def reply_of(answered: Answered, body: bytes) -> Reply:
    """The receiver's answer, with the headers by which it asks for something."""
    asked = (("Retry-After", answered.retry_after), ("Webhook-Delivery", answered.feedback))
    headers = tuple((name, value) for name, value in asked if value is not None)
    return Reply(answered.status_code, headers, body)


def fields_of(body: bytes) -> dict[str, Any]:
    """A JSON object's fields; empty when the bytes are none."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def event_of(body: bytes) -> str:
    """The event a body tells of, `test` for the account-level test notification."""
    fields = fields_of(body)
    return str(fields.get("event_name") or fields.get("event") or "test")
