"""The lanes: who owns one, until when, and when its next delivery is due.

A lane is acquired by reading candidates and one conditional update; two workers that race are settled by the
condition. A lane that has an owner is taken from it only as it was seen: who takes it has watched its lease for so
long by a clock of its own that the owner cannot be sending any more, whatever the wall clocks of the two say.

Its `due_at` is only lowered by publishers and only set by the owner that parks it, so a sleeping lane with due work
cannot arise: parking locks the lane row (on PostgreSQL that waits for publishers in flight, whose foreign key holds
the row) and looks for pending deliveries in a new statement.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)

from bookbell.core.circuit import CLOSED, Circuit
from bookbell.core.model import EndpointId, LanePk, OrganizationId
from bookbell.store.bulk import update_rows
from bookbell.store.database import Tx
from bookbell.store.prepared import Among, Prepared
from bookbell.store.schema import NEVER_AT, deliveries, endpoints, lanes

PENDING: ColumnElement[str] = literal_column("'pending'")
"""A literal, not a parameter: only then can the planner use the index over pending deliveries."""

IS_STILL_PENDING = text("deliveries.state || '' = 'pending'")
"""Pending, where keys tell which rows: so put that no index over pending deliveries serves for it. PostgreSQL would
take one and read all that waits whenever its statistics are of a time when little did.
"""

_CIRCUIT_NAMES = tuple(each.name for each in fields(Circuit))
CIRCUIT = tuple(lanes.c[name] for name in _CIRCUIT_NAMES)
"""The columns of a lane's circuit."""


def circuit_of(row: Row[Any]) -> Circuit:
    """The circuit in a row with its columns; CLOSED itself when it is as good as that."""
    found = Circuit(**{name: getattr(row, name) for name in _CIRCUIT_NAMES})
    return CLOSED if found == CLOSED else found


def insert_lane(tx: Tx, organization_id: OrganizationId, endpoint_id: EndpointId, *, part: int = 0) -> LanePk:
    """Add a sleeping lane without owner. part: its place among the lanes of the endpoint. Gives its key."""
    new = insert(lanes).values(
        organization_id=organization_id,
        endpoint_id=endpoint_id,
        part=part,
        owner=None,
        lease_until=0,
        epoch=0,
        due_at=NEVER_AT,
        is_spent=False,
    )
    return LanePk(tx.execute(new.returning(lanes.c.pk)).scalar_one())


def of_endpoint(tx: Tx, endpoint_id: EndpointId) -> list[LanePk]:
    """The lanes of this endpoint, in their order."""
    rows = tx.execute(select(lanes.c.pk).where(lanes.c.endpoint_id == endpoint_id).order_by(lanes.c.part))
    return [row.pk for row in rows]


_AT: BindParameter[int] = bindparam("at", type_=BigInteger)
_NOT_BEFORE = case((lanes.c.probe_at > _AT, lanes.c.probe_at), else_=_AT)
_WAKE = Prepared(
    update(lanes).where(lanes.c.pk == bindparam("lane"), lanes.c.due_at > _NOT_BEFORE).values(due_at=_NOT_BEFORE)
)


def wake(tx: Tx, due: Mapping[LanePk, int]) -> None:
    """Lower the `due_at` of these lanes; one that is due already is not touched, one whose circuit is open sleeps on
    until its probe. Call after inserting deliveries.
    """
    for lane_pk in sorted(due):
        _WAKE.run(tx, lane=lane_pk, at=due[lane_pk])


_WAKE_AT_ONCE = Prepared(update(lanes).where(lanes.c.pk == bindparam("lane"), lanes.c.due_at > _AT).values(due_at=_AT))


def wake_at_once(tx: Tx, lane_pk: LanePk, at: int) -> None:
    """Lower the `due_at` of this lane, in which there is something to cancel or judge anew: no probe is waited for."""
    _WAKE_AT_ONCE.run(tx, lane=lane_pk, at=at)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A lane that is due and whose owner, by the looker's wall clock, has missed a renewal; as it was seen."""

    lane_pk: LanePk
    owner: str
    lease_until: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """free: lanes that are due and have no owner, longest due first; next_at: the wall-clock instant to look next."""

    free: list[LanePk]
    suspects: list[Suspect]
    next_at: int


_IS_DUE = lanes.c.due_at <= bindparam("now")
_IS_FREE, _IS_OWNED = lanes.c.owner.is_(None), lanes.c.owner.is_not(None)
_FREE = Prepared(select(lanes.c.pk).where(_IS_DUE, _IS_FREE).order_by(lanes.c.due_at).limit(bindparam("count")))


