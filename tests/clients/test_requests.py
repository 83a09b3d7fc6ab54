"""The call sequences of clients written with Python requests: forms, JSON, bodies of a GET, legacy Basic."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from processes import pdf, until
from receivers import Receiver
from sandboxes import Sandbox


class Bearer(requests.auth.AuthBase):
    """Adds the token by hand, in lower case as one finds it."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["authorization"] = "Bearer " + self.token
        return request


def form(sandbox: Sandbox) -> dict[str, str]:
    client_id, client_secret = sandbox.key("one")
    return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}


@pytest.fixture
def auth(sandbox: Sandbox) -> Bearer:
    return Bearer(requests.post(f"{sandbox.url}/oauth/token", data=form(sandbox)).json()["access_token"])


def test_a_token_is_had_by_form_by_json_with_audience_and_from_a_credentials_file(sandbox: Sandbox) -> None:
    stored = json.loads((sandbox.folder / "credentials-one.json").read_text())
    from_file = {
        "grant_type": "client_credentials",
        "audience": "https://api.ocrolus.com/",
        "client_id": stored["clientId"],
        "client_secret": stored["clientSecret"],
    }
    url, headers = f"{sandbox.url}/oauth/token", {"Accept": "application/json", "Content-Type": "application/json"}
    for answer in (
        requests.post(url, data=form(sandbox)),
        requests.post(url, data=from_file),
        requests.post(url, json=from_file, headers=headers),
        requests.post(url, auth=sandbox.key("one")),
    ):
        answer.raise_for_status()
        assert answer.json()["expires_in"] == 86_400
        assert answer.json()["token_type"] == "Bearer"


def test_from_registration_to_a_verified_notification(
    sandbox: Sandbox, receiver: Receiver, auth: Bearer, secret: str
) -> None:
    settings = f"{sandbox.url}/v1/account/settings"
    multipart = {"webhook_endpoint": (None, receiver.url), "event": (None, "DOC_VERIFIED,BOOK_VERIFIED")}
    registered = requests.post(f"{settings}/update/webhook_endpoint", files=multipart, auth=auth).json()
    assert registered["response"]["events"] == ["DOC_VERIFIED", "BOOK_VERIFIED"]
    requests.post(f"{settings}/webhook/rotate-secret", json={"secret_key": secret}, auth=auth).raise_for_status()
    tested = requests.get(
        f"{settings}/test_webhook_endpoint", auth=auth, headers={"Content-Type": "application/json"}
    ).json()
    assert tested["response"]["resp_code"] == 200
    book = requests.post(f"{sandbox.url}/v1/book/add", json={"name": "Loan 2210"}, auth=auth).json()["response"]
    uploaded = requests.post(
        f"{sandbox.url}/v1/book/upload",
        auth=auth,
        files={"upload": ("statement.pdf", pdf(2, "requests"))},
        data={"pk": str(book["pk"]), "form_type": "W2"},
    ).json()
    assert uploaded["response"]["uploaded_docs"][0]["page_count"] == 2

    def status() -> Any:
        found = requests.get(f"{sandbox.url}/v1/book/status", params={"pk": book["pk"]}, auth=auth)
        return found.json()["response"]["book_status"] == "VERIFIED"

    until("the book to be verified", status)
    until("the notifications", lambda: len(receiver.requests) >= 3)
    _, headers, body = receiver.requests[-1]
    signed = f"{headers['webhook-timestamp']}.{headers['webhook-request-id']}.".encode() + body
    assert hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() == headers["webhook-signature"]
    events = {each.get("event_name") for each in receiver.bodies()} - {None}
    assert events == {"DOC_VERIFIED", "BOOK_VERIFIED"}
    requests.post(f"{settings}/update/webhook_endpoint", data={"webhook_endpoint": "", "event": ""}, auth=auth)


def test_a_batch_uploader_sends_forms_and_names_the_file_field_after_the_file(sandbox: Sandbox, auth: Bearer) -> None:
    added = requests.post(f"{sandbox.url}/v1/book/add", data={"name": "A1", "book_class": "INSTANT"}, auth=auth).json()
    form = {"book_uuid": added["response"]["uuid"]}
    mixed = requests.post(
        f"{sandbox.url}/v1/book/upload/mixed", data=form, files={"A1.PDF": pdf(3, "batch")}, auth=auth
    ).json()
    assert mixed["response"]["mixed_uploaded_docs"][0]["name"] == "A1.PDF"
    image = (sandbox.folder / "samples" / "page.png").read_bytes()
    grouped = requests.post(
        f"{sandbox.url}/v1/book/upload/image", data=form, files={"B2.PNG": image}, auth=auth
    ).json()
    assert isinstance(grouped["response"]["image_group_pk"], int)
    closed = requests.post(f"{sandbox.url}/v1/book/upload/image/done", data=form, auth=auth).json()
    assert closed["response"]["mixed_doc_uuid"]


def test_parameters_may_stand_in_the_body_of_a_get(sandbox: Sandbox, auth: Bearer) -> None:
    book = requests.post(f"{sandbox.url}/v1/book/add", json={"name": "Loan 4096"}, auth=auth).json()["response"]
    by_json = requests.get(f"{sandbox.url}/v1/book/info", json={"pk": book["id"]}, auth=auth).json()
    by_form = requests.get(f"{sandbox.url}/v1/book/status", data={"pk": book["id"]}, auth=auth).json()
    assert by_json["response"]["book_uuid"] == by_form["response"]["uuid"] == book["uuid"]
    assert requests.get(f"{sandbox.url}/v1/books", json={}, auth=auth).json()["response"][0]["pk"] == book["pk"]


def test_a_legacy_key_signs_in_with_its_address(sandbox: Sandbox, tmp_path: Path) -> None:
    email, (_, client_secret) = sandbox.told["keys"][0]["email"], sandbox.key("one")
    book = requests.post(f"{sandbox.url}/v1/book/add", json={"name": "Loan 5"}, auth=(email, client_secret)).json()
    path = tmp_path / "invoice.pdf"
    path.write_bytes(pdf(1, "legacy"))
    with path.open("rb") as file:
        uploaded = requests.post(
            f"{sandbox.url}/v1/book/upload",
            auth=(email, client_secret),
            data={"pk": book["response"]["pk"], "doc_name": "Invoice"},
            files={"file": file},
        ).json()
    assert uploaded["response"]["uploaded_docs"][0]["name"] == "Invoice"


def test_a_second_upload_of_a_file_is_a_failure_inside_http_200(sandbox: Sandbox, auth: Bearer) -> None:
    book = requests.post(f"{sandbox.url}/v1/book/add", json={"name": "Loan 6"}, auth=auth).json()["response"]
    data, files = {"pk": book["pk"]}, {"upload": ("one.pdf", pdf(1, "twice"))}
    first, second = (
        requests.post(f"{sandbox.url}/v1/book/upload", data=data, files=files, auth=auth) for _ in range(2)
    )
    assert (second.status_code, second.json()["response"]["status"]) == (200, 400)
    original = first.json()["response"]["uploaded_docs"][0]["pk"]
    assert second.json()["response"]["original_existing_doc_pks"] == [original]
