"""Plain curl with --oauth2-bearer: the first steps that the sandbox prints, as they are printed."""

import shutil
import subprocess

import pytest

from bookbell.cli.sandbox.standing import first_steps
from processes import until
from receivers import Receiver
from sandboxes import Sandbox

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")


def test_the_printed_first_steps_work_when_pasted(sandbox: Sandbox, receiver: Receiver) -> None:
    steps = first_steps(sandbox.url, sandbox.folder, receiver_port=receiver.port)
    steps = steps.replace("sandbox-webhook-secret", "sample_secret_value_01")
    done = subprocess.run(["sh", "-e"], input=steps, capture_output=True, text=True, timeout=60, check=True)
    assert '"resp_code":200' in done.stdout
    assert '"uploaded_docs":[{"pk":' in done.stdout
    until("three notifications", lambda: len(receiver.requests) >= 3)
    first, *others = [body.get("event_name") for body in receiver.bodies()]
    assert first is None
    assert sorted(map(str, others)) == ["BOOK_VERIFIED", "DOC_VERIFIED"]  # in any order: none is promised


def test_multipart_json_and_headers_given_by_hand(sandbox: Sandbox) -> None:
    client_id, client_secret = sandbox.key("two")
    script = f"""
    T=$(curl -s {sandbox.url}/oauth/token -H 'content-type: application/json' \
        -d '{{"grant_type": "client_credentials",
            "client_id": "{client_id}", "client_secret": "{client_secret}"}}' \
        | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
    curl -s -X POST {sandbox.url}/v1/book/add -H "Authorization: Bearer $T" -H 'Content-Type: application/json' \
        -d '{{"name": "Application #12345", "book_class": "INSTANT"}}'
    curl -s {sandbox.url}/v1/account/settings/update/webhook_endpoint --oauth2-bearer $T \
        -F webhook_endpoint=http://localhost:9/hook -F event=DOC_VERIFIED -F event=BOOK_VERIFIED
    curl -s "{sandbox.url}/v1/books?search=Application" --oauth2-bearer $T
    """
    done = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, timeout=60, check=True)
    assert '"book_class":"INSTANT"' in done.stdout
    assert '"events":["DOC_VERIFIED","BOOK_VERIFIED"]' in done.stdout
    assert done.stdout.count("Application #12345") == 2
