"""Whether an endpoint is worth trying: closed, open after failures in a row, recovering with a growing allowance.

While open, nothing is sent but a probe now and then, and what a probe comes to uses up no attempt of its delivery. A
successful probe lets more and more through; a failure then takes half of it back. Times are wall-clock milliseconds.
Source: docs/retries.md.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from bookbell.core.policy import Policy

PROBE_MS_FIRST = 5_000
PROBE_MS_MAX = 300_000
NOTICES_PERCENT = (50, 70, 90, 100)
_FAILURES_BEFORE_NOTICE = 10


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """failure_count: failures in a row, since failing_since; opened_at: set while open, and then the next probe is at
    probe_at, probe_count having failed; allowance: set while recovering, how many may be in flight; notice_percent:
    how much of the time until the endpoint is disabled has been told of.
    """

    failure_count: int = 0
    failing_since: int | None = None
    opened_at: int | None = None
    probe_at: int = 0
    probe_count: int = 0
    allowance: int | None = None
    notice_percent: int = 0

    @property
    def state(self) -> CircuitState:
        if self.opened_at is not None:
            return CircuitState.OPEN
        return CircuitState.CLOSED if self.allowance is None else CircuitState.RECOVERING


CLOSED = Circuit()


def allowed(circuit: Circuit, policy: Policy, now: int) -> int:
    """How many requests may be in flight now."""
    if circuit.opened_at is not None:
        return int(is_probing(circuit, now))
    if circuit.allowance is not None:
        return min(circuit.allowance, policy.in_flight_max)
    return policy.in_flight_max


def is_probing(circuit: Circuit, now: int) -> bool:
    """Whether a request started now is a probe. A clock that went back does not keep a probe waiting for long."""
    return circuit.opened_at is not None and (now >= circuit.probe_at or circuit.probe_at - now > PROBE_MS_MAX)


def after_success(circuit: Circuit, policy: Policy) -> Circuit:
    """The circuit after a delivery. The same value when nothing changes, which is the rule."""
    if circuit is CLOSED or circuit == CLOSED:
        return circuit
    if circuit.opened_at is not None:
        return replace(CLOSED, allowance=1)
    if circuit.allowance is None or circuit.allowance + 1 >= policy.in_flight_max:
        return CLOSED
    return replace(CLOSED, allowance=circuit.allowance + 1)


def after_failure(circuit: Circuit, policy: Policy, *, is_probe: bool, now: int) -> Circuit:
    """The circuit after a failed attempt. is_probe: the attempt was started as one."""
    failed = replace(circuit, failure_count=circuit.failure_count + 1, failing_since=circuit.failing_since or now)
    failed = replace(failed, notice_percent=_percent(failed, policy, now))
    if policy.circuit_failures is None:
        return replace(failed, opened_at=None, probe_at=0, allowance=None)
    if circuit.opened_at is not None:
        return _probed_in_vain(failed, now) if is_probe else failed
    if circuit.allowance is not None and circuit.allowance > 1:
        return replace(failed, allowance=circuit.allowance // 2)
    if circuit.allowance is not None or failed.failure_count >= policy.circuit_failures:
        return replace(failed, opened_at=now, probe_at=now + PROBE_MS_FIRST, probe_count=0, allowance=None)
    return failed


def after_change(circuit: Circuit, resumed_at: int | None, *, is_given_up: bool = False) -> Circuit:
    """The circuit once the endpoint's row has changed: it starts anew if it was resumed since. is_given_up: the policy
    has no circuit any more, as it had before; one that never had can still be open, because the receiver asked for it.
    """
    since = circuit.failing_since or circuit.opened_at
    is_older = resumed_at is not None and since is not None and since <= resumed_at
    if is_older or (is_given_up and circuit.state is not CircuitState.CLOSED):
        return CLOSED
    return circuit


def is_given_up(former: Policy, policy: Policy) -> bool:
    """Whether the circuit ends with this change of the policy."""
    return former.circuit_failures is not None and policy.circuit_failures is None


def _probed_in_vain(circuit: Circuit, now: int) -> Circuit:
    count = circuit.probe_count + 1
    delay = min(PROBE_MS_FIRST << min(count, 16), PROBE_MS_MAX)
    return replace(circuit, probe_count=count, probe_at=now + delay)


def _percent(circuit: Circuit, policy: Policy, now: int) -> int:
    """The highest notice that is due by now; 100 means the endpoint is to be disabled."""
    if policy.disable_after_ms is None or circuit.failure_count < _FAILURES_BEFORE_NOTICE:
        return circuit.notice_percent
    gone = (now - (circuit.failing_since or now)) * 100 // policy.disable_after_ms
    return max([circuit.notice_percent, *(percent for percent in NOTICES_PERCENT if percent <= gone)])
