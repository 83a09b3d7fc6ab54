"""The style of requests-oauthlib: a BackendApplicationClient fetches the token in each of the ways it can."""

from typing import Any

import pytest
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from sandboxes import Sandbox


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """oauthlib refuses http:// unless it is told that this is a test."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def session_of(client_id: str) -> OAuth2Session:
    return OAuth2Session(client=BackendApplicationClient(client_id=client_id))


@pytest.mark.parametrize("way", ["in the form", "as Basic", "as Basic and in the form", "with an audience"])
def test_a_session_fetches_its_token_and_calls(sandbox: Sandbox, way: str) -> None:
    client_id, client_secret = sandbox.key("one")
    form = {"client_id": client_id, "client_secret": client_secret}
    basic = HTTPBasicAuth(client_id, client_secret)
    ways: dict[str, dict[str, Any]] = {
        "in the form": {**form, "include_client_id": True},
        "as Basic": {"auth": basic},
        "as Basic and in the form": {"auth": basic, "include_client_id": True},
        "with an audience": {**form, "audience": "https://api.ocrolus.com/"},
    }
    session = session_of(client_id)
    token = session.fetch_token(token_url=f"{sandbox.url}/oauth/token", **ways[way])
    assert token["token_type"] == "Bearer"
    assert session.get(f"{sandbox.url}/v1/books").status_code == 200


@pytest.mark.parametrize("claimed", ["sandbox-one", "sandbox-two"])
def test_wrong_credentials_are_the_librarys_own_error(sandbox: Sandbox, claimed: str) -> None:
    client_id, _ = sandbox.key("one")
    basic = HTTPBasicAuth(client_id, "wrong" if claimed == client_id else sandbox.key("one")[1])
    with pytest.raises(OAuth2Error) as caught:
        session_of(claimed).fetch_token(token_url=f"{sandbox.url}/oauth/token", auth=basic, include_client_id=True)
    assert caught.value.error == "access_denied"
