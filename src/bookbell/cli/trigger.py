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
    secret: str | None = typer.Option(None, help="The webhook's secret; unsigned if absent."),
    scheme: str = typer.Option("ocrolus", help="ocrolus, or standard-webhooks (the secret is whsec_… or whsk_…)."),
    level: str | None = typer.Option(None, help="account or org, where an event is sent at both."),
    names: bool = typer.Option(False, "--list", help="List the events."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Send one sample of any event, signed, and show request and answer; exit 1 unless the answer is 200."""
    with explained():
        from bookbell.core import catalogue

        if names:
            typer.echo("\n".join(catalogue.names()))
            return
        request, report = _sent(event, url, _signing(scheme, secret), level)
        shown = _shown(request, report)
        typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else _text(shown))
        raise typer.Exit(0 if shown["status"] == 200 else 1)


def _sent(event: str, url: str, signed: "Signing | None", level: str | None) -> tuple[Request, Report]:
    from bookbell.ambient import RealAmbient
    from bookbell.cli.sandbox.outgoing import Outgoing
    from bookbell.cli.sandbox.receiver import local_rules
    from bookbell.cli.sandbox.samples import sample
    from bookbell.config import StartError
    from bookbell.core import catalogue, target
    from bookbell.core.model import Level
    from bookbell.core.signing import delivery_headers
    from bookbell.delivery.worker import USER_AGENT

    known = catalogue.TYPES.get(event)
    if known is None:
        raise StartError(f"{event or 'Nothing'} is no event of the catalogue; `bookbell trigger --list` names them.")
    if level is not None and level not in known.levels:
        raise StartError(f"--level: {event} is sent at {' and '.join(sorted(known.levels))} level.")
    if not url:
        raise StartError("Name the receiver with --url.")
    ambient = RealAmbient()
    body = sample(event, None if level is None else Level(level))
    request_id, now_s = ambient.new_id(), ambient.now_ms() // 1000
    with Outgoing(local_rules()) as outgoing:
        parsed = outgoing.target_of(url)
        credentials = None
        if parsed.username is not None:
            credentials = target.authorization(parsed.username, parsed.password or "")
        request = Request(
            key=request_id,
            url=parsed.url,
            headers=delivery_headers(request_id, now_s, body, signed, credentials, USER_AGENT),
            body=body,
            timeout_ms_connect=TIMEOUT_MS,
            timeout_ms_total=TIMEOUT_MS,
        )
        return request, outgoing.send(request)


def _signing(scheme: str, secret: str | None) -> "Signing | None":
    from bookbell import ed25519
    from bookbell.config import StartError
    from bookbell.core import keyset, signing
    from bookbell.core.signing import Scheme

    if scheme not in list(Scheme):
        raise StartError(f"--scheme is one of {', '.join(Scheme)}, not {scheme}.")
    if secret is None:
        return None
    seed = signing.private_key_bytes(secret)
    public_key = ed25519.new_pair(seed)[1] if seed is not None else None
    given = keyset.Secret(id="", value=secret, created_at=0, public_key=public_key)
    if not given.fits(Scheme(scheme)):
        raise StartError(
            f"--secret cannot sign by {scheme}: standard-webhooks takes whsec_… or whsk_…, ocrolus no whsk_…"
        )
    return keyset.ready(keyset.Keyset(Scheme(scheme), (given,)), ed25519.signing_function)


def _shown(request: Request, report: Report) -> dict[str, Any]:
    from bookbell.core.attempt import Answered, describe, header_pairs

    outcome = report.outcome
    return {
        "url": request.url,
        "headers": dict(request.headers),
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
