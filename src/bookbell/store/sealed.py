"""Every sealed value of the database, for putting them under another master key.

They are read in the order of their rows and written only where they still are what was read, so whoever changes one
meanwhile is not overwritten. The text of a value is nobody's business here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, update

from bookbell.store.database import Tx
from bookbell.store.schema import documents, endpoints


@dataclass(frozen=True, slots=True)
class Place:
    """One column of sealed values. prefix: what stands before the named column in a value's place."""

    table: Table
    column: Column[Any]
    key: Column[Any]
    prefix: str
    named: Column[Any]


PLACES = (
    Place(endpoints, endpoints.c.url_sealed, endpoints.c.id, "endpoint-url:", endpoints.c.id),
    Place(endpoints, endpoints.c.secret_sealed, endpoints.c.id, "endpoint-secret:", endpoints.c.id),
    Place(documents, documents.c.token_sealed, documents.c.pk, "audit-copy-token:", documents.c.md5),
)
"""A test compares them with the columns of the schema that end in _sealed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One value. key: of its row; organization_id: whose it is; place: what it was sealed for."""

    key: Any
    organization_id: str
    place: str
    value: bytes


def sealed_values(tx: Tx, place: Place, *, after: Any, count: int) -> list[Sealed]:
    """The next values of a column, in order of their rows. after: the key of the last one, None at first."""
    query = (
        select(place.key, place.table.c.organization_id, place.named.label("named"), place.column.label("value"))
        .where(place.column.is_not(None))
        .order_by(place.key)
        .limit(count)
    )
    if after is not None:
        query = query.where(place.key > after)
    return [Sealed(row[0], row[1], f"{place.prefix}{row.named}", bytes(row.value)) for row in tx.execute(query)]


def is_any(tx: Tx) -> bool:
    """Whether there is any sealed value."""
    return any(sealed_values(tx, place, after=None, count=1) for place in PLACES)


def replace_values(tx: Tx, place: Place, changed: Sequence[tuple[Sealed, bytes]]) -> int:
    """Put new bytes where a value still is what was read. Gives how many were written."""
    written = 0
    for old, new in changed:
        statement = (
            update(place.table)
            .where(
                place.table.c.organization_id == old.organization_id,
                place.key == old.key,
                place.column == old.value,
            )
            .values({place.column: new})
        )
        written += tx.execute(statement).rowcount
    return written
