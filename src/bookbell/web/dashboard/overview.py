"""The lists of the dashboard: every organization with its webhooks, and one organization with all of its own."""

from bookbell.actions.health import Examined
from bookbell.actions.overview import OrganizationPart, WebhookRow
from bookbell.core.health import HealthState
from bookbell.core.model import Level
from bookbell.store.overview import Waiting
from bookbell.web.dashboard.frame import page
from bookbell.web.dashboard.markup import Markup, Piece, ago, badge, joined, link, moment, table, tag

_KINDS = {
    HealthState.DELIVERING: "good",
    HealthState.FAILING: "warn",
    HealthState.WAITING: "bad",
    HealthState.RECOVERING: "busy",
    HealthState.PAUSED: "idle",
    HealthState.DISABLED: "bad",
}
_LEVELS = {Level.ACCOUNT: "account", Level.ORG: "organization"}


def organizations_page(parts: list[OrganizationPart], after: str | None, now: int) -> bytes:
    """The first page. after: where the next organizations go on."""
    listed = [_section(each, now) for each in parts]
    if not listed:
        listed = [tag("p", "There is no organization here.", class_="quiet")]
    more = tag("p", link([], "More organizations ›", after=after), class_="more") if after else None
    return page("Webhooks", *listed, more, now=now)


def organization_page(part: OrganizationPart, now: int) -> bytes:
    """One organization."""
    way = ["organizations", part.organization.id]
    more = tag("p", link(way, "More webhooks ›", after=part.after), class_="more") if part.after else None
    return page(part.organization.name, tag("section", _webhooks(part, now), more), now=now)


def state(examined: Examined) -> Markup:
    """How a webhook is doing, as a mark and a sentence."""
    if examined.endpoint.deactivated_at is not None:
        return badge("idle", "inactive: its organization has deactivated it")
    return badge(_KINDS[examined.health.state], examined.health.sentence)


def owner(row: WebhookRow) -> str:
    """Whose webhook this is, in words."""
    endpoint = row.examined.endpoint
    named = endpoint.description if row.account is None else row.account.name
    return f"{_LEVELS[endpoint.level]} level" + (f" · {named}" if named else "")


def waiting_count(waiting: Waiting) -> str:
    """How many wait, with a plus where there are more than were counted."""
    return f"{waiting.count:,}{'+' if waiting.is_more else ''}"


def oldest(waiting: Waiting, now: int) -> Piece:
    """Since when the oldest waits; of more than were counted one may be older still."""
    if waiting.oldest_at is None:
        return "–"
    return joined([ago(waiting.oldest_at, now), tag("small", " or earlier") if waiting.is_more else None])


def _section(part: OrganizationPart, now: int) -> Markup:
    way, name = ["organizations", part.organization.id], part.organization.name
    more = tag("p", link(way, f"All webhooks of {name} ›"), class_="more") if part.after else None
    return tag("section", tag("h2", link(way, name)), _webhooks(part, now), more)


def _webhooks(part: OrganizationPart, now: int) -> Markup:
    if not part.rows:
        return tag("p", "No webhook is registered.", class_="quiet")
    heads = ["Webhook", "State", "Waiting", "Oldest waiting", "Latest notice"]
    return tag("div", table(heads, (_row(each, now) for each in part.rows), numbers=[2]), class_="list")


def _row(row: WebhookRow, now: int) -> list[Piece]:
    endpoint = row.examined.endpoint
    way = ["organizations", endpoint.organization_id, "endpoints", endpoint.id]
    named = joined([link(way, endpoint.url_masked or "no URL"), tag("small", owner(row))])
    return [named, state(row.examined), waiting_count(row.waiting), oldest(row.waiting, now), _notice(row, now)]


def _notice(row: WebhookRow, now: int) -> Piece:
    if not row.examined.notices:
        return "–"
    latest, *others = row.examined.notices
    more = f" and {len(others)} more" if others else ""
    return joined([latest.detail, tag("small", moment(latest.created_at, now), more)])
