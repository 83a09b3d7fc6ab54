"""What the tables are made of: conventions for names, types of ids, and a default that knows its transaction."""

from typing import Any

from sqlalchemy import BigInteger, Integer, MetaData, String, TextClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "ix": "%(table_name)s_%(column_0_N_name)s",
    }
)

Id = String(36).with_variant(String(36, collation="C"), "postgresql")
"""Compared byte by byte, as on SQLite, whatever the language of the database: that is cheaper, too."""

Pk = BigInteger().with_variant(Integer, "sqlite")


class OwnTransaction(FunctionElement[int]):
    """The number of the transaction that runs, as a column's default. SQLite has none: there it is always given."""

    inherit_cache = True


@compiles(OwnTransaction, "postgresql")
def _on_postgresql(_element: OwnTransaction, _compiler: Any, **_options: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"


@compiles(OwnTransaction, "sqlite")
def _on_sqlite(_element: OwnTransaction, _compiler: Any, **_options: Any) -> str:
    return "0"


def rows_where(condition: TextClause) -> dict[str, Any]:
    """What an index is given to hold the rows of this condition only, on either database."""
    return {"sqlite_where": condition, "postgresql_where": condition}
