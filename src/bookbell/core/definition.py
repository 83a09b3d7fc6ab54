"""Event definitions: what an org-level webhook can subscribe to, each with an id that stays the same for ever.

The id is made of the name alone (UUID version 5 in a namespace of ours), so it needs no table and is the same on
every installation. Source: contract 8.1, 8.6; RFC 9562 section 5.5.
"""

import hashlib
from collections.abc import Sequence

from bookbell.core.catalogue import TYPES, EventType
from bookbell.core.errors import WebhookInvalid
from bookbell.core.model import Level

_NAMESPACE = bytes.fromhex("b00cbe11d0c54e5f8a3f6c1e7d2f9a40")


def definition_uuid(name: str) -> str:
    """The id of the definition of this event.

    >>> definition_uuid("book.verified")
    'a20d5b03-d8ea-5c27-92c5-5383f7affb7c'
    """
    digest = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def org_event_types(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, if each is an event of org level. Raises: WebhookInvalid that names those that are not."""
    unknown = [name for name in names if name not in TYPES or Level.ORG not in TYPES[name].levels]
    if unknown:
        raise WebhookInvalid(f"Event(s) with name {', '.join(unknown)} doesnt exist")
    return tuple(names)


def definitions(event_types: Sequence[str]) -> dict[str, EventType]:
    """The definitions of these event types by their ids, in the same order."""
    return {definition_uuid(name): TYPES[name] for name in event_types}
