"""One run: start everything, publish and break for a while, heal, wait until all has arrived, judge."""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bookbell.cli.api_client import ApiClient, ApiError
from bookbell.cli.chaos.faults import Faults
from bookbell.cli.chaos.processes import (
    OPERATOR,
    START_S,
    Breakable,
    OwnPostgresql,
    Process,
    environment_of,
    free_port,
)
from bookbell.cli.chaos.publishing import TYPE, Publisher
from bookbell.cli.chaos.receivers import KINDS, ChaosReceiver
from bookbell.cli.chaos.verdict import Verdict, missing_count, stall_ms
from bookbell.config import StartError

SETTINGS = "/v1/account/settings"
DRAIN_S_MIN = 150.0  # a circuit that opened late probes up to 80 s later
COMMAND_S = 120.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """database: `sqlite`, `postgresql` (a server of our own), or the address of an empty PostgreSQL database."""

    seconds: float
    seed: int
    workers: int
    per_s: float
    database: str = "sqlite"


def run_chaos(wanted: Wanted, say: Callable[[str], None]) -> Verdict:
    """Run it. Raises: StartError when it cannot begin."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bookbell-chaos-")))
        url, server = _database(wanted, folder, stack)
        environment = environment_of(folder, url)
        if url:
            _command(environment, "db", "upgrade")
        port = free_port()
        api, workers = _start(wanted, environment, port, stack)
        receivers = [ChaosReceiver(kind) for kind in KINDS]
        for receiver in receivers:
            stack.callback(receiver.close)
        _await_ready(port, api)
        organization_id, accounts = _register(port, receivers, wanted.seconds)
        faults = Faults(workers, api, server, random.Random(wanted.seed), is_sqlite=not url)  # noqa: S311 - to repeat it
        publisher = Publisher(port, organization_id, accounts, wanted.per_s)
        _break_for(wanted.seconds, faults, say)
        say("heal")
        for receiver in receivers:
            receiver.healed.set()
        is_published = publisher.finish(DRAIN_S_MIN)
        _drain(receivers, publisher.accepted, faults, DRAIN_S_MIN + wanted.seconds)
        for process in (*workers, api):
            process.stop()
        if not is_published:
            faults.died.append("The API accepted nothing any more.")
        verdict = _judge(wanted, faults, publisher, receivers, environment)
        if not verdict.is_good:
            for process in {id(each): each for each in (*workers, api)}.values():
                say(f"the last words of {process.name}:\n{''.join(process.log)}")
        return verdict


def _database(wanted: Wanted, folder: Path, stack: ExitStack) -> tuple[str, Breakable | None]:
    if wanted.database == "sqlite":
        return "", None
    if wanted.database != "postgresql":
        return wanted.database, None
    server = OwnPostgresql(folder / "postgresql")
    stack.callback(server.close)
    return server.url, server


def _start(
    wanted: Wanted, environment: Mapping[str, str], port: int, stack: ExitStack
) -> tuple[Process, list[Process]]:
    """SQLite has one process for everything; on PostgreSQL those that deliver are apart from the one that answers."""
    role = "api" if environment["BOOKBELL_DATABASE_URL"] else "all"
    api = Process("the api", ["--role", role, "--port", str(port)], environment)
    stack.callback(api.kill)
    if role == "all":
        return api, [api]
    workers = []
    for number in range(wanted.workers):
        workers.append(Process(f"worker {number + 1}", ["--role", "worker", "--port", "0"], environment))
        stack.callback(workers[-1].kill)
    return api, workers


def _await_ready(port: int, api: Process) -> None:
    pause = threading.Event()
    for _ in range(int(START_S / LOOK_S)):
        try:
            ApiClient(f"http://127.0.0.1:{port}", OPERATOR).get("/platform/v1/organizations")
        except ApiError:
            pause.wait(LOOK_S)
        else:
            return
        if api.has_ended:
            break
    raise StartError(f"The service did not start: {''.join(list(api.log)[-8:])}")


def _register(port: int, receivers: list[ChaosReceiver], seconds: float) -> tuple[str, list[str]]:
    """An account with a webhook for each receiver. The schedule outlasts the run, with no circuit to wait for."""
    base = f"http://127.0.0.1:{port}"
    operator = ApiClient(base, OPERATOR)
    operator.post("/platform/v1/event-types", {"name": TYPE, "description": "Chaos.", "levels": ["account"]})
    organization = operator.post("/platform/v1/organizations", {"name": "Chaos"})["id"]
    policy = {
        "timeout_ms_total": 2_000,
        "timeout_ms_connect": 2_000,
        "schedule_ms": [int(max(1_000, seconds * 1_000 / 10))] * 19,
        "circuit_failures": None,
        "disable_after_ms": None,
    }
    accounts = []
    for receiver in receivers:
        made = operator.post(f"/platform/v1/organizations/{organization}/accounts", {"name": receiver.kind})
        client = ApiClient(base).signed_in(made["client_id"], made["client_secret"])
        client.post(f"{SETTINGS}/update/webhook_endpoint", {"webhook_endpoint": receiver.url, "event": [TYPE]})
        client.put(f"{SETTINGS}/webhook/policy", policy)
        accounts.append(str(made["id"]))
    return str(organization), accounts


def _break_for(seconds: float, faults: Faults, say: Callable[[str], None]) -> None:
    ending = threading.Event()
    with _timer(seconds, ending):
        faults.inject(ending, say)
    faults.revive()


@contextmanager
def _timer(seconds: float, ending: threading.Event) -> Iterator[None]:
    timer = threading.Timer(seconds, ending.set)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _drain(receivers: list[ChaosReceiver], accepted: Mapping[int, float], faults: Faults, wait_s: float) -> None:
    pause = threading.Event()
    ends_at = time.monotonic() + wait_s
    while missing_count(receivers, accepted) and time.monotonic() < ends_at:
        faults.revive()
        pause.wait(LOOK_S)


def _judge(
    wanted: Wanted,
    faults: Faults,
    publisher: Publisher,
    receivers: list[ChaosReceiver],
    environment: Mapping[str, str],
) -> Verdict:
    audit = _command(environment, "audit", "--json", statuses=(0, 1))
    ledgers = [json.loads(line) for line in audit.stdout.splitlines() if line.startswith("{")]
    pending = sum(each["pending"] for each in ledgers if "pending" in each)
    missing = missing_count(receivers, publisher.accepted)
    events = len(publisher.accepted) * len(receivers)
    return Verdict(
        seed=wanted.seed,
        database="sqlite" if faults.is_sqlite else "postgresql",
        workers=len(faults.workers),
        seconds=wanted.seconds,
        events=events,
        refused=publisher.failed_count,
        delivered=events - missing,
        repeated=sum(receiver.repeated_count() for receiver in receivers),
        lost=max(0, missing - pending),
        waiting=min(missing, pending),
        stall_ms=stall_ms(receivers, publisher.accepted),
        faults=dict(faults.done),
        balances=audit.returncode == 0,
        died=faults.died,
    )


def _command(
    environment: Mapping[str, str], *arguments: str, statuses: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bookbell.cli.main", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    if done.returncode not in statuses:
        raise StartError(f"bookbell {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done
