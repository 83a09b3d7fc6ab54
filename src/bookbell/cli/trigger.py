"""The command `bookbell trigger`: send one sample of an event to a receiver."""

import json
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.printing import JSON_OPTION, explained
from bookbell.core.attempt import Report, Request

if TYPE_CHECKING:
    from bookbell.core.signing import Signing

TIMEOUT_MS = 5_000  # contract 6


def trigger(
    event: str = typer.Argument("", help="An event of the catalogue, e.g. BOOK_VERIFIED; --list names them."),
    url: str = typer.Option("", help="The receiver; user and password in it become Basic credentials."),
    secret: str | None = typer.Option(
        None, help="The webhook's secret, signs by standard-webhooks if it is whsec_… or whsk_…; unsigned if absent."
    ),
    level: str | None = typer.Option(None, help="account or org, where an event is sent at both."),
    names: bool = typer.Option(False, "--list", help="List the events."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Send one sample of any event, signed, and show request and answer; exit 1 unless the answer is 200."""
    with explained():
        from bookbell.core import catalogue

        if names:
            typer.echo("\n".join(json.dumps({"name": each}) if as_json else each for each in catalogue.names()))
            return
        request, report = _sent(event, url, _signing(secret), level)
        shown = _shown(request, report)
        typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else _text(shown))
        raise typer.Exit(0 if shown["status"] == 200 else 1)


def _sent(event: str, url: str, signed: "Signing | None", level: str | None) -> tuple[Request, Report]:
    from bookbell.ambient import RealAmbient
    from bookbell.cli.sandbox.outgoing import Outgoing
    from bookbell.cli.sandbox.receiver import local_rules
    from bookbell.cli.sandbox.samples import sample
    from bookbell.config import StartError
    from bookbell.core import catalogue
    from bookbell.core.model import Level
    from bookbell.core.signing import delivery_lines
    from bookbell.delivery.worker import USER_AGENT

    if not event:
        raise StartError("Name an event, e.g. BOOK_VERIFIED; `bookbell trigger --list` names them.")
    known = catalogue.TYPES.get(event)
    if known is None:
        raise StartError(f"{event} is no event of the catalogue; `bookbell trigger --list` names them.")
    if level is not None and level not in known.levels:
        raise StartError(f"--level: {event} is sent at {' and '.join(sorted(known.levels))} level.")
    if not url:
        raise StartError("Name the receiver with --url.")
    ambient = RealAmbient()
    body = sample(event, None if level is None else Level(level))
    request_id, now_s = ambient.new_id(), ambient.now_ms() // 1000
    with Outgoing(local_rules()) as outgoing:
        parsed = outgoing.target_of(url)
        request = Request(
            key=request_id,
            url=parsed.url,
            headers=delivery_lines(request_id, now_s, body, signed, parsed.authorization(), USER_AGENT),
            body=body,
            timeout_ms_connect=TIMEOUT_MS,
            timeout_ms_total=TIMEOUT_MS,
        )
        return request, outgoing.send(request)


def _signing(secret: str | None) -> "Signing | None":
    """A secret's form tells the scheme it signs by. Raises: StartError, ValidationFailed if no webhook has it."""
    from bookbell import ed25519
    from bookbell.config import StartError
    from bookbell.core import keyset, signing
    from bookbell.core.signing import Scheme, Signing

    if secret is None:
        return None
    if not secret.startswith((signing.HMAC_PREFIX, signing.PRIVATE_PREFIX)):
        keyset.check_length("--secret", secret)
        return signing.signing_with(secret)
    key = signing.hmac_key(secret)
    if key is not None:
        return Signing(Scheme.STANDARD, (signing.hmac_signer(key),))
    if signing.private_key_bytes(secret) is None:
        raise StartError("--secret: the base64 of 24 to 64 bytes is expected after whsec_, of 32 bytes after whsk_.")
    return Signing(Scheme.STANDARD, (signing.ed25519_signer(ed25519.signing_function(secret)),))


def _shown(request: Request, report: Report) -> dict[str, Any]:
    from bookbell.core.attempt import Answered, describe, header_pairs
    from bookbell.core.signing import header_of

    outcome = report.outcome
    return {
        "url": request.url,
        "headers": dict(map(header_of, request.headers)),
        "body": json.loads(request.body),
        "status": outcome.status_code if isinstance(outcome, Answered) else None,
        "detail": describe(outcome),
        "total_ms": report.timings.total_us // 1000,
        "answer_headers": [list(each) for each in header_pairs(report.head)],
        "answer_body": report.body.decode("utf-8", "replace"),
    }


def _text(shown: dict[str, Any]) -> str:
    sent = "\n".join(f"  {name}: {value}" for name, value in shown["headers"].items())
    body = json.dumps(shown["body"], indent=2, ensure_ascii=False).replace("\n", "\n  ")
    came = "\n".join(f"  {name}: {value}" for name, value in shown["answer_headers"])
    lines = [f"POST {shown['url']}", sent, "", f"  {body}", "", f"{shown['detail']} ({shown['total_ms']} ms)", came]
    return "\n".join([*lines, f"\n  {shown['answer_body']}" if shown["answer_body"] else ""]).rstrip()


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(trigger)
