"""bookbell as a webhook server for any platform: a type of the operator's own, published and received for real."""

import json
from pathlib import Path

import pytest

from bookbell.cli.api_client import ApiClient, ApiError
from bookbell.receiver import verify
from processes import OPERATOR, PIPELINE, SETTINGS, Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import Receiver

SCHEMA = {"type": "object", "required": ["loan"], "properties": {"loan": {"type": "integer"}}}
SECRET = "a-secret-of-the-receiver"
BODY = b'{ "loan": 2210,  "amount": 1.50, "by": "\\u00dcbergabe" }'


def account_id(url: str, client: Client) -> str:
    """The id of the client's account."""
    found = ApiClient(url, OPERATOR).get(f"/platform/v1/organizations/{client.organization_id}/accounts")
    return str(found["accounts"][0]["id"])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_platform_publishes_events_of_its_own(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = {"database_url": request.getfixturevalue("postgresql_url")} if kind == "postgresql" else {}
    service = Service(tmp_path, **settings)
    with running(service), Receiver() as receiver:
        operator, pipeline = ApiClient(service.url, OPERATOR), ApiClient(service.url, PIPELINE)
        operator.post(
            "/platform/v1/event-types",
            {"name": "loan.funded", "description": "A loan was funded.", "levels": ["account"], "schema": SCHEMA},
        )
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "loan.funded")
        client.api.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": SECRET})
        known = client.api.get("/v1/event-types/loan.funded")
        assert known["schemas"] == {"account": SCHEMA}

        target = {"organization_id": client.organization_id, "account_id": account_id(service.url, client)}
        envelope = json.dumps({"type": "loan.funded", **target})
        raw = envelope[:-1].encode() + b', "body": ' + BODY + b"}"
        answer = pipeline._call("POST", "/platform/v1/events", raw, "application/json")["response"]
        assert answer["matched_count"] == 1
        until("the event at the receiver", lambda: receiver.requests)
        _, headers, body = receiver.requests[0]
        assert body == BODY
        verify(headers, body, SECRET, tolerance_s=float("inf"))

        with pytest.raises(ApiError, match="'loan' is a required property"):
            pipeline.post("/platform/v1/events", {"type": "loan.funded", **target, "body": {}})

        file = tmp_path / "body.json"
        file.write_bytes(BODY)
        arguments = ["--organization", target["organization_id"], "--account", target["account_id"]]
        done = service.command("publish", "loan.funded", *arguments, "--body", str(file), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["matched_count"] == 1
        until("the published one at the receiver", lambda: len(receiver.requests) == 2)
        assert receiver.requests[1][2] == BODY
        refused = service.command("publish", "loan.repaid", *arguments, "--body", str(file))
        assert refused.returncode == 2
        assert "No event type is named loan.repaid" in refused.stderr
        listed = service.command("event-types", "list", "--json").stdout.splitlines()
        assert json.loads(listed[-1])["name"] == "loan.funded"
        until("both recorded", lambda: not client.deliveries(state="pending"))
        assert service.command("audit").returncode == 0


def test_a_run_of_a_book_is_told_in_the_contracts_order(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service), Receiver() as receiver:
        operator, pipeline = ApiClient(service.url, OPERATOR), ApiClient(service.url, PIPELINE)
        (client,) = sign_up(service.url, "PennyMae", "one")
        operator.put(
            f"/platform/v1/organizations/{client.organization_id}", {"tasks": ["ANALYTICS", "CAPTURE", "DETECT"]}
        )
        client.register(receiver.url, "BOOK_VERIFIED", "book.completed", "document.detect.signal_found")
        (document,) = fill_book(client, "Loan", 1)
        verify_all(service.url, [document])
        book = client.api.get("/v1/books")[0]["book_uuid"]
        events = [
            {"type": "book.analytics_v2.generated", "book_uuid": book},
            {"type": "document.detect.signal_found", "document_uuid": document},
            {"type": "book.detect.signal_found", "book_uuid": book},
        ]
        pipeline.post("/platform/v1/events", {"events": events})
        until("three events", lambda: len(receiver.requests) == 3)
        told = [each["event"] for each in client.api.get("/v1/events")["events"]][::-1]
        assert told == [
            "document.classification_succeeded",
            "book.classified",
            "DOC_VERIFIED",
            "document.verification_succeeded",
            "BOOK_VERIFIED",
            "book.verified",
            "book.analytics_v2.generated",
            "document.detect.signal_found",
            "book.detect.signal_found",
            "book.completed",
        ]
        bodies = {body["event_name"]: body for body in receiver.bodies()}
        assert bodies["book.completed"]["tasks"] == ["ANALYTICS", "CAPTURE", "DETECT"]
