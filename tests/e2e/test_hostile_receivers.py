"""Bad receivers get a named outcome, bounded in time and bytes, and a good one beside them is not slowed."""

from pathlib import Path
from typing import Any

import pytest

from processes import Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import (
    Behaviour,
    RawReceiver,
    Receiver,
    close,
    drip,
    early_answer,
    endless_body,
    endless_headers,
    garbage,
    hang,
    reset,
)

# Only who never answers is timed out; the others get as long as a busy machine may need.
QUICK = {"timeout_ms_total": 2_000, "timeout_ms_connect": 2_000, "schedule_ms": [600_000]}
PATIENT = {"timeout_ms_total": 30_000, "timeout_ms_connect": 30_000, "schedule_ms": [600_000]}


def first_attempt(client: Client) -> dict[str, Any]:
    """The first attempt of the account's only delivery, once it is recorded."""

    def look() -> dict[str, Any] | None:
        (delivery,) = client.deliveries()
        inspected: dict[str, Any] = client.api.get(f"/v1/deliveries/{delivery['id']}")
        return inspected["attempts"][0] if inspected["attempts"] else None

    attempt: dict[str, Any] = until("the first attempt", look)
    return attempt


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status"),
    [
        (hang, "timed_out:first_byte", None),
        (reset, "unreachable:reset", None),
        (close, "unreachable:reset", None),
        (drip, "timed_out:body", None),
        (endless_body, "answered", 200),
        (endless_headers, "oversized:headers", None),
        (garbage, "unreachable:protocol", None),
        (early_answer, "answered", 413),
    ],
)
def test_a_bad_receiver_gets_a_named_outcome(
    tmp_path: Path, behaviour: Behaviour, outcome: str, status: int | None
) -> None:
    service = Service(tmp_path)
    with running(service), RawReceiver(behaviour) as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED", **(QUICK if behaviour in {hang, drip} else PATIENT))
        verify_all(service.url, fill_book(client, "book", 1))
        attempt = first_attempt(client)
        assert (attempt["outcome"], attempt["status_code"]) == (outcome, status)
        assert attempt["detail"]
        assert len(attempt["response_body"] or "") <= 4096
        assert attempt["timings_us"]["total"] > 0


def test_an_error_status_is_kept_with_its_answer_and_a_redirect_is_not_followed(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver() as target, Receiver(500) as failing, Receiver(302) as redirecting:
        redirecting.headers = {"Location": target.url}
        first, second = sign_up(service.url, "PennyMae", "one", "two")
        first.register(failing.url, "DOC_VERIFIED", **PATIENT)
        second.register(redirecting.url, "DOC_VERIFIED", **PATIENT)
        for client in (first, second):
            verify_all(service.url, fill_book(client, "book", 1))
        assert first_attempt(first)["status_code"] == 500
        assert first_attempt(second)["status_code"] == 302
        assert ["Location", target.url] in first_attempt(second)["response_headers"]
        assert target.requests == []


def test_a_redirect_to_itself_is_one_request(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver(307) as receiver:
        receiver.headers = {"Location": receiver.url}
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED", **PATIENT)
        verify_all(service.url, fill_book(client, "book", 1))
        assert first_attempt(client)["status_code"] == 307
        assert len(receiver.requests) == 1


def test_a_hanging_receiver_does_not_hold_up_a_healthy_one(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), RawReceiver(hang) as hanging, Receiver() as healthy:
        bad, good = sign_up(service.url, "PennyMae", "bad", "good")
        bad.register(hanging.url, "DOC_VERIFIED", timeout_ms_total=60_000)
        good.register(healthy.url, "DOC_VERIFIED")
        stuck = fill_book(bad, "bad book", 200)
        verify_all(service.url, stuck)
        until("the hanging receiver holds its full share", lambda: hanging.connection_count == 16)
        wanted = fill_book(good, "good book", 200)
        verify_all(service.url, wanted)
        until("everything at the healthy receiver", lambda: len(set(healthy.ids())) == len(wanted))
        assert hanging.connection_count == 16
        assert {delivery["attempt_count"] for delivery in bad.deliveries(limit=500)} == {0}


def test_the_guard_refuses_at_the_socket_what_a_name_resolves_to(tmp_path: Path) -> None:
    service = Service(tmp_path, allow_networks="127.0.0.2/32", allow_short_hosts="yes")
    with running(service), Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        # localhost passes as a name, because short hosts are allowed, only where loopback is allowed; a name that
        # merely resolves there is judged when the socket is opened.
        name = "localhost.localdomain"
        client.register(f"http://{name}:{receiver.port}/hook", "DOC_VERIFIED", **PATIENT)
        verify_all(service.url, fill_book(client, "book", 1))
        attempt = first_attempt(client)
        assert attempt["outcome"].startswith(("refused:loopback", "unreachable:dns"))
        assert receiver.requests == []
