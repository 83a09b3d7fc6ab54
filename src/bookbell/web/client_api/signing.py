"""How a webhook's deliveries are signed, read and changed: one set of calls for the account's webhook and for those of
the organization, which only managers may see. Source: docs/signatures.md.
"""

import base64
from dataclasses import replace
from typing import Any

from bookbell import ed25519
from bookbell.actions import signing as acting
from bookbell.actions.org_webhooks import require_manager
from bookbell.actions.signing import Which
from bookbell.core import keyset as rules
from bookbell.core import limits, signing
from bookbell.core.errors import (
    MissingParameter,
    NotPermittedManager,
    OrgWebhookNotFound,
    ProofFailed,
    SecretNotFound,
    ValidationFailed,
    WebhookNotFound,
)
from bookbell.core.keyset import Keyset, Secret, Use
from bookbell.core.signing import Scheme
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.client_api.probe import send_probe
from bookbell.web.client_api.webhooks import BASE
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import Field, Operation, Tag, described, enveloped, may
from bookbell.web.routing import delete, get, post, put
from bookbell.web.shape import Schema, choice, exact_instant, flag, listed, nullable, record, text, uuid, whole

PATHS = [f"{BASE}/webhook/signing", BASE + "/webhook/{webhook_uuid:str}/signing"]
SECRETS = [f"{path}/secrets" for path in PATHS]
ONE = [path + "/{secret_id:str}" for path in SECRETS]
ALGORITHMS = ("hmac-sha256", "ed25519")

