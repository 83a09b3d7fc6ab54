"""One request to a webhook, now and once, outside its lane: what the test calls send, and how they tell of it.

Signed and authenticated like any delivery, never retried, not kept. Source: contract 6, 7.3, 8.7, C5.
"""

from dataclasses import dataclass
from http import HTTPStatus

from bookbell import __version__, ed25519
from bookbell.actions import webhooks
from bookbell.core import keyset, signing, target
from bookbell.core.attempt import Answered, Report, Request, Timings, describe
from bookbell.core.guard import judge_url
from bookbell.core.signing import Signing
from bookbell.core.target import Target
from bookbell.store.endpoints import Endpoint
from bookbell.web.context import Context

TIMEOUT_MS = 5_000  # contract 6
SUCCESS = "Success calling webhook endpoint"
FAILURE = "Error: Failed to invoke webhook end point "


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that was made, or refused by the guard, and what came of it."""

    request_id: str
    target: Target
    report: Report

    def told(self) -> dict[str, object]:
        """`message` in the documented words, with the URL less its credentials; `resp_code` if there was an answer."""
        outcome = self.report.outcome
        if not isinstance(outcome, Answered):
            return {"message": f"{FAILURE}{describe(outcome)}"}
        status = outcome.status_code
        if status == HTTPStatus.OK:
            return {"resp_code": status, "message": SUCCESS}
        side = {4: "Client Error", 5: "Server Error"}.get(status // 100, "Unexpected Status")
        return {
            "resp_code": status,
            "message": f"{FAILURE}{status} {side}: {_phrase(status)} for url: {self.target.url}",
        }


async def send_probe(context: Context, endpoint: Endpoint, body: bytes, *, signed: Signing | None = None) -> Probe:
    """Send this body to a registered webhook, and wait for what comes of it. signed: how, else as deliveries are."""
    assert endpoint.url_sealed is not None
    parsed = target.parse(context.vault.open(endpoint.url_sealed, webhooks.url_place(endpoint.id)))
    request_id, now_s = context.ambient.new_id(), context.ambient.now_ms() // 1000
    refused = judge_url(parsed, context.guard)
    if refused is not None:
        return Probe(request_id, parsed, Report(refused, Timings()))
    found = webhooks.keyset_in(endpoint, context.vault) if signed is None else None
    if found is not None:
        signed = keyset.ready(found, ed25519.signing_function)
    lines = signing.delivery_lines(request_id, now_s, body, signed, parsed.authorization(), f"bookbell/{__version__}")
    report = await context.send(
        Request(
            key=request_id,
            url=parsed.url,
            headers=lines,
            body=body,
            timeout_ms_connect=TIMEOUT_MS,
            timeout_ms_total=TIMEOUT_MS,
        )
    )
    return Probe(request_id, parsed, report)


def _phrase(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase.upper()
    except ValueError:
        return "UNKNOWN"
