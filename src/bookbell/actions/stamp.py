"""When an action happens and where its new ids come from: the two things SQL must not ask for itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bookbell.core.model import LanePk, Made

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Stamp:
    """at: the instant of the action; new_id: gives a fresh UUID version 7 at each call, also in a repeated run."""

    at: int
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Published(Generic[T_co]):
    """What an action gives when it may have made deliveries: its value, and the lanes to ring after the commit.

    made: all that has come due in them, so that who owns them need not read it; empty where it is not all known.
    """

    value: T_co
    lanes: frozenset[LanePk] = frozenset()
    made: Sequence[Made] = ()

    def showing(self, value: U) -> "Published[U]":
        """The same with another value."""
        return Published(value, self.lanes, self.made)
