"""Asking for replays: what there would be to do, starting, reading and cancelling a job.

An account replays for its own webhook, a manager also for those of the organization, the operator for all of it.
Source: docs/replay.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bookbell.actions.org_webhooks import find_any
from bookbell.actions.stamp import Published, Stamp
from bookbell.actions.webhooks import Sealing, keyset_in, retire, secret_place, url_place
from bookbell.core import keyset, limits
from bookbell.core.errors import IllegalTransition, NotFound, WebhookNotFound
from bookbell.core.model import Account, DeliveryId, DeliveryState, EndpointId, LanePk, Level, OrganizationId, Role
from bookbell.core.replay import Candidate, JobState, ReplayJob, Wanted, first_cursor, narrowed, take
from bookbell.store import endpoints, history, replays, stream
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.history import Scope
from bookbell.store.stream import Stream

STAGING_POLICY = {
    "preset": "standard",
    "schedule_ms": [5_000, 60_000, 300_000],
    "is_gone_final": False,
    "circuit_failures": None,
    "disable_after_ms": None,
    "is_feedback_honoured": False,
}
"""A staging URL is tried four times within some minutes, and nothing it does stops the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Where to send to instead. url: as given, judged; masked: for pages; secret: to sign with, if at all."""

    url: str
    masked: str
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A replay as it is asked for."""

    wanted: Wanted
    rate_per_s: int = limits.REPLAY_RATE_DEFAULT
    staging: Staging | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What there is to do: how much, at least, and exactly if is_exact; and the first of it."""

    count: int
    is_exact: bool
    sample: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay that could be started: for which webhook, as asked, and what there is to do."""

    endpoint: Endpoint
    asked: Asked
    expected: Estimate


def scope_of(account: Account) -> Scope:
    """The webhooks whose replays an account may see and ask for."""
    is_manager = account.role is Role.MANAGER
    return Scope(organization_id=account.organization_id, account_id=account.id, has_org_level=is_manager)


def endpoint_for(tx: Tx, account: Account, webhook_uuid: str | None, delivery_id: str | None) -> Endpoint:
    """The webhook that a replay is about: that of the delivery, the one named, or the account's own.

    Raises: NotFound, WebhookNotFound, OrgWebhookNotFound, NotPermittedManager.
    """
    if delivery_id is not None:
        delivery = history.find_delivery(tx, scope_of(account), DeliveryId(delivery_id))
        if delivery is None:
            raise NotFound(f"Delivery {delivery_id[:80]} not found")
        webhook_uuid = delivery.endpoint_id if delivery.level is Level.ORG else None
    if webhook_uuid is None:
        own = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
        if own is None:
            raise WebhookNotFound
        return own
    return find_any(tx, account, webhook_uuid)


def plan_for(tx: Tx, endpoint: Endpoint, asked: Asked) -> Plan:
    """What a replay for this webhook would do; it changes nothing."""
    return Plan(endpoint, asked, _estimate(tx, endpoint, asked))


def plan_own(tx: Tx, account: Account, asked: Asked, webhook_uuid: str | None) -> Plan:
    """`plan_for` the webhook that an account means. Raises: as `endpoint_for`."""
    return plan_for(tx, endpoint_for(tx, account, webhook_uuid, asked.wanted.delivery_id), asked)


def plan_all(tx: Tx, organization_id: OrganizationId, asked: Asked, endpoint_id: str | None) -> list[Plan]:
    """`plan_for` one webhook of an organization, or for each that is sent to now. Raises: WebhookNotFound."""
    found = endpoints.list_endpoints(tx, organization_id)
    if endpoint_id is None:
        return [plan_for(tx, each, asked) for each in found if each.deactivated_at is None]
    chosen = [each for each in found if each.id == endpoint_id]
    if not chosen:
        raise WebhookNotFound
    return [plan_for(tx, each, asked) for each in chosen]


def _estimate(tx: Tx, endpoint: Endpoint, asked: Asked) -> Estimate:
    """What a replay would do, by the rules that it will go by. It changes nothing, and looks at so many rows only."""
    wanted, count, looked_at = narrowed(asked.wanted, endpoint.event_types), 0, 0
    cursor = first_cursor(wanted)
    sample: list[Candidate] = []
    while looked_at < limits.REPLAY_COUNTED_MAX:
        found = look(tx, endpoint, wanted, after=cursor, below=stream.POSITION_MAX)
        taken = take(found, wanted, job_id="", is_staging=asked.staging is not None, count_max=len(found))
        count += len(taken.chosen)
        sample += [candidate for candidate, _ in taken.chosen[: limits.REPLAY_SAMPLE_COUNT - len(sample)]]
        looked_at += len(found)
        if len(found) < limits.REPLAY_SCAN_COUNT:
            return Estimate(count, is_exact=True, sample=tuple(sample))
        cursor = taken.cursor or cursor
    return Estimate(count, is_exact=False, sample=tuple(sample))


