"""Registered webhooks and their subscriptions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, Row, ScalarSelect, Select, and_, delete, insert, select, update

from bookbell.core.model import (
    NO_ENDPOINT,
    NO_LANE,
    AccountId,
    EndpointId,
    EndpointPk,
    LanePk,
    Level,
    OrganizationId,
)
from bookbell.store.database import Tx
from bookbell.store.lanes import insert_lane
from bookbell.store.schema import accounts, endpoints, lanes, organizations, subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook as it is stored. url_sealed, secret_sealed: for the vault; url_masked: for pages and logs.

    are_credentials_apart: the sealed URL holds credentials that were not given in it; deactivated_at: set while its
    owner wants nothing sent; disabled_at: set since the receiver has refused everything;
    replay_job_id: this is no webhook, but where that replay sends to. pk, lane_pk: keys of its row and of its first
    lane, once it is stored.
    """

    id: EndpointId
    organization_id: OrganizationId
    account_id: AccountId | None
    level: Level
    url_masked: str | None
    url_sealed: bytes | None
    secret_sealed: bytes | None
    policy: str
    created_at: int
    updated_at: int
    deregistered_at: int | None
    disabled_at: int | None
    disabled_reason: str | None
    paused_at: int | None = None
    resumed_at: int | None = None
    deactivated_at: int | None = None
    description: str | None = None
    are_credentials_apart: bool = False
    replay_job_id: str | None = None
    event_types: tuple[str, ...] = ()
    pk: EndpointPk = NO_ENDPOINT
    lane_pk: LanePk = NO_LANE

    @property
    def is_registered(self) -> bool:
        """Whether there is a webhook, rather than the memory of one."""
        return self.deregistered_at is None

    @property
    def state(self) -> str:
        """`active`, or why nothing is sent: `deregistered`, `inactive` (its owner's wish) or `disabled`."""
        if not self.is_registered:
            return "deregistered"
        if self.deactivated_at is not None:
            return "inactive"
        return "active" if self.disabled_at is None else "disabled"

    @property
    def is_active(self) -> bool:
        """Whether its deliveries are sent now."""
        return self.state == "active"


def lock_account(tx: Tx, account_id: AccountId) -> None:
    """Let nobody else register or change a webhook for this account until the transaction ends."""
    tx.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())


def lock_organization(tx: Tx, organization_id: OrganizationId) -> None:
    """Let nobody else change the webhooks of this organization until the transaction ends; other work goes on."""
    tx.execute(select(organizations.c.id).where(organizations.c.id == organization_id).with_for_update(key_share=True))


def lock_owner(tx: Tx, endpoint: Endpoint) -> None:
    """Let nobody else change this webhook until the transaction ends."""
    if endpoint.account_id is None:
        lock_organization(tx, endpoint.organization_id)
    else:
        lock_account(tx, endpoint.account_id)


def find_account_endpoint(tx: Tx, organization_id: OrganizationId, account_id: AccountId) -> Endpoint | None:
    """The account's webhook, also a deregistered one, with its event types in their order."""
    row = tx.execute(_of_organization(organization_id).where(endpoints.c.account_id == account_id)).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def find_org_endpoint(tx: Tx, organization_id: OrganizationId, endpoint_id: str) -> Endpoint | None:
    """An org-level webhook of this organization, also a deleted one."""
    is_org_level = endpoints.c.level == Level.ORG.value
    row = tx.execute(_of_organization(organization_id).where(is_org_level, endpoints.c.id == endpoint_id)).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def find_endpoint(tx: Tx, organization_id: OrganizationId, endpoint_id: str) -> Endpoint | None:
    """A registered webhook of this organization, of either level."""
    query = _of_organization(organization_id).where(
        endpoints.c.id == endpoint_id, endpoints.c.deregistered_at.is_(None)
    )
    row = tx.execute(query).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def find_any(tx: Tx, organization_id: OrganizationId, endpoint_id: str) -> Endpoint | None:
    """An endpoint of this organization whatever it is: a webhook, the memory of one, or where a replay sends to."""
    row = tx.execute(_with_lane(organization_id).where(endpoints.c.id == endpoint_id)).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def find_staging(tx: Tx, organization_id: OrganizationId, endpoint_id: str) -> Endpoint | None:
    """Where a replay sends to that does not send to a webhook."""
    query = _with_lane(organization_id).where(endpoints.c.id == endpoint_id, endpoints.c.replay_job_id.is_not(None))
    row = tx.execute(query).first()
    return None if row is None else _endpoint(row, ())


def list_endpoints(tx: Tx, organization_id: OrganizationId) -> list[Endpoint]:
    """The registered webhooks of this organization, of both levels, oldest first."""
    query = _of_organization(organization_id).where(endpoints.c.deregistered_at.is_(None)).order_by(endpoints.c.id)
    return _endpoints(tx, tx.execute(query).all())


def list_org_endpoints(tx: Tx, organization_id: OrganizationId) -> list[Endpoint]:
    """The registered org-level webhooks of this organization, oldest first, however many accounts it has."""
    is_org_level = and_(endpoints.c.account_id.is_(None), endpoints.c.level == Level.ORG.value)
    query = _of_organization(organization_id).where(is_org_level, endpoints.c.deregistered_at.is_(None))
    return _endpoints(tx, tx.execute(query.order_by(endpoints.c.id)).all())


