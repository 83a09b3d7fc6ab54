"""The circuits of lanes as rows, and the notices about endpoints."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, bindparam, func, insert, select, union_all, update

from bookbell.core.circuit import CLOSED, Circuit
from bookbell.core.model import EndpointId, LanePk, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.lanes import CIRCUIT, circuit_of
from bookbell.store.schema import endpoints, lanes, notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to know of an endpoint. kind: `failing_50`, `failing_70`, `failing_90`, `disabled`, `paused`, ..."""

    id: str
    organization_id: OrganizationId
    endpoint_id: EndpointId
    kind: str
    detail: str
    created_at: int


_SAVE = (
    update(lanes)
    .where(lanes.c.pk == bindparam("lane"), lanes.c.epoch == bindparam("by_epoch"))
    .values({column.name: bindparam(f"new_{column.name}") for column in CIRCUIT})
)


def save_circuits(tx: Tx, changed: Sequence[tuple[LanePk, int, Circuit]]) -> None:
    """Keep these circuits, each of a lane at an epoch; one whose epoch has passed is left alone."""
    if changed:
        values = [
            {"lane": lane_pk, "by_epoch": epoch, **{f"new_{name}": value for name, value in asdict(circuit).items()}}
            for lane_pk, epoch, circuit in sorted(changed, key=lambda each: each[0])
        ]
        tx.execute(_SAVE, values)


_SUCCEEDED = update(lanes).where(lanes.c.pk == bindparam("lane")).values(succeeded_at=bindparam("at"))


def note_successes(tx: Tx, lane_pks: Collection[LanePk], *, at: int) -> None:
    """Keep that something was delivered from these lanes by then."""
    if lane_pks:
        tx.execute(_SUCCEEDED, [{"lane": lane_pk, "at": at} for lane_pk in sorted(lane_pks)])


def succeeded_beside(tx: Tx, failing: Mapping[LanePk, int]) -> dict[LanePk, int]:
    """Of lanes that did nothing but fail since an instant: those beside which another of the endpoint succeeded, and
    when.
    """
    other = lanes.alias("other")
    query = (
        select(lanes.c.pk, func.max(other.c.succeeded_at).label("at"))
        .join(other, other.c.endpoint_id == lanes.c.endpoint_id)
        .where(lanes.c.pk.in_(sorted(failing)), other.c.pk != lanes.c.pk, other.c.succeeded_at.is_not(None))
        .group_by(lanes.c.pk)
    )
    return {row.pk: row.at for row in tx.execute(query) if row.at > failing[row.pk]}


def reset_circuits(tx: Tx, endpoint_id: EndpointId) -> frozenset[LanePk]:
    """Close the circuits of all lanes of this endpoint. Gives the lanes; wake them after it."""
    rows = tx.execute(
        update(lanes).where(lanes.c.endpoint_id == endpoint_id).values(**asdict(CLOSED)).returning(lanes.c.pk)
    )
    return frozenset(row.pk for row in rows)


def give_up_circuits(tx: Tx, endpoint_id: EndpointId) -> None:
    """Close the circuits of this endpoint that are open or recovering. Wake its lanes after it."""
    is_moved = lanes.c.opened_at.is_not(None) | lanes.c.allowance.is_not(None)
    tx.execute(update(lanes).where(lanes.c.endpoint_id == endpoint_id, is_moved).values(**asdict(CLOSED)))


def list_circuits(tx: Tx, endpoint_ids: Collection[EndpointId]) -> dict[EndpointId, list[Circuit]]:
    """The circuits of each endpoint's lanes, in the order of the lanes."""
    query = (
        select(lanes.c.endpoint_id, *CIRCUIT)
        .where(lanes.c.endpoint_id.in_(list(endpoint_ids)))
        .order_by(lanes.c.endpoint_id, lanes.c.part)
    )
    found: dict[EndpointId, list[Circuit]] = {each: [] for each in endpoint_ids}
    for row in tx.execute(query):
        found[EndpointId(row.endpoint_id)].append(circuit_of(row))
    return found


def insert_notices(tx: Tx, new: Sequence[Notice]) -> None:
    """Add these notices."""
    if new:
        tx.execute(insert(notices), [asdict(notice) for notice in new])


def is_told(tx: Tx, notice: Notice, *, since: int) -> bool:
    """Whether this endpoint has a notice of this kind since that instant."""
    query = select(notices.c.id).where(
        notices.c.organization_id == notice.organization_id,
        notices.c.endpoint_id == notice.endpoint_id,
        notices.c.kind == notice.kind,
        notices.c.created_at >= since,
    )
    return tx.execute(query.limit(1)).first() is not None


def list_notices(
    tx: Tx, of: Collection[tuple[OrganizationId, EndpointId]], *, count: int
) -> dict[EndpointId, list[Notice]]:
    """The latest notices about each of these endpoints, newest first, at most so many of each."""
    found: dict[EndpointId, list[Notice]] = {endpoint_id: [] for _, endpoint_id in of}
    if not of:
        return found
    parts = [
        select(notices)
        .where(notices.c.organization_id == organization_id, notices.c.endpoint_id == endpoint_id)
        .order_by(notices.c.id.desc())
        .limit(count)
        .subquery()
        for organization_id, endpoint_id in of
    ]
    every = union_all(*(select(part) for part in parts)).subquery()
    for row in tx.execute(select(every).order_by(every.c.id.desc())):
        found[EndpointId(row.endpoint_id)].append(Notice(**row._mapping))
    return found


_DISABLE = (
    update(endpoints)
    .where(
        endpoints.c.id == select(lanes.c.endpoint_id).where(lanes.c.pk == bindparam("lane")).scalar_subquery(),
        endpoints.c.disabled_at.is_(None),
        endpoints.c.resumed_at.is_not_distinct_from(bindparam("resumed", type_=BigInteger)),
    )
    .values(disabled_at=bindparam("at"), disabled_reason=bindparam("why"), updated_at=endpoints.c.updated_at + 1)
)


def disable_endpoint(tx: Tx, lane_pk: LanePk, *, resumed_at: int | None, reason: str, at: int) -> bool:
    """Stop sending to the endpoint behind this lane; what waits is kept until it is configured again.

    Gives whether it is disabled by that: not if it is already, nor if it was configured again since it was resumed at
    that instant, for the reason is one of what it was before.
    """
    return tx.execute(_DISABLE, {"lane": lane_pk, "resumed": resumed_at, "at": at, "why": reason}).rowcount > 0
