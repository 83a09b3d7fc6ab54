"""The errors a caller can cause.

Each class is one contract code (contract section 12): its docstring is the default message, `status` the HTTP
status, `code` the number in the body. An edge turns one into the envelope and never invents another.

BookbellError
├── InvalidRequest            the request itself is wrong
│   ├── MalformedJson (1002)
│   ├── ValidationFailed (1003)
│   ├── InvalidInput (1806)
│   ├── MissingParameter (1103)
│   ├── TooLarge (413)
│   ├── IllegalTransition (1100, HTTP 409)
│   └── IdempotencyMismatch (1003, HTTP 422)
├── NotAuthenticated (1200)
├── AccountInactive (1307)
├── NotPermitted              2102 book, 2111 create, 1316 manager
└── NotFound                  1401 book, 1501 document, 7002 image group, 1399 account, 1101 path, …
"""


class BookbellError(Exception):
    """The request could not be processed"""

    status: int = 400
    code: int = 1100

    def __init__(self, message: str | None = None, *, details: str | None = None) -> None:
        """details: what is wrong and what to do, where the contract fixes the message."""
        self.message = message if message is not None else (type(self).__doc__ or "").strip()
        self.details = details
        super().__init__(details or self.message)


class InvalidRequest(BookbellError):
    """The request could not be processed"""


class MalformedJson(InvalidRequest):
    """Could not decode JSON string"""

    code = 1002


class ValidationFailed(InvalidRequest):
    """Request validation failure; check parameter values and types."""

    code = 1003


class InvalidInput(InvalidRequest):
    """One of the input is invalid"""

    code = 1806


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


class IllegalTransition(InvalidRequest):
    """The resource cannot change from its present state to the one asked for"""

    status = 409


class IdempotencyMismatch(InvalidRequest):
    """The Idempotency-Key was used before with another request"""

    status = 422
    code = 1003


class NotAuthenticated(BookbellError):
    """Authentication failed"""

    status = 401
    code = 1200


class AccountInactive(BookbellError):
    """Account is not active"""

    code = 1307


class NotPermitted(BookbellError):
    """No permission to access this resource"""

    status = 403


class NotPermittedBook(NotPermitted):
    """No permission to access this book"""

    status = 400
    code = 2102


class NotPermittedManager(NotPermitted):
    """Account does not have required manager permissions"""

    code = 1316


class NotFound(BookbellError):
    """Not found"""

    status = 404


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


class WebhookNotFound(NotFound):
    """Webhook not found"""

    status = 400
