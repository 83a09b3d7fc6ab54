"""kill -9 at any moment loses no acknowledged event, and the ledger balances."""

import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bookbell.cli.api_client import ApiClient, ApiError
from processes import PIPELINE, Service, fill_book, running, sign_up, until
from receivers import Receiver

ROUNDS = 20
EVENTS = 500


def report_until_acknowledged(service: Service, uuid: str) -> None:
    """Report one document as verified; a call cut off by the crash is made again until it is answered."""
    pipeline = ApiClient(service.url, PIPELINE)
    report = {"status": "VERIFICATION_COMPLETE"}
    pause = threading.Event()
    for _ in range(1000):
        try:
            pipeline.post(f"/platform/v1/documents/{uuid}/status", report)
        except ApiError:
            pause.wait(0.02)
        else:
            return
    raise AssertionError(f"document {uuid} was never acknowledged")


def test_no_acknowledged_event_is_lost_when_the_service_is_killed(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    service = Service(tmp_path, lease_ms="1000")
    with running(service), Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[200, 200, 500, 500, 1000, 1000])
        for number in range(ROUNDS):
            seen_count = len(receiver.requests)
            uuids = fill_book(client, f"book-{number}", EVENTS)
            with ThreadPoolExecutor(8) as pool:
                acknowledged = [pool.submit(report_until_acknowledged, service, uuid) for uuid in uuids]
                threading.Event().wait(chance.random() * 1.2)
                service.kill()
                service.start()
                for future in acknowledged:
                    future.result()
            until(
                f"all events of round {number} (seed {seed}) at the receiver",
                partial(_have_come, set(uuids), receiver, seen_count),
            )
        ids_of: dict[str, set[str]] = {}
        for request_id, body in zip(receiver.ids(), receiver.bodies(), strict=True):
            ids_of.setdefault(body["uploaded_doc_uuid"], set()).add(request_id)
        assert len(ids_of) == ROUNDS * EVENTS
        assert Counter(map(len, ids_of.values())) == {1: ROUNDS * EVENTS}, f"seed {seed}"
        until("nothing left waiting", lambda: not client.deliveries(state="pending"))
        audit = service.command("audit", "--json")
        ledger = json.loads(audit.stdout)
        assert (audit.returncode, ledger["problems"]) == (0, []), audit.stdout
        assert ledger["matched"] == ledger["delivered"] == ROUNDS * EVENTS


def _have_come(uuids: set[str], receiver: Receiver, start: int) -> bool:
    return uuids <= {body["uploaded_doc_uuid"] for body in receiver.bodies(start)}
