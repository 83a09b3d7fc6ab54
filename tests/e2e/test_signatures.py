"""Secrets and master keys are replaced while events flow, and no receiver is ever sent what it must refuse."""

import base64
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bookbell.cli.api_client import ApiClient
from bookbell.core import keyset, signing
from bookbell.core.signing import Signing, hmac_signer, signing_with
from bookbell.ed25519 import new_pair, signing_function
from bookbell.receiver import challenge_answer, verify
from bookbell.vault import new_master_key
from e2e.test_crash import report_until_acknowledged
from e2e.test_guide import Terminal
from processes import MASTER_KEY, SETTINGS, ApiError, Client, Service, fill_book, running, sign_up, until, verify_all
from receivers import Proving, Receiver
from signed_headers import delivery_headers

PAGE = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text()
SIGNING = f"{SETTINGS}/webhook/signing"
EVENTS = 40
FIRST = "secret-number-one"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    with running(service):
        yield service


class Flow:
    """Events that go on happening, one after another, until they are stopped."""

    def __init__(self, service: Service, client: Client) -> None:
        self.uuids: list[str] = []
        self._service, self._client = service, client
        self._stopping = threading.Event()

    def run(self) -> None:
        for number in range(1000):
            for uuid in self._documents(f"flow-{number}"):
                if self._stopping.is_set():
                    return
                report_until_acknowledged(self._service, uuid)
                self.uuids.append(uuid)

    def _documents(self, name: str) -> list[str]:
        """Documents of another book; where the service is being restarted, as soon as it is there again."""
        for number in range(1000):
            try:
                return fill_book(signed_in_again(self._client), f"{name}-{number}", EVENTS)
            except ApiError:
                self._stopping.wait(0.05)
        raise AssertionError("the service does not come back")

    def wait_for_more(self, count: int = 10) -> None:
        """Wait until that many more have happened."""
        wanted = len(self.uuids) + count
        until("more events", lambda: len(self.uuids) >= wanted)

    def stop(self) -> None:
        self._stopping.set()


def signed_in_again(client: Client) -> Client:
    """The same account with a new token."""
    api = ApiClient(client.api.base_url).signed_in(client.client_id, client.client_secret)
    return replace(client, api=api)


@contextmanager
def flowing(service: Service, client: Client) -> Iterator[Flow]:
    flow = Flow(service, client)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(flow.run)
        try:
            yield flow
        finally:
            flow.stop()
        done.result()


def everything_arrived(flow: Flow, receiver: Proving, client: Client) -> None:
    """Each event once, and nothing that had to be refused."""
    until("every event", lambda: set(flow.uuids) <= {body.get("uploaded_doc_uuid") for body in receiver.bodies()})
    until("nothing left waiting", lambda: not client.deliveries(state="pending"))
    assert receiver.refused == []
    told = [body["uploaded_doc_uuid"] for body in receiver.bodies() if "uploaded_doc_uuid" in body]
    assert sorted(told) == sorted(flow.uuids)


def test_a_secret_is_replaced_with_an_overlap_while_events_flow_and_nothing_is_refused(service: Service) -> None:
    (client,) = sign_up(service.url, "PennyMae", "one")
    with Proving() as receiver:
        client.register(receiver.url, "DOC_VERIFIED")
        first = client.api.post(f"{SIGNING}/secrets", {})
        client.api.put(SIGNING, {"scheme": "standard-webhooks"})
        receiver.secrets = [first["secret"]]
        with flowing(service, client) as flow:
            flow.wait_for_more()
            second = client.api.post(f"{SIGNING}/secrets", {"algorithm": "ed25519"})
            # Attempts that were signed before the change may still be under way: both are held until they are in.
            until("both signatures", lambda: "v1a," in receiver.requests[-1][1]["webhook-signature"])
            receiver.secrets = [first["secret"], second["public_key"]]
            flow.wait_for_more()
            receiver.secrets = [second["public_key"]]
            client.api.put(SIGNING, {"primary": second["id"], "old_expires_in_s": 3600})
            flow.wait_for_more()
            client.api.delete(f"{SIGNING}/secrets/{first['id']}")
            until("one signature", lambda: receiver.requests[-1][1]["webhook-signature"].count(",") == 1)
            flow.wait_for_more()
        everything_arrived(flow, receiver, client)
        assert not any("webhook-request-id" in headers for _, headers, _ in receiver.requests)
    assert "whsec_" not in service.log()


def test_the_scheme_is_changed_while_events_flow_and_nothing_is_refused(service: Service) -> None:
    (client,) = sign_up(service.url, "PennyMae", "one")
    with Proving(FIRST) as receiver:
        client.register(receiver.url, "DOC_VERIFIED")
        client.api.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": FIRST})
        with flowing(service, client) as flow:
            flow.wait_for_more()
            second = client.api.post(f"{SIGNING}/secrets", {})
            receiver.secrets = [FIRST, second["secret"]]
            client.api.put(SIGNING, {"scheme": "standard-webhooks"})
            until("the other headers", lambda: "webhook-id" in receiver.requests[-1][1])
            client.api.put(SIGNING, {"scheme": "ocrolus", "primary": second["id"]})
            until("the first headers", lambda: "webhook-id" not in receiver.requests[-1][1])
            flow.wait_for_more()
        everything_arrived(flow, receiver, client)


