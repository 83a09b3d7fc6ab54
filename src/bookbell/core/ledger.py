"""The ledger: what was matched must be accounted for.

matched is counted when an event is published, and again when a replay adds a delivery to it; both are kept with the
event. The rest is counted from the deliveries as they are now. So a delivery that vanished, or was never written,
shows, and is named by its event. Deliveries that retention has removed are counted in totals that were written when
they went.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from bookbell.core import limits
from bookbell.core.model import DeliveryState


class Problem(StrEnum):
    """What is wrong with a row."""

    UNBALANCED = "unbalanced"
    ORPHANED = "orphaned"
    IMPOSSIBLE = "impossible"
    UNEXPLAINED = "unexplained"
    UNPROVEN = "unproven"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row that does not balance: an event, or with delivery_id a delivery. detail: a sentence."""

    problem: Problem
    organization_id: str
    event_id: str
    delivery_id: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Deliveries in a range of time: those of one endpoint or, with endpoint_id None, of a whole organization.

    matched: of an organization, the sum of what its events have matched; of an endpoint, the deliveries made for it,
    because an event keeps how many it has matched, not which. replayed: those among them that a replay has added.
    findings: of an organization, rows that do not balance, finding_count of them, as many as
    limits.AUDIT_FINDINGS_MAX named.
    """

    organization_id: str
    endpoint_id: str | None = None
    matched: int = 0
    replayed: int = 0
    delivered: int = 0
    pending: int = 0
    exhausted: int = 0
    cancelled: int = 0
    findings: tuple[Finding, ...] = ()
    finding_count: int = 0

    @property
    def accounted(self) -> int:
        """The other side of the equation."""
        return self.delivered + self.pending + self.exhausted + self.cancelled

    @property
    def is_balanced(self) -> bool:
        return self.matched == self.accounted and not self.finding_count

    def plus(self, other: "Ledger") -> "Ledger":
        """Both together, under this one's name."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in (*COUNTS, "finding_count")}
        return replace(self, **sums, findings=(self.findings + other.findings)[: limits.AUDIT_FINDINGS_MAX])

    def problems(self) -> tuple[str, ...]:
        """Sentences saying what does not balance; none if all does."""
        found = [each.detail for each in self.findings]
        if self.matched != self.accounted:
            found.insert(0, f"{self.matched} deliveries were matched, but {self.accounted} are accounted for.")
        if self.finding_count > len(self.findings):
            found.append(f"{self.finding_count - len(self.findings)} more rows do not balance.")
        return tuple(found)


COUNTS = ("matched", "replayed", "delivered", "pending", "exhausted", "cancelled")

Ledgers = dict[tuple[str, str], Ledger]
"""By organization and endpoint; the organization's own is under the endpoint ''."""


def gathered(ledgers: Iterable[Ledger], into: Ledgers | None = None) -> Ledgers:
    """The sums by organization and endpoint, added to what there is already."""
    sums: Ledgers = {} if into is None else dict(into)
    for each in ledgers:
        key = each.organization_id, each.endpoint_id or ""
        sums[key] = sums[key].plus(each) if key in sums else each
    return sums


def of_organizations(matched: Iterable[Ledger], endpoints: Iterable[Ledger]) -> list[Ledger]:
    """What organizations have matched, set against the deliveries of their endpoints; with those endpoints' own."""
    rows = list(endpoints)
    counted = [replace(each, endpoint_id=None, matched=0, replayed=0) for each in rows]
    return [*rows, *matched, *counted]


def of_findings(findings: Iterable[Finding]) -> list[Ledger]:
    """These findings, each as a ledger of its organization that counts nothing else."""
    return [Ledger(organization_id=each.organization_id, findings=(each,), finding_count=1) for each in findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """A delivery as the rows have it. recorded: how many of the attempts 1 to attempt_count are on record."""

    id: str
    organization_id: str
    event_id: str
    event_organization_id: str | None
    state: str
    attempt_count: int
    finished_at: int | None
    reason: str | None
    recorded: int
    is_answered: bool


def judge_event(organization_id: str, event_id: str, *, matched: int, found: int) -> Finding:
    """What to say of an event whose deliveries are not as many as it has matched."""
    assert matched != found
    return Finding(
        problem=Problem.UNBALANCED,
        organization_id=organization_id,
        event_id=event_id,
        delivery_id=None,
        detail=f"Event {event_id}: {matched} deliveries were matched, but {found} are accounted for.",
    )


def judge_delivery(facts: DeliveryFacts) -> tuple[Finding, ...]:
    """Everything that is wrong with a delivery; nothing for a sound one."""
    found = [
        (Problem.ORPHANED, _orphaned(facts)),
        (Problem.IMPOSSIBLE, _impossible(facts)),
        (Problem.UNEXPLAINED, _unexplained(facts)),
        (Problem.UNPROVEN, _unproven(facts)),
        (Problem.UNRECORDED, _unrecorded(facts)),
    ]
    return tuple(
        Finding(
            problem=problem,
            organization_id=facts.organization_id,
            event_id=facts.event_id,
            delivery_id=facts.id,
            detail=f"Delivery {facts.id}: {detail}.",
        )
        for problem, detail in found
        if detail
    )


def _orphaned(facts: DeliveryFacts) -> str:
    if facts.event_organization_id is None:
        return f"its event {facts.event_id} does not exist"
    if facts.event_organization_id != facts.organization_id:
        return f"its event {facts.event_id} is another organization's"
    return ""


def _impossible(facts: DeliveryFacts) -> str:
    if facts.state not in list(DeliveryState):
        return f"there is no state {facts.state}"
    is_pending = facts.state == DeliveryState.PENDING
    if is_pending and facts.finished_at is not None:
        return "it is pending and has ended"
    if not is_pending and facts.finished_at is None:
        return f"it is {facts.state}, but when it ended is not on record"
    return ""


def _unexplained(facts: DeliveryFacts) -> str:
    is_unsent = facts.state in {DeliveryState.EXHAUSTED, DeliveryState.CANCELLED}
    return f"it is {facts.state} without a recorded reason" if is_unsent and not facts.reason else ""


def _unproven(facts: DeliveryFacts) -> str:
    is_unproven = facts.state == DeliveryState.DELIVERED and not facts.is_answered
    return "it counts as delivered, but no attempt of it was answered" if is_unproven else ""


def _unrecorded(facts: DeliveryFacts) -> str:
    if facts.recorded == facts.attempt_count:
        return ""
    return f"{facts.attempt_count} attempts were counted, but {facts.recorded} of them are on record"
