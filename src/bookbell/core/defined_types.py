"""Event types that an operator defines, beside those of the contract. Source: docs/publishing-events.md."""

import json
import re
from dataclasses import dataclass
from typing import Any

from bookbell.core import limits
from bookbell.core.bounded_schema import check_schema, problem_of
from bookbell.core.catalogue import ALIASES, RETIRED, TYPES, EventType, Source, Subject
from bookbell.core.errors import InvalidRequest, ValidationFailed
from bookbell.core.model import Level, OrganizationId

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedType:
    """organization_id None: for every organization. body_schema: JSON text, None takes any object as a body.

    is_active False: it can be subscribed to, and nothing is published.
    """

    name: str
    organization_id: OrganizationId | None
    description: str
    levels: frozenset[Level]
    body_schema: str | None
    is_active: bool
    created_at: int
    updated_at: int

    def schema(self) -> dict[str, Any]:
        """The schema of its bodies."""
        found: dict[str, Any] = json.loads(self.body_schema or '{"type": "object"}')
        return found

    def problem_of(self, body: dict[str, Any]) -> str | None:
        """What keeps this from being one of its bodies, None when it is one."""
        return None if self.body_schema is None else problem_of(self.body_schema, body)

    def as_event_type(self) -> EventType:
        """The type as the contract's are shown; it has no notification_reason of its own."""
        return EventType(
            name=self.name,
            levels=self.levels,
            subject=Subject.ANYTHING,
            severity="LOW",
            notification="STATUS",
            source=Source.PUBLISHED,
            statuses=(),
            reason="",
            description=self.description,
            is_active=self.is_active,
        )


def check_name(name: str) -> None:
    """Raises: ValidationFailed when it cannot name a defined type, InvalidRequest when it is the contract's."""
    if len(name) > limits.EVENT_TYPE_CHARS_MAX or _NAME.fullmatch(name) is None:
        raise ValidationFailed(
            "name: words of a-z, 0-9 and _ joined by dots are expected, e.g. loan.funded, "
            f"of at most {limits.EVENT_TYPE_CHARS_MAX} characters"
        )
    if name in TYPES or name in ALIASES or name in RETIRED:
        raise InvalidRequest(f"{name} is an event type of the contract and cannot be defined anew.")


def check_description(text: str) -> None:
    """Raises: ValidationFailed."""
    if not text.strip() or len(text) > limits.TYPE_DESCRIPTION_CHARS_MAX:
        raise ValidationFailed(f"description: 1 to {limits.TYPE_DESCRIPTION_CHARS_MAX} characters are expected")


def schema_text(schema: dict[str, Any] | None) -> str | None:
    """The schema as it is kept. Raises: ValidationFailed when it cannot be taken."""
    if schema is None:
        return None
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    check_schema(schema, len(text.encode()))
    return text
