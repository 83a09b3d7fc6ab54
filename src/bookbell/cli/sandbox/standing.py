"""Runs the sandbox until it is stopped, and says how to use it."""

import json
from pathlib import Path
from textwrap import indent

import typer
import uvloop

from bookbell import telemetry
from bookbell.cli.printing import program
from bookbell.cli.sandbox.keys import KEYS, OPERATOR_TOKEN, PIPELINE_TOKEN, as_env, as_json
from bookbell.cli.sandbox.opening import folder_of, open_sandbox, settings_of
from bookbell.service import Opened, Role, Service

RECEIVER_PORT = 9_000
SECRET = "sandbox-webhook-secret"  # noqa: S105 - for the first steps


def run(data: Path | None, *, port: int | None, is_fast: bool, form: str) -> None:
    """Serve until Ctrl-C. form: `text`, `env` or `json`, how the keys are printed. Raises: StartError."""
    with folder_of(data) as folder:
        settings = settings_of(folder, port=port, is_fast=is_fast)
        telemetry.set_up_logging(settings.log_format, is_quiet=True)
        parts = open_sandbox(settings)
        uvloop.run(_serve(parts, form))


async def _serve(parts: Opened, form: str) -> None:
    def on_ready(base_url: str) -> None:
        typer.echo(_shown(base_url, parts.settings.data_dir, form))

    await Service(parts, role=Role.ALL, is_simulating=True).run(on_ready)


def _shown(base_url: str, folder: Path, form: str) -> str:
    match form:
        case "json":
            return json.dumps(as_json(base_url, str(folder)))
        case "env":
            return "\n".join(as_env(base_url))
        case _:
            return _text(base_url, folder)


def _text(base_url: str, folder: Path) -> str:
    keys = "\n".join(f"  {key.name:<8} {key.role.value:<9} {key.client_id:<16} {key.client_secret}" for key in KEYS)
    steps = indent(first_steps(base_url, folder, receiver_port=RECEIVER_PORT), "  ").rstrip()
    return f"""\
The sandbox is ready at {base_url}

  base URL   {base_url}
  token URL  {base_url}/oauth/token
  data       {folder}

Receivers on this machine's loopback and hosts without a dot are allowed here. The keys are public: sandbox only.

  key      role      client id        client secret
{keys}

  operator token {OPERATOR_TOKEN}, pipeline token {PIPELINE_TOKEN}
  as files for clients that read one: {folder}/credentials-one.json; as lines for .env: --env; for machines: --json

First steps, in another terminal (in a third: {program()} listen --secret {SECRET}):

{steps}

Ctrl-C ends it."""


def first_steps(base_url: str, folder: Path, *, receiver_port: int) -> str:
    """A shell script from token to delivery log, with curl and nothing else."""
    one, samples = KEYS[0], folder / "samples"
    return f"""\
B={base_url}
T=$(curl -s $B/oauth/token -d grant_type=client_credentials -d client_id={one.client_id} \\
    -d client_secret={one.client_secret} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -sw '\\n' $B/v1/account/settings/update/webhook_endpoint --oauth2-bearer $T \\
    -d webhook_endpoint=http://localhost:{receiver_port}/hook -d event=DOC_VERIFIED,BOOK_VERIFIED
curl -sw '\\n' $B/v1/account/settings/webhook/rotate-secret --oauth2-bearer $T -d secret_key={SECRET}
curl -sw '\\n' $B/v1/account/settings/test_webhook_endpoint --oauth2-bearer $T
P=$(curl -s $B/v1/book/add --oauth2-bearer $T -d name="Loan $(date +%s)" | sed 's/.*"pk":\\([0-9]*\\).*/\\1/')
curl -sw '\\n' $B/v1/book/upload --oauth2-bearer $T -F pk=$P -F upload=@{samples}/statement.pdf
curl -sw '\\n' "$B/v1/book/status?pk=$P" --oauth2-bearer $T
curl -sw '\\n' $B/v1/deliveries --oauth2-bearer $T
"""
