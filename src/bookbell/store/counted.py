"""How many statements and commits this process has asked its databases for: what operators and measurements read.

A statement for many rows counts once for each row on SQLite, which carries it out as often; on PostgreSQL it is one.
On SQLite each commit that changed something is one wait for the disk; the log's way into the file comes on top.
Threads add without a lock: at worst one of millions is not counted, and nothing depends on it.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Counted:
    """Since the process began. commits: of transactions that may write."""

    statements: int = 0
    commits: int = 0


COUNTED = Counted()