SECRET: dict[str, Schema] = {
    "id": uuid(),
    "algorithm": choice(ALGORITHMS),
    "is_primary": flag(),
    "is_signing": flag(),
    "public_key": nullable(text("whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=")),
    "created_at": exact_instant(),
    "expires_at": nullable(exact_instant()),
    "proven_at": nullable(exact_instant()),
}
SIGNING = record({"scheme": choice(Scheme), "is_signed": flag(), "secrets": listed(record(SECRET))})
ADDED = record({**SECRET, "secret": nullable(text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="))})
OVERLAP = whole(86_400, most=limits.SECRET_OVERLAP_MS_MAX // 1000)
ERRORS = (NotPermittedManager, OrgWebhookNotFound, WebhookNotFound)
CHANGE: tuple[Field, ...] = (
    may("scheme", choice(Scheme), "How to sign from the next attempt on."),
    may("primary", uuid(), "The id of the secret that is to be the primary; the newest that fits if not given."),
    may("old_expires_in_s", OVERLAP, "How long a primary that is replaced stays; 86400 if not given, 0 forgets it."),
    may("is_proof_required", flag(False), "Change nothing unless the receiver answers a challenge with the new one."),
)
NEW: tuple[Field, ...] = (
    may("algorithm", choice(ALGORITHMS), "What to make; hmac-sha256 if not given. An ed25519 pair is always made."),
    may(
        "secret",
        text("sample_secret_value_02", minLength=limits.SECRET_CHARS_MIN, maxLength=limits.SECRET_CHARS_MAX),
        "One of your own, 16 to 128 characters, in the form whsec_… for Standard Webhooks; made here if not given.",
    ),
)


@get(PATHS, opt=described(Operation(tag=Tag.SIGNATURES, answer=enveloped(SIGNING), errors=ERRORS)))
async def read(request: wire.Wire) -> Response:
    """How a webhook's deliveries are signed: the scheme, and its secrets without their values."""
    context, which = request.context, await _which(request)
    _, found = await context.database.read(acting.read, which, context.vault, at=context.ambient.now_ms())
    return wire.ok(_shown(found))


@put(
    PATHS,
    opt=described(
        Operation(
            tag=Tag.SIGNATURES,
            fields=CHANGE,
            answer=enveloped(SIGNING),
            errors=(*ERRORS, MissingParameter, SecretNotFound, ProofFailed),
        )
    ),
)
async def change(request: wire.Wire) -> Response:
    """Sign by another scheme, or make another secret the primary; the old one stays for a while.

    With `is_proof_required` the receiver is sent a challenge that is signed with the new secret, and nothing changes
    unless its answer proves that it holds it.
    """
    context, which = request.context, await _which(request)
    params = await wire.read_params(request)
    wanted = _use(params)
    if params.flag("is_proof_required"):
        wanted = await _proven(context, which, wanted)
    changed = await context.perform(acting.use, which, wanted, context.vault, context.stamp())
    return wire.ok(_shown(changed))


@post(
    SECRETS,
    opt=described(Operation(tag=Tag.SIGNATURES, fields=NEW, answer=enveloped(ADDED), errors=ERRORS)),
)
async def add(request: wire.Wire) -> Response:
    """Give a webhook one more secret; this answer alone shows a secret that was made. The first one signs at once.

    By `standard-webhooks` deliveries carry the signatures of all its secrets, so a new one signs at once too.
    """
    context, which = request.context, await _which(request)
    new = _new(context, await wire.read_params(request))
    changed = await context.perform(acting.add, which, new, context.vault, context.stamp())
    shown = new.value if new.algorithm != "ed25519" else None  # of a pair, nobody ever needs the private key
    return wire.ok({**_secret(changed, rules.find(changed, new.id)), "secret": shown})


@post(
    [f"{path}/expire" for path in ONE],
    opt=described(
        Operation(
            tag=Tag.SIGNATURES,
            fields=(may("after_s", OVERLAP, "In how many seconds; 86400 if not given."),),
            answer=enveloped(SIGNING),
            errors=(*ERRORS, SecretNotFound),
        )
    ),
)
async def expire(request: wire.Wire) -> Response:
    """Say when a secret that is not the primary is to be forgotten."""
    after_ms = _duration_ms(await wire.read_params(request), "after_s")
    return await _expire(request, after_ms)


@delete(
    ONE,
    opt=described(Operation(tag=Tag.SIGNATURES, answer=enveloped(SIGNING), errors=(*ERRORS, SecretNotFound))),
)
async def remove(request: wire.Wire) -> Response:
    """Forget a secret that is not the primary, at once."""
    return await _expire(request, 0)


async def _expire(request: wire.Wire, after_ms: int) -> Response:
    context, which = request.context, await _which(request)
    secret_id = wire.path_uuid(request, "secret_id")
    changed = await context.perform(acting.expire, which, secret_id, after_ms, context.vault, context.stamp())
    return wire.ok(_shown(changed))


async def _which(request: wire.Wire) -> Which:
    account = await account_of(request)
    if "webhook_uuid" not in request.path_params:
        return acting.of_account(account)
    require_manager(account)
    return acting.of_organization(account, wire.path_uuid(request, "webhook_uuid"))


async def _proven(context: Context, which: Which, wanted: Use) -> Use:
    """The same use, once the receiver has proved it. Raises: ProofFailed, and what the use itself would."""
    now = context.ambient.now_ms()
    endpoint, found = await context.database.read(acting.read, which, context.vault, at=now)
    if found is None:
        raise SecretNotFound("The webhook has no secret; add one first")
    alone = rules.candidate(found, wanted, at=now)
    nonce, signed = context.ambient.new_secret(), rules.ready(alone, ed25519.signing_function)
    probe = await send_probe(context, endpoint, signing.challenge_body(nonce), signed=signed)
    rules.demand_proof(alone.primary, nonce, probe.report)
    return replace(wanted, primary=alone.primary.id, proven_at=context.ambient.now_ms())


def _use(params: wire.Params) -> Use:
    scheme, primary = params.text("scheme"), params.text("primary")
    if scheme is None and primary is None:
        raise MissingParameter("Required parameter not found: scheme or primary")
    if scheme is not None and scheme not in list(Scheme):
        raise ValidationFailed(f"scheme: one of {', '.join(Scheme)} is expected")
    return Use(
        scheme=None if scheme is None else Scheme(scheme),
        primary=None if primary is None else primary.lower(),
        overlap_ms=_duration_ms(params, "old_expires_in_s"),
    )


def _duration_ms(params: wire.Params, name: str) -> int:
    seconds = params.integer(name)
    if seconds is None:
        return limits.SECRET_OVERLAP_MS
    if not 0 <= seconds <= limits.SECRET_OVERLAP_MS_MAX // 1000:
        raise ValidationFailed(f"{name}: 0 to {limits.SECRET_OVERLAP_MS_MAX // 1000} is expected")
    return seconds * 1000


def _new(context: Context, params: wire.Params) -> Secret:
    """The secret that is asked for: given, or made of fresh randomness. Raises: ValidationFailed."""
    value, algorithm = params.text("secret"), params.text("algorithm") or ALGORITHMS[0]
    if algorithm not in ALGORITHMS:
        raise ValidationFailed(f"algorithm: one of {', '.join(ALGORITHMS)} is expected")
    if value is not None and algorithm == "ed25519":
        raise ValidationFailed("secret: an ed25519 pair is always made here")
    stamp, public_key = context.stamp(), None
    seed = base64.urlsafe_b64decode(context.ambient.new_secret() + "=")
    if algorithm == "ed25519":
        value, public_key = ed25519.new_pair(seed)
    elif value is None:
        value = rules.hmac_value(seed)
    else:
        rules.check_given(value)
    return Secret(id=stamp.new_id(), value=value, created_at=stamp.at, public_key=public_key)


def _shown(keyset: Keyset | None) -> dict[str, Any]:
    if keyset is None:
        return {"scheme": Scheme.OCROLUS, "is_signed": False, "secrets": []}
    secrets = [_secret(keyset, each) for each in keyset.secrets]
    return {"scheme": keyset.scheme, "is_signed": True, "secrets": secrets}


def _secret(keyset: Keyset, secret: Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "algorithm": secret.algorithm,
        "is_primary": secret is keyset.primary,
        "is_signing": keyset.signs(secret),
        "public_key": secret.public_key,
        "created_at": wire.exact_instant(secret.created_at),
        "expires_at": None if secret.expires_at is None else wire.exact_instant(secret.expires_at),
        "proven_at": None if secret.proven_at is None else wire.exact_instant(secret.proven_at),
    }


routes = [read, change, add, expire, remove]
