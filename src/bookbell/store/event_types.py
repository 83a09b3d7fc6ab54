"""Event types the operator has defined.

They belong to the platform, not to a tenant; those made for one organization are seen by it alone.
"""

from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bookbell.core.defined_types import DefinedType
from bookbell.core.model import Level, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.prepared import Prepared
from bookbell.store.schema import event_types, subscriptions


def insert_type(tx: Tx, new: DefinedType) -> bool:
    """Add an event type. Gives False, and adds nothing, when the name is taken."""
    try:
        with tx.begin_nested():
            tx.execute(insert(event_types).values(name=new.name, created_at=new.created_at, **_changing(new)))
    except IntegrityError:
        return False
    return True


def save_type(tx: Tx, changed: DefinedType) -> None:
    """Write what may change of an event type."""
    tx.execute(update(event_types).where(event_types.c.name == changed.name).values(**_changing(changed)))


def delete_type(tx: Tx, name: str) -> None:
    """Forget an event type and the subscriptions to it; its events and deliveries stay."""
    tx.execute(delete(subscriptions).where(subscriptions.c.event_type == name))
    tx.execute(delete(event_types).where(event_types.c.name == name))


def find_type(tx: Tx, name: str) -> DefinedType | None:
    """The event type of this name, whomever it is for."""
    row = _BY_NAME.first(tx, name=name)
    return None if row is None else _type(row)


_BY_NAME = Prepared(select(event_types).where(event_types.c.name == bindparam("name")))


def count_types(tx: Tx) -> int:
    """How many event types are defined."""
    return int(tx.execute(select(func.count()).select_from(event_types)).scalar_one())


def list_types(tx: Tx) -> list[DefinedType]:
    """All event types, in order of name."""
    return [_type(row) for row in tx.execute(select(event_types).order_by(event_types.c.name))]


def types_for(tx: Tx, organization_id: OrganizationId) -> list[DefinedType]:
    """The event types this organization knows, inactive ones included, in order of name."""
    query = select(event_types).where(
        or_(event_types.c.organization_id.is_(None), event_types.c.organization_id == organization_id)
    )
    return [_type(row) for row in tx.execute(query.order_by(event_types.c.name))]


def _changing(defined: DefinedType) -> dict[str, Any]:
    return {
        "organization_id": defined.organization_id,
        "description": defined.description,
        "levels": ",".join(sorted(defined.levels)),
        "body_schema": defined.body_schema,
        "is_active": defined.is_active,
        "updated_at": defined.updated_at,
    }


def _type(row: Row[Any]) -> DefinedType:
    return DefinedType(**{**row._asdict(), "levels": frozenset(map(Level, row.levels.split(",")))})
