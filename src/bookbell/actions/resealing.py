"""Puts every sealed value under the primary master key, in bounded batches, while the service runs.

A batch is one transaction; one that is cut off is done again, so it may be stopped at any moment and begun anew.
Source: docs/operating.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bookbell.actions.webhooks import Sealing
from bookbell.store import sealed
from bookbell.store.database import Tx
from bookbell.store.sealed import Place
from bookbell.vault import VaultError


class Ring(Sealing, Protocol):
    """Opens under any key, seals under the primary, and knows which values are under it."""

    def is_current(self, sealed: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch did. after: where the next one begins, None when the column is done; unreadable: places."""

    after: Any
    resealed: int
    unreadable: tuple[str, ...]


def reseal(tx: Tx, place: Place, ring: Ring, *, after: Any, count: int) -> Step:
    """Reseal the next values of a column that are not under the primary key; what does not open is left as it is."""
    found = sealed.sealed_values(tx, place, after=after, count=count)
    changed, unreadable = [], []
    for each in found:
        if ring.is_current(each.value):
            continue
        try:
            changed.append((each, ring.seal(ring.open(each.value, each.place), each.place)))
        except VaultError:
            unreadable.append(each.place)
    written = sealed.replace_values(tx, place, changed)
    return Step(found[-1].key if len(found) == count else None, written, tuple(unreadable))


def count_by_key(tx: Tx, place: Place, name_of: Callable[[bytes], str], *, batch: int) -> dict[str, int]:
    """How many values of a column are sealed under each key, by its name."""
    counts: dict[str, int] = {}
    after: Any = None
    while True:
        found = sealed.sealed_values(tx, place, after=after, count=batch)
        for each in found:
            name = name_of(each.value)
            counts[name] = counts.get(name, 0) + 1
        if len(found) < batch:
            return counts
        after = found[-1].key
