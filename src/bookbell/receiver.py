"""For receivers: verify that a request came from bookbell and was not altered. Standard library only.

    from bookbell.receiver import VerificationError, verify

    @app.post("/hooks")
    def hook():
        try:
            verified = verify(request.headers, request.get_data(), "your-webhook-secret")
        except VerificationError as error:
            return str(error), 401
        ...  # verified.request_id is the same on every attempt: use it to ignore repeats

Give the raw body, before JSON parsing: a body parsed and written again has other bytes and another signature.
"""

import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bookbell.core.errors import BookbellError
from bookbell.core.signing import REQUEST_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

TOLERANCE_S = 300
Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]

_TIMESTAMP = re.compile(r"[0-9]{1,13}")
_MILLISECONDS_FROM = 10**11  # as seconds that is the year 5138


class Mistake(StrEnum):
    """What is wrong with a request."""

    NO_SIGNATURE = "no_signature"
    MALFORMED = "malformed"
    STALE = "stale"
    WRONG_SECRET_OR_ALTERED = "wrong_secret_or_altered"  # noqa: S105 - a name, no secret


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
    secret:      one secret, or several while rotating; all are tried, in a time that does not depend on which fits.
    now_s:       seconds since 1970, None asks the clock; tolerance_s: how far the timestamp may be off, either way.

    Raises: VerificationError, and nothing else whatever the request holds.
    """
    found = _wanted(headers)
    given, request_id, timestamp = (found.get(name.lower()) for name in _NAMES)
    if not given:
        raise VerificationError(
            Mistake.NO_SIGNATURE,
            f"The request has no {SIGNATURE_HEADER}. It is not from bookbell, or the webhook has no secret: "
            "set one with POST /v1/account/settings/webhook/rotate-secret.",
        )
    if not request_id or not timestamp or not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationError(
            Mistake.MALFORMED,
            f"{REQUEST_ID_HEADER} or {TIMESTAMP_HEADER} is missing or malformed. A proxy in front of the receiver "
            "may drop headers it does not know.",
        )
    index = _matching(given, request_id, timestamp, body, [secret] if isinstance(secret, str) else list(secret))
    if index is None:
        raise VerificationError(
            Mistake.WRONG_SECRET_OR_ALTERED,
            "The signature does not fit. Either the secret is not the webhook's, or the body was altered on the "
            "way: verify the raw bytes, before a framework parses them.",
        )
    _check_age(int(timestamp), time.time() if now_s is None else now_s, tolerance_s)  # noqa: TID251 - not the service
    return Verified(request_id, int(timestamp), index)


_NAMES = (SIGNATURE_HEADER, REQUEST_ID_HEADER, TIMESTAMP_HEADER)


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


def _matching(given: str, request_id: str, timestamp: str, body: bytes, secrets: Sequence[str]) -> int | None:
    index = None
    offered = given.encode("utf-8", "surrogatepass")
    for number, secret in enumerate(secrets):
        try:
            expected = signature(secret, timestamp, request_id, body)
        except UnicodeEncodeError:
            return None  # the request id holds what no header of ours can
        if hmac.compare_digest(expected.encode(), offered) and index is None:
            index = number
    return index


def _check_age(timestamp_s: int, now_s: float, tolerance_s: float) -> None:
    if abs(now_s - timestamp_s) <= tolerance_s:
        return
    hint = "It looks like milliseconds where seconds belong. " if timestamp_s >= _MILLISECONDS_FROM else ""
    raise VerificationError(
        Mistake.STALE,
        f"The request was signed at {timestamp_s}, now it is {int(now_s)}: more than {tolerance_s:.0f} s apart. {hint}"
        "It was recorded and sent again, or one of the clocks is wrong.",
    )
