"""What the settings of the HTTP edge do in a real process, over a real socket."""

import json
from pathlib import Path

import requests

from processes import Service, running, sign_up, until


def test_rate_limit_and_always_200_are_settings_and_no_banner_is_sent(tmp_path: Path) -> None:
    service = Service(tmp_path, rate_limit_per_s="1", always_200="yes")
    with running(service), requests.Session() as session:
        client = sign_up(service.url, "PennyMae", "one")[0]
        login = (client.client_id, client.client_secret)

        def refused() -> list[requests.Response]:
            answer = session.get(f"{service.url}/v1/book/status?pk=1", auth=login)
            return [answer] if answer.status_code == 429 else []

        limited = until("a second with more than one request", refused)[0]
        assert int(limited.headers["Retry-After"]) == 1
        assert limited.json()["meta"]["status"] == 429

        unknown = session.get(f"{service.url}/v1/nowhere")
        assert (unknown.status_code, unknown.json()["status"]) == (200, 404)
        assert {"server", "x-powered-by"}.isdisjoint(name.lower() for name in unknown.headers)
        assert session.get(f"{service.url}/reference").text.startswith("<!doctype html>")


def test_an_account_is_printed_with_the_credentials_file_of_existing_clients(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with running(service):
        organization = service.command("organization", "create", "PennyMae", "--json")
        made = service.command("account", "create", id_of(organization.stdout), "one", "--json")
        printed = json.loads(made.stdout)
        keys = printed["credentials"]
        assert keys == {"clientId": printed["client_id"], "clientSecret": printed["client_secret"]}
        form = {
            "grant_type": "client_credentials",
            "client_id": keys["clientId"],
            "client_secret": keys["clientSecret"],
        }
        answer = requests.post(f"{service.url}/oauth/token", data=form, timeout=30)
        assert answer.json()["token_type"] == "Bearer"


def id_of(printed: str) -> str:
    return str(json.loads(printed)["id"])
