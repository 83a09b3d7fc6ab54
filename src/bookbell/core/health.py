"""How an endpoint is doing, as one word and one sentence. Source: docs/retries.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bookbell.core.circuit import Circuit, CircuitState


class HealthState(StrEnum):
    DELIVERING = "delivering"
    FAILING = "failing"
    WAITING = "waiting"
    RECOVERING = "recovering"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What there is to know: the circuits of the endpoint's lanes, and since when it is paused or disabled, if so."""

    circuits: Sequence[Circuit]
    paused_at: int | None
    disabled_at: int | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """sentence: for people; circuit: the one the sentence is about, the worst of the lanes."""

    state: HealthState
    sentence: str
    circuit: Circuit


def health(condition: Condition, now: int) -> Health:
    """How the endpoint is doing now."""
    worst = max(condition.circuits, key=lambda each: (_RANK[each.state], each.failure_count), default=Circuit())
    if condition.disabled_at is not None:
        told = f"disabled since {_clock(condition.disabled_at, now)}: {condition.disabled_reason or 'no reason given'}"
        return Health(HealthState.DISABLED, told, worst)
    if condition.paused_at is not None:
        return Health(HealthState.PAUSED, f"paused by hand since {_clock(condition.paused_at, now)}", worst)
    if worst.state is CircuitState.OPEN:
        wait = max(0, worst.probe_at - now)
        why = _row(worst, now) if worst.failure_count else "the receiver asked for it"
        told = f"paused: {why}, next probe {f'in {_span(wait)}' if wait else 'now'}"
        return Health(HealthState.WAITING, told, worst)
    if worst.state is CircuitState.RECOVERING:
        return Health(HealthState.RECOVERING, f"recovering: {worst.allowance} in flight at most", worst)
    if worst.failure_count:
        return Health(HealthState.FAILING, f"failing: {_row(worst, now)}", worst)
    return Health(HealthState.DELIVERING, "delivering", worst)


_RANK = {CircuitState.CLOSED: 0, CircuitState.RECOVERING: 1, CircuitState.OPEN: 2}


def _row(circuit: Circuit, now: int) -> str:
    plural = "" if circuit.failure_count == 1 else "s"
    return f"{circuit.failure_count} failure{plural} in a row since {_clock(circuit.failing_since or now, now)}"


def _clock(at: int, now: int) -> str:
    """The time of day, with the date unless it is today's; UTC."""
    then, today = datetime.fromtimestamp(at / 1000, UTC), datetime.fromtimestamp(now / 1000, UTC)
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"


def _span(duration_ms: int) -> str:
    seconds = -(-duration_ms // 1000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
