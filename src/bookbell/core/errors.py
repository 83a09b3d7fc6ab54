"""The errors a caller can cause.

Each class is one contract code (contract section 12): its docstring is the default message, `status` the HTTP
status, `code` the number in the body. The calls of v2 answer 403, 404 and 422 where those of v1 answer 400, and v1
answers 400 where the rest answers 401 (contract 11, 12): `status_of` knows. An edge turns an error into the envelope
and never invents another.

BookbellError
├── InvalidRequest            the request itself is wrong
│   ├── MalformedJson (1002)
│   ├── ValidationFailed (1003)
│   ├── InvalidInput (1806)
│   ├── WebhookInvalid (1000)
│   ├── MissingParameter (1103)
│   ├── TooLarge (413), UnsupportedMediaType (415), MethodNotAllowed (405), RequestTimeout (408)
│   ├── TooManyRequests (429)
│   ├── ProofFailed (1100)
│   ├── IllegalTransition (1100, HTTP 409)
│   ├── NotAcceptable (1100, HTTP 406)
│   ├── BookPending (1404) · MixedPending (1511)
│   ├── AnalyticsNotSupported (9002) · BankStatementsOnly (9003)
│   └── IdempotencyMismatch (1003, HTTP 422)
├── NotAuthenticated (1200)
├── AccountInactive (1307)
├── NotPermitted              2102 book, 2104 document, 1316 manager
├── TooEarly (1100, HTTP 425)
├── InternalError (500) · Unavailable (503)
└── NotFound                  1401 book, 1501 document, 7002 image group, 1399 account, 1101 path, 1000 webhook, …
"""

from enum import StrEnum


class Api(StrEnum):
    """Whose habits an answer follows: the contract's v1 or v2, or our own (platform, tokens, health)."""

    V1 = "/v1/"
    V2 = "/v2/"
    OURS = "/"


class BookbellError(Exception):
    """The request could not be processed"""

    status: int = 400
    status_v1: int | None = None
    status_v2: int | None = None
    code: int = 1100
    is_terse: bool = False
    """Whether the body has neither `response` nor `meta` (contract 17 on 10.9)."""

    def __init__(self, message: str | None = None, *, details: str | None = None) -> None:
        """details: what is wrong and what to do, where the contract fixes the message."""
        self.message = message if message is not None else (type(self).__doc__ or "").strip()
        self.details = details
        super().__init__(details or self.message)


def api_of(path: str) -> Api:
    """The API that serves this path."""
    rooted = f"/{path.lstrip('/')}"  # a base URL that ends in a slash gives a path that begins with two
    return next(api for api in Api if rooted.startswith(api) or api is Api.OURS)


def status_of(error: BookbellError | type[BookbellError], api: Api) -> int:
    """The HTTP status of this error in an answer of this API."""
    if api is Api.V1 and error.status_v1 is not None:
        return error.status_v1
    if api is Api.V2 and error.status_v2 is not None and error.status == BookbellError.status:
        return error.status_v2
    return error.status


def is_shown_as_200(api: Api, status: int) -> bool:
    """Whether the always-200 switch hides this status: all of v1's but 413, 429 and 5xx (contract 12, C2)."""
    return api is Api.V1 and 400 <= status < 500 and status not in {TooLarge.status, TooManyRequests.status}


class InvalidRequest(BookbellError):
    """The request could not be processed"""

    status_v2 = 422


class MalformedJson(InvalidRequest):
    """Could not decode JSON string"""

    code = 1002


class ValidationFailed(InvalidRequest):
    """Request validation failure; check parameter values and types."""

    code = 1003


class InvalidInput(InvalidRequest):
    """One of the input is invalid"""

    code = 1806


class WebhookInvalid(InvalidRequest):
    """The webhook is not valid"""

    code = 1000


class MissingParameter(InvalidRequest):
    """Required parameter not found"""

    code = 1103


class TooLarge(InvalidRequest):
    """The request is too large"""

    status = 413


