"""The `webhooks` part of the OpenAPI document: what receivers are sent, one request for each event type.

Made from the catalogue: schema and example of each level's body are those of `GET /v1/event-types/{name}`.
Source: the OpenAPI Specification 3.1; contract 2, 5.1, 6.
"""

import json
from typing import Any

from bookbell.core.catalogue import TYPES, EventType
from bookbell.core.samples import sample_body
from bookbell.core.schemas import schema_of
from bookbell.web.operation import JSON_BODY
from bookbell.web.shape import Schema, text

Json = dict[str, Any]

TAG = "Webhooks"
_ID = text("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3", format="uuid")
_TIMESTAMP = text("1750000000", pattern="^[0-9]+$")
_SIGNATURE = text("85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f", pattern="^[0-9a-f]{64}$")
AUTHENTICITY = (
    "Where the webhook has a secret the request is signed; where its URL has credentials it carries them as "
    "Authorization: Basic. bookbell.receiver verifies a request."
)


def webhooks() -> Json:
    """Every event type as a request to the receiver."""
    return {name: {"post": _operation(kind)} for name, kind in TYPES.items()}


def _operation(kind: EventType) -> Json:
    levels = sorted(kind.levels)
    schemas = [schema_of(kind, level) for level in levels]
    examples = {str(level): {"value": json.loads(sample_body(kind.name, level) or b"null")} for level in levels}
    return {
        "operationId": f"webhook_{kind.name.replace('.', '_')}",
        "tags": [TAG],
        "summary": kind.name,
        "description": f"{kind.description} Told at {' and '.join(levels)} level. {AUTHENTICITY}",
        "security": [],
        "parameters": [
            _header("Webhook-Request-Id", _ID, "The delivery: the same on every attempt.", is_required=True),
            _header("Webhook-Timestamp", _TIMESTAMP, "Seconds since 1970, of this attempt.", is_required=True),
            _header(
                "Webhook-Signature",
                _SIGNATURE,
                "HMAC-SHA256 in hex of timestamp, a dot, request id, a dot and the body.",
                is_required=False,
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON_BODY[0]: {
                    "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
                    "examples": examples,
                }
            },
        },
        "responses": {
            "200": {"description": "Taken. Anything else is a failure, but for policies that take all of 2xx."},
            "default": {"description": "Not taken: tried again as the webhook's policy says."},
        },
    }


def _header(name: str, schema: Schema, description: str, *, is_required: bool) -> Json:
    return {"name": name, "in": "header", "description": description, "required": is_required, "schema": schema}
