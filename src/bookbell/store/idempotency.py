"""Answers kept under an Idempotency-Key, written in the transaction whose answer they are."""

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from bookbell.store.database import Tx
from bookbell.store.schema import idempotency_keys


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given, and the hash of the request it was given to."""

    request_hash: str
    status: int
    response: bytes


def find(tx: Tx, scope: str, key: str) -> Kept | None:
    """The answer kept under this key."""
    row = tx.execute(
        select(idempotency_keys).where(idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)
    ).first()
    return None if row is None else Kept(row.request_hash, row.status, row.response)


def keep(tx: Tx, scope: str, key: str, answer: Kept, *, at: int) -> bool:
    """Keep this answer, unless one is kept already; then gives False, after waiting for who is writing it."""
    try:
        with tx.begin_nested():
            tx.execute(
                insert(idempotency_keys).values(
                    scope=scope,
                    key=key,
                    request_hash=answer.request_hash,
                    status=answer.status,
                    response=answer.response,
                    created_at=at,
                )
            )
    except IntegrityError:
        return False
    return True


def fill(tx: Tx, scope: str, key: str, response: bytes) -> None:
    """Put the answer under a key that was taken in this transaction."""
    tx.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)
        .values(response=response)
    )
