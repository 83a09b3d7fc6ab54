"""Something happens to the database under load: nothing is lost, and nothing recorded is repeated."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bookbell.cli.api_client import ApiClient, ApiError
from processes import PIPELINE, Client, Service, fill_book, running, sign_up, until
from receivers import Receiver

EVENTS = 120

Refusals = list[ApiError]


def survives(url: str, folder: Path, fault: Callable[[Refusals], None]) -> None:
    """An API and two workers on this database report and deliver while the fault happens, and go on by themselves.

    fault: is told, as they come, of the calls that were refused.
    """
    services = _services(url, folder)
    with running(*services), Receiver() as receiver:
        clients = sign_up(services[0].url, "PennyMae", "one", "two")
        for client in clients:
            client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[500] * 10)
        uuids = [uuid for client in clients for uuid in fill_book(client, "book", EVENTS)]
        refusals: Refusals = []
        with ThreadPoolExecutor(4) as pool:
            asked: list[Future[None]] = [
                pool.submit(_report_until_acknowledged, services[0].url, uuid, refusals) for uuid in uuids
            ]
            until("work in progress", lambda: len(receiver.ids()) > EVENTS // 10)
            recorded = {id_ for client in clients for id_ in _delivered(client)}
            arrived = Counter(receiver.ids())
            fault(refusals)
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


def _services(url: str, folder: Path) -> list[Service]:
    shared = {"data_dir": str(folder / "shared"), "database_url": url, "lease_ms": "2000"}

    def start(role: str, name: str) -> Service:
        (folder / name).mkdir()
        return Service(folder / name, "--role", role, **shared)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(start, ("api", "worker", "worker"), ("api", "one", "two")))


def _report_until_acknowledged(url: str, uuid: str, refusals: Refusals) -> None:
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


def _delivered(client: Client) -> set[str]:
    return {each["id"] for each in client.deliveries(state="delivered", limit=500)}
