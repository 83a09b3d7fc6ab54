"""The sandbox as it stands there: keys, data, refusals, stopping."""

import json
import subprocess
from pathlib import Path

import pytest

from bookbell.cli.api_client import ApiClient
from bookbell.cli.sandbox.keys import KEYS, as_env
from sandboxes import BOOKBELL, WAIT_S, Sandbox, bookbell, environment, invoked


def test_every_key_gets_a_token_and_ctrl_c_removes_the_temporary_folder() -> None:
    with Sandbox() as sandbox:
        base = ApiClient(sandbox.url)
        for key in sandbox.told["keys"]:
            api = base.signed_in(key["clientId"], key["clientSecret"])
            assert api.get("/v1/books") == []
        operator = ApiClient(sandbox.url, sandbox.told["operator_token"])
        organizations = operator.get("/platform/v1/organizations")["organizations"]
        assert [each["name"] for each in organizations] == ["Sandbox Lending"]
        assert ApiClient(sandbox.url, sandbox.told["pipeline_token"]).get("/platform/v1/work")["documents"] == []
        assert (sandbox.folder / "samples" / "statement.pdf").read_bytes().startswith(b"%PDF-")
        assert sandbox.stop() == 0
        assert not sandbox.folder.exists()


def test_a_named_folder_keeps_everything_over_restarts(tmp_path: Path) -> None:
    with Sandbox("--data", str(tmp_path / "data")) as sandbox:
        api = ApiClient(sandbox.url).signed_in(*sandbox.key("one"))
        book = api.post("/v1/book/add", {"name": "Loan 2210"})
    with Sandbox("--data", str(tmp_path / "data"), "--fast") as sandbox:
        again = ApiClient(sandbox.url).signed_in(*sandbox.key("one"))
        assert [each["pk"] for each in again.get("/v1/books")] == [book["pk"]]
        credentials = json.loads((sandbox.folder / "credentials-one.json").read_text())
        assert (credentials["clientId"], credentials["clientSecret"]) == sandbox.key("one")


def test_hosts_without_a_dot_on_loopback_may_be_registered() -> None:
    with Sandbox() as sandbox:
        api = ApiClient(sandbox.url).signed_in(*sandbox.key("one"))
        wanted = {"webhook_endpoint": "http://localhost:9/hook", "event": ["BOOK_VERIFIED"]}
        api.post("/v1/account/settings/update/webhook_endpoint", wanted)
        policy = api.get("/v1/account/settings/webhook/policy")
        assert (policy["success"], policy["schedule_ms"]) == ("only_200", [180_000] * 3)


def test_the_text_for_people_holds_what_is_to_be_pasted(tmp_path: Path) -> None:
    command = [*BOOKBELL, "sandbox", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while "Ctrl-C ends it" not in text:
            text += process.stdout.readline()
        process.terminate()
        assert process.wait(WAIT_S) == 0
    assert "token URL" in text
    assert "loopback" in text
    for key in KEYS:
        assert key.client_id in text
        assert key.client_secret in text


def test_the_lines_for_env_files_are_names_and_values() -> None:
    lines = dict(line.split("=", 1) for line in as_env("http://127.0.0.1:8080"))
    assert lines["OCROLUS_CLIENT_ID"] == lines["SANDBOX_ONE_CLIENT_ID"] == "sandbox-one"
    assert lines["SANDBOX_TOKEN_URL"] == "http://127.0.0.1:8080/oauth/token"


def test_a_database_of_others_is_refused(tmp_path: Path) -> None:
    refused = bookbell("sandbox", BOOKBELL_DATABASE_URL="postgresql://user:pass@db/name")
    assert refused.returncode == 2
    assert "BOOKBELL_DATABASE_URL" in refused.stderr
    (tmp_path / "bookbell.db").write_bytes(b"somebody's")
    foreign = invoked("sandbox", "--data", str(tmp_path))
    assert foreign.exit_code == 2
    assert "is not a sandbox's" in foreign.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bookbell.db"]


def test_a_port_that_is_taken_is_told() -> None:
    with Sandbox() as sandbox:
        refused = bookbell("sandbox", "--port", sandbox.url.rsplit(":", 1)[1])
        assert refused.returncode == 2
        assert "Cannot listen" in refused.stderr


@pytest.mark.parametrize("missing", [["--url", "http://localhost:9/"], ["--secret", "s" * 16]])
def test_a_scenario_needs_a_receiver_and_its_secret(missing: list[str]) -> None:
    refused = invoked("sandbox", "--scenario", "forgeries", *missing)
    assert refused.exit_code == 2
    assert "--url" in refused.stderr


def test_a_receiver_without_a_scenario_is_a_mistake() -> None:
    refused = invoked("sandbox", "--url", "http://localhost:9/")
    assert refused.exit_code == 2
    assert "--url goes with --scenario" in refused.stderr


def test_the_folder_of_a_sandbox_is_not_served_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Sandbox("--data", str(folder)) as sandbox:
        assert sandbox.stop() == 0
    refused = bookbell("serve", "--port", "0", "--data", str(folder))
    assert refused.returncode == 2
    assert "its keys and tokens are known to everybody" in " ".join(refused.stderr.split())
