"""Deliveries of a webhook, and one of them with its attempts and how long each part of them took."""

from bookbell.actions.overview import DeliveryWhole
from bookbell.core.model import DeliveryState
from bookbell.store.overview import SentDelivery, TimedAttempt
from bookbell.web.dashboard.frame import page
from bookbell.web.dashboard.markup import Markup, Piece, badge, facts, joined, link, maybe, moment, table, tag

_KINDS = {
    DeliveryState.PENDING: "busy",
    DeliveryState.DELIVERED: "good",
    DeliveryState.EXHAUSTED: "bad",
    DeliveryState.CANCELLED: "idle",
}
_PARTS = ("dns", "connect", "tls", "first_byte", "total")


def listed(way: list[str], deliveries: list[SentDelivery], now: int) -> Markup:
    """Deliveries as a table. way: to their webhook."""
    heads = ["Made", "Event", "State", "Attempts", "Next or ended", "Last outcome"]
    return table(heads, (_row(way, each, now) for each in deliveries), numbers=[3])


def delivery_page(whole: DeliveryWhole, now: int) -> bytes:
    """One delivery."""
    found, endpoint, organization = whole.delivery, whole.endpoint, whole.organization
    way = ["organizations", organization.id]
    trail = (link(way, organization.name), link([*way, "endpoints", endpoint.id], endpoint.url_masked or "no URL"))
    about = facts(
        [
            ("State", _state(found)),
            ("Event", tag("code", found.event_type or "not kept")),
            ("Event id", tag("code", found.event_id)),
            ("Book", found.book_pk if found.book_pk is not None else "–"),
            ("Made", moment(found.created_at, now)),
            ("Next attempt" if found.finished_at is None else "Ended", _next(found, now)),
            ("Attempts", found.attempt_count),
        ]
    )
    heads = ["#", "Started", "Outcome", "DNS", "Connect", "TLS", "First byte", "Total", "Address", "Worker"]
    attempts = table(heads, (_attempt(each, now) for each in whole.attempts), numbers=[3, 4, 5, 6, 7])
    cut = tag("p", f"Older ones than these {len(whole.attempts)} are not shown.", class_="quiet")
    told = tag("p", "None yet.", class_="quiet") if not whole.attempts else attempts
    return page(
        f"Delivery {found.id}",
        tag("section", about),
        tag("section", tag("h2", "Attempts, newest first"), told, cut if whole.is_cut else None),
        trail=trail,
        now=now,
    )


def _row(way: list[str], found: SentDelivery, now: int) -> list[Piece]:
    return [
        link([*way, "deliveries", found.id], moment(found.created_at, now)),
        tag("code", found.event_type or "not kept"),
        _state(found),
        found.attempt_count,
        _next(found, now),
        "–" if found.last is None else _outcome(found.last),
    ]


def _state(found: SentDelivery) -> Markup:
    return joined(
        [badge(_KINDS[found.state], found.state), tag("small", f" {found.reason}") if found.reason else None]
    )


def _next(found: SentDelivery, now: int) -> Piece:
    if found.finished_at is not None or found.state is not DeliveryState.PENDING:
        return maybe(found.finished_at, now)
    if found.due_at is None:
        return "after the earlier ones of its book"
    return "due" if found.due_at <= now else moment(found.due_at, now)


def _outcome(attempt: TimedAttempt) -> Markup:
    said = attempt.outcome if attempt.status_code is None else f"{attempt.outcome} {attempt.status_code}"
    return joined([said, tag("small", attempt.detail) if attempt.detail else None])


def _attempt(attempt: TimedAttempt, now: int) -> list[Piece]:
    stale = tag("small", "by a former owner of the lane") if attempt.is_stale else None
    return [
        attempt.number,
        moment(attempt.started_at, now),
        joined([_outcome(attempt), stale]),
        *(f"{getattr(attempt, f'{part}_us') / 1000:,.1f} ms" for part in _PARTS),
        attempt.remote_address or "–",
        tag("code", attempt.worker),
    ]
