"""A client in the style of Node's fetch, run by node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from processes import until
from receivers import Receiver
from sandboxes import Sandbox

HERE = Path(__file__).parent


def _has_fetch() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    return (
        subprocess.run([node, "-e", "process.exit(typeof fetch === 'function' ? 0 : 1)"], check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(not _has_fetch(), reason="there is no node with fetch")


def test_a_fetch_client_goes_all_the_way(sandbox: Sandbox, receiver: Receiver, secret: str) -> None:
    file = str(sandbox.folder / "samples" / "statement.pdf")
    command = ["node", str(HERE / "client.mjs"), sandbox.url, *sandbox.key("manager"), receiver.url, secret, file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "registered": {"webhook_endpoint": receiver.url, "events": ["DOC_VERIFIED", "BOOK_VERIFIED"]},
        "tested": {"resp_code": 200, "message": "Success calling webhook endpoint"},
        "isSafePk": True,
        "name": "March",
        "status": "VERIFIED",
    }
    until("three notifications", lambda: len(receiver.requests) >= 3)
    _, headers, body = receiver.requests[-1]
    given = json.dumps({"headers": headers, "body": body.decode(), "secret": secret})
    verified = subprocess.run(
        ["node", str(HERE / "verify.mjs")], input=given, capture_output=True, text=True, check=True
    )
    assert verified.stdout.strip() == "true"
