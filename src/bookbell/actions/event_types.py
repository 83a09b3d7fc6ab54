"""Event types beside the contract's: defined by the operator, known to those they are for.

Source: docs/publishing-events.md.
Deleting a type ends its subscriptions. Events and deliveries keep its name and their bytes, so history stays readable
and what waits is still sent.
"""

from dataclasses import dataclass, replace
from typing import Any

from bookbell.actions.accounts import demand_organization
from bookbell.actions.stamp import Stamp
from bookbell.core import limits
from bookbell.core.catalogue import RETIRED, TYPES, EventType, names
from bookbell.core.defined_types import DefinedType, check_description, check_name, schema_text
from bookbell.core.errors import EventTypeNotFound, InvalidRequest, ValidationFailed
from bookbell.core.model import Level, OrganizationId
from bookbell.store import event_types
from bookbell.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedType:
    """What an operator asks for; see core.defined_types."""

    description: str
    levels: frozenset[Level]
    schema: dict[str, Any] | None
    is_active: bool
    organization_id: str | None = None


def define(tx: Tx, name: str, wanted: WantedType, stamp: Stamp) -> DefinedType:
    """Add an event type. Raises: ValidationFailed, InvalidRequest when the name is taken, OrganizationNotFound."""
    check_name(name)
    if event_types.count_types(tx) >= limits.DEFINED_TYPES_MAX:
        raise InvalidRequest(f"{limits.DEFINED_TYPES_MAX} event types are defined; that is the most.")
    new = DefinedType(name=name, created_at=stamp.at, updated_at=stamp.at, **_checked(tx, wanted))
    if not event_types.insert_type(tx, new):
        raise InvalidRequest(f"An event type named {name} exists already.")
    return new


def redefine(tx: Tx, name: str, wanted: WantedType, stamp: Stamp) -> DefinedType:
    """Replace all of an event type but its name. Raises: EventTypeNotFound, ValidationFailed, OrganizationNotFound."""
    changed = replace(demand(tx, name), updated_at=stamp.at, **_checked(tx, wanted))
    event_types.save_type(tx, changed)
    return changed


def forget(tx: Tx, name: str) -> None:
    """Delete an event type and the subscriptions to it. Raises: EventTypeNotFound."""
    demand(tx, name)
    event_types.delete_type(tx, name)


def demand(tx: Tx, name: str) -> DefinedType:
    """The defined type of this name. Raises: EventTypeNotFound."""
    found = event_types.find_type(tx, name)
    if found is None:
        raise EventTypeNotFound(f"No event type named {name[:80]} is defined.")
    return found


def known_event_types(tx: Tx, organization_id: OrganizationId, level: Level | None = None) -> list[EventType]:
    """What an endpoint of this organization can subscribe to at this level (None: at any): the contract's types in the
    catalogue's order, then the defined ones by name, inactive ones included."""
    defined = [each.as_event_type() for each in event_types.types_for(tx, organization_id)]
    return [
        *(TYPES[name] for name in names(level)),
        *(each for each in defined if level is None or level in each.levels),
    ]


def defined_names(tx: Tx, organization_id: OrganizationId, level: Level) -> frozenset[str]:
    """Names of the defined types an endpoint of this organization can subscribe to at this level."""
    return frozenset(each.name for each in event_types.types_for(tx, organization_id) if level in each.levels)


def find_known(tx: Tx, organization_id: OrganizationId, name: str) -> EventType | DefinedType:
    """The type of this name, of the contract or defined. Raises: EventTypeNotFound."""
    if name in TYPES:
        return TYPES[name]
    if name in RETIRED:
        raise EventTypeNotFound(f"{name} is retired: it is known from an older edition, and never fires.")
    for each in event_types.types_for(tx, organization_id):
        if each.name == name:
            return each
    raise EventTypeNotFound(f"Event type {name[:80]} not found")


def _checked(tx: Tx, wanted: WantedType) -> dict[str, Any]:
    check_description(wanted.description)
    if not wanted.levels:
        raise ValidationFailed("levels: at least one of account, org is expected")
    organization_id = wanted.organization_id
    if organization_id is not None:
        demand_organization(tx, organization_id)
    return {
        "organization_id": organization_id,
        "description": wanted.description,
        "levels": wanted.levels,
        "body_schema": schema_text(wanted.schema),
        "is_active": wanted.is_active,
    }