def page_endpoints(tx: Tx, organization_id: OrganizationId, *, after: str, count: int) -> list[Endpoint]:
    """The registered webhooks of this organization with an id after this one, of both levels, oldest first."""
    query = (
        _of_organization(organization_id)
        .where(endpoints.c.deregistered_at.is_(None), endpoints.c.id > after)
        .order_by(endpoints.c.id)
        .limit(count)
    )
    return _endpoints(tx, tx.execute(query).all())


def _of_organization(organization_id: OrganizationId) -> Select[Any]:
    """Its webhooks; where replays send to besides is none."""
    return _with_lane(organization_id).where(endpoints.c.replay_job_id.is_(None))


def _with_lane(organization_id: OrganizationId) -> Select[Any]:
    return (
        select(endpoints, lanes.c.pk.label("lane_pk"))
        .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
        .where(endpoints.c.organization_id == organization_id, lanes.c.part == 0)
    )


def _endpoints(tx: Tx, rows: Sequence[Row[Any]]) -> list[Endpoint]:
    """These rows with what each is subscribed to, which takes one statement for all."""
    wanted: dict[str, list[str]] = {row.id: [] for row in rows}
    query = (
        select(subscriptions.c.endpoint_id, subscriptions.c.event_type)
        .where(subscriptions.c.endpoint_id.in_(list(wanted)))
        .order_by(subscriptions.c.endpoint_id, subscriptions.c.position)
    )
    for each in tx.execute(query):
        wanted[each.endpoint_id].append(each.event_type)
    return [_endpoint(row, tuple(wanted[row.id])) for row in rows]


def _event_types(tx: Tx, endpoint_id: str) -> tuple[str, ...]:
    query = (
        select(subscriptions.c.event_type)
        .where(subscriptions.c.endpoint_id == endpoint_id)
        .order_by(subscriptions.c.position)
    )
    return tuple(row.event_type for row in tx.execute(query))


def insert_endpoint(tx: Tx, new: Endpoint) -> Endpoint:
    """Add an endpoint and its lane. Gives it with their keys."""
    row = insert(endpoints).values(
        id=new.id,
        organization_id=new.organization_id,
        account_id=new.account_id,
        level=new.level.value,
        **_changing(new),
        created_at=new.created_at,
        replay_job_id=new.replay_job_id,
    )
    pk = tx.execute(row.returning(endpoints.c.pk)).scalar_one()
    return replace(new, pk=pk, lane_pk=insert_lane(tx, new.organization_id, new.id))


def key_of(endpoint_id: str | BindParameter[str]) -> ScalarSelect[int]:
    """Within a statement: the key of the endpoint with this id."""
    return select(endpoints.c.pk).where(endpoints.c.id == endpoint_id).scalar_subquery()


def save_endpoint(tx: Tx, changed: Endpoint, *, is_enabled: bool = False) -> None:
    """Write what may change of an endpoint. is_enabled: one that was disabled is so no more.

    Otherwise that stays as it stands: a worker that disables an endpoint does not hold its owner's row.
    """
    enabled = {"disabled_at": None, "disabled_reason": None} if is_enabled else {}
    tx.execute(
        update(endpoints)
        .where(endpoints.c.organization_id == changed.organization_id, endpoints.c.id == changed.id)
        .values(**_changing(changed), **enabled)
    )


def mark_changed(tx: Tx, endpoint: Endpoint) -> None:
    """Have the owners of its lanes read anew what they have read ahead: something has come to lie before it."""
    tx.execute(
        update(endpoints)
        .where(endpoints.c.organization_id == endpoint.organization_id, endpoints.c.id == endpoint.id)
        .values(updated_at=endpoints.c.updated_at + 1)
    )


def _changing(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "description": endpoint.description,
        "url_masked": endpoint.url_masked,
        "url_sealed": endpoint.url_sealed,
        "are_credentials_apart": endpoint.are_credentials_apart,
        "secret_sealed": endpoint.secret_sealed,
        "policy": endpoint.policy,
        "updated_at": endpoint.updated_at,
        "deregistered_at": endpoint.deregistered_at,
        "deactivated_at": endpoint.deactivated_at,
        "paused_at": endpoint.paused_at,
        "resumed_at": endpoint.resumed_at,
    }


def replace_subscriptions(
    tx: Tx, organization_id: OrganizationId, endpoint_id: EndpointId, event_types: Sequence[str]
) -> None:
    """From now on the endpoint wants these event types and no others."""
    tx.execute(
        delete(subscriptions).where(
            subscriptions.c.organization_id == organization_id, subscriptions.c.endpoint_id == endpoint_id
        )
    )
    if event_types:
        tx.execute(
            insert(subscriptions),
            [
                {
                    "endpoint_id": endpoint_id,
                    "event_type": event_type,
                    "organization_id": organization_id,
                    "position": position,
                }
                for position, event_type in enumerate(event_types)
            ],
        )


def _endpoint(row: Row[Any], event_types: tuple[str, ...]) -> Endpoint:
    values = dict(row._mapping)
    return Endpoint(**{**values, "level": Level(values["level"]), "event_types": event_types})
