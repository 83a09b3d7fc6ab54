"""The command `bookbell listen`: a receiver on this machine that shows what it is sent."""

import json
from typing import TYPE_CHECKING, Any

import typer

from bookbell.cli.printing import explained

if TYPE_CHECKING:
    from bookbell.cli.sandbox.inbox import Inbox

HIDDEN = {"accept", "accept-encoding", "connection", "content-length", "host"}


def listen(
    port: int = typer.Option(9000, help="Port to listen on, 0 takes a free one."),
    secret: list[str] = typer.Option(
        [], help="The webhook's secret or public key, to verify signatures; repeat it while rotating."
    ),
    forward: str | None = typer.Option(None, help="URL to pass each request on to; its answer is what is answered."),
    status: int = typer.Option(200, help="What to answer, e.g. 500 to try retries.", min=200, max=599),
    delay: int = typer.Option(0, help="Milliseconds to wait before answering.", min=0, max=600_000),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object for each request."),
) -> None:
    """Receive webhooks on this machine, show each, verify its signature, and answer well or badly."""
    with explained():
        from bookbell.cli.sandbox.inbox import Inbox
        from bookbell.cli.sandbox.listening import Answering, Listening
        from bookbell.cli.sandbox.outgoing import Outgoing
        from bookbell.cli.sandbox.receiver import local_rules

        with Outgoing(local_rules()) as outgoing:
            target = None if forward is None else outgoing.target_of(forward)
            answering = Answering(tuple(secret), target, status, delay)
            show = _print_json if as_json else _print
            with Inbox(Listening(answering, outgoing, show).handle, port=port) as inbox:
                _receive(inbox, as_json=as_json)


def _receive(inbox: "Inbox", *, as_json: bool) -> None:
    typer.echo(f"listening at http://127.0.0.1:{inbox.port}/ (Ctrl-C ends it)", err=as_json)
    try:
        inbox.wait()
    except KeyboardInterrupt:
        typer.echo("stopped", err=as_json)


def _print(shown: dict[str, Any]) -> None:
    headers = "\n".join(f"  {name}: {value}" for name, value in shown["headers"] if name.lower() not in HIDDEN)
    body = shown["body"] if isinstance(shown["body"], str) else json.dumps(shown["body"], indent=2, ensure_ascii=False)
    indented = "\n".join(f"  {line}" for line in body.splitlines())
    typer.echo(f"\n{shown['at']} POST {shown['path']}  {shown['event']}\n{headers}\n\n{indented}\n")
    colour = {"right": typer.colors.GREEN, "wrong": typer.colors.RED}.get(shown["signature"], typer.colors.YELLOW)
    typer.secho(f"  signature {shown['signature']}: {shown['detail']}", fg=colour)
    answered = "closed without an answer" if shown["answer"] is None else f"answered {shown['answer']}"
    typer.echo(f"  {answered}{' (' + shown['note'] + ')' if shown['note'] else ''}")


def _print_json(shown: dict[str, Any]) -> None:
    typer.echo(json.dumps({**shown, "headers": dict(shown["headers"])}, ensure_ascii=False))


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(listen)
