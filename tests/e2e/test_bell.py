"""Workers hear at once what another process published; without the bell they find it by polling."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bookbell.store.database import Database, Tx
from processes import Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import Receiver

PROGRAM = str(Path(__file__).parent.parent / "slow_polling.py")


class SlowPoller(Service):
    """A worker that looks by itself once in ten minutes only."""

    program = (PROGRAM,)


@pytest.fixture
def api_and_worker(postgresql_url: str, tmp_path: Path) -> Iterator[Service]:
    for name in ("api", "worker"):
        (tmp_path / name).mkdir()
    shared = {"data_dir": str(tmp_path / "shared"), "database_url": postgresql_url, "lease_ms": "60000"}
    api = Service(tmp_path / "api", "--role", "api", **shared)
    with running(api, SlowPoller(tmp_path / "worker", **shared)):
        yield api


def listeners(tx: Tx) -> set[int]:
    rows = tx.exec_driver_sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'bookbell-bell' AND datname = current_database()"
    )
    return {row.pid for row in rows}


def kill_listeners(tx: Tx) -> None:
    tx.exec_driver_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'bookbell-bell' AND datname = current_database()"
    )


def verify(api: Service, client: Client, name: str, count: int = 5) -> None:
    verify_all(api.url, fill_book(client, name, count))


def test_a_worker_hears_what_another_process_published(api_and_worker: Service) -> None:
    with Receiver() as receiver:
        (client,) = sign_up(api_and_worker.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED")
        for count in range(1, 6):
            verify(api_and_worker, client, f"book {count}")
            until("all of them at the receiver", lambda count=count: len(set(receiver.ids())) == 5 * count)  # type: ignore[misc]


def test_a_lost_bell_costs_no_delivery_and_comes_back(api_and_worker: Service, postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with Receiver() as receiver:
        (client,) = sign_up(api_and_worker.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED")
        (before,) = until("a listener", lambda: database.read_now(listeners))
        database.write_now(kill_listeners)
        verify(api_and_worker, client, "amid")
        until("all of them at the receiver", lambda: len(set(receiver.ids())) == 5)
        after = until("another listener", lambda: database.read_now(listeners))
        assert before not in after
        verify(api_and_worker, client, "after")
        until("the later ones too", lambda: len(set(receiver.ids())) == 10)
    database.close()