def _leased(is_so: ColumnElement[bool], *columns: Any) -> Select[Any]:
    """These columns of lanes that are due and owned, the earliest lease first.

    By the index of leases, whatever else there is: of a hundred thousand lanes that are due, few have an owner. So
    their `due_at` is put as no index knows it.
    """
    is_due = lanes.c.due_at - bindparam("now", type_=BigInteger) <= 0
    return select(*columns).where(_IS_OWNED, is_so, is_due).order_by(lanes.c.lease_until)


_SUSPECT = (lanes.c.pk, lanes.c.owner, lanes.c.lease_until)
_COUNT = bindparam("count", type_=BigInteger)
_LATE = Prepared(_leased(lanes.c.lease_until <= bindparam("late"), *_SUSPECT).limit(_COUNT))
_EARLY = Prepared(_leased(lanes.c.lease_until > bindparam("early"), *_SUSPECT).limit(_COUNT))
_SHORT = _leased(
    and_(lanes.c.lease_until > bindparam("late"), lanes.c.owner != bindparam("by")),
    lanes.c.lease_until - bindparam("least", type_=BigInteger),
)
_SLEEPING = select(lanes.c.due_at).where(lanes.c.due_at > bindparam("now"), _IS_FREE).order_by(lanes.c.due_at)
_NEXT = Prepared(
    select(
        func.coalesce(_SLEEPING.limit(1).scalar_subquery(), NEVER_AT).label("due_at"),
        func.coalesce(_SHORT.limit(1).scalar_subquery(), NEVER_AT).label("short_at"),
    )
)


def candidates(tx: Tx, *, owner: str, now: int, renewal_ms: tuple[int, int], count: int) -> Candidates:
    """Lanes to take, and owned ones to watch; and when to look next.

    renewal_ms: how much of a lease is left at least, and at most, while its owner is well and the clocks agree.
    That is when a sleeping lane comes due or a lease that is not this owner's falls short, whichever is first.
    """
    least, most = renewal_ms
    late, early = now + least, now + most
    free = [row.pk for row in _FREE.rows(tx, now=now, count=count)]
    doubtful = _LATE.rows(tx, now=now, late=late, count=count) + _EARLY.rows(tx, now=now, early=early, count=count)
    suspects = [Suspect(row.pk, row.owner, row.lease_until) for row in doubtful]
    following = _NEXT.first(tx, now=now, late=late, least=least, by=owner)
    return Candidates(free, suspects, min(following.due_at, following.short_at))


_IS_ONE = Among(lanes.c.pk, "pks")
_OWNER: ColumnElement[str] = literal_column("coalesce(lanes.owner, '')")
"""The owner of lanes whose keys tell which rows: so put that no index over free or owned ones serves for it.
PostgreSQL would take one whenever its statistics are of a time when few were.
"""
_TAKEN = {"owner": bindparam("by"), "lease_until": bindparam("until"), "epoch": lanes.c.epoch + 1}
_ACQUIRE = Prepared(
    update(lanes).where(_IS_ONE, _IS_DUE, _OWNER == "").values(_TAKEN).returning(lanes.c.pk, lanes.c.epoch)
)
_TAKE_OVER = Prepared(
    update(lanes)
    .where(_IS_ONE, bindparam("of") == _OWNER, lanes.c.lease_until == bindparam("seen"))
    .values({**_TAKEN, "is_spent": True})
    .returning(lanes.c.pk, lanes.c.epoch)
)


def acquire(tx: Tx, lane_pks: Collection[LanePk], *, owner: str, now: int, lease_until: int) -> dict[LanePk, int]:
    """Take those of these lanes that are due and free. Gives the epoch of each lane that is now the owner's."""
    return dict(_ACQUIRE.rows(tx, pks=sorted(lane_pks), by=owner, now=now, until=lease_until))


def take_over(tx: Tx, silent: Collection[Suspect], *, owner: str, lease_until: int) -> dict[LanePk, int]:
    """Take those of these lanes that still are as they were seen. Gives the epoch of each that is now the owner's."""
    alike: dict[tuple[str, int], list[LanePk]] = {}  # lanes of one owner are renewed together
    for each in silent:
        alike.setdefault((each.owner, each.lease_until), []).append(each.lane_pk)
    taken: dict[LanePk, int] = {}
    for (of, seen), lane_pks in sorted(alike.items()):
        taken |= _TAKE_OVER.rows(tx, pks=sorted(lane_pks), of=of, seen=seen, by=owner, until=lease_until)
    return taken


_RENEW = Prepared(
    update(lanes)
    .where(_IS_ONE, bindparam("by") == _OWNER)
    .values(lease_until=bindparam("until"))
    .returning(lanes.c.pk, lanes.c.epoch)
)


