"""JSON Schemas (draft 2020-12) of the bodies, one for each event type and level.

Made from core.fields. Other keys are allowed, because keys may be added at any time (contract 2, S22).
"""

from typing import Any

from bookbell.core.catalogue import EventType
from bookbell.core.events import REJECTED_REASON
from bookbell.core.fields import Field, fields_of
from bookbell.core.model import Level, Task

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: EventType, level: Level) -> dict[str, Any]:
    """The schema of this contract type's body at this level. The level must be one of the type's."""
    fields = fields_of(kind, level)
    return {
        "$schema": DIALECT,
        "$id": f"urn:bookbell:event:{kind.name}:{level}",
        "title": f"{kind.name} at {level} level",
        "description": kind.description,
        "type": "object",
        "required": [field.name for field in fields if not field.is_optional],
        "properties": {field.name: _property(field, kind) for field in fields},
    }


def _property(field: Field, kind: EventType) -> dict[str, Any]:
    described = {"description": field.meaning}
    match field.name:
        case "event_name" | "event":
            return {"const": kind.name, **described}
        case "severity":
            return {"const": kind.severity, **described}
        case "notification_type":
            return {"const": kind.notification, **described}
        case "notification_reason":
            return {**_reason(kind), **described}
        case "status":
            return {"type": "string", "enum": list(kind.statuses), **described}
        case "is_cloud_compliant":
            return {"const": True, **described}
        case "uploaded_docs":
            return {"type": "array", "items": _LISTED, **described}
        case "tasks":
            tasks = {"type": "string", "enum": sorted(Task)}
            return {"type": "array", "minItems": 1, "uniqueItems": True, "items": tasks, **described}
        case _:
            return {**_plain(field), **described}


_LISTED = {
    "type": "object",
    "required": ["uuid", "status"],
    "properties": {"uuid": {"type": "string", "format": "uuid"}, "status": {"type": "string", "minLength": 1}},
}


def _reason(kind: EventType) -> dict[str, Any]:
    if kind.name == "book.completed":
        return {"type": "string", "pattern": f"^{kind.reason} [A-Z,]+$"}
    if kind.name == "DOC_VERIFIED":
        return {"type": "string", "enum": [kind.reason, REJECTED_REASON]}
    return {"const": kind.reason}


def _plain(field: Field) -> dict[str, Any]:
    property_: dict[str, Any] = {"type": [field.type, "null"] if field.is_nullable else field.type}
    if field.type == "integer":
        property_ |= {"minimum": 0, "maximum": 2**53 - 1}
    elif field.format is not None:
        property_["format"] = field.format
    else:
        property_["minLength"] = 1
    return property_
