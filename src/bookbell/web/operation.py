"""How a route describes itself; from the descriptions `web/openapi.py` makes the OpenAPI document.

Handlers take the raw request on purpose, so it does not show what they read and answer. Say it beside them:

    @post(
        "/v1/book/add",
        opt=described(
            Operation(
                tag=Tag.BOOKS,
                fields=(need("name", text("Loan 2210"), "Its name."), may("is_public", flag(), "Seen by all.")),
                answer=enveloped(record({"pk": PK, "uuid": uuid()})),
                errors=(BookExists,),
            )
        ),
    )
    async def add(request: wire.Wire) -> Response:
        '''Create a book.'''

- The summary is the docstring's first line. Parts of the path are found by themselves; name one in `fields` only to
  say more about it.
- `fields` are what the handler reads: in the query of a GET or DELETE, else in the body as `media` says. `need` must
  be given, `may` can be; `header` is one of the request's headers. A body that is a msgspec struct is
  `body=ThatStruct` with an `example`.
- `answer` is what HTTP 200 carries: `enveloped(shape)` for `{"status": 200, "message": "OK", "response": shape}`,
  `bare(shape)` for JSON without it, `other(media_type)` for the rest. `others` are answers with another status that
  are no error of `core/errors.py`. Shapes are made with `web/shape.py` and carry their example.
- `errors` are the classes that the call itself can raise; their status, code and message come from the class. What
  comes with `access` (not authenticated, too many requests) and with `fields` (bad JSON, too large, …) is added.
- `has_envelope=False` is for a call that shapes its errors itself: `others` then says them all.
- A page for people is `opt=a_page("why it is in no API document")`.

A test fails for a route without a description, and every answer is compared with it (tests/web/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from bookbell.core.errors import BookbellError
from bookbell.web.shape import Schema, listed, record, text, whole


class Tag(StrEnum):
    """A chapter of the reference; the value is its title, docs/api.md has the same chapters."""

    TOKENS = "Tokens"
    WEBHOOK = "The account's webhook"
    ORG_WEBHOOKS = "The organization's webhooks"
    SIGNATURES = "Signatures"
    BOOKS = "Books"
    DOCUMENTS = "Documents"
    HISTORY = "Events and deliveries"
    OPERATOR = "Platform: the operator"
    PIPELINE = "Platform: the pipeline"
    HEALTH = "Health"
    REFERENCE = "Reference"


class Access(StrEnum):
    """Who may call: an API account (bearer token or Basic), the operator, the pipeline, or anybody."""

    ACCOUNT = "account"
    OPERATOR = "operator"
    PIPELINE = "pipeline"
    ANYBODY = "anybody"


JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
ANY_BODY = (JSON, URLENCODED, MULTIPART)
"""Every v1 POST takes its fields in any of these (contract 17)."""
JSON_BODY = (JSON,)
UPLOAD_BODY = (MULTIPART,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that a call reads. place: path, header, or None for query or body as the method has it.

    is_usual: most callers give it although they need not, so it stands in the example.
    """

    name: str
    schema: Schema
    description: str
    is_required: bool
    place: str | None = None
    is_usual: bool = False


def need(name: str, schema: Schema, description: str) -> Field:
    """A field that must be given."""
    return Field(name=name, schema=schema, description=description, is_required=True)


def may(name: str, schema: Schema, description: str) -> Field:
    """A field that can be given."""
    return Field(name=name, schema=schema, description=description, is_required=False)


def usual(name: str, schema: Schema, description: str) -> Field:
    """A field that can be given, and that most callers give: often one of several, of which one is needed."""
    return Field(name=name, schema=schema, description=description, is_required=False, is_usual=True)


def query(name: str, schema: Schema, description: str) -> Field:
    """A field that can stand in the query of a call whose other fields are in its body."""
    return Field(name=name, schema=schema, description=description, is_required=False, place="query")


def header(name: str, schema: Schema, description: str) -> Field:
    """A header of the request that can be given."""
    return Field(name=name, schema=schema, description=description, is_required=False, place="header")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one status carries. schema None: bytes of this media type."""

    schema: Schema | None
    media_type: str = JSON
    description: str = "OK"


def enveloped(schema: Schema) -> Answer:
    """The envelope of success around this."""
    return Answer(schema=envelope(schema))


def bare(schema: Schema, description: str = "OK") -> Answer:
    """JSON without the envelope."""
    return Answer(schema=schema, description=description)


def other(media_type: str, description: str = "OK") -> Answer:
    """An answer that is not JSON."""
    return Answer(schema=None, media_type=media_type, description=description)


def envelope(schema: Schema) -> Schema:
    """What every success looks like (contract 12)."""
    return record({"status": {"const": 200}, "message": {"const": "OK"}, "response": schema})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route reads and answers; see the module's docstring."""

    tag: Tag
    answer: Answer
    access: Access = Access.ACCOUNT
    fields: tuple[Field, ...] = ()
    media: tuple[str, ...] = ANY_BODY
    body: type[msgspec.Struct] | None = None
    example: Any = None
    errors: tuple[type[BookbellError], ...] = ()
    others: Mapping[int, Answer] = field(default_factory=dict)
    has_envelope: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """A route for people. reason: why it is in no API document."""

    reason: str


def described(operation: Operation) -> dict[str, Any]:
    """The `opt` of a handler with this description."""
    return {"operation": operation}


def a_page(reason: str) -> dict[str, Any]:
    """The `opt` of a handler that serves people, not programs."""
    return {"operation": Page(reason)}


# Pieces that many descriptions share.

PK = whole(40120077)
FILE: Schema = {"type": "string", "format": "binary", "examples": ["%PDF-1.7"]}
BOOK_KEY = (
    usual("pk", PK, "The book, by its number. Give this or `book_uuid`."),
    may("book_uuid", text("7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11"), "The book, by its uuid."),
)


def page_fields(count_default: int, count_max: int) -> tuple[Field, ...]:
    """Paging of the lists that go from the newest back."""
    return (
        may("limit", whole(count_default, least=1, most=count_max), f"How many; {count_default} if not given."),
        may("before", text("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"), "`next` of the page before."),
    )


def texts_or_text(example: str) -> Schema:
    """A list of texts, or one text with commas."""
    return {"anyOf": [listed(text(example)), text(example)]}
