"""Requests a receiver must tell apart: genuine ones, repeats, and deliberate forgeries. Sent past the service."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookbell.cli.sandbox.relay import Relay, Seen, fields_of
from bookbell.cli.sandbox.samples import sample
from bookbell.cli.sandbox.scenario import Send
from bookbell.core import target
from bookbell.core.attempt import Answered, Report, describe
from bookbell.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, delivery_lines, header_of, signing_with
from bookbell.delivery.worker import USER_AGENT

TIMEOUT_MS = 5_000
WRONG_SECRET = "this-is-not-the-secret"  # noqa: S105 - what a forger would guess
HARMLESS = {"none", "duplicate"}
Headers = Sequence[str]


@dataclass(slots=True)
class Hook:
    """A webhook of the story and what signs requests to it."""

    key: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """what: was sent; came: what the receiver did; wanted: what it should have done."""

    what: str
    came: str
    wanted: str
    is_as_wanted: bool


@dataclass(frozen=True, slots=True)
class Forger:
    """Makes and sends the requests of `send` steps."""

    relay: Relay
    hook: Hook

    def send(self, step: Send) -> Sent:
        """Send it and judge the answer. Raises: LookupError when there is nothing to repeat yet."""
        last = next((each for each in reversed(self.relay.of(self.hook.key, step.event)) if each.status == 200), None)
        body = sample(step.event) if last is None else last.incoming.body
        if step.add:
            body = json.dumps({**fields_of(body), **step.add}, separators=(",", ":")).encode()
        request_id = self.relay.ambient.new_id()
        if step.mistake == "duplicate":
            request_id = _demanded(last, step.event).request_id
        headers, body = self._forged(step, request_id, body)
        report = self.relay.outgoing.post(self.relay.target.url, headers, body, timeout_ms=TIMEOUT_MS)
        return _judged(step, report)

    def _forged(self, step: Send, request_id: str, body: bytes) -> tuple[Headers, bytes]:
        """Headers and body with the mistake in them. Everything else about the request is right."""
        now_s, secret, sent = self.relay.ambient.now_ms() // 1000, self.hook.secret, body
        authorization = self.relay.target.authorization()
        match step.mistake:
            case "late":
                now_s -= step.age_s
            case "early":
                now_s += step.age_s
            case "wrong_secret":
                secret = WRONG_SECRET
            case "wrong_credentials":
                authorization = target.authorization(self.relay.target.username or "", "not-the-password")
            case "altered_body":
                sent = json.dumps({**fields_of(body), "status": "ALTERED"}, separators=(",", ":")).encode()
            case "not_json":
                body = sent = b'{"event_name": "' + step.event.encode()
            case _:
                pass
        headers = delivery_lines(request_id, now_s, body, signing_with(secret), authorization, USER_AGENT)
        return _without(headers, _DROPPED.get(step.mistake)), sent


_DROPPED = {"unsigned": SIGNATURE_HEADER, "no_timestamp": TIMESTAMP_HEADER}


def _without(headers: Headers, name: str | None) -> Headers:
    return tuple(each for each in headers if header_of(each)[0] != name)


def _demanded(last: Seen | None, event: str) -> Seen:
    if last is None:
        raise LookupError(f"no {event} was delivered yet that could be repeated")
    return last


def _judged(step: Send, report: Report) -> Sent:
    what = f"{step.event}, {step.mistake.replace('_', ' ')}" if step.mistake != "none" else step.event
    outcome = report.outcome
    status = outcome.status_code if isinstance(outcome, Answered) else None
    wanted = step.answer or ("accepted" if step.mistake in HARMLESS else "refused")
    return Sent(what, describe(outcome), _told(wanted), _is_met(wanted, status))


def _told(wanted: str | Sequence[int]) -> str:
    match wanted:
        case "accepted":
            return "200"
        case "refused":
            return "a refusal (4xx)"
        case _:
            return " or ".join(map(str, wanted))


def _is_met(wanted: Any, status: int | None) -> bool:
    match wanted:
        case "accepted":
            return status == 200
        case "refused":
            return status is not None and 400 <= status < 500
        case _:
            return status in wanted
