"""For receivers: verify that a request came from bookbell and was not altered. Standard library only.

    from bookbell.receiver import VerificationError, verify

    @app.post("/hooks")
    def hook():
        try:
            verified = verify(request.headers, request.get_data(), "your-webhook-secret")
        except VerificationError as error:
            return str(error), 401
        ...  # verified.request_id is the same on every attempt: use it to ignore repeats

Give the raw body, before JSON parsing: a body parsed and written again has other bytes and another signature. Both
signature schemes are understood; the headers say which one it is. A public key (`whpk_…`) needs the package
`cryptography`, which the standard library does not replace. Source: docs/signatures.md.
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bookbell.core import signing
from bookbell.core.errors import BookbellError
from bookbell.core.signing import REQUEST_ID_HEADER, SIGNATURE_HEADER, STANDARD_ID_HEADER, TIMESTAMP_HEADER, Scheme

TOLERANCE_S = 300
Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]

_TIMESTAMP = re.compile(r"[0-9]{1,13}")
_MILLISECONDS_FROM = 10**11  # as seconds that is the year 5138
_SIGNATURES_MAX = 20  # of one header: each costs work, and anybody may send them


class Mistake(StrEnum):
    """What is wrong with a request; `unverifiable`: nothing, but the receiver lacks a secret, or what one needs."""

    NO_SIGNATURE = "no_signature"
    MALFORMED = "malformed"
    STALE = "stale"
    WRONG_SECRET_OR_ALTERED = "wrong_secret_or_altered"  # noqa: S105 - a name, no secret
    UNVERIFIABLE = "unverifiable"


class VerificationError(BookbellError):
    """The request cannot be trusted"""

    status = 401
    code = 1200

    def __init__(self, mistake: Mistake, message: str) -> None:
        super().__init__(message)
        self.mistake = mistake


@dataclass(frozen=True, slots=True)
class Verified:
    """secret_index: which of the secrets fitted, to see when an old one is no longer used."""

    request_id: str
    timestamp_s: int
    secret_index: int


@dataclass(frozen=True, slots=True)
class _Given:
    """The headers of one request, and which scheme they are of."""

    scheme: Scheme
    signature: str
    request_id: str
    timestamp: str


def verify(
    headers: Headers,
    body: bytes,
    secret: str | Sequence[str],
    *,
    now_s: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> Verified:
    """Check signature and freshness of one request.

    headers:     any mapping or pairs; names in any case.
    body:        the raw bytes as they arrived.
    secret:      one secret or public key, or several while rotating; all are tried, in a time that does not depend on
                 which fits.
    now_s:       seconds since 1970, None asks the clock; tolerance_s: how far the timestamp may be off, either way.

    Raises: VerificationError, and nothing else whatever the request holds; TypeError for a body that is not bytes.
    """
    if isinstance(body, str):
        raise TypeError("The raw bytes of the body are wanted, before they are made text: what is signed is those.")
    given, secrets = _given(headers), [secret] if isinstance(secret, str) else list(secret)
    if not any(secrets):
        raise VerificationError(
            Mistake.UNVERIFIABLE,
            "No secret was given to verify with, or an empty one: is the variable set that it is read from?",
        )
    index = _matching(given, body, secrets)
    if index is None:
        raise VerificationError(
            Mistake.WRONG_SECRET_OR_ALTERED,
            "The signature does not fit. Either the secret is not the webhook's, or the body was altered on the "
            "way: verify the raw bytes, before a framework parses them.",
        )
    timestamp_s = int(given.timestamp)
    _check_age(timestamp_s, time.time() if now_s is None else now_s, tolerance_s)  # noqa: TID251 - not the service
    return Verified(given.request_id, timestamp_s, index)


def challenge_answer(verified: Verified, body: bytes, secret: str | Sequence[str]) -> bytes | None:
    """The JSON to answer with HTTP 200 when a verified request is a challenge, None for every other request.

    A webhook sends a challenge to find out whether its receiver holds a new secret already.
    secret: what was given to `verify`.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("event_name") != signing.CHALLENGE_EVENT:
        return None
    nonce = fields.get("challenge")
    if not isinstance(nonce, str) or not nonce.isascii():
        return None
    held = secret if isinstance(secret, str) else secret[verified.secret_index]
    return json.dumps({signing.CHALLENGE_ANSWER: signing.challenge_response(held, nonce)}).encode()


