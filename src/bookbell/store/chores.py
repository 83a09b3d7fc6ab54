"""Work in the background that one worker at a time does: who does it, until when, and how far it has come.

Each batch of such work renews the lease in its own transaction, so a worker that was stalled and has lost the chore
to another cannot write a batch beside it.
"""

from sqlalchemy import bindparam, insert, or_, select, update

from bookbell.core.instants import HOUR_MS
from bookbell.store.database import Tx
from bookbell.store.schema import chores


class ChoreLost(Exception):
    """Another worker does this chore now; the transaction that finds this out does nothing."""


_TAKE = (
    update(chores)
    .where(
        chores.c.name == bindparam("chore"),
        or_(
            chores.c.lease_until <= bindparam("now"),
            chores.c.lease_until > bindparam("doubted"),
            chores.c.owner == bindparam("by"),
        ),
    )
    .values(owner=bindparam("by"), lease_until=bindparam("until"))
)
_HOLD = (
    update(chores)
    .where(chores.c.name == bindparam("chore"), chores.c.owner == bindparam("by"))
    .values(lease_until=bindparam("until"))
)


def take(tx: Tx, name: str, *, owner: str, now: int, lease_until: int) -> bool:
    """Begin or go on with a chore, unless another owner's lease on it lasts. Gives whether it is this owner's.

    A lease that ends more than an hour after one that is taken now was given by a clock that was wrong: else a worker
    that died with such a clock would keep the chore until that time has come.
    """
    position(tx, name)
    values = {"chore": name, "by": owner, "now": now, "until": lease_until, "doubted": lease_until + HOUR_MS}
    return tx.execute(_TAKE, values).rowcount == 1


def hold(tx: Tx, name: str, *, owner: str, lease_until: int) -> None:
    """Renew the lease; call first in the transaction of a batch. Raises: ChoreLost."""
    if tx.execute(_HOLD, {"chore": name, "by": owner, "until": lease_until}).rowcount != 1:
        raise ChoreLost(name)


def release(tx: Tx, name: str, *, owner: str) -> None:
    """Let another worker take the chore at once."""
    tx.execute(update(chores).where(chores.c.name == name, chores.c.owner == owner).values(owner=None, lease_until=0))


def position(tx: Tx, name: str) -> str:
    """How far a chore has come: the last id it has seen, empty at first. Makes the chore's row if there is none."""
    found = peek(tx, name)
    if found is None:
        tx.execute(insert(chores).values(name=name, owner=None, lease_until=0, position=""))
    return found or ""


def peek(tx: Tx, name: str) -> str | None:
    """The position of a chore, None if it was never begun."""
    return tx.execute(select(chores.c.position).where(chores.c.name == name)).scalar()


def move(tx: Tx, name: str, to: str) -> None:
    """The chore has come that far."""
    tx.execute(update(chores).where(chores.c.name == name).values(position=to))
