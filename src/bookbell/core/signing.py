"""The signature of a delivery in either scheme, the headers that carry it, and the challenge of a rotation.

Each scheme has a set of headers of its own: the names of the two differ in meaning but not in letters that HTTP tells
apart, so they are never mixed. Nothing here needs more than the standard library: who signs with ed25519 hands in how.
Source: contract 2 and 5.1; Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

REQUEST_ID_HEADER = "Webhook-Request-Id"
TIMESTAMP_HEADER = "Webhook-Timestamp"
SIGNATURE_HEADER = "Webhook-Signature"
STANDARD_ID_HEADER = "webhook-id"
STANDARD_TIMESTAMP_HEADER = "webhook-timestamp"
STANDARD_SIGNATURE_HEADER = "webhook-signature"

_CONTENT_TYPE, _AGENT = "Content-Type: application/json", "User-Agent: "
_REQUEST_ID, _TIMESTAMP, _SIGNATURE = f"{REQUEST_ID_HEADER}: ", f"{TIMESTAMP_HEADER}: ", f"{SIGNATURE_HEADER}: "
_BLOCK_BYTES = 64  # of SHA-256
_SHA256 = "sha256"  # by its name the whole digest is made in one call of the library
HMAC_PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
HMAC_MARK, ED25519_MARK = "v1,", "v1a,"
HMAC_KEY_BYTES = range(24, 65)
ED25519_KEY_BYTES = 32

CHALLENGE_EVENT = "webhook.challenge"
CHALLENGE_ANSWER = "challenge_response"


class Scheme(StrEnum):
    """How an endpoint's deliveries are signed."""

    OCROLUS = "ocrolus"
    STANDARD = "standard-webhooks"


@dataclass(frozen=True, slots=True)
class Signer:
    """One secret made ready. sign: the header's text for a message; expires_at: None for never."""

    sign: Callable[[bytes], str]
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """How deliveries to one endpoint are signed. signers: in the order of their signatures; `ocrolus` has one."""

    scheme: Scheme
    signers: tuple[Signer, ...]


