"""Who is asking: an API account by bearer token or legacy Basic, the operator, or the pipeline.

Tokens are JWTs signed with a key derived from the master key, so any process of an installation can check them;
each request also looks at the account's row, so a revoked credential ends at once. Source: contract 11, RFC 6749.
"""

import base64
import binascii
import contextlib
from collections.abc import Sequence
from typing import Any

import jwt

from bookbell.core import limits
from bookbell.core.errors import AccountInactive, BookbellError, NotAuthenticated
from bookbell.core.model import Account
from bookbell.store import accounts
from bookbell.vault import Vault, hash_of_secret, is_same
from bookbell.web import wire
from bookbell.web.context import Context
from bookbell.web.http import Response
from bookbell.web.operation import Access, Operation, Tag, bare, described, may, usual
from bookbell.web.routing import post
from bookbell.web.shape import choice, record, text, whole

ISSUER = "bookbell"
AUDIENCE = "https://api.ocrolus.com"  # what clients written for the contract ask for
TOKEN_ERROR = record(
    {
        "error": choice(["invalid_request", "unsupported_grant_type", "access_denied"]),
        "error_description": text("Unauthorized"),
    }
)
_NO_HASH = hash_of_secret("")


async def account_of(request: wire.Wire) -> Account:
    """The account that makes this request; counts it. Raises: NotAuthenticated, AccountInactive, TooManyRequests."""
    context = request.context
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            account_id = _account_id(credentials.strip(), context)
            account = await context.database.read(accounts.find_account, account_id)
        case "basic":
            account = await _by_login(context, *_basic(credentials))
        case _:
            account = None
    if account is None:
        raise NotAuthenticated
    if account.revoked_at is not None:
        raise AccountInactive
    context.throttle.admit(account.organization_id, context.ambient.monotonic_ms())
    return account


def require_operator(request: wire.Wire) -> None:
    """Raises: NotAuthenticated unless the operator asks."""
    _require(request, request.context.operator_tokens)


def require_operator_by_password(request: wire.Wire) -> None:
    """For pages: any name, the operator's token as password of Basic. Raises: NotAuthenticated."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated
    _, given = _basic(credentials)
    fits = [is_same(given, each) for each in request.context.operator_tokens]
    if not any(fits):
        raise NotAuthenticated


def require_pipeline(request: wire.Wire) -> None:
    """Raises: NotAuthenticated unless the pipeline asks."""
    _require(request, request.context.pipeline_tokens)


@post(
    "/oauth/token",
    opt=described(
        Operation(
            tag=Tag.TOKENS,
            access=Access.ANYBODY,
            fields=(
                usual(
                    "grant_type",
                    choice(["client_credentials"]),
                    "Always client_credentials; needed unless Basic is used.",
                ),
                usual("client_id", text("bb3f9c2e"), "Or in `Authorization: Basic`."),
                usual("client_secret", text("a-secret"), "Or in `Authorization: Basic`."),
                may("audience", text("https://api.ocrolus.com/"), "The API the token is for."),
            ),
            answer=bare(
                record(
                    {
                        "access_token": text("eyJhbGciOi..."),
                        "token_type": {"const": "Bearer"},
                        "expires_in": whole(86400),
                    }
                )
            ),
            others={400: bare(TOKEN_ERROR, "The error of RFC 6749.")},
            has_envelope=False,
        )
    ),
)
async def token(request: wire.Wire) -> Response:
    """Client credentials for a bearer token: JSON or form, or Basic with or without a body."""
    context = request.context
    try:
        params = await wire.read_params(request)
        grant = params.text("grant_type")
        login, secret = params.text("client_id"), params.text("client_secret")
        audience = params.text("audience")
    except BookbellError as error:
        return _token_error("invalid_request", error.message)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and secret is None:
        try:
            named, (login, secret) = login, _basic(credentials)
        except NotAuthenticated:
            return _token_error("invalid_request", "The Authorization header is not valid Basic.")
        if named not in (None, "", login):  # OAuth libraries repeat the client id in the body
            return _token_error("access_denied", "Unauthorized")
        grant = grant or "client_credentials"
    if grant is None or not login or secret is None:
        return _token_error("invalid_request", "grant_type, client_id and client_secret are required.")
    if grant != "client_credentials":
        return _token_error("unsupported_grant_type", "Only client_credentials is supported.")
    if audience and not _is_ours(audience, request):
        return _token_error("access_denied", "Unauthorized: the audience is not this API.")
    account = await _by_login(context, login, secret)
    if account is None or account.revoked_at is not None:
        return _token_error("access_denied", "Unauthorized")
    body = {
        "access_token": mint(account, context.vault, now_s=context.ambient.now_ms() // 1000),
        "token_type": "Bearer",
        "expires_in": limits.TOKEN_LIFETIME_S,
    }
    return wire.answer(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def mint(account: Account, vault: Vault, *, now_s: int) -> str:
    """A bearer token for this account, good for 24 hours."""
    claims = {
        "iss": ISSUER,
        "sub": account.id,
        "org": account.organization_id,
        "iat": now_s,
        "exp": now_s + limits.TOKEN_LIFETIME_S,
    }
    return jwt.encode(claims, vault.derive("jwt"), algorithm="HS256")


def _is_ours(audience: str, request: wire.Wire) -> bool:
    """Whether a token for this audience is one for us: the contract's API, or the address we were called by."""
    called = f"//{request.headers.get('host', '')}"
    return audience.rstrip("/") == AUDIENCE or audience.partition(":")[2].rstrip("/") == called


def _account_id(text: str, context: Context) -> str:
    # The clock is the service's own, so expiry is checked here rather than by the library.
    try:
        claims = _claims(text, context.vault)
        expires_at = int(claims["exp"]) * 1000
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError) as error:
        raise NotAuthenticated from error
    if context.ambient.now_ms() >= expires_at:
        raise NotAuthenticated
    return str(claims["sub"])


def _claims(text: str, vault: Vault) -> dict[str, Any]:
    """What a token says that was signed with a key of the ring. Raises: jwt.InvalidTokenError."""
    *others, last = vault.derive_all("jwt")
    for key in others:
        with contextlib.suppress(jwt.InvalidSignatureError):
            return _decoded(text, key)
    return _decoded(text, last)


def _decoded(text: str, key: bytes) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        text,
        key,
        algorithms=["HS256"],
        issuer=ISSUER,
        options={"require": ["exp", "iat", "sub", "iss"], "verify_exp": False, "verify_iat": False},
    )
    return claims


async def _by_login(context: Context, login: str, secret: str) -> Account | None:
    """The account with this login and secret; unknown logins take as long as wrong secrets."""
    found = await context.database.read(accounts.find_login, login)
    stored = found[1] if found is not None else _NO_HASH
    is_right = is_same(stored, hash_of_secret(secret))
    return found[0] if found is not None and is_right else None


def _basic(credentials: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticated from error
    login, colon, secret = decoded.partition(":")
    if not colon or "\0" in decoded:
        raise NotAuthenticated
    return login, secret


def _require(request: wire.Wire, expected: Sequence[str]) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    fits = [is_same(given.strip(), each) for each in expected]
    if scheme.lower() != "bearer" or not any(fits):
        raise NotAuthenticated


def _token_error(error: str, description: str) -> Response:
    body = {"error": error, "error_description": description}
    headers = {"Cache-Control": "no-store"}
    if error == "access_denied":
        headers["WWW-Authenticate"] = 'Basic realm="bookbell"'
    return wire.answer(body, status=400, headers=headers)


routes = [token]
