"""Registered webhooks and their subscriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from bookbell.core.model import Account, AccountId, EndpointId, LaneId, Level, OrganizationId
from bookbell.store.database import Tx
from bookbell.store.schema import accounts, endpoints, lanes, subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook as it is stored. url_sealed, secret_sealed: for the vault; url_masked: for pages and logs."""

    id: EndpointId
    organization_id: OrganizationId
    account_id: AccountId | None
    level: Level
    lane_id: LaneId
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
    event_types: tuple[str, ...] = ()

    @property
    def is_registered(self) -> bool:
        """Whether there is a webhook, rather than the memory of one."""
        return self.deregistered_at is None


def lock_account(tx: Tx, account: Account) -> None:
    """Let nobody else register a webhook for this account until the transaction ends."""
    tx.execute(select(accounts.c.id).where(accounts.c.id == account.id).with_for_update())


def find_account_endpoint(tx: Tx, organization_id: OrganizationId, account_id: AccountId) -> Endpoint | None:
    """The account's webhook, also a deregistered one, with its event types in their order."""
    query = (
        select(endpoints, lanes.c.id.label("lane_id"))
        .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
        .where(endpoints.c.organization_id == organization_id, endpoints.c.account_id == account_id, lanes.c.part == 0)
    )
    row = tx.execute(query).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def find_endpoint(tx: Tx, organization_id: OrganizationId, endpoint_id: str) -> Endpoint | None:
    """A registered webhook of this organization, of either level."""
    query = (
        select(endpoints, lanes.c.id.label("lane_id"))
        .join(lanes, lanes.c.endpoint_id == endpoints.c.id)
        .where(
            endpoints.c.organization_id == organization_id,
            endpoints.c.id == endpoint_id,
            endpoints.c.deregistered_at.is_(None),
            lanes.c.part == 0,
        )
    )
    row = tx.execute(query).first()
    return None if row is None else _endpoint(row, _event_types(tx, row.id))


def _event_types(tx: Tx, endpoint_id: str) -> tuple[str, ...]:
    query = (
        select(subscriptions.c.event_type)
        .where(subscriptions.c.endpoint_id == endpoint_id)
        .order_by(subscriptions.c.position)
    )
    return tuple(row.event_type for row in tx.execute(query))


def insert_endpoint(tx: Tx, new: Endpoint) -> None:
    """Add an endpoint; its lane is added by store.lanes."""
    tx.execute(
        insert(endpoints).values(
            id=new.id,
            organization_id=new.organization_id,
            account_id=new.account_id,
            level=new.level.value,
            **_changing(new),
            created_at=new.created_at,
        )
    )


def save_endpoint(tx: Tx, changed: Endpoint) -> None:
    """Write what may change of an endpoint."""
    tx.execute(
        update(endpoints)
        .where(endpoints.c.organization_id == changed.organization_id, endpoints.c.id == changed.id)
        .values(**_changing(changed))
    )


def _changing(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url_masked": endpoint.url_masked,
        "url_sealed": endpoint.url_sealed,
        "secret_sealed": endpoint.secret_sealed,
        "policy": endpoint.policy,
        "updated_at": endpoint.updated_at,
        "deregistered_at": endpoint.deregistered_at,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
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
