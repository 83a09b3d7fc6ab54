"""What `bookbell listen` does with a request: verify, pass on, answer, and tell of it."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bookbell.ambient import RealAmbient
from bookbell.cli.sandbox.inbox import Incoming, Reply
from bookbell.cli.sandbox.outgoing import Outgoing
from bookbell.cli.sandbox.relay import KEPT_HEADERS, event_of, reply_of
from bookbell.core.attempt import Answered, describe
from bookbell.core.target import Target
from bookbell.receiver import VerificationError, challenge_answer, verify

FORWARD_MS = 30_000


@dataclass(frozen=True, slots=True)
class Answering:
    """secrets: any may have signed, none means not verified; forward: whose answer counts; else status."""

    secrets: tuple[str, ...]
    forward: Target | None
    status: int
    delay_ms: int


@dataclass(slots=True)
class Listening:
    """Give `handle` to an inbox. show: called with each request, one at a time."""

    answering: Answering
    outgoing: Outgoing
    show: Callable[[dict[str, Any]], None]
    ambient: RealAmbient = field(default_factory=RealAmbient)
    lock: threading.Lock = field(default_factory=threading.Lock)
    pause: threading.Event = field(default_factory=threading.Event)

    def handle(self, incoming: Incoming) -> Reply | None:
        """Take one request."""
        at = datetime.fromtimestamp(self.ambient.now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
        signature, detail, challenge = self._judged(incoming)
        if self.answering.delay_ms:
            self.pause.wait(self.answering.delay_ms / 1000)
        reply, note = self._reply(incoming, is_wrong=signature == "wrong")
        if challenge is not None and self.answering.forward is None and reply == Reply(200):
            reply, note = Reply(200, (("Content-Type", "application/json"),), challenge), "the proof of the secret"
        shown = {
            "at": at,
            "path": incoming.path,
            "event": event_of(incoming.body),
            "headers": incoming.headers,
            "body": _readable(incoming.body),
            "signature": signature,
            "detail": detail,
            "answer": None if reply is None else reply.status,
            "note": note,
        }
        with self.lock:
            self.show(shown)
        return reply

    def _judged(self, incoming: Incoming) -> tuple[str, str, bytes | None]:
        """Whether the signature is right, what to say of it, and how to answer a challenge."""
        if not self.answering.secrets:
            is_signed = incoming.header("Webhook-Signature") is not None
            return "unchecked", "give --secret to verify it" if is_signed else "the request carries none", None
        try:
            found = verify(incoming.headers, incoming.body, self.answering.secrets)
        except VerificationError as error:
            return "wrong", f"{error.mistake}: {error}", None
        age_s = self.ambient.now_ms() / 1000 - found.timestamp_s
        answer = challenge_answer(found, incoming.body, self.answering.secrets)
        return "right", f"request id {found.request_id}, signed {max(0.0, age_s):.0f} s ago", answer

    def _reply(self, incoming: Incoming, *, is_wrong: bool) -> tuple[Reply | None, str]:
        answering = self.answering
        if answering.forward is not None:
            return self._forwarded(incoming, answering.forward)
        if is_wrong and answering.status == 200:
            return Reply(401), "the signature is wrong"
        return Reply(answering.status), "" if answering.status == 200 else "as --status says"

    def _forwarded(self, incoming: Incoming, to: Target) -> tuple[Reply, str]:
        headers = [f"{name}: {value}" for name, value in incoming.headers if name.lower().startswith(KEPT_HEADERS)]
        report = self.outgoing.post(to.url, headers, incoming.body, timeout_ms=FORWARD_MS)
        if not isinstance(report.outcome, Answered):
            return Reply(502), describe(report.outcome)
        return reply_of(report.outcome, report.body), f"as {to.url} did"


def _readable(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