def start(tx: Tx, plan: Plan, account: Account | None, vault: Sealing, stamp: Stamp) -> ReplayJob:
    """Begin a replay; workers go on with it. account None: the operator asks.

    It holds the organization's row, so the bound holds however many ask at once.
    Raises: IllegalTransition when nothing can be sent there, or too many are running; ValidationFailed for a secret.
    """
    endpoint, asked = plan.endpoint, plan.asked
    if asked.staging is None:
        refuse_unsendable(endpoint)
    endpoints.lock_organization(tx, endpoint.organization_id)
    if replays.count_running(tx, endpoint.organization_id) >= limits.REPLAYS_RUNNING_MAX:
        raise IllegalTransition(f"{limits.REPLAYS_RUNNING_MAX} replays are running; wait for one to end or cancel it.")
    job_id = stamp.new_id()
    staging_id = None if asked.staging is None else _add_staging(tx, endpoint, asked.staging, job_id, vault, stamp)
    wanted = narrowed(asked.wanted, endpoint.event_types)
    job = ReplayJob(
        id=job_id,
        organization_id=endpoint.organization_id,
        account_id=None if account is None else account.id,
        endpoint_id=endpoint.id,
        staging_id=staging_id,
        wanted=replace(wanted, until_at=min(wanted.until_at, stamp.at)),
        until_position=stream.next_position(tx),
        rate_per_s=asked.rate_per_s,
        state=JobState.RUNNING,
        detail=None,
        cursor=first_cursor(wanted),
        total_count=plan.expected.count,
        is_total_exact=plan.expected.is_exact,
        recovered_count=0,
        replayed_count=0,
        due_at=stamp.at,
        created_at=stamp.at,
        finished_at=None,
    )
    replays.insert_job(tx, job)
    return job


def start_all(tx: Tx, plans: Sequence[Plan], vault: Sealing, stamp: Stamp) -> list[ReplayJob]:
    """Begin those of these replays that have something to do, for the operator. Raises: as `start`."""
    return [start(tx, plan, None, vault, stamp) for plan in plans if plan.expected.count]


def inspect(tx: Tx, scope: Scope, job_id: str) -> tuple[ReplayJob, dict[DeliveryState, int]]:
    """One job with how the deliveries stand that it has made, or made due. Raises: NotFound."""
    job = demand(tx, scope, job_id)
    return job, replays.outcomes(tx, job.id)


def demand(tx: Tx, scope: Scope, job_id: str, *, is_locked: bool = False) -> ReplayJob:
    """One job within the scope. Raises: NotFound."""
    found = replays.find_job(tx, scope, job_id, is_locked=is_locked)
    if found is None:
        raise NotFound(f"Replay {job_id[:80]} not found")
    return found


def cancel(tx: Tx, scope: Scope, job_id: str, stamp: Stamp) -> Published[ReplayJob]:
    """Make nothing more due. What already is stays so; only what waits for a staging URL is cancelled with the job.

    Raises: NotFound, IllegalTransition when it has ended.
    """
    job = demand(tx, scope, job_id, is_locked=True)
    staging = None if job.staging_id is None else endpoints.find_staging(tx, job.organization_id, job.staging_id)
    is_sending = staging is not None and staging.is_registered
    if job.state is not JobState.RUNNING and not is_sending:
        raise IllegalTransition(f"Replay {job.id} is {job.state} already.")
    cancelled = replace(job, state=JobState.CANCELLED, finished_at=stamp.at)
    replays.save_job(tx, cancelled)
    rung = retire(tx, staging, stamp).lanes if staging is not None and is_sending else frozenset[LanePk]()
    return Published(cancelled, rung)


def refuse_unsendable(endpoint: Endpoint) -> None:
    """Raises: IllegalTransition when what is made due for this webhook would only be cancelled."""
    if not endpoint.is_registered:
        raise IllegalTransition("The webhook is not registered any more, so there is nowhere to send to.")
    if endpoint.deactivated_at is not None:
        raise IllegalTransition("The webhook is not active; activate it before anything is sent to it again.")


def look(tx: Tx, endpoint: Endpoint, wanted: Wanted, *, after: str, below: int) -> list[Candidate]:
    """The next candidates after the cursor, REPLAY_SCAN_COUNT at most; fewer at the end."""
    if not wanted.is_of_events:
        return replays.next_deliveries(tx, endpoint.id, wanted, after=after)
    owned = Stream(organization_id=endpoint.organization_id, account_id=endpoint.account_id, level=endpoint.level)
    return replays.next_events(tx, owned, endpoint.id, wanted, after=after, below=below)


def _add_staging(
    tx: Tx, endpoint: Endpoint, staging: Staging, job_id: str, vault: Sealing, stamp: Stamp
) -> EndpointId:
    """An endpoint and a lane for this job alone, so that nothing it does touches those of the webhook.

    It signs by the scheme of the webhook. Raises: ValidationFailed when the secret cannot.
    """
    staging_id, secrets = EndpointId(stamp.new_id()), None
    if staging.secret is not None:
        keyset.check_length("staging_secret", staging.secret)
        only = keyset.Secret(id=stamp.new_id(), value=staging.secret, created_at=stamp.at)
        secrets = keyset.to_text(keyset.replaced(keyset_in(endpoint, vault), only))
    new = Endpoint(
        id=staging_id,
        organization_id=endpoint.organization_id,
        account_id=None,
        level=endpoint.level,
        url_masked=staging.masked,
        url_sealed=vault.seal(staging.url, url_place(staging_id)),
        secret_sealed=None if secrets is None else vault.seal(secrets, secret_place(staging_id)),
        policy=json.dumps(STAGING_POLICY),
        created_at=stamp.at,
        updated_at=stamp.at,
        deregistered_at=None,
        disabled_at=None,
        disabled_reason=None,
        replay_job_id=job_id,
    )
    endpoints.insert_endpoint(tx, new)
    return staging_id
