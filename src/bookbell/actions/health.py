"""How a webhook is doing, and stopping and starting it by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bookbell.actions import webhooks
from bookbell.actions.signing import Which, locked
from bookbell.actions.stamp import Published, Stamp
from bookbell.core import limits
from bookbell.core.circuit import Circuit
from bookbell.core.health import Condition, Health, health
from bookbell.core.policy import policy_from
from bookbell.store import circuits, deliveries, endpoints, lanes
from bookbell.store.circuits import Notice
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Examined:
    """disable_at: when the endpoint is disabled if nothing but failure goes on, None if it is not."""

    endpoint: Endpoint
    health: Health
    circuits: list[Circuit]
    disable_at: int | None
    notices: list[Notice]


def examine(tx: Tx, which: Which, *, now: int) -> Examined:
    """How this webhook is doing, with its latest notices. Raises: WebhookNotFound."""
    return examine_all(tx, [which(tx)], now=now)[0]


def examine_all(tx: Tx, wanted: Sequence[Endpoint], *, now: int) -> list[Examined]:
    """How each of these webhooks is doing, with its latest notices; two statements for all."""
    found = circuits.list_circuits(tx, [each.id for each in wanted])
    of = [(each.organization_id, each.id) for each in wanted]
    told = circuits.list_notices(tx, of, count=limits.NOTICE_COUNT_MAX)
    return [_examined(each, found[each.id], told[each.id], now) for each in wanted]


def _examined(endpoint: Endpoint, found: list[Circuit], notices: list[Notice], now: int) -> Examined:
    condition = Condition(
        circuits=found,
        paused_at=endpoint.paused_at,
        disabled_at=endpoint.disabled_at,
        disabled_reason=endpoint.disabled_reason,
    )
    told = health(condition, now)
    after_ms = policy_from(json.loads(endpoint.policy)).disable_after_ms
    since, disable_at = told.circuit.failing_since, None
    if endpoint.disabled_at is None and since is not None and after_ms is not None:
        disable_at = since + after_ms
    return Examined(endpoint, told, found, disable_at, notices)


def pause(tx: Tx, which: Which, stamp: Stamp) -> Published[Examined]:
    """Send nothing until it is resumed; what comes is kept, and what is in flight is finished.

    Like whoever changes a webhook it holds the row of who owns it, so none undoes what another has changed.
    Raises: WebhookNotFound.
    """
    endpoint = locked(tx, which)
    changed = replace(endpoint, paused_at=endpoint.paused_at or stamp.at, updated_at=webhooks.later(endpoint, stamp))
    endpoints.save_endpoint(tx, changed)
    _note(tx, endpoint, "paused", "paused by hand", stamp)
    return Published(examine(tx, which, now=stamp.at), frozenset(lanes.of_endpoint(tx, endpoint.id)))


def resume(tx: Tx, which: Which, *, is_draining: bool, stamp: Stamp) -> Published[Examined]:
    """Send again: ends a pause, enables a disabled webhook and closes its circuit. Raises: WebhookNotFound.

    is_draining: whether what was held is sent; else it is cancelled with reason `skipped`.
    """
    endpoint = locked(tx, which)
    changed = replace(
        endpoint,
        paused_at=None,
        disabled_at=None,
        disabled_reason=None,
        resumed_at=stamp.at,
        updated_at=webhooks.later(endpoint, stamp),
    )
    endpoints.save_endpoint(tx, changed, is_enabled=True)
    reset = circuits.reset_circuits(tx, endpoint.id)
    if not is_draining:
        for lane_pk in sorted(reset):
            deliveries.discard(tx, lane_pk, reason="skipped", at=stamp.at)
    lanes.wake(tx, dict.fromkeys(reset, stamp.at))
    told = "resumed by hand" if is_draining else "resumed by hand; what was held is skipped"
    _note(tx, endpoint, "resumed", told, stamp)
    return Published(examine(tx, which, now=stamp.at), reset)


def _note(tx: Tx, endpoint: Endpoint, kind: str, detail: str, stamp: Stamp) -> None:
    notice = Notice(
        id=stamp.new_id(),
        organization_id=endpoint.organization_id,
        endpoint_id=endpoint.id,
        kind=kind,
        detail=detail,
        created_at=stamp.at,
    )
    circuits.insert_notices(tx, [notice])
