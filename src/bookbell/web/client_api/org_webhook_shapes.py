"""What org-level webhooks and their events look like, read and set. Source: contract 8.1, 8.2, 8.4, 8.7."""

from bookbell.core import limits
from bookbell.web.client_api.probe import SUCCESS
from bookbell.web.operation import Field, may, need
from bookbell.web.shape import (
    Schema,
    choice,
    exact_instant,
    flag,
    listed,
    nullable,
    record,
    text,
    uuid,
    whole,
)

_URL = text("https://hooks.example.net/org", maxLength=limits.URL_CHARS_MAX)
_DESCRIPTION = nullable(
    text("Underwriting intake", minLength=limits.DESCRIPTION_CHARS_MIN, maxLength=limits.DESCRIPTION_CHARS_MAX)
)
_NAMES = listed(text("book.verified"), minItems=1, uniqueItems=True)
_CHANGEABLE: dict[str, Schema] = {
    "description": _DESCRIPTION,
    "is_active": flag(),
    "username": nullable(text("intake")),
    "password": nullable(text("a password")),
}

WEBHOOK = record(
    {
        "uuid": uuid(),
        "url": _URL,
        "description": _DESCRIPTION,
        "is_active": flag(),
        "created_on": exact_instant(),
        "last_modified_date": exact_instant(),
    }
)
DEFINITION = record(
    {
        "uuid": uuid("27fca0f1-b3a1-5f79-82c7-27caa577e781"),
        "name": text("book.verified"),
        "description": text("Fires when every document of a book is verified or rejected."),
        "reason": nullable(text("Book is verified")),
        "type": choice(("STATUS", "ISSUE")),
        "severity": choice(("LOW", "MODERATE", "HIGH"), "MODERATE"),
        "is_active": flag(),
    }
)
TESTED: Schema = {
    **record(
        {
            "status": {"const": 200},
            "message": {"const": "OK"},
            "response": record({"uuid": uuid(), "message": text(SUCCESS)}, {"resp_code": whole(200)}),
            "event_name": text("book.verified"),
        }
    ),
    "additionalProperties": True,
}
"""The envelope, and beside it the keys of the body that was sent."""

_EVENTS = "Names of org-level events, each once; they replace the earlier ones."
NEW: tuple[Field, ...] = (
    need("webhook", record({"url": _URL}, _CHANGEABLE), "username and password: both or neither."),
    need("event_names", _NAMES, _EVENTS),
)
CHANGE: tuple[Field, ...] = (
    may("webhook", record({}, {"url": _URL, **_CHANGEABLE}), "What is to change. Give this, `event_names`, or both."),
    may("event_names", _NAMES, _EVENTS),
)
TEST: tuple[Field, ...] = (need("event_uuid", DEFINITION["properties"]["uuid"], "One of the webhook's events."),)
