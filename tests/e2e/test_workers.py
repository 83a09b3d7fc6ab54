"""Several processes on one database: nothing is sent twice while all live, and a dead worker's lanes move on."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from processes import Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import Receiver

ACCOUNTS = 8
EVENTS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Service]]:
    """An API process and two workers on one database."""
    with started(request, tmp_path, lease_ms="2000") as services:
        yield services


@pytest.fixture(params=["sqlite", "postgresql"])
def unhurried_fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Service]]:
    """As fleet, with leases that no live worker misses, however busy the machine is."""
    with started(request, tmp_path, lease_ms="60000") as services:
        yield services


@contextmanager
def started(request: pytest.FixtureRequest, tmp_path: Path, lease_ms: str) -> Iterator[list[Service]]:
    settings: dict[str, str] = {"data_dir": str(tmp_path / "shared"), "lease_ms": lease_ms}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgresql_url")
    services: list[Service] = []
    for role in ("api", "worker", "worker"):
        folder = tmp_path / f"{role}-{len(services)}"
        folder.mkdir()
        services.append(Service(folder, "--role", role, **settings))
    with running(*services):
        yield services


def publish(services: list[Service], clients: list[Client], round_name: str) -> int:
    for client in clients:
        verify_all(services[0].url, fill_book(client, round_name, EVENTS))
    return len(clients) * EVENTS


def at_work(fleet: list[Service], receiver: Receiver) -> tuple[list[Client], int]:
    """Clients of this receiver for whom much has just been published. Gives how many deliveries, too."""
    clients = sign_up(fleet[0].url, "PennyMae", *(f"key {number}" for number in range(ACCOUNTS)))
    for client in clients:
        client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[500] * 10)
    return clients, publish(fleet, clients, "before")


def workers_of(client: Client) -> set[str]:
    """The workers that made attempts for this account."""
    return {
        attempt["worker"]
        for delivery in client.deliveries(limit=5)
        for attempt in client.api.get(f"/v1/deliveries/{delivery['id']}")["attempts"]
    }


def is_stopped_between_writes(service: Service) -> bool:
    """Stop this process, unless it has an SQLite file locked: stopped, it would keep all others from writing."""
    service.process.send_signal(signal.SIGSTOP)
    if "BOOKBELL_DATABASE_URL" in service.environment:
        return True
    file = sqlite3.connect(Path(service.environment["BOOKBELL_DATA_DIR"]) / "bookbell.db", timeout=1)
    try:
        with file:
            file.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        service.process.send_signal(signal.SIGCONT)
        return False
    finally:
        file.close()
    return True


def test_two_workers_share_the_lanes_and_send_nothing_twice(unhurried_fleet: list[Service]) -> None:
    fleet = unhurried_fleet
    with Receiver() as receiver:
        clients = sign_up(fleet[0].url, "PennyMae", *(f"key {number}" for number in range(ACCOUNTS)))
        for client in clients:
            client.register(receiver.url, "DOC_VERIFIED")
        sent = publish(fleet, clients, "first")
        until("every delivery at the receiver", lambda: len(set(receiver.ids())) == sent)
        until("every delivery recorded", lambda: not any(client.deliveries(state="pending") for client in clients))
        assert len(receiver.ids()) == sent


def test_what_a_killed_worker_had_is_delivered_by_another(fleet: list[Service]) -> None:
    with Receiver() as receiver:
        clients, sent = at_work(fleet, receiver)
        until("work in progress", lambda: len(receiver.ids()) > sent // 10)
        fleet[1].kill()
        sent += publish(fleet, clients, "after")
        until("every delivery at the receiver", lambda: len(set(receiver.ids())) == sent)
        until("every delivery recorded", lambda: not any(client.deliveries(state="pending") for client in clients))
        assert fleet[0].command("audit", "--json").returncode == 0


def test_nobody_waits_for_the_lease_of_a_worker_that_was_killed_on_the_same_machine(
    unhurried_fleet: list[Service],
) -> None:
    fleet = unhurried_fleet
    with Receiver() as receiver:
        clients, sent = at_work(fleet, receiver)
        until("work in progress", lambda: len(receiver.ids()) > sent // 10)
        fleet[1].kill()
        until("every delivery recorded", lambda: not any(client.deliveries(state="pending") for client in clients))
        fleet[2].kill()
        sent += publish(fleet, clients, "while nobody works")
        fleet[2].start()
        until("every delivery at the receiver", lambda: len(set(receiver.ids())) == sent)
        until("every delivery recorded", lambda: not any(client.deliveries(state="pending") for client in clients))
        assert fleet[0].command("audit", "--json").returncode == 0


def test_a_worker_that_was_stopped_past_its_lease_overwrites_nothing(fleet: list[Service]) -> None:
    with Receiver() as receiver:
        clients, sent = at_work(fleet, receiver)
        until("work in progress", lambda: len(receiver.ids()) > 0)
        until("a moment in which it writes nothing", lambda: is_stopped_between_writes(fleet[1]))
        until("everything done by the other", lambda: len(set(receiver.ids())) == sent)
        until("every delivery recorded", lambda: not any(client.deliveries(state="pending") for client in clients))
        before = {each["id"]: each for client in clients for each in client.deliveries(limit=500)}
        fleet[1].process.send_signal(signal.SIGCONT)
        sent += publish(fleet, clients, "after")
        until("the later ones too", lambda: len(set(receiver.ids())) == sent)
        after = {each["id"]: each for client in clients for each in client.deliveries(limit=500)}
        assert {id_: after[id_] for id_ in before} == before
        assert fleet[0].command("audit", "--json").returncode == 0


def test_a_worker_tells_how_it_is_and_answers_nothing_else(unhurried_fleet: list[Service]) -> None:
    api, worker, _ = unhurried_fleet
    with Receiver() as receiver:
        (client,) = sign_up(api.url, "PennyMae", "key")
        client.register(receiver.url, "DOC_VERIFIED")
        sent = publish(unhurried_fleet, [client], "one")
        until("every delivery recorded", lambda: len(client.deliveries(state="delivered", limit=500)) == sent)
    assert requests.get(f"{worker.url}/health/ready").json() == {"status": "ready"}
    attempts = [
        float(line.split()[-1])
        for each in unhurried_fleet
        for line in requests.get(f"{each.url}/metrics").text.splitlines()
        if line.startswith('bookbell_attempts_total{outcome="answered"}')
    ]
    assert sum(attempts) == sent
    assert requests.get(f"{worker.url}/v1/account/settings/webhook_endpoint").status_code == 404
