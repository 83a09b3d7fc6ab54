"""Commands for how the deliveries to a webhook are signed, of either level."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table

if TYPE_CHECKING:
    from bookbell.actions.signing import Which
    from bookbell.core.keyset import Keyset, Use
    from bookbell.service import Opened

signing = typer.Typer(help="How a webhook's deliveries are signed.", no_args_is_help=True)
COLUMNS = ["id", "algorithm", "is_primary", "is_signing", "public_key", "created_at", "expires_at", "proven_at"]
ORGANIZATION = typer.Option(..., "--organization", help="The organization's id.")
TIMEOUT_MS = 5_000
DAY_S = 86_400


@signing.command("show")
def show_signing(webhook_id: str, organization: str = ORGANIZATION, as_json: bool = JSON_OPTION) -> None:
    """Show the scheme and the secrets of a webhook, without their values."""
    with explained(), _found(organization, webhook_id) as (parts, which):
        from bookbell.actions import signing as acting

        _, found = parts.database.read_now(acting.read, which, parts.vault, at=parts.ambient.now_ms())
        _print(found, as_json=as_json)


@signing.command("add")
def add_secret(
    webhook_id: str,
    organization: str = ORGANIZATION,
    algorithm: str = typer.Option("hmac-sha256", help="hmac-sha256 or ed25519."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Make one more secret for a webhook; it is shown once, of an ed25519 pair the public key only."""
    with explained(), _found(organization, webhook_id) as (parts, which):
        import base64

        from bookbell import ed25519
        from bookbell.actions import signing as acting
        from bookbell.config import StartError
        from bookbell.core import keyset

        if algorithm not in {"hmac-sha256", "ed25519"}:
            raise StartError(f"--algorithm is hmac-sha256 or ed25519, not {algorithm}.")
        seed = base64.urlsafe_b64decode(parts.ambient.new_secret() + "=")
        value, public_key = keyset.hmac_value(seed), None
        if algorithm == "ed25519":
            value, public_key = ed25519.new_pair(seed)
        stamp = parts.stamp()
        new = keyset.Secret(id=stamp.new_id(), value=value, created_at=stamp.at, public_key=public_key)
        parts.database.write_now(acting.add, which, new, parts.vault, stamp)
        shown = {"id": new.id, "algorithm": new.algorithm, "public_key": public_key}
        if public_key is None:
            shown["secret"] = value
        show(shown, as_json=as_json, rows=list(shown.items()))


@signing.command("use")
def use_signing(
    webhook_id: str,
    organization: str = ORGANIZATION,
    scheme: str | None = typer.Option(None, help="ocrolus or standard-webhooks."),
    primary: str | None = typer.Option(None, help="Id of the secret that is to be the primary."),
    old_expires_in: int = typer.Option(DAY_S, help="Seconds that a replaced primary stays.", min=0, max=30 * DAY_S),
    proof: bool = typer.Option(False, "--proof", help="Only if the receiver proves that it holds the new secret."),
) -> None:
    """Sign by another scheme, or make another secret the primary."""
    with explained(), _found(organization, webhook_id) as (parts, which):
        from bookbell.actions import signing as acting
        from bookbell.config import StartError
        from bookbell.core.keyset import Use
        from bookbell.core.signing import Scheme

        if scheme is not None and scheme not in list(Scheme):
            raise StartError(f"--scheme is one of {', '.join(Scheme)}, not {scheme}.")
        chosen = None if scheme is None else Scheme(scheme)
        wanted = Use(scheme=chosen, primary=primary, overlap_ms=old_expires_in * 1000)
        if proof:
            wanted = _proven(parts, which, wanted)
        changed = parts.database.write_now(acting.use, which, wanted, parts.vault, parts.stamp())
        _print(changed.value, as_json=False)


@signing.command("expire")
def expire_secret(
    webhook_id: str,
    secret_id: str,
    organization: str = ORGANIZATION,
    after: int = typer.Option(0, help="In how many seconds; 0 forgets it now.", min=0, max=30 * DAY_S),
    as_json: bool = JSON_OPTION,
) -> None:
    """Forget a secret that is not the primary, now or later."""
    with explained(), _found(organization, webhook_id) as (parts, which):
        from bookbell.actions import signing as acting

        changed = parts.database.write_now(acting.expire, which, secret_id, after * 1000, parts.vault, parts.stamp())
        _print(changed.value, as_json=as_json)


@contextmanager
def _found(organization: str, webhook_id: str) -> Iterator[tuple["Opened", "Which"]]:
    from bookbell.actions import signing as acting
    from bookbell.cli.running import opened

    with opened() as parts:
        yield parts, acting.of_id(organization, webhook_id)


def _proven(parts: "Opened", which: "Which", wanted: "Use") -> "Use":
    """The same use, once the receiver has answered a challenge. Raises: ProofFailed."""
    from dataclasses import replace

    from bookbell.actions import signing as acting
    from bookbell.actions.webhooks import url_place
    from bookbell.core import keyset
    from bookbell.core.errors import SecretNotFound

    now = parts.ambient.now_ms()
    endpoint, found = parts.database.read_now(acting.read, which, parts.vault, at=now)
    if found is None:
        raise SecretNotFound("The webhook has no secret; add one first")
    alone = keyset.candidate(found, wanted, at=now)
    assert endpoint.url_sealed is not None
    url = parts.vault.open(endpoint.url_sealed, url_place(endpoint.id))
    _challenge(parts, url, alone)
    return replace(wanted, primary=alone.primary.id, proven_at=parts.ambient.now_ms())


def _challenge(parts: "Opened", url: str, alone: "Keyset") -> None:
    from bookbell import ed25519
    from bookbell.cli.sandbox.outgoing import Outgoing
    from bookbell.core import keyset
    from bookbell.core.signing import challenge_body, delivery_lines
    from bookbell.delivery.worker import USER_AGENT

    nonce, request_id = parts.ambient.new_secret(), parts.ambient.new_id()
    body, signed = challenge_body(nonce), keyset.ready(alone, ed25519.signing_function)
    with Outgoing(parts.guard) as outgoing:
        parsed = outgoing.target_of(url)
        lines = delivery_lines(
            request_id, parts.ambient.now_ms() // 1000, body, signed, parsed.authorization(), USER_AGENT
        )
        report = outgoing.post(parsed.url, lines, body, timeout_ms=TIMEOUT_MS)
        keyset.demand_proof(alone.primary, nonce, report)


def _print(found: "Keyset | None", *, as_json: bool) -> None:
    if found is None:
        typer.echo("[]" if as_json else "The webhook has no secret: its deliveries are not signed.")
        return
    rows = [
        {
            **{name: getattr(each, name) for name in COLUMNS if not name.startswith("is_")},
            "is_primary": each is found.primary,
            "is_signing": found.signs(each),
        }
        for each in found.secrets
    ]
    if not as_json:
        typer.echo(f"scheme {found.scheme}")
    show_table([{"scheme": found.scheme, **row} for row in rows] if as_json else rows, COLUMNS, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(signing, name="signing")
