"""The signature of a delivery and the headers that carry it. Source: contract 2 and 5.1."""

import hashlib
import hmac

REQUEST_ID_HEADER = "Webhook-Request-Id"
TIMESTAMP_HEADER = "Webhook-Timestamp"
SIGNATURE_HEADER = "Webhook-Signature"


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
    return hmac.digest(secret.encode(), message, hashlib.sha256).hex()


def delivery_headers(
    request_id: str, timestamp_s: int, body: bytes, secret: str | None, authorization: str | None, user_agent: str
) -> tuple[tuple[str, str], ...]:
    """All headers of one attempt. Without a secret it is unsigned; without credentials, unauthenticated."""
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", user_agent),
        (REQUEST_ID_HEADER, request_id),
        (TIMESTAMP_HEADER, str(timestamp_s)),
    ]
    if secret is not None:
        headers.append((SIGNATURE_HEADER, signature(secret, timestamp_s, request_id, body)))
    if authorization is not None:
        headers.append(("Authorization", authorization))
    return tuple(headers)