def renew(tx: Tx, lane_pks: Collection[LanePk], *, owner: str, lease_until: int) -> dict[LanePk, int]:
    """Extend the leases that are still the owner's. Gives their epochs; a lane that is missing has been lost."""
    return dict(_RENEW.rows(tx, pks=sorted(lane_pks), by=owner, until=lease_until))


_FIRST_DUE = (
    select(deliveries.c.due_at)
    .where(deliveries.c.lane_pk == lanes.c.pk, deliveries.c.state == PENDING)
    .order_by(deliveries.c.due_at)
    .limit(1)
    .correlate(lanes)
    .scalar_subquery()
)
_LOCK_OWNED = Prepared(
    select(lanes.c.pk).where(_IS_ONE, bindparam("by") == _OWNER).order_by(lanes.c.pk).with_for_update()
)
_IS_CLOSED = endpoints.c.deregistered_at.is_not(None) | endpoints.c.deactivated_at.is_not(None)
_IS_RESTING = endpoints.c.disabled_at.is_not(None) | endpoints.c.paused_at.is_not(None)
_IS_UNWANTED = _IS_CLOSED | lanes.c.discard_at.is_not(None)
_NEXT_DUE = Prepared(
    select(
        lanes.c.pk,
        case((_IS_UNWANTED, 0), else_=lanes.c.probe_at).label("probe_at"),
        and_(_IS_RESTING, ~_IS_UNWANTED).label("is_resting"),
        func.coalesce(_FIRST_DUE, NEVER_AT).label("due_at"),
    )
    .join(endpoints, endpoints.c.id == lanes.c.endpoint_id)
    .where(_IS_ONE)
)
_GIVEN = ("owner", "lease_until", "due_at", "is_spent")


def park(
    tx: Tx, hold_ms: Mapping[LanePk, int], *, owner: str, spent: Collection[LanePk] = frozenset()
) -> dict[LanePk, int]:
    """Give these lanes back, each with the instant it is to be turned to again. Gives those instants.

    That is when its next delivery is due; not before the probe of an open circuit, and for an endpoint that is paused
    or disabled, when its next delivery has been held for `hold_ms` and expires. Neither counts once what waits is to
    be cancelled. spent: lanes whose rate limit has not forgotten yet what was sent.
    The lock and the look are two statements on purpose: the second sees what the first waited for.
    """
    owned = [row.pk for row in _LOCK_OWNED.rows(tx, pks=sorted(hold_ms), by=owner)]
    due = {}
    for row in _NEXT_DUE.rows(tx, pks=owned):
        held = hold_ms[row.pk] if row.is_resting else 0
        due[row.pk] = min(NEVER_AT, max(row.due_at + held, row.probe_at))
    given = [(lane_pk, None, 0, at, lane_pk in spent) for lane_pk, at in due.items()]
    update_rows(tx, lanes, ("pk",), _GIVEN, given, where=f"{_OWNER} <> ''")
    return due


_ASLEEP = (
    select(lanes.c.pk, func.coalesce(_FIRST_DUE, NEVER_AT).label("first"))
    .join(endpoints, endpoints.c.id == lanes.c.endpoint_id)
    .where(
        ~_IS_RESTING,
        lanes.c.probe_at <= bindparam("since"),
        lanes.c.due_at > bindparam("now"),
        bindparam("since") >= _FIRST_DUE,
        lanes.c.owner.is_(None),
    )
    .limit(bindparam("count"))
)


def overslept(tx: Tx, *, now: int, since: int, count: int) -> dict[LanePk, int]:
    """Free lanes that sleep although a delivery was due by `since`, with that instant. Should always be empty.

    Lanes that rest on purpose are left out: those of a paused or disabled endpoint, and those that await a probe.
    """
    rows = tx.execute(_ASLEEP, {"now": now, "since": since, "count": count})
    return {row.pk: row.first for row in rows}


def lock(tx: Tx, lane_pk: LanePk) -> None:
    """Hold the lane's row until the transaction ends; on PostgreSQL this waits for publishers in flight."""
    tx.execute(select(lanes.c.pk).where(lanes.c.pk == lane_pk).with_for_update())


_EPOCHS = Prepared(
    select(lanes.c.pk, lanes.c.epoch).where(_IS_ONE).order_by(lanes.c.pk).with_for_update(key_share=True)
)


def lock_epochs(tx: Tx, lane_pks: Sequence[LanePk]) -> dict[LanePk, int]:
    """The present epochs of these lanes, held until the transaction ends; publishers are not held up."""
    return dict(_EPOCHS.tuples(tx, {"pks": list(lane_pks)}))
