"""How many statements and commits this process has asked its databases for: what operators and measurements read.

A statement for many rows counts once for each row on SQLite, which carries it out as often; on PostgreSQL it is one.
On SQLite each commit that changed something is one wait for the disk; the log's way into the file comes on top.
Threads add without a lock: at worst one of millions is not counted, and nothing depends on it.
"""

from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(slots=True)
class Counted:
    """Since the process began. commits: of transactions that may write."""

    statements: int = 0
    commits: int = 0


COUNTED = Counted()


class Cursor(psycopg.Cursor[Any]):
    """PostgreSQL's cursor, which counts what it is given but for COPY; SQLite's does so too."""

    def execute(self, *given: Any, **how: Any) -> "Cursor":
        """One statement."""
        COUNTED.statements += 1
        super().execute(*given, **how)
        return self

    def executemany(self, query: Any, params_seq: Any, **how: Any) -> None:
        """One statement with many values: they are sent together."""
        COUNTED.statements += 1
        super().executemany(query, params_seq, **how)
