"""The guide's commands run as they stand, in order, and its Python verifies what then arrives."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bookbell.receiver import Mistake, VerificationError, verify
from processes import Service, running, sign_up, until
from receivers import Receiver

GUIDE = (Path(__file__).parents[2] / "docs" / "registering-a-webhook.md").read_text()
SECRET = "choose-16-to-128-characters"
TEST_BODY = {"status": "VERIFICATION_COMPLETE", "uploaded_doc_pk": 0, "book_pk": 0}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


class Terminal:
    """Runs blocks of shell one after another; variables live on."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._folder = folder
        self._variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}

    def run(self, block: str) -> str:
        """What the block prints. Fails where it fails."""
        state = self._folder / "variables"
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail; set -a\n{block}\nenv -0 > {state}"],
            cwd=self._folder,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        pairs = (pair.partition("=") for pair in state.read_text().split("\0") if pair)
        self._variables = {name: value for name, _, value in pairs}
        return done.stdout


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, "--simulate", simulator_delay_ms="50")
    with running(service):
        yield service


def names(receiver: Receiver) -> list[str]:
    return [body["event_name"] for body in receiver.bodies() if "event_name" in body]


def test_the_guide_works_from_its_first_command_to_its_last(service: Service, tmp_path: Path) -> None:
    with Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        terminal = Terminal(
            tmp_path,
            BASE=service.url,
            CLIENT_ID=client.client_id,
            CLIENT_SECRET=client.client_secret,
            RECEIVER=receiver.url.replace("http://", "http://user:password@"),
        )
        token, register, secure, see, find, deregister = blocks("sh")
        assert terminal.run(token) == ""
        registered = json.loads(terminal.run(register))["response"]
        assert registered["events"] == ["BOOK_VERIFIED", "DOC_VERIFIED"]
        secured = terminal.run(secure)
        assert '"resp_code":200' in secured.replace(" ", "")
        assert receiver.bodies() == [TEST_BODY]
        terminal.run(see)
        until("the events of the book", lambda: sorted(names(receiver)) == ["BOOK_VERIFIED", "DOC_VERIFIED"])
        until("the deliveries recorded", lambda: not client.deliveries(state="pending"))
        found = terminal.run(find)
        assert found.count('"delivered"') >= 2
        assert "BOOK_VERIFIED" in found
        terminal.run(deregister)
        assert client.api.get("/v1/account/settings/webhook_details") is not None
        for _, headers, body in receiver.requests:
            assert verify(headers, body, SECRET).request_id == headers["webhook-request-id"]
            assert headers["authorization"] == "Basic " + base64.b64encode(b"user:password").decode()
        check_python(receiver)


def check_python(receiver: Receiver) -> None:
    """The guide's Python accepts what arrived, and names the mistake in what was altered."""
    (block,) = blocks("python")
    for _, headers, body in receiver.requests:
        scope: dict[str, Any] = {"headers": headers, "body": body}
        exec(block, scope)
        assert scope["verified"].request_id == headers["webhook-request-id"]
    _, headers, body = receiver.requests[0]
    seen: list[VerificationError] = []
    altered = block.replace("...  #", "seen.append(error)  #")
    exec(altered, {"headers": headers, "body": body + b" ", "seen": seen})
    assert [error.mistake for error in seen] == [Mistake.WRONG_SECRET_OR_ALTERED]