def test_with_proof_a_secret_becomes_the_primary_only_when_the_receiver_holds_it(service: Service) -> None:
    (client,) = sign_up(service.url, "PennyMae", "one")
    with Proving(FIRST) as receiver:
        client.register(receiver.url, "DOC_VERIFIED")
        client.api.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": FIRST})
        new = client.api.post(f"{SIGNING}/secrets", {})
        wanted = {"primary": new["id"], "is_proof_required": True, "old_expires_in_s": 0}
        with pytest.raises(ApiError, match="answered 401"):
            client.api.put(SIGNING, wanted)
        assert [each["is_primary"] for each in client.api.get(SIGNING)["secrets"]] == [True, False]
        receiver.refused.clear()
        with flowing(service, client) as flow:
            flow.wait_for_more()
            receiver.secrets = [FIRST, new["secret"]]
            (left,) = client.api.put(SIGNING, wanted)["secrets"]
            assert (left["id"], left["is_primary"]) == (new["id"], True)
            assert left["proven_at"] is not None
            flow.wait_for_more()
        everything_arrived(flow, receiver, client)
        pair = client.api.post(f"{SIGNING}/secrets", {"algorithm": "ed25519"})
        receiver.secrets = [new["secret"], pair["public_key"]]
        scheme = {"scheme": "standard-webhooks", "primary": pair["id"], "is_proof_required": True}
        assert client.api.put(SIGNING, scheme)["secrets"][0]["algorithm"] == "ed25519"


def test_the_master_key_is_replaced_while_events_flow_though_the_resealing_is_killed(tmp_path: Path) -> None:
    new, shared = new_master_key(), str(tmp_path / "shared")
    services = []
    for role in ("api", "worker"):
        (tmp_path / role).mkdir()
        services.append(Service(tmp_path / role, "--role", role, data_dir=shared))
    api = services[0]

    def restarted(**settings: str) -> None:
        for each in services:
            each.set(**settings)
            each.stop()
            each.start()

    with running(*services), Proving(FIRST) as receiver:
        client, *others = sign_up(api.url, "PennyMae", "one", *(f"other-{number}" for number in range(30)))
        for each in (client, *others):
            each.register(receiver.url, "DOC_VERIFIED")
            each.api.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": FIRST})
        with flowing(api, client) as flow:
            flow.wait_for_more()
            restarted(master_keys_old=new)
            flow.wait_for_more()
            restarted(master_key=new, master_keys_old=MASTER_KEY)
            flow.wait_for_more()
            killed = api.begin("key", "reseal", "--batch", "1")
            assert killed.stdout is not None
            assert "resealed" in killed.stdout.readline()
            killed.kill()
            killed.wait()
            killed.stdout.close()
            counts = [json.loads(line) for line in api.command("key", "list", "--json").stdout.splitlines()]
            assert all(each["value_count"] > 0 for each in counts), "it was killed in the middle"
            flow.wait_for_more()
            assert api.command("key", "reseal").returncode == 0
            assert api.command("key", "drop").returncode == 0
            assert client.api.get(SIGNING)["is_signed"], "a token signed with the old key is still believed"
            restarted(master_keys_old="")
            flow.wait_for_more()
        after = signed_in_again(client)
        until("every event", lambda: set(flow.uuids) <= {body["uploaded_doc_uuid"] for body in receiver.bodies()})
        until("nothing left waiting", lambda: not after.deliveries(state="pending"))
        assert receiver.refused == []
        assert {each["state"] for each in after.deliveries(limit=500)} == {"delivered"}
        assert api.command("audit", "--json").returncode == 0
    assert "cannot be opened" not in "".join(each.log() for each in services)


def test_the_page_works_from_its_first_command_to_its_last(service: Service, tmp_path: Path) -> None:
    with Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "DOC_VERIFIED")
        token = client.api.token
        assert token is not None
        terminal = Terminal(tmp_path, BASE=service.url, TOKEN=token)
        set_up, show, replace = blocks("sh")
        assert json.loads(terminal.run(set_up))["response"]["scheme"] == "standard-webhooks"
        (secret,) = re.findall(r"whsec_\S+", terminal.run('echo "$SECRET"'))
        verify_all(service.url, fill_book(client, "a", 1))
        until("the first", lambda: len(receiver.requests) == 1)
        assert json.loads(terminal.run(show))["response"]["is_signed"]
        replaced = json.loads(terminal.run(replace))["response"]
        assert [each["is_signing"] for each in replaced["secrets"]] == [True, True]
        verify_all(service.url, fill_book(client, "b", 1))
        until("the second", lambda: len(receiver.requests) == 2)
        for _, headers, body in receiver.requests:
            scope: dict[str, Any] = {"headers": headers, "body": body}
            exec(blocks("python")[0].replace("whsec_of-the-webhook", secret), scope)
            assert scope["verified"].request_id == headers["webhook-id"]


