"""Runs what others would write, and C itself, against the same sink: wrk, Celery, procrastinate.

Each function gives the Figures of one run, or None when what it needs is not installed here.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bookbell.bench.figures import Figures
from bookbell.bench.processes import BenchError, Sink, cores, cpu_s, prepare
from bookbell.bench.seeding import BODY

HERE = Path(__file__).parent
REDIS_PORT = 6390
LIMIT_S = 300.0
SETTLE_S = 3.0


def wrk(seconds: int = 5) -> Figures | None:
    """C to the same sink: as many requests as wrk sends from one core over 64 connections."""
    if not shutil.which("wrk"):
        return None
    measured, other = cores()
    with Sink(other) as sink, tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method = 'POST'\nwrk.body = '{BODY.decode()}'\nwrk.headers['Content-Type'] = 'application/json'\n"
        )
        script.flush()
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script.name, f"http://127.0.0.1:{sink.port}/h0"]
        before = os.times()
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {measured})
        )
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
        assert found is not None, done.stdout
        count = int(found[1])
        return Figures(count=count, per_s=count / float(found[2]), cpu_us=used / count * 1e6)


def celery(count: int) -> Figures | None:
    """Celery with 8 prefork processes on Redis, posting with requests."""
    if not shutil.which("redis-server"):
        return None
    measured, other = cores()
    address = f"redis://127.0.0.1:{REDIS_PORT}/0"
    environment = {**os.environ, "BENCH_REDIS": address, "PYTHONPATH": str(HERE)}
    with tempfile.TemporaryDirectory() as folder, Sink(other) as sink:
        redis = _start(
            ["redis-server", "--port", str(REDIS_PORT), "--appendonly", "yes", "--dir", folder, "--bind", "127.0.0.1"],
            other,
            environment,
        )
        try:
            time.sleep(SETTLE_S / 3)
            url = f"http://127.0.0.1:{sink.port}/h0"
            subprocess.run(
                [sys.executable, "celery_team.py", "send", url, str(count)], cwd=HERE, env=environment, check=True
            )
            worker = [sys.executable, "-m", "celery", "-A", "celery_team", "worker", "--pool", "prefork"]
            return _drained(sink, [*worker, "--concurrency", "8", "--loglevel", "ERROR"], count, measured, environment)
        finally:
            _end(redis)


def procrastinate(count: int, database_url: str) -> Figures | None:
    """procrastinate with 64 jobs at once on PostgreSQL, posting with httpx."""
    measured, other = cores()
    environment = {**os.environ, "BENCH_POSTGRESQL": database_url}
    program = [sys.executable, str(HERE / "procrastinate_team.py")]
    with Sink(other) as sink:
        url = f"http://127.0.0.1:{sink.port}/h0"
        subprocess.run([*program, "schema"], env=environment, check=True)
        subprocess.run([*program, "send", url, str(count)], env=environment, check=True)
        return _drained(sink, [*program, "work", "64"], count, measured, environment)


def _drained(sink: Sink, command: Sequence[str], count: int, core: int, environment: dict[str, str]) -> Figures:
    worker = _start(command, core, environment)
    try:
        sink.wait_for(1, LIMIT_S)
        before, seen_before = _family_cpu_s(worker.pid), sink.count()
        sink.wait_for(count, LIMIT_S)
        if worker.poll() is not None:
            raise BenchError(f"{command!r} has ended.")
        used = _family_cpu_s(worker.pid) - before
    finally:
        _end(worker)
    seen = sink.mark()
    return Figures(
        count=count,
        per_s=seen["count"] / ((seen["last_us"] - seen["first_us"]) / 1e6),
        cpu_us=used / (count - seen_before) * 1e6,
        lost=count - seen["count"],
        repeated=seen["repeated"],
    )


def _start(command: Sequence[str], core: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        cwd=HERE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(prepare, core),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _family_cpu_s(pid: int) -> float:
    """Processor time of a process and its children, which are in its group."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getpgid(int(entry.name)) == pid:
                    total += cpu_s(int(entry.name))
            except (OSError, ValueError):
                continue  # it has just ended
    return total


def is_there(name: str) -> bool:
    """Whether what this reference needs is installed."""
    needed = {"wrk": shutil.which("wrk"), "celery": shutil.which("redis-server") and find_spec("celery")}
    return bool(needed.get(name, find_spec(name)))
