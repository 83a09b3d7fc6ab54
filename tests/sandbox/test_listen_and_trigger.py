"""The receiver for a developer's machine, and single samples of events sent to it."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bookbell.core import catalogue
from bookbell.core.signing import challenge_body, is_proof, signing_with
from receivers import Receiver
from sandboxes import BOOKBELL, WAIT_S, environment, invoked
from signed_headers import delivery_headers

SECRET = "sample_secret_value_01"


@contextmanager
def listening(*arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The URL and process of `bookbell listen`. With --json standard output holds nothing but requests."""
    command = [*BOOKBELL, "listen", "--port", "0", *arguments]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        told_at = process.stderr if "--json" in arguments else process.stdout
        found = re.search(r"http://\S+", told_at.readline())
        assert found is not None
        yield found.group(0), process
    finally:
        process.terminate()
        process.wait(WAIT_S)
        process.stdout.close()
        process.stderr.close()


def told(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The next request that was shown."""
    assert process.stdout is not None
    shown: dict[str, Any] = json.loads(process.stdout.readline())
    return shown


def test_a_sample_arrives_signed_and_is_verified() -> None:
    with listening("--secret", SECRET, "--json") as (url, process):
        sent = invoked("trigger", "BOOK_VERIFIED", "--url", url + "hooks/1", "--secret", SECRET, "--json")
        assert sent.exit_code == 0, sent.stderr
        shown = told(process)
        assert (shown["event"], shown["signature"], shown["answer"]) == ("BOOK_VERIFIED", "right", 200)
        assert shown["path"] == "/hooks/1"
        assert shown["body"] == json.loads(sent.stdout)["body"]


def test_the_form_of_a_secret_tells_the_scheme() -> None:
    secret, private = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
    public = "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
    with listening("--secret", secret, "--secret", public, "--json") as (url, process):
        for each, mark in ((secret, "v1,"), (private, "v1a,")):
            sent = invoked("trigger", "BOOK_VERIFIED", "--url", url, "--secret", each, "--json")
            assert sent.exit_code == 0, sent.stderr
            headers = json.loads(sent.stdout)["headers"]
            assert headers["webhook-signature"].startswith(mark)
            assert "Webhook-Request-Id" not in headers
            assert told(process)["signature"] == "right"
        for each in ("whsec_short", "whsk_short"):
            assert "after whsec_" in invoked("trigger", "BOOK_VERIFIED", "--url", url, "--secret", each).stderr
        assert "at least 16" in invoked("trigger", "BOOK_VERIFIED", "--url", url, "--secret", "short").stderr


def test_a_challenge_is_answered_with_the_proof() -> None:
    body = challenge_body("nonce")
    headers = dict(delivery_headers("id", int(time.time()), body, signing_with(SECRET), None, "ua"))
    with listening("--secret", SECRET, "--json") as (url, process):
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=WAIT_S) as answer:
            assert is_proof(SECRET, "nonce", answer.read())
        assert told(process)["note"] == "the proof of the secret"


def test_a_wrong_secret_is_told_and_answered_401() -> None:
    with listening("--secret", SECRET, "--json") as (url, process):
        sent = invoked("trigger", "DOC_VERIFIED", "--url", url, "--secret", "another_secret_value")
        assert sent.exit_code == 1
        assert "The receiver answered 401" in sent.stdout
        assert told(process)["detail"].startswith("wrong_secret_or_altered")


def test_answers_can_be_bad_on_purpose_and_late() -> None:
    with listening("--status", "503", "--delay", "1", "--json") as (url, process):
        sent = invoked("trigger", "book.classified", "--url", url, "--level", "org")
        assert "The receiver answered 503" in sent.stdout
        assert '"severity": "LOW"' in sent.stdout
        assert told(process)["signature"] == "unchecked"


def test_requests_are_passed_on_unchanged_with_the_answer_of_the_other_side() -> None:
    asked = {"Retry-After": "7", "Webhook-Delivery": "pause=5"}
    with Receiver(202, asked) as receiver, listening("--forward", receiver.url, "--json") as (url, process):
        sent = invoked("trigger", "document.detect.signal_found", "--url", url, "--secret", SECRET, "--json")
        assert json.loads(sent.stdout)["status"] == 202
        assert asked.items() <= dict(json.loads(sent.stdout)["answer_headers"]).items()
        assert told(process)["note"] == f"as {receiver.url} did"
        (path, headers, body), *_ = receiver.requests
        assert path == "/hook"
        assert headers["webhook-signature"] == json.loads(sent.stdout)["headers"]["Webhook-Signature"]
        assert json.loads(body)["event_name"] == "document.detect.signal_found"


def test_people_see_headers_body_and_verdict() -> None:
    with listening("--secret", SECRET) as (url, process):
        invoked("trigger", "ANALYTICS_COMPLETED", "--url", url, "--secret", SECRET)
        process.terminate()
        assert process.stdout is not None
        text = process.stdout.read()
    assert "Webhook-Request-Id" in text
    assert '"event": "ANALYTICS_COMPLETED"' in text
    assert "signature right" in text


def test_credentials_in_the_url_are_sent_as_basic() -> None:
    with Receiver() as receiver:
        url = receiver.url.replace("http://", "http://user:pass@")
        assert invoked("trigger", "BOOK_VERIFIED", "--url", url).exit_code == 0
        assert receiver.requests[0][1]["authorization"] == "Basic dXNlcjpwYXNz"


def test_every_event_of_the_catalogue_can_be_triggered() -> None:
    assert invoked("trigger", "--list").stdout.split() == list(catalogue.names())
    listed = invoked("trigger", "--list", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in listed] == list(catalogue.names())


def test_what_cannot_be_sent_is_told() -> None:
    for arguments, problem in (
        (["NO_SUCH_EVENT", "--url", "http://localhost:9/"], "is no event"),
        ([], "Name an event"),
        (["BOOK_VERIFIED"], "--url"),
        (["BOOK_VERIFIED", "--url", "http://localhost:9/", "--level", "org"], "account level"),
        (["BOOK_VERIFIED", "--url", "http://10.0.0.1/"], "private"),
        (["BOOK_VERIFIED", "--url", "nonsense"], "must begin with http"),
    ):
        refused = invoked("trigger", *arguments)
        assert refused.exit_code == 2, arguments
        assert problem in refused.stderr
