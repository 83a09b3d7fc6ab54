"""Replays with real processes and receivers: each event arrives exactly once for each request id that is due to it."""

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from processes import Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import Receiver

LONG_AGO = "2020-01-01T00:00:00Z"
COUNT = 120


def done(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job once everything is due and nothing of it waits."""

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.api.get(f"/v1/replays/{job['id']}")
        is_over = found["state"] != "running" and not found["deliveries"]["pending"]
        return found if is_over else None

    found: dict[str, Any] = until("the end of the replay", ended)
    return found


def has_made(client: Client, job: dict[str, Any], count: int) -> bool:
    """Whether the job has made more than that many deliveries."""
    made: int = client.api.get(f"/v1/replays/{job['id']}")["replayed_count"]
    return made > count


def audited(service: Service) -> dict[str, Any]:
    audit = service.command("audit", "--json")
    ledger: dict[str, Any] = json.loads(audit.stdout)
    assert (audit.returncode, ledger["problems"]) == (0, []), audit.stdout
    return ledger


def test_after_an_outage_everything_that_failed_is_recovered_once(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver(503) as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[100], circuit_failures=None)
        verify_all(service.url, fill_book(client, "outage", COUNT))
        until("all are given up", lambda: len(client.deliveries(state="exhausted", limit=500)) == COUNT)
        failed = {each["id"] for each in client.deliveries(limit=500)}
        receiver.forget()
        receiver.status = 200
        plan = client.api.post("/v1/replays", {"since": LONG_AGO, "dry_run": True})
        assert (plan["count"], plan["is_exact"]) == (COUNT, True)
        job = client.api.post("/v1/replays", {"since": LONG_AGO, "rate_per_s": 1_000})
        found = done(client, job)
        assert (found["recovered_count"], found["replayed_count"]) == (COUNT, 0)
        assert found["deliveries"]["delivered"] == COUNT
        assert Counter(receiver.ids()) == Counter(failed), "each once, under the request id it had"
        assert audited(service)["delivered"] == COUNT


def test_what_was_missed_while_unregistered_is_sent_and_a_staging_url_gets_copies(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver() as receiver, Receiver(500) as staging:
        (client,) = sign_up(service.url, "PennyMae", "one")
        verify_all(service.url, fill_book(client, "missed", COUNT))
        client.register(receiver.url, "DOC_VERIFIED")
        found = done(client, client.api.post("/v1/replays", {"since": LONG_AGO, "select": "missed"}))
        assert (found["replayed_count"], found["deliveries"]["delivered"]) == (COUNT, COUNT)
        assert len(set(receiver.ids())) == len(receiver.ids()) == COUNT
        assert len({body["uploaded_doc_uuid"] for body in receiver.bodies()}) == COUNT

        receiver.forget()
        copying = {
            "since": LONG_AGO,
            "select": "all",
            "staging_url": staging.url.replace("://", "://user:word@"),
            "staging_secret": "staging-secret-0123",
            "rate_per_s": 1_000,
        }
        job = client.api.post("/v1/replays", copying)
        until("copies at the staging URL", lambda: len(set(staging.ids())) == COUNT)
        staging.status = 200
        found = done(client, job)
        assert found["deliveries"]["delivered"] == COUNT
        assert receiver.requests == []
        headers = staging.requests[0][1]
        assert headers["authorization"].startswith("Basic ")
        assert "webhook-signature" in {name.lower() for name in headers}
        ledger = audited(service)
        assert (ledger["matched"], ledger["delivered"]) == (2 * COUNT, 2 * COUNT)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_job_goes_on_after_kill_9_and_makes_no_doubles(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Workers are killed in the middle, again and again, while events are published."""
    shared = {"data_dir": str(tmp_path / "shared"), "lease_ms": "1000"}
    if kind == "postgresql":
        shared["database_url"] = request.getfixturevalue("postgresql_url")
    folders = [tmp_path / name for name in ("api", "first", "second")]
    for folder in folders:
        folder.mkdir()
    api = Service(folders[0], "--role", "api", **shared)
    workers = [Service(folder, "--role", "worker", **shared) for folder in folders[1:]]
    with running(api, *workers), Receiver() as receiver:
        (client,) = sign_up(api.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED", schedule_ms=[200, 200, 500, 1000])
        verify_all(api.url, fill_book(client, "first", 400))
        until("all are delivered", lambda: len(client.deliveries(state="delivered", limit=500)) == 400)
        originals = set(receiver.ids())
        job = client.api.post("/v1/replays", {"since": LONG_AGO, "select": "delivered", "rate_per_s": 100})
        more = fill_book(client, "second", 40)
        for number in range(4):
            until("the job moves", functools.partial(has_made, client, job, 60 * number))
            workers[number % 2].kill()
            verify_all(api.url, more[number * 10 : number * 10 + 10])
            workers[number % 2].start()
        found = done(client, job)
        assert (found["state"], found["replayed_count"], found["deliveries"]["delivered"]) == ("done", 400, 400)
        until("nothing waits", lambda: not client.deliveries(state="pending"))
        ledger = audited(api)
        assert (ledger["matched"], ledger["delivered"]) == (840, 840)
        copies = set(receiver.ids()) - originals
        assert len(copies) == 440, "a crash may repeat a request, but makes no delivery twice"
