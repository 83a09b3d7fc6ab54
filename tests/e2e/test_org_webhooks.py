"""Webhooks of an organization beside those of its accounts, with real processes and real receivers."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bookbell.receiver import verify
from processes import ApiError, Client, Service, add_account, fill_book, running, sign_up, until, verify_all
from receivers import Receiver

WEBHOOK = "/v1/account/settings/webhook"
VERIFIED = "document.verification_succeeded"
SECRET = "a-secret-of-the-organization"


@pytest.fixture(params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """One process that does everything."""
    settings: dict[str, str] = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgresql_url")
    service = Service(tmp_path, **settings)
    with running(service):
        yield service


def add(manager: Client, url: str, *events: str, **fields: Any) -> str:
    """Add a webhook of the organization. Gives its uuid."""
    body = {"webhook": {"url": url, **fields}, "event_names": list(events)}
    return str(manager.api.post(WEBHOOK, body)["uuid"])


def settled(manager: Client, webhook: str) -> list[dict[str, Any]]:
    """The deliveries of a webhook, once none is pending."""

    def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = manager.api.get("/v1/deliveries", webhook_uuid=webhook, limit=500)["deliveries"]
        return found

    until("nothing pending", lambda: not any(each["state"] == "pending" for each in look()))
    return look()


def test_each_webhook_gets_what_it_must_and_nothing_else(service: Service) -> None:
    one, two = sign_up(service.url, "PennyMae", "one", "two")
    manager = add_account(service.url, one.organization_id, "manager", "manager")
    (stranger,) = sign_up(service.url, "QuickLend", "stranger")
    with Receiver() as of_org, Receiver() as of_one, Receiver() as of_two, Receiver() as of_books:
        webhook = add(manager, of_org.url, VERIFIED, "book.verified", username="intake", password="p@ss")
        books = add(manager, of_books.url, "book.verified", description="Books only")
        manager.api.post(f"{WEBHOOK}/{webhook}/rotate-secret", {"secret_key": SECRET})
        one.register(of_one.url, "DOC_VERIFIED")
        two.register(of_two.url, "DOC_VERIFIED", "BOOK_VERIFIED")
        verify_all(service.url, [*fill_book(one, "a", 3), *fill_book(two, "b", 2), *fill_book(stranger, "c", 4)])

        until("all of the organization's", lambda: len(of_org.ids()) == 7)
        until("all of one's", lambda: len(of_one.ids()) == 3)
        until("all of two's", lambda: len(of_two.ids()) == 3)
        until("both books", lambda: len(of_books.ids()) == 2)
        names = Counter(body["event_name"] for body in of_org.bodies())
        assert names == {VERIFIED: 5, "book.verified": 2}
        assert {body["severity"] for body in of_org.bodies()} == {"LOW", "MODERATE"}
        assert not any("severity" in body for body in [*of_one.bodies(), *of_two.bodies()])
        for path, headers, body in of_org.requests:
            verify(headers, body, SECRET)
            assert (path, headers["authorization"]) == ("/hook", "Basic " + base64.b64encode(b"intake:p@ss").decode())
        assert {each["state"] for each in [*settled(manager, webhook), *settled(manager, books)]} == {"delivered"}
        all_ids = [*of_org.ids(), *of_one.ids(), *of_two.ids(), *of_books.ids()]
        assert len(set(all_ids)) == len(all_ids)
        with pytest.raises(ApiError, match="1316"):
            one.api.get("/v1/deliveries", webhook_uuid=webhook)
        assert service.command("audit", "--json").returncode == 0
    assert "p@ss" not in service.log()
    assert SECRET not in service.log()


def test_deactivating_and_deleting_end_what_waits_and_leave_the_history(service: Service) -> None:
    (one,) = sign_up(service.url, "PennyMae", "one")
    manager = add_account(service.url, one.organization_id, "manager", "manager")
    with Receiver(503) as receiver:
        webhook = add(manager, receiver.url, VERIFIED)
        manager.api.put(f"{WEBHOOK}/{webhook}/policy", {"schedule_ms": [600_000]})
        verify_all(service.url, fill_book(one, "a", 2))
        until("both first attempts", lambda: len(receiver.ids()) == 2)
        manager.api.post(f"{WEBHOOK}/{webhook}/update", {"webhook": {"is_active": False}})
        verify_all(service.url, fill_book(one, "b", 3))
        dropped = settled(manager, webhook)
        assert [(each["state"], each["reason"]) for each in dropped] == [("cancelled", "deactivated")] * 2

        receiver.status = 200
        manager.api.post(f"{WEBHOOK}/{webhook}/update", {"webhook": {"is_active": True}})
        manager.api.post(f"/v1/deliveries/{dropped[0]['id']}/retry", {})
        until("the one that was retried", lambda: len(receiver.ids()) == 3)
        assert receiver.ids()[2] == dropped[0]["id"]
        settled(manager, webhook)
        listed = service.command("webhook", "list", "--organization", one.organization_id, "--json")
        (shown,) = [json.loads(line) for line in listed.stdout.splitlines()]
        assert (shown["id"], shown["level"], shown["state"], shown["url"]) == (webhook, "org", "active", receiver.url)

        manager.api.delete(f"{WEBHOOK}/{webhook}/delete")
        verify_all(service.url, fill_book(one, "c", 1))
        assert manager.api.get("/v1/account/settings/webhooks") == {"webhooks": []}
        assert Counter(each["state"] for each in settled(manager, webhook)) == {"cancelled": 1, "delivered": 1}
        assert len(receiver.ids()) == 3
        assert service.command("audit", "--json").returncode == 0
