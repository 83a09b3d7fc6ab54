"""The circuit opens after failures in a row, probes at growing distances, and recovers step by step."""

from dataclasses import replace

from bookbell.core.circuit import (
    CLOSED,
    PROBE_MS_MAX,
    Circuit,
    CircuitState,
    after_change,
    after_failure,
    after_success,
    allowed,
    is_given_up,
    is_probing,
)
from bookbell.core.policy import DAY, HOUR, PRESETS

POLICY = PRESETS["standard"]
NOW = 1_750_000_000_000


def failed(count: int, circuit: Circuit = CLOSED, *, at: int = NOW) -> Circuit:
    for _ in range(count):
        circuit = after_failure(circuit, POLICY, is_probe=False, now=at)
    return circuit


def test_it_opens_after_ten_failures_in_a_row_and_not_before() -> None:
    nine = failed(9)
    assert (nine.state, allowed(nine, POLICY, NOW)) == (CircuitState.CLOSED, 16)
    assert after_success(nine, POLICY) == CLOSED
    ten = failed(10)
    assert (ten.state, ten.opened_at, ten.failing_since, ten.probe_at) == (CircuitState.OPEN, NOW, NOW, NOW + 5_000)


def test_an_open_circuit_lets_one_probe_through_at_a_time() -> None:
    circuit = failed(10)
    assert allowed(circuit, POLICY, NOW + 4_999) == 0
    assert allowed(circuit, POLICY, NOW + 5_000) == 1
    assert not is_probing(CLOSED, NOW)


def test_probes_double_their_distance_up_to_five_minutes() -> None:
    circuit, now, distances = failed(10), NOW, []
    for _ in range(9):
        now = circuit.probe_at
        circuit = after_failure(circuit, POLICY, is_probe=True, now=now)
        distances.append((circuit.probe_at - now) // 1000)
    assert distances == [10, 20, 40, 80, 160, 300, 300, 300, 300]
    for _ in range(100):
        circuit = after_failure(circuit, POLICY, is_probe=True, now=now)
    assert circuit.probe_at - now == PROBE_MS_MAX


def test_failures_of_requests_that_were_on_their_way_do_not_postpone_the_probe() -> None:
    circuit = failed(5, failed(10), at=NOW + 1_000)
    assert (circuit.failure_count, circuit.probe_at, circuit.probe_count) == (15, NOW + 5_000, 0)


def test_a_clock_that_went_back_does_not_keep_the_probe_waiting() -> None:
    assert is_probing(failed(10), NOW - HOUR)


def test_it_recovers_with_a_growing_allowance_and_closes() -> None:
    circuit = after_success(failed(10), POLICY)
    assert (circuit.state, circuit.failure_count) == (CircuitState.RECOVERING, 0)
    allowances = []
    while circuit.state is CircuitState.RECOVERING:
        allowances.append(allowed(circuit, POLICY, NOW))
        circuit = after_success(circuit, POLICY)
    assert allowances == list(range(1, 16))
    assert circuit is CLOSED


def test_a_failure_while_recovering_takes_half_back_and_the_last_one_opens_again() -> None:
    circuit = after_failure(Circuit(allowance=8), POLICY, is_probe=False, now=NOW)
    assert circuit.allowance == 4
    assert failed(3, circuit).state is CircuitState.OPEN


def test_nothing_changes_for_a_healthy_endpoint() -> None:
    assert after_success(CLOSED, POLICY) is CLOSED


def test_without_a_circuit_failures_are_only_counted() -> None:
    policy = PRESETS["ocrolus"]
    circuit = CLOSED
    for _ in range(50):
        circuit = after_failure(circuit, policy, is_probe=False, now=NOW)
    assert (circuit.state, circuit.failure_count, circuit.notice_percent) == (CircuitState.CLOSED, 50, 0)


def test_notices_come_at_their_share_of_the_time_and_not_for_few_failures() -> None:
    def told(failures: int, at: int) -> int:
        circuit = replace(failed(failures), failing_since=NOW)
        return after_failure(circuit, POLICY, is_probe=True, now=at).notice_percent

    day = DAY
    assert [told(9, NOW + part * day // 2) for part in (1, 4, 5, 7, 9, 10)] == [0, 0, 50, 70, 90, 100]
    assert told(8, NOW + 10 * day) == 0


def test_resuming_starts_anew_and_so_does_a_policy_that_gives_the_circuit_up() -> None:
    circuit = failed(10)
    assert after_change(circuit, None) is circuit
    assert after_change(circuit, NOW - 1) is circuit
    assert after_change(circuit, NOW) is CLOSED
    assert after_change(circuit, None, is_given_up=True) is CLOSED
    assert after_change(failed(3), None, is_given_up=True) == failed(3)
    assert is_given_up(POLICY, PRESETS["ocrolus"])
    assert not is_given_up(PRESETS["ocrolus"], PRESETS["ocrolus"]), "what is open then is a receiver's pause"
