"""One webhook: how it is doing and by which rule, what its policy is, what became of its deliveries."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bookbell.actions.overview import WebhookWhole
from bookbell.core.circuit import PROBE_MS_FIRST, PROBE_MS_MAX, Circuit, CircuitState
from bookbell.core.policy import Policy, policy_fields, schedule_at
from bookbell.web.dashboard import delivery, overview
from bookbell.web.dashboard.frame import page
from bookbell.web.dashboard.markup import Markup, Piece, badge, facts, joined, link, maybe, moment, span, table, tag

_KINDS = {CircuitState.CLOSED: "good", CircuitState.OPEN: "bad", CircuitState.RECOVERING: "busy"}
_COUNTED = ("matched", "delivered", "pending", "exhausted", "cancelled")


def webhook_page(whole: WebhookWhole, now: int) -> bytes:
    """The page of a webhook."""
    endpoint = whole.row.examined.endpoint
    pairs = tag("div", tag("section", *_doing(whole, now)), tag("section", *_ledger(whole)), class_="pair")
    return page(
        endpoint.url_masked or "no URL",
        tag("p", overview.owner(whole.row), class_="quiet"),
        pairs,
        tag("section", *_circuits(whole, now)),
        tag("div", tag("section", *_policy(whole.policy)), tag("section", *_times(whole, now)), class_="pair"),
        tag("section", *_deliveries(whole, now)),
        trail=(link(["organizations", whole.organization.id], whole.organization.name),),
        now=now,
    )


def rule(circuit: Circuit, policy: Policy) -> str:
    """By which rule the circuit is as it is (docs/retries.md)."""
    match circuit.state:
        case CircuitState.CLOSED if policy.circuit_failures is None:
            return "The policy has no circuit: failures do not stop what is sent."
        case CircuitState.CLOSED:
            return f"{policy.circuit_failures} failures in a row would open it."
        case CircuitState.RECOVERING:
            return f"Each success lets one more through, up to {policy.in_flight_max}; each failure takes half back."
        case CircuitState.OPEN:
            first, last = span(PROBE_MS_FIRST), span(PROBE_MS_MAX)
            probes = f"probes go out after {first}, then at distances that double up to {last}"
            return f"{_opening(circuit, policy.circuit_failures)}; {probes}; the first success starts its recovery."


def _opening(circuit: Circuit, failures: int | None) -> str:
    if not circuit.failure_count:
        return "The receiver asked for a pause"
    if failures is None or circuit.failure_count < failures:
        return "A failure while it recovered opened it again, or the receiver asked for a pause"
    return f"{failures} failures in a row opened it"


def _doing(whole: WebhookWhole, now: int) -> Iterator[Piece]:
    examined, waiting = whole.row.examined, whole.row.waiting
    yield tag("h2", "How it is doing")
    yield tag("p", overview.state(examined))
    shown: list[tuple[str, Piece]] = [
        ("Deliveries waiting", overview.waiting_count(waiting)),
        ("Oldest waiting", overview.oldest(waiting, now)),
    ]
    if examined.disable_at is not None:
        shown.append(("Disabled without a success by", moment(examined.disable_at, now)))
    yield facts([*shown, ("Subscribed to", tag("code", ", ".join(examined.endpoint.event_types) or "nothing"))])


def _ledger(whole: WebhookWhole) -> Iterator[Piece]:
    yield tag("h2", "Ledger of the last 24 hours")
    counters = ((name, getattr(whole.ledger, name)) for name in _COUNTED)
    yield tag("div", *(tag("span", tag("b", f"{count:,}"), name) for name, count in counters), class_="counters")
    if whole.is_ledger_cut:
        yield tag("p", f"There were more: these are the newest {whole.ledger.matched:,}.", class_="quiet")
    if not whole.ledger.is_balanced:
        yield tag("p", "This does not balance: see what the audit of the organization names.", class_="bad")


def _circuits(whole: WebhookWhole, now: int) -> Iterator[Piece]:
    yield tag("h2", "Circuit")
    heads = ["Lane", "State", "Failures in a row", "Failing since", "Opened", "Next probe", "Failed probes"]
    circuits, policy = whole.row.examined.circuits, whole.policy
    rows = (_circuit(number, each, policy, now) for number, each in enumerate(circuits, 1))
    yield table([*heads, "In flight at most"], rows, numbers=[2, 6, 7])
    lanes: dict[str, list[str]] = {}
    for number, each in enumerate(circuits, 1):
        lanes.setdefault(rule(each, policy), []).append(str(number))
    for told, numbers in lanes.items():
        place = f"Lane {', '.join(numbers)}: " if len(lanes) > 1 else ""
        yield tag("p", f"{place}{told}", class_="quiet")


def _circuit(number: int, circuit: Circuit, policy: Policy, now: int) -> list[Piece]:
    is_open = circuit.state is CircuitState.OPEN
    return [
        number,
        badge(_KINDS[circuit.state], circuit.state),
        circuit.failure_count,
        maybe(circuit.failing_since, now),
        maybe(circuit.opened_at, now),
        maybe(circuit.probe_at if is_open else None, now),
        circuit.probe_count,
        1 if is_open else circuit.allowance or policy.in_flight_max,
    ]


def _policy(policy: Policy) -> Iterator[Piece]:
    yield tag("h2", "Policy")
    names = {name: value for name, value in policy_fields(policy).items() if name != "schedule_ms"}
    yield facts((name, _setting(name, value)) for name, value in names.items())


def _setting(name: str, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return span(value) if isinstance(value, int) and "_ms" in name else str(value)


def _times(whole: WebhookWhole, now: int) -> Iterator[Piece]:
    yield tag("h2", "Schedule")
    yield tag("p", "An event of now would be tried at these times (UTC) if each attempt failed:", class_="quiet")
    instants = schedule_at(whole.policy, now)
    delays = ["", *(f" after {span(delay)}" for delay in whole.policy.schedule_ms)]
    shown = zip(instants, delays, strict=True)
    yield tag("ol", *(tag("li", _clock(at, now), tag("small", delay)) for at, delay in shown))
    if whole.policy.jitter_ratio:
        yield tag("p", f"Spread by up to {whole.policy.jitter_ratio:.0%} of each delay.", class_="quiet")
    yield tag("h2", "Notices")
    notices = whole.row.examined.notices
    if not notices:
        yield tag("p", "None.", class_="quiet")
    else:
        rows = ([moment(each.created_at, now), joined([each.detail, tag("small", each.kind)])] for each in notices)
        yield table(["When", "What"], rows)


def _clock(at: int, now: int) -> Markup:
    """A time of day, with how many days later it is if that is not today."""
    then, today = datetime.fromtimestamp(at / 1000, UTC), datetime.fromtimestamp(now / 1000, UTC)
    days = (then.date() - today.date()).days
    return joined([f"{then:%H:%M:%S}", f" +{days} d" if days else None])


def _deliveries(whole: WebhookWhole, now: int) -> Iterator[Piece]:
    endpoint = whole.row.examined.endpoint
    way = ["organizations", endpoint.organization_id, "endpoints", endpoint.id]
    yield tag("h2", "Deliveries, newest first")
    if not whole.deliveries:
        yield tag("p", "None.", class_="quiet")
    else:
        yield delivery.listed(way, whole.deliveries, now)
    if whole.before:
        yield tag("p", link(way, "Older deliveries ›", before=whole.before), class_="more")