def _given(headers: Headers) -> _Given:
    """Raises: VerificationError when a header is missing or cannot be what it is said to be."""
    found = _wanted(headers)
    given, timestamp = found.get(SIGNATURE_HEADER.lower()), found.get(TIMESTAMP_HEADER.lower())
    if not given:
        raise VerificationError(
            Mistake.NO_SIGNATURE,
            f"The request has no {SIGNATURE_HEADER}. It is not from bookbell, or the webhook has no secret: "
            "set one with POST /v1/account/settings/webhook/rotate-secret.",
        )
    scheme, id_name = Scheme.OCROLUS, REQUEST_ID_HEADER
    if REQUEST_ID_HEADER.lower() not in found and STANDARD_ID_HEADER in found:
        scheme, id_name = Scheme.STANDARD, STANDARD_ID_HEADER
    request_id = found.get(id_name.lower())
    # A full stop would let somebody move the border between id and body without changing what was signed.
    if not request_id or "." in request_id or not timestamp or not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationError(
            Mistake.MALFORMED,
            f"{id_name} or {TIMESTAMP_HEADER} is missing or malformed. A proxy in front of the receiver "
            "may drop headers it does not know.",
        )
    return _Given(scheme, given, request_id, timestamp)


_NAMES = (SIGNATURE_HEADER, REQUEST_ID_HEADER, TIMESTAMP_HEADER, STANDARD_ID_HEADER)


def _wanted(headers: Headers) -> dict[str, str]:
    """The headers that matter, by lower-case name; one that cannot be read or comes twice counts as missing."""
    wanted = {name.lower() for name in _NAMES}
    found: dict[str, str] = {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        key = _text(name).lower()
        if key in wanted:
            found[key] = "" if key in found else _text(value).strip()
    return found


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _matching(given: _Given, body: bytes, secrets: Sequence[str]) -> int | None:
    """Which secret the signature was made with. A public key or an empty text is none: anybody may know them."""
    try:
        if given.scheme is Scheme.OCROLUS:
            return _matching_ocrolus(given, body, secrets)
        return _matching_standard(given, signing.standard_message(given.request_id, given.timestamp, body), secrets)
    except UnicodeEncodeError:
        return None  # the request id holds what no header of ours can


def _matching_ocrolus(given: _Given, body: bytes, secrets: Sequence[str]) -> int | None:
    index = None
    offered = given.signature.encode("utf-8", "surrogatepass")
    for number, secret in enumerate(secrets):
        expected = signing.signature(secret, given.timestamp, given.request_id, body)
        is_right = hmac.compare_digest(expected.encode(), offered)
        if is_right and index is None and secret and not secret.startswith(signing.PUBLIC_PREFIX):
            index = number
    return index


def _matching_standard(given: _Given, message: bytes, secrets: Sequence[str]) -> int | None:
    offered = given.signature.split(" ")[:_SIGNATURES_MAX]
    index, problem = None, None
    for number, secret in enumerate(secrets):
        key, public = signing.hmac_key(secret), signing.public_key_bytes(secret)
        is_right = False
        if key is not None:
            expected = signing.hmac_text(key, message).encode()
            rights = [hmac.compare_digest(expected, each.encode("utf-8", "surrogatepass")) for each in offered]
            is_right = any(rights)
        elif public is not None:
            try:
                is_right = _is_signed(public, message, offered)
            except VerificationError as error:
                problem = error
        if is_right and index is None:
            index = number
    if index is None and problem is not None:
        raise problem
    return index


def _is_signed(public: bytes, message: bytes, offered: Sequence[str]) -> bool:
    """Whether one of these signatures was made with the private key that belongs to this public one."""
    marked = [each.removeprefix(signing.ED25519_MARK) for each in offered if each.startswith(signing.ED25519_MARK)]
    is_right = _curve(public) if marked else None
    return is_right is not None and any(is_right(message, each) for each in marked)


def _curve(public: bytes) -> Callable[[bytes, str], bool]:
    """Checks a message against a signature in base64. Raises: VerificationError where `cryptography` is missing."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - most receivers do not need it
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError as error:
        raise VerificationError(
            Mistake.UNVERIFIABLE,
            "Checking with an ed25519 public key (whpk_) needs the package cryptography: install it.",
        ) from error
    key = Ed25519PublicKey.from_public_bytes(public)

    def is_right(message: bytes, text: str) -> bool:
        try:
            key.verify(base64.b64decode(text, validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    return is_right


def _check_age(timestamp_s: int, now_s: float, tolerance_s: float) -> None:
    if abs(now_s - timestamp_s) <= tolerance_s:
        return
    hint = "It looks like milliseconds where seconds belong. " if timestamp_s >= _MILLISECONDS_FROM else ""
    raise VerificationError(
        Mistake.STALE,
        f"The request was signed at {timestamp_s}, now it is {int(now_s)}: more than {tolerance_s:.0f} s apart. {hint}"
        "It was recorded and sent again, or one of the clocks is wrong.",
    )