def signature(secret: str, timestamp_s: int | str, request_id: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, request id and raw body, keyed by the secret's UTF-8 bytes; lower-case hex.

    >>> signature(
    ...     "contract-demo-secret-01",
    ...     1750000000,
    ...     "01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3",
    ...     b'{"status":"BOOK_COMPLETE","book_pk":40120077,'
    ...     b'"book_uuid":"7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11"}',
    ... )
    '85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f'
    """
    message = f"{timestamp_s}.{request_id}.".encode() + body
    return hmac.digest(secret.encode(), message, _SHA256).hex()


def standard_message(request_id: str, timestamp_s: int | str, body: bytes) -> bytes:
    """What is signed by Standard Webhooks."""
    return f"{request_id}.{timestamp_s}.".encode() + body


def hmac_key(secret: str) -> bytes | None:
    """The key in a secret of the form `whsec_<base64>`, 24 to 64 bytes; None for any other text."""
    key = _decoded(secret, HMAC_PREFIX)
    return key if key is not None and len(key) in HMAC_KEY_BYTES else None


def public_key_bytes(key: str) -> bytes | None:
    """The 32 bytes in a public key of the form `whpk_<base64>`; None for any other text."""
    found = _decoded(key, PUBLIC_PREFIX)
    return found if found is not None and len(found) == ED25519_KEY_BYTES else None


def private_key_bytes(key: str) -> bytes | None:
    """The 32 bytes in a private key of the form `whsk_<base64>`; None for any other text."""
    found = _decoded(key, PRIVATE_PREFIX)
    return found if found is not None and len(found) == ED25519_KEY_BYTES else None


def hmac_text(key: bytes, message: bytes) -> str:
    """The signature `v1,<base64>`.

    >>> key = hmac_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> hmac_text(key, standard_message("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'))
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    return HMAC_MARK + base64.b64encode(hmac.digest(key, message, _SHA256)).decode()


def ocrolus_signer(secret: str) -> Signer:
    """Signs as the contract has it."""
    digest = keyed(secret.encode())
    return Signer(lambda message: digest(message).hex())


def hmac_signer(key: bytes, expires_at: int | None = None) -> Signer:
    """Signs as `v1`."""
    digest = keyed(key)
    return Signer(lambda message: HMAC_MARK + base64.b64encode(digest(message)).decode(), expires_at)


def keyed(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 by this key, for many messages: what depends on the key alone is reckoned once. Source: RFC 2104.

    >>> keyed(b"k" * 65)(b"text") == hmac.digest(b"k" * 65, b"text", "sha256")
    True
    """
    block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return digest


def ed25519_signer(sign: Callable[[bytes], bytes], expires_at: int | None = None) -> Signer:
    """Signs as `v1a`. sign: gives the 64 bytes of a signature."""
    return Signer(lambda message: ED25519_MARK + base64.b64encode(sign(message)).decode(), expires_at)


def signing_with(secret: str | None) -> Signing | None:
    """How one secret signs by itself, in the scheme `ocrolus`; None signs nothing."""
    return None if secret is None else Signing(Scheme.OCROLUS, (ocrolus_signer(secret),))


def delivery_lines(
    request_id: str, timestamp_s: int, body: bytes, signing: Signing | None, authorization: str | None, user_agent: str
) -> list[str]:
    """All header lines of one attempt. Without signing it is unsigned; without credentials, unauthenticated.

    Of Standard Webhooks, each secret that has not expired by then adds its signature to the one header.
    """
    at = str(timestamp_s)
    lines = [_CONTENT_TYPE, _AGENT + user_agent]
    if signing is None or signing.scheme is Scheme.OCROLUS:
        lines += [_REQUEST_ID + request_id, _TIMESTAMP + at]
        if signing is not None:
            lines.append(_SIGNATURE + signing.signers[0].sign(f"{at}.{request_id}.".encode() + body))
    else:
        lines += [f"{STANDARD_ID_HEADER}: {request_id}", f"{STANDARD_TIMESTAMP_HEADER}: {at}"]
        signatures = _standard_signatures(signing, request_id, timestamp_s, body)
        lines.append(f"{STANDARD_SIGNATURE_HEADER}: {signatures}")
    if authorization is not None:
        lines.append(f"Authorization: {authorization}")
    return lines


def header_of(line: str) -> tuple[str, str]:
    """Name and value of a header line."""
    name, _, value = line.partition(": ")
    return name, value


def _standard_signatures(signing: Signing, request_id: str, timestamp_s: int, body: bytes) -> str:
    message, until = standard_message(request_id, timestamp_s, body), timestamp_s * 1000
    signers = [each for each in signing.signers if each.expires_at is None or each.expires_at > until]
    return " ".join([each.sign(message) for each in signers])


def challenge_body(nonce: str) -> bytes:
    """What is sent to a receiver that is to prove that it holds a secret. nonce: fresh text, never used again."""
    return json.dumps({"event_name": CHALLENGE_EVENT, "challenge": nonce}, separators=(",", ":")).encode()


def challenge_response(secret: str, nonce: str) -> str:
    """The proof: HMAC-SHA256 in hex, keyed by the text the receiver holds (of an ed25519 pair, the public key).

    What stands before the nonce keeps it from being the message of any delivery.
    """
    return hmac.digest(secret.encode(), f"{CHALLENGE_EVENT}.{nonce}".encode(), _SHA256).hex()


def is_proof(secret: str, nonce: str, answer: bytes) -> bool:
    """Whether a receiver's answer proves that it holds this secret, in a time that does not tell how near it is."""
    try:
        given = json.loads(answer)[CHALLENGE_ANSWER]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    if not isinstance(given, str):
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), challenge_response(secret, nonce).encode())


def _decoded(text: str, prefix: str) -> bytes | None:
    if not text.startswith(prefix):
        return None
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        return None
