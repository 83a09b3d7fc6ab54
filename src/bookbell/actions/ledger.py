"""The ledger for who asks: of a whole installation in slices, and of one webhook for its owner."""

from dataclasses import dataclass

from bookbell.actions.org_webhooks import find_any
from bookbell.core import limits
from bookbell.core.errors import ValidationFailed, WebhookNotFound
from bookbell.core.instants import day_of, id_floor
from bookbell.core.ledger import Finding, Ledger, of_findings
from bookbell.core.model import Account
from bookbell.store import chores, endpoints, kept, ledger
from bookbell.store.database import Tx

CHORE = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a range of events came to. after: the last id it covers; is_last: nothing of what was asked is left."""

    ledgers: list[Ledger]
    findings: list[Finding]
    after: str
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Events made from `since`, before `before`, of one organization or of all."""

    since: int
    before: int
    organization_id: str | None = None


def audit_slice(tx: Tx, wanted: Range, *, after: str = "") -> Slice:
    """The next slice of an audit, behind the id `after`; the first also counts what retention has removed.

    All in one snapshot. Removed rows are counted by whole days, so the day in which `since` lies counts whole.
    """
    start, until = max(after, id_floor(wanted.since)), id_floor(wanted.before)
    end = kept.range_end(tx, "events", after=start, until=until, count=limits.AUDIT_BATCH_COUNT)
    ledgers = ledger.counted(tx, after=start, until=end, organization_id=wanted.organization_id)
    if not after:
        ledgers += ledger.totals(
            tx, since=day_of(wanted.since), before=wanted.before, organization_id=wanted.organization_id
        )
    found = ledger.findings(tx, after=start, until=end, organization_id=wanted.organization_id)
    ledgers += of_findings(found)
    return Slice(ledgers=ledgers, findings=found, after=end, is_last=end == until)


def audited_until(tx: Tx) -> str:
    """The last id that the background has audited, empty if none."""
    return chores.peek(tx, CHORE) or ""


def move_audit(tx: Tx, to: str, *, owner: str, lease_until: int) -> None:
    """The background has audited up to this id. Raises: ChoreLost."""
    chores.hold(tx, CHORE, owner=owner, lease_until=lease_until)
    chores.move(tx, CHORE, to)


def of_account_webhook(tx: Tx, account: Account, wanted: Range) -> Ledger:
    """The ledger of the account's webhook. Raises: WebhookNotFound, ValidationFailed if there is too much to count."""
    webhook = endpoints.find_account_endpoint(tx, account.organization_id, account.id)
    if webhook is None:
        raise WebhookNotFound
    return _of(tx, account, webhook.id, wanted)


def of_org_webhook(tx: Tx, account: Account, webhook_uuid: str, wanted: Range) -> Ledger:
    """The ledger of one of the organization's webhooks, also a deleted one, for a manager.

    Raises: NotPermittedManager, OrgWebhookNotFound, ValidationFailed if there is too much to count.
    """
    return _of(tx, account, find_any(tx, account, webhook_uuid).id, wanted)


def _of(tx: Tx, account: Account, endpoint_id: str, wanted: Range) -> Ledger:
    since, before = id_floor(wanted.since), id_floor(wanted.before)
    found = ledger.of_endpoint(tx, account.organization_id, endpoint_id, since=since, before=before)
    if found.matched > limits.LEDGER_ROWS_MAX:
        raise ValidationFailed(
            f"since: there are more than {limits.LEDGER_ROWS_MAX} deliveries in this range; ask for a shorter one"
        )
    removed = ledger.totals(
        tx,
        since=day_of(wanted.since),
        before=wanted.before,
        organization_id=account.organization_id,
        endpoint_id=endpoint_id,
    )
    for each in removed:
        found = found.plus(each) if each.endpoint_id else found
    return found
