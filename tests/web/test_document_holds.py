"""Schemathesis over the whole document against a real process: no server error, nothing undocumented.

Bounded and the same each time. Numbers of books are often those of a book that is there, so that calls get past
finding it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from bookbell.cli.api_client import ApiClient
from bookbell.web.openapi import document
from bookbell.web.routes import ROUTES
from processes import OPERATOR, PIPELINE, Client, Service, fill_book, pdf, running, sign_up

EXAMPLES_MAX = 4  # drawn at random for each call, beside those that the bounds of its fields give
schema = schemathesis.openapi.from_dict(document(ROUTES))


@dataclass(frozen=True, slots=True)
class Stage:
    """A service with something in it. known: values that mean something there, by the name of the parameter."""

    url: str
    session: requests.Session
    token: str
    known: dict[str, Any]

    def authorization(self, case: Case[Any]) -> dict[str, str]:
        names = {name for each in case.operation.definition.raw["security"] for name in each}
        token = OPERATOR if "operator" in names else PIPELINE if "pipeline" in names else self.token
        return {"Authorization": f"Bearer {token}"} if names else {}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    service = Service(tmp_path_factory.mktemp("fuzzed"), allow_short_hosts="1")
    with running(service), requests.Session() as session:
        client = manager(service.url, sign_up(service.url, "Fuzzed", "one")[0].organization_id)
        client.register(f"{service.url}/nowhere", "document.upload_succeeded")
        book = client.add_book("Loan 2210")
        client.api.upload("/v1/book/upload", {"pk": str(book["pk"])}, "one.pdf", pdf(1, "one"))
        documents = fill_book(client, "Loan 3175", 2)
        known = {"pk": book["pk"], "uuid": documents[0], "organization_id": client.organization_id}
        known |= {"delivery_id": client.deliveries()[0]["id"], "audience": service.url}
        known |= {"grant_type": "client_credentials", "client_id": client.client_id}
        known["client_secret"] = client.client_secret
        account = (client.client_id, client.client_secret)
        token = session.post(f"{service.url}/oauth/token", auth=account).json()["access_token"]
        yield Stage(service.url, session, token, known)


def manager(url: str, organization_id: str) -> Client:
    """An account that may do everything, so that calls get past its permissions."""
    wanted = {"name": "all", "role": "manager"}
    made = ApiClient(url, OPERATOR).post(f"/platform/v1/organizations/{organization_id}/accounts", wanted)
    api = ApiClient(url).signed_in(made["client_id"], made["client_secret"])
    return Client(api, made["client_id"], made["client_secret"], organization_id)


@pytest.fixture(autouse=True)
def webhook(stage: Stage) -> None:
    """There is a webhook again, whatever the test before has done to it."""
    ApiClient(stage.url, stage.token).post(
        "/v1/account/settings/update/webhook_endpoint",
        {"webhook_endpoint": f"{stage.url}/nowhere", "event": "BOOK_VERIFIED"},
    )


@schema.parametrize()
@settings(max_examples=EXAMPLES_MAX, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_is_answered_is_documented(case: Case[Any], stage: Stage) -> None:
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict) and len(str(place)) % 2:
            place |= {name: value for name, value in stage.known.items() if name in place}
    answer = case.call(base_url=stage.url, session=stage.session, headers=stage.authorization(case))
    case.validate_response(
        answer,
        checks=[
            not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
        ],
    )
