"""What the owner of a lane needs to know of its endpoint, read again with each look: so a look should cost little."""

from collections.abc import Callable, Collection
from typing import Any

from msgspec import Struct
from sqlalchemy import bindparam, func, select

from bookbell.core.circuit import CLOSED, Circuit
from bookbell.core.model import NO_LANE, AccountId, EndpointId, LanePk, Level, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.lanes import CIRCUIT, PENDING
from bookbell.store.prepared import Prepared
from bookbell.store.schema import NEVER_AT, deliveries, endpoints, lanes


class LaneConfig(Struct, frozen=True, gc=False):
    """How the endpoint behind a lane stands now.

    closed_at, disabled_at: set when nothing may be sent. The first (deregistered or deactivated) also means that
    nothing waits any more. paused_at, resumed_at: by hand. discard_at: what was created by then is to be cancelled.
    next_due_at: when the first delivery of the lane that is not due yet will be, NEVER_AT if there is none.
    is_spent: a rate limit begins with nothing, because the owner before may have sent just now.
    """

    lane_pk: LanePk
    organization_id: OrganizationId
    endpoint_id: EndpointId
    account_id: AccountId | None
    epoch: int
    url_sealed: bytes | None
    secret_sealed: bytes | None
    policy: str
    updated_at: int
    closed_at: int | None
    disabled_at: int | None
    paused_at: int | None
    resumed_at: int | None
    discard_at: int | None
    next_due_at: int
    level: Level
    is_spent: bool
    circuit: Circuit

    @property
    def is_resting(self) -> bool:
        """Whether nothing may be sent although it is kept."""
        return self.disabled_at is not None or self.paused_at is not None

    @property
    def is_unwanted(self) -> bool:
        """Whether something of what waits is to be cancelled before anything may be sent."""
        return self.closed_at is not None or self.discard_at is not None


_NOT_YET_DUE = (
    select(deliveries.c.due_at)
    .where(deliveries.c.lane_pk == lanes.c.pk, deliveries.c.state == PENDING, deliveries.c.due_at > bindparam("now"))
    .order_by(deliveries.c.due_at)
    .limit(1)
    .correlate(lanes)
    .scalar_subquery()
)
_COLUMNS = (  # in the order of LaneConfig, whose last three are made of what follows
    lanes.c.pk,
    lanes.c.organization_id,
    lanes.c.endpoint_id,
    endpoints.c.account_id,
    lanes.c.epoch,
    endpoints.c.url_sealed,
    endpoints.c.secret_sealed,
    endpoints.c.policy,
    endpoints.c.updated_at,
    func.coalesce(endpoints.c.deregistered_at, endpoints.c.deactivated_at).label("closed_at"),
    endpoints.c.disabled_at,
    endpoints.c.paused_at,
    endpoints.c.resumed_at,
    lanes.c.discard_at,
    func.coalesce(_NOT_YET_DUE, NEVER_AT).label("next_due_at"),
)
_CIRCUIT_NAMES = tuple(column.name for column in CIRCUIT)
_CLOSED_ROW = tuple(getattr(CLOSED, name) for name in _CIRCUIT_NAMES)


_CONFIG = Prepared(
    select(*_COLUMNS, endpoints.c.level, lanes.c.is_spent, *CIRCUIT)
    .join(endpoints, endpoints.c.id == lanes.c.endpoint_id)
    .where(lanes.c.pk == bindparam("lane"))
)


def configs(tx: Tx, lane_pks: Collection[LanePk], *, now: int) -> list[LaneConfig]:
    """The endpoints behind these lanes, as they stand now; no order."""
    asked = [{"lane": lane_pk, "now": now} for lane_pk in lane_pks]
    return [_config(row) for row in _CONFIG.of_each(tx, asked, {"lane": NO_LANE, "now": now})]


_made: Callable[..., LaneConfig] = LaneConfig  # by position


def _config(row: tuple[Any, ...]) -> LaneConfig:
    (level, is_spent), stored = row[len(_COLUMNS) : -len(CIRCUIT)], row[-len(CIRCUIT) :]
    circuit = CLOSED if stored == _CLOSED_ROW else Circuit(**dict(zip(_CIRCUIT_NAMES, stored, strict=True)))
    return _made(*row[: len(_COLUMNS)], level=Level(level), is_spent=bool(is_spent), circuit=circuit)
