"""How a webhook is doing, as answers show it. Source: docs/retries.md."""

from typing import Any

from bookbell.actions.health import Examined
from bookbell.core.circuit import Circuit, CircuitState
from bookbell.core.health import HealthState
from bookbell.web import wire
from bookbell.web.shape import choice, exact_instant, listed, nullable, record, text, uuid, whole

_SENTENCE = "paused: 10 failures in a row since 14:02, next probe in 40 s"
_CIRCUIT = record(
    {
        "state": choice(CircuitState),
        "failure_count": whole(10),
        "failing_since": nullable(exact_instant()),
        "opened_at": nullable(exact_instant()),
        "next_probe_at": nullable(exact_instant()),
        "probe_count": whole(0),
        "in_flight_allowed": nullable(whole(4)),
    }
)
_NOTICE = record(
    {"id": uuid(), "kind": text("failing_50"), "detail": text("nothing but failure"), "created_at": exact_instant()}
)
HEALTH = record(
    {
        "endpoint_id": uuid(),
        "state": choice(HealthState),
        "sentence": text(_SENTENCE),
        "paused_at": nullable(exact_instant()),
        "disabled_at": nullable(exact_instant()),
        "disabled_reason": nullable(text("the receiver answered 410 Gone")),
        "disable_at": nullable(exact_instant()),
        "lanes": listed(_CIRCUIT),
        "notices": listed(_NOTICE),
    }
)


def health_fields(examined: Examined) -> dict[str, Any]:
    """The examined webhook, ready for JSON."""
    endpoint = examined.endpoint
    return {
        "endpoint_id": endpoint.id,
        "state": examined.health.state,
        "sentence": examined.health.sentence,
        "paused_at": _instant(endpoint.paused_at),
        "disabled_at": _instant(endpoint.disabled_at),
        "disabled_reason": endpoint.disabled_reason,
        "disable_at": _instant(examined.disable_at),
        "lanes": [_circuit(each) for each in examined.circuits],
        "notices": [
            {
                "id": each.id,
                "kind": each.kind,
                "detail": each.detail,
                "created_at": wire.exact_instant(each.created_at),
            }
            for each in examined.notices
        ],
    }


def _circuit(circuit: Circuit) -> dict[str, Any]:
    is_open = circuit.state is CircuitState.OPEN
    return {
        "state": circuit.state,
        "failure_count": circuit.failure_count,
        "failing_since": _instant(circuit.failing_since),
        "opened_at": _instant(circuit.opened_at),
        "next_probe_at": _instant(circuit.probe_at if is_open else None),
        "probe_count": circuit.probe_count,
        "in_flight_allowed": circuit.allowance,
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else wire.exact_instant(at)
