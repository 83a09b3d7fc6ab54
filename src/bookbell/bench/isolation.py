"""What hanging receivers cost the others: latency of 90 endpoints with and without 10 that never answer.

Both are measured in the same process, in turn, several times. Each time other endpoints hang, which nobody has sent to
before; they are deregistered before the next stretch without. A stretch is longer than it takes a hanging endpoint to
time out, to be tried again, and to have its circuit opened.
"""

import tempfile
from pathlib import Path

from bookbell.bench.beside import QUICK_COUNT, Office, Receiver, compared, stretch
from bookbell.bench.figures import Figures
from bookbell.bench.processes import Service, Sink, cores
from bookbell.bench.publishing import SETTINGS

HANGING_COUNT = 10
HANGING_POLICY = {
    "preset": "standard",
    "timeout_ms_connect": 400,
    "timeout_ms_total": 400,
    "schedule_ms": [400, 1_000, 5_000, 60_000],
}


def run_isolation(rounds: int, stretch_s: int) -> Figures:
    """Publish at the same rate to the healthy ones, that many seconds without hanging ones beside them, then with."""
    measured, other = cores()
    with (
        tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name,
        Sink(other) as sink,
        Service(Path(name), measured, rate_limit_per_s="0") as service,
    ):
        sign_up = Office(f"http://127.0.0.1:{service.port}", sink.port)
        healthy = [sign_up.receiver(f"h{number}") for number in range(QUICK_COUNT)]
        groups = [[_hanging(sign_up, f"hang{each}-{at}") for at in range(HANGING_COUNT)] for each in range(rounds)]
        stretch(service, sink, healthy, stretch_s)  # warms up
        service.restart_count()
        without, beside = [], []
        for hanging in groups:
            without.append(stretch(service, sink, healthy, stretch_s))
            beside.append(stretch(service, sink, [*healthy, *hanging], stretch_s))
            for each in hanging:
                each.client.post(f"{SETTINGS}/update/webhook_endpoint", {"webhook_endpoint": "", "event": []})
        return compared(service, without, beside, _troubles(service.metrics()))


def _troubles(told: dict[str, float]) -> dict[str, float]:
    """What its metrics tell of the hanging ones."""
    timeouts = sum(value for name, value in told.items() if name.startswith('bookbell_attempts_total{outcome="time'))
    opened = told.get('bookbell_circuit_changes_total{state="open"}', 0)
    return {"timeouts": timeouts, "circuits_opened": opened}


def _hanging(office: Office, path: str) -> Receiver:
    """One that is given up on soon."""
    made = office.receiver(path)
    made.client.put(f"{SETTINGS}/webhook/policy", HANGING_POLICY)
    return made
