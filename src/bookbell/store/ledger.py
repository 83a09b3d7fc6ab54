"""The ledger from the rows, walked in bounded ranges of event ids, with what retention has kept of removed rows.

Every statement reads a range of one index; how long a range is, `kept.range_end` says. Call all of a range in one
snapshot: they must see the same rows.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from bookbell.core import limits
from bookbell.core.instants import id_floor
from bookbell.core.ledger import (
    COUNTS,
    DeliveryFacts,
    Finding,
    Ledger,
    Ledgers,
    gathered,
    judge_delivery,
    judge_event,
    of_findings,
    of_organizations,
)
from bookbell.core.model import DeliveryState
from bookbell.store import kept
from bookbell.store.database import Tx
from bookbell.store.endpoints import key_of
from bookbell.store.schema import attempts, deliveries, endpoints, events, ledger_totals

_AFTER, _UNTIL = bindparam("after", type_=String), bindparam("until", type_=String)
_DUE = events.c.matched_count + events.c.replayed_count
_EVENTS = and_(events.c.id > _AFTER, events.c.id <= _UNTIL)
_DELIVERIES = and_(deliveries.c.event_id > _AFTER, deliveries.c.event_id <= _UNTIL)


def _count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


_STATES = [_count_of(deliveries.c.state == state.value).label(state.value) for state in DeliveryState]
_REPLAYED = _count_of(deliveries.c.replay_of.is_not(None)).label("replayed")
_ENDPOINT_ID = endpoints.c.id.label("endpoint_id")
_COUNTED = (
    select(deliveries.c.organization_id, _ENDPOINT_ID, func.count().label("matched"), _REPLAYED, *_STATES)
    .join(endpoints, endpoints.c.pk == deliveries.c.endpoint_pk)
    .where(_DELIVERIES)
    .group_by(deliveries.c.organization_id, endpoints.c.id)
)
_MATCHED = (
    select(
        events.c.organization_id,
        func.sum(_DUE).label("matched"),
        func.sum(events.c.replayed_count).label("replayed"),
    )
    .where(_EVENTS)
    .group_by(events.c.organization_id)
)


def counted(tx: Tx, *, after: str, until: str, organization_id: str | None = None) -> list[Ledger]:
    """The ledgers of this range of events: of each endpoint and, from what events have matched, of organizations."""
    values = {"after": after, "until": until}
    matched, endpoints = _MATCHED, _COUNTED
    if organization_id is not None:
        matched = matched.where(events.c.organization_id == organization_id)
        endpoints = endpoints.where(deliveries.c.organization_id == organization_id)
    return of_organizations(
        [_ledger(row) for row in tx.execute(matched, values)], [_ledger(row) for row in tx.execute(endpoints, values)]
    )


def _ledger(row: Any) -> Ledger:
    values: dict[str, Any] = {name: int(value) if name in COUNTS else value for name, value in row._mapping.items()}
    return Ledger(**values)


# Sub-selects that give a value: no planner turns them into a join that reads a whole table.
_FOUND = (
    select(func.count())
    .select_from(deliveries)
    .where(deliveries.c.event_id == events.c.id)
    .correlate(events)
    .scalar_subquery()
)
_UNBALANCED = (
    select(events.c.id, events.c.organization_id, _DUE.label("matched"), _FOUND.label("found"))
    .where(_EVENTS, _DUE != _FOUND)
    .order_by(events.c.id)
)
_OWNER = (
    select(events.c.organization_id)
    .where(events.c.id == deliveries.c.event_id)
    .correlate(deliveries)
    .scalar_subquery()
)
_RECORDED = (
    select(func.count(attempts.c.number.distinct()))
    .where(
        attempts.c.delivery_pk == deliveries.c.pk,
        not_(attempts.c.is_stale),
        attempts.c.number <= deliveries.c.attempt_count,
    )
    .correlate(deliveries)
    .scalar_subquery()
)
_ANSWERED = (
    select(func.count())
    .select_from(attempts)
    .where(attempts.c.delivery_pk == deliveries.c.pk, attempts.c.outcome == "answered")
    .correlate(deliveries)
    .scalar_subquery()
)
_IS_PENDING = deliveries.c.state == DeliveryState.PENDING.value
_ENDED_UNSENT = deliveries.c.state.in_([DeliveryState.EXHAUSTED.value, DeliveryState.CANCELLED.value])
_IS_DELIVERED = deliveries.c.state == DeliveryState.DELIVERED.value
# Every delivery that core.ledger finds something wrong with, and perhaps others: what is right it decides.
_IS_SUSPICIOUS = or_(
    deliveries.c.state.not_in([state.value for state in DeliveryState]),
    and_(_IS_PENDING, deliveries.c.finished_at.is_not(None)),
    and_(not_(_IS_PENDING), deliveries.c.finished_at.is_(None)),
    and_(_ENDED_UNSENT, func.coalesce(deliveries.c.reason, "") == ""),
    and_(_IS_DELIVERED, _ANSWERED == 0),
    deliveries.c.attempt_count != _RECORDED,
    func.coalesce(_OWNER, "") != deliveries.c.organization_id,
)
_SUSPICIOUS = (
    select(
        deliveries.c.id,
        deliveries.c.organization_id,
        deliveries.c.event_id,
        _OWNER.label("event_organization_id"),
        deliveries.c.state,
        deliveries.c.attempt_count,
        deliveries.c.finished_at,
        deliveries.c.reason,
        _RECORDED.label("recorded"),
        case((_ANSWERED > 0, True), else_=False).label("is_answered"),
    )
    .where(_DELIVERIES, _IS_SUSPICIOUS)
    .order_by(deliveries.c.event_id, deliveries.c.id)
)


def findings(tx: Tx, *, after: str, until: str, organization_id: str | None = None) -> list[Finding]:
    """Every row of this range of events that does not balance."""
    values = {"after": after, "until": until}
    unbalanced, suspicious = _UNBALANCED, _SUSPICIOUS
    if organization_id is not None:
        unbalanced = unbalanced.where(events.c.organization_id == organization_id)
        suspicious = suspicious.where(deliveries.c.organization_id == organization_id)
    found = [
        judge_event(row.organization_id, row.id, matched=row.matched, found=row.found)
        for row in tx.execute(unbalanced, values)
    ]
    for row in tx.execute(suspicious, values):
        facts = {**row._mapping, "is_answered": bool(row.is_answered)}
        found.extend(judge_delivery(DeliveryFacts(**facts)))
    return found


_ONE = (
    select(deliveries.c.state, deliveries.c.replay_of)
    .where(
        deliveries.c.organization_id == bindparam("organization"),
        deliveries.c.endpoint_pk == key_of(bindparam("endpoint")),
        deliveries.c.id >= bindparam("since", type_=String),
        deliveries.c.id < bindparam("before", type_=String),
    )
    .order_by(deliveries.c.id.desc())
    .limit(bindparam("count", type_=Integer))
    .subquery()
)
_OF_ENDPOINT = select(
    func.count().label("matched"),
    func.coalesce(_count_of(_ONE.c.replay_of.is_not(None)), literal_column("0")).label("replayed"),
    *(
        func.coalesce(_count_of(_ONE.c.state == state.value), literal_column("0")).label(state.value)
        for state in DeliveryState
    ),
).select_from(_ONE)


def of_endpoint(
    tx: Tx,
    organization_id: str,
    endpoint_id: str,
    *,
    since: str,
    before: str,
    count_max: int = limits.LEDGER_ROWS_MAX,
) -> Ledger:
    """The ledger of one endpoint's deliveries with ids in this range, of those rows that are kept.

    Counts count_max + 1 rows at most, the newest, so more than count_max matched means that there may be more.
    """
    values = {"organization": organization_id, "endpoint": endpoint_id, "since": since, "before": before}
    row = tx.execute(_OF_ENDPOINT, {**values, "count": count_max + 1}).one()
    counts: dict[str, Any] = {name: int(row._mapping[name]) for name in COUNTS}
    return Ledger(organization_id=organization_id, endpoint_id=endpoint_id, **counts)


def ledgers(tx: Tx, *, since: int, until: int, organization_id: str | None = None) -> list[Ledger]:
    """The ledgers of organizations with kept events made in this range of time, in order of id, with findings."""
    after, end = id_floor(since), id_floor(until)
    sums: Ledgers = {}
    while after < end:
        last = kept.range_end(tx, "events", after=after, until=end, count=limits.AUDIT_BATCH_COUNT)
        found = of_findings(findings(tx, after=after, until=last, organization_id=organization_id))
        sums = gathered([*counted(tx, after=after, until=last, organization_id=organization_id), *found], sums)
        after = last
    return [each for (_, endpoint_id), each in sorted(sums.items()) if not endpoint_id]


_TOTAL_COUNTS = [name for name in COUNTS if name != "pending"]


def totals(
    tx: Tx, *, since: int, before: int, organization_id: str | None = None, endpoint_id: str | None = None
) -> list[Ledger]:
    """What removed rows counted, of days that start in this range: of each endpoint, and of their organizations."""
    query = (
        select(
            ledger_totals.c.organization_id,
            ledger_totals.c.endpoint_id,
            *(func.sum(ledger_totals.c[name]).label(name) for name in _TOTAL_COUNTS),
        )
        .where(ledger_totals.c.day_at >= since, ledger_totals.c.day_at < before)
        .group_by(ledger_totals.c.organization_id, ledger_totals.c.endpoint_id)
    )
    if organization_id is not None:
        query = query.where(ledger_totals.c.organization_id == organization_id)
    if endpoint_id is not None:
        query = query.where(ledger_totals.c.endpoint_id == endpoint_id)
    endpoints = [_ledger(row) for row in tx.execute(query)]
    matched = [
        Ledger(organization_id=each.organization_id, matched=each.matched, replayed=each.replayed)
        for each in endpoints
    ]
    return of_organizations(matched, endpoints)


_KEY = ("organization_id", "endpoint_id", "day_at")
_ADD = (
    update(ledger_totals)
    .where(*(ledger_totals.c[name] == bindparam(f"key_{name}") for name in _KEY))
    .values({name: ledger_totals.c[name] + bindparam(f"more_{name}") for name in _TOTAL_COUNTS})
)


def add_totals(tx: Tx, day_at: int, removed: Ledgers) -> None:
    """Count these ledgers of endpoints under that day. In the transaction that removes their rows."""
    for (organization_id, endpoint_id), ledger in sorted(removed.items()):
        assert ledger.is_balanced
        assert not ledger.pending
        key = {"organization_id": organization_id, "endpoint_id": endpoint_id, "day_at": day_at}
        counts = {name: getattr(ledger, name) for name in _TOTAL_COUNTS}
        values = {f"key_{name}": value for name, value in key.items()}
        more = {f"more_{name}": value for name, value in counts.items()}
        if tx.execute(_ADD, {**values, **more}).rowcount == 0:
            tx.execute(insert(ledger_totals).values(**key, **counts))
