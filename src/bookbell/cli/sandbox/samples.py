"""A sample body of any event, for trying a receiver without a service."""

import json

from bookbell.core.catalogue import TYPES
from bookbell.core.model import Level
from bookbell.core.samples import BOOK, sample_body


def sample(name: str, level: Level | None = None) -> bytes:
    """A body of this event, as the level is sent it; None takes a level that knows it, the account's first.

    An event outside the catalogue gets the little that every body has, as a later version might send it.
    """
    levels = (Level.ACCOUNT, Level.ORG) if level is None else (level,)
    bodies = (sample_body(name, each) for each in levels if name in TYPES)
    unknown = {"event_name": name, "status": "OK", "book_pk": BOOK.pk, "book_uuid": BOOK.uuid}
    return next((body for body in bodies if body is not None), json.dumps(unknown, separators=(",", ":")).encode())