TEXT = '{"event_name":"BOOK_VERIFIED"}'
BODY = TEXT.encode()
HMAC_SECRET = keyset.hmac_value(b"h" * 32)
AT_S = 1_750_000_000


def headers_of(signed: Signing | None) -> dict[str, str]:
    """What a receiver finds, by lower-case names."""
    return {name.lower(): value for name, value in delivery_headers("id-1", AT_S, BODY, signed, None, "ua")}


def standard(*signers: signing.Signer) -> Signing:
    return Signing(signing.Scheme.STANDARD, signers)


def hmac_of(secret: str) -> signing.Signer:
    key = signing.hmac_key(secret)
    assert key is not None
    return hmac_signer(key)


def test_the_pages_python_answers_a_challenge() -> None:
    body = signing.challenge_body("nonce")
    headers = dict(delivery_headers("id-1", AT_S, body, signing_with(FIRST), None, "ua"))
    scope: dict[str, Any] = {"body": body, "SECRETS": [FIRST], "verified": verify(headers, body, FIRST, now_s=AT_S)}
    exec(blocks("python")[1], scope)
    assert scope["answer"] == challenge_answer(scope["verified"], body, FIRST)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_pages_javascript_verifies_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    (block,) = blocks("js")
    right = headers_of(standard(hmac_of(keyset.hmac_value(b"o" * 32)), hmac_of(HMAC_SECRET)))
    cases = [
        (right, TEXT, AT_S, True),
        (right, TEXT + " ", AT_S, False),
        (right, TEXT, AT_S + 301, False),
        ({**right, "webhook-id": "a.b"}, TEXT, AT_S, False),
        ({**right, "webhook-signature": "v1,x v1a,eA== v1,"}, TEXT, AT_S, False),
        ({}, TEXT, AT_S, False),
    ]
    program = f"""{block}
const cases = {json.dumps([list(case[:3]) for case in cases])};
console.log(JSON.stringify(cases.map(([headers, body, at]) => verify(headers, body, {json.dumps(HMAC_SECRET)}, at))));
"""
    (tmp_path / "verify.mjs").write_text(program)
    done = subprocess.run(["node", str(tmp_path / "verify.mjs")], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout or "null") == [case[3] for case in cases], done.stderr


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no go")
def test_the_pages_go_verifies_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    private, public = new_pair(b"p" * 32)
    signer = signing.ed25519_signer(signing_function(private))
    right = headers_of(standard(hmac_of(HMAC_SECRET), signer))
    key = base64.b64encode(base64.b64decode(public.removeprefix("whpk_"))).decode()
    wrong = {**right, "webhook-signature": right["webhook-signature"].replace("v1a,", "v1,")}
    calls = "\n".join(
        f"\tfmt.Println(Verify(header({json.dumps(json.dumps(headers))}), []byte({json.dumps(body)}), key, at))"
        for headers, body in ((right, TEXT), (right, TEXT + " "), (wrong, TEXT), ({}, TEXT))
    )
    program = f"""package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

{blocks("go")[0]}
func header(text string) http.Header {{
	found := map[string]string{{}}
	json.Unmarshal([]byte(text), &found)
	h := http.Header{{}}
	for name, value := range found {{
		h.Set(name, value)
	}}
	return h
}}

func main() {{
	key, _ := base64.StdEncoding.DecodeString({json.dumps(key)})
	at := time.Unix({AT_S}, 0)
{calls}
}}
"""
    (tmp_path / "verify.go").write_text(program)
    done = subprocess.run(
        ["go", "run", str(tmp_path / "verify.go")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.split() == ["true", "false", "false", "false"], done.stderr


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no php")
def test_the_pages_php_verifies_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    right = headers_of(signing_with(FIRST))
    cases = [
        (right, TEXT, AT_S, True),
        (right, TEXT + " ", AT_S, False),
        (right, TEXT, AT_S + 301, False),
        ({**right, "webhook-request-id": "a.b"}, TEXT, AT_S, False),
        ({**right, "webhook-timestamp": f"{AT_S}\n"}, TEXT, AT_S, False),
        ({**right, "webhook-signature": ""}, TEXT, AT_S, False),
        ({}, TEXT, AT_S, False),
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "verify.php").write_text(f"""<?php declare(strict_types=1);
{blocks("php")[0]}
foreach (json_decode(file_get_contents('cases.json'), true) as [$headers, $body, $at]) {{
    echo json_encode(verify($headers, $body, '{FIRST}', $at)), "\\n";
}}
""")
    done = subprocess.run(["php", "verify.php"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert [json.loads(line) for line in done.stdout.split()] == [case[3] for case in cases], done.stdout + done.stderr