class TooManyPages(InvalidRequest):
    """The document has too many pages"""

    code = 1512


class TooManyDocuments(InvalidRequest):
    """Maximum number of uploads reached for this book"""

    code = 8002


class OneFileOnly(InvalidRequest):
    """Only one file can be uploaded each time"""

    code = 8001


class UnsupportedMediaType(InvalidRequest):
    """The content type is not supported here"""

    status = 415


class MethodNotAllowed(InvalidRequest):
    """The method is not allowed here"""

    status = 405


class RequestTimeout(InvalidRequest):
    """The request took too long to arrive"""

    status = 408


class TooManyRequests(InvalidRequest):
    """Too many requests. Please slow down."""

    status = 429

    def __init__(self, wait_ms: int = 1_000) -> None:
        """wait_ms: after which a request would be taken."""
        super().__init__()
        self.wait_ms = wait_ms


class ProofFailed(InvalidRequest):
    """The receiver did not prove that it holds the new secret; nothing was changed"""


class IllegalTransition(InvalidRequest):
    """The resource cannot change from its present state to the one asked for"""

    status = 409


class NotAcceptable(InvalidRequest):
    """The document cannot be changed this way in its present state"""

    status = 406


class BookPending(InvalidRequest):
    """Book has documents pending verification"""

    code = 1404


class MixedPending(InvalidRequest):
    """Mixed document is pending classification"""

    code = 1511


class AnalyticsNotSupported(InvalidRequest):
    """Analytics are not supported for this book"""

    code = 9002
    is_terse = True


class BankStatementsOnly(InvalidRequest):
    """Analytics are supported for bank statements only"""

    code = 9003
    is_terse = True


class IdempotencyMismatch(InvalidRequest):
    """The Idempotency-Key was used before with another request"""

    status = 422
    code = 1003


class NotAuthenticated(BookbellError):
    """Authentication failed"""

    status = 401
    status_v1 = 400
    code = 1200


class AccountInactive(BookbellError):
    """Account is not active"""

    status_v2 = 403
    code = 1307


class NotPermitted(BookbellError):
    """No permission to access this resource"""

    status = 403
    status_v2 = 403


class NotPermittedBook(NotPermitted):
    """No permission to access this book"""

    status = 400
    code = 2102


class NotPermittedDocument(NotPermitted):
    """No permission to access this document"""

    status = 400
    code = 2104


class NotPermittedManager(NotPermitted):
    """Account does not have required manager permissions"""

    status = 400
    code = 1316


class InternalError(BookbellError):
    """The request failed for a reason of our own; the cause is in the log"""

    status = 500


class Unavailable(BookbellError):
    """The database cannot be reached at the moment; try again later"""

    status = 503


class TooEarly(BookbellError):
    """The analytics of this book are not ready yet"""

    status = 425


class NotFound(BookbellError):
    """Not found"""

    status = 404
    status_v2 = 404


class PathNotFound(NotFound):
    """The requested endpoint does not exist"""

    code = 1101


class BookNotFound(NotFound):
    """Book not found"""

    status = 400
    code = 1401


class BookExists(InvalidRequest):
    """Book exists"""

    code = 1402


class DocumentNotFound(NotFound):
    """Document not found"""

    status = 400
    code = 1501


class ImageGroupNotFound(NotFound):
    """No Image Found"""

    status = 400
    code = 7002


class FormTypeNotFound(NotFound):
    """Form Type Not Found"""

    status = 400
    code = 6001


class AccountNotFound(NotFound):
    """Account not found"""

    code = 1399


class OrganizationNotFound(NotFound):
    """Organization not found"""

    code = 1398


class EventTypeNotFound(NotFound):
    """Event type not found"""


class SecretNotFound(NotFound):
    """Secret not found"""

    status = 400


class WebhookNotFound(NotFound):
    """Webhook not found"""

    status = 400


class OrgWebhookNotFound(WebhookNotFound):
    """Webhook not found"""

    code = 1000
