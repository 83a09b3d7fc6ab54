"""Receivers can tell a genuine request from every kind of wrong one."""

import contextlib
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell import ed25519
from bookbell.core import keyset, signing
from bookbell.core.keyset import Keyset
from bookbell.core.signing import Scheme, signature, signing_with
from bookbell.receiver import Mistake, VerificationError, Verified, challenge_answer, verify
from signed_headers import delivery_headers

SECRET = "contract-demo-secret-01"
BODY = b'{"status":"BOOK_COMPLETE"}'
NOW = 1_750_000_000
ID = "01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"
HEADERS = dict(delivery_headers(ID, NOW, BODY, signing_with(SECRET), None, "ua"))


def mistake(headers: Any, body: bytes = BODY, secret: Any = SECRET, now: float = NOW) -> Mistake:
    with pytest.raises(VerificationError) as caught:
        verify(headers, body, secret, now_s=now)
    assert str(caught.value)
    return caught.value.mistake


def test_a_genuine_request_is_verified() -> None:
    assert verify(HEADERS, BODY, SECRET, now_s=NOW) == Verified(ID, NOW, 0)


def test_a_body_that_was_made_text_is_a_mistake_of_the_receiver() -> None:
    with pytest.raises(TypeError, match="raw bytes"):
        verify(HEADERS, BODY.decode(), SECRET, now_s=NOW)  # type: ignore[arg-type] # the mistake


def test_the_clock_is_asked_when_no_time_is_given() -> None:
    assert mistake_of_now() is Mistake.STALE


def mistake_of_now() -> Mistake:
    with pytest.raises(VerificationError) as caught:
        verify(HEADERS, BODY, SECRET)
    return caught.value.mistake


@pytest.mark.parametrize(
    "headers",
    [
        {name.lower(): value for name, value in HEADERS.items()},
        {name.upper(): value for name, value in HEADERS.items()},
        list(HEADERS.items()),
        [(name.encode(), value.encode()) for name, value in HEADERS.items()],
    ],
)
def test_headers_come_in_any_form(headers: Any) -> None:
    assert verify(headers, BODY, SECRET, now_s=NOW).request_id == ID


def test_during_rotation_either_secret_fits_and_says_which() -> None:
    assert verify(HEADERS, BODY, ["new-secret-0123456789", SECRET], now_s=NOW).secret_index == 1
    assert verify(HEADERS, BODY, [SECRET, SECRET], now_s=NOW).secret_index == 0


def test_each_mistake_is_told_apart() -> None:
    unsigned = {name: value for name, value in HEADERS.items() if name != "Webhook-Signature"}
    assert mistake(unsigned) is Mistake.NO_SIGNATURE
    assert mistake(HEADERS, secret="another-secret-000000") is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(HEADERS, body=BODY + b" ") is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake({**HEADERS, "Webhook-Timestamp": "soon"}) is Mistake.MALFORMED
    assert mistake({**HEADERS, "Webhook-Request-Id": ""}) is Mistake.MALFORMED
    assert mistake({**HEADERS, "Webhook-Signature": 7}) is Mistake.NO_SIGNATURE
    assert mistake([*HEADERS.items(), ("webhook-timestamp", "1")]) is Mistake.MALFORMED


@pytest.mark.parametrize("now", [NOW + 301, NOW - 301])
def test_a_request_from_another_time_is_stale(now: float) -> None:
    assert mistake(HEADERS, now=now) is Mistake.STALE


@pytest.mark.parametrize("now", [NOW + 300, NOW - 300])
def test_the_window_is_open_both_ways(now: float) -> None:
    assert verify(HEADERS, BODY, SECRET, now_s=now).timestamp_s == NOW


def test_milliseconds_are_recognised() -> None:
    stamp = str(NOW * 1000)
    headers = {**HEADERS, "Webhook-Timestamp": stamp, "Webhook-Signature": signature(SECRET, stamp, ID, BODY)}
    with pytest.raises(VerificationError, match="milliseconds"):
        verify(headers, BODY, SECRET, now_s=NOW)


def test_a_request_id_that_no_header_can_hold_is_refused() -> None:
    assert mistake({**HEADERS, "Webhook-Request-Id": "\ud800"}) is Mistake.WRONG_SECRET_OR_ALTERED


NEW, OLD = (keyset.hmac_value(letter * 32) for letter in (b"n", b"o"))
PRIVATE, PUBLIC = ed25519.new_pair(b"TESTSIGNINGKEYDONOTUSETHISFORANY")


def standard_headers(*values: str, body: bytes = BODY) -> dict[str, str]:
    """What is sent by Standard Webhooks with these secrets; the private key is one too."""
    secrets = tuple(
        keyset.Secret(id=value, value=value, created_at=0, public_key=PUBLIC if value == PRIVATE else None)
        for value in values
    )
    signed = keyset.ready(Keyset(Scheme.STANDARD, secrets), ed25519.signing_function)
    return dict(delivery_headers(ID, NOW, body, signed, None, "ua"))


def test_standard_webhooks_is_recognised_by_its_headers() -> None:
    assert verify(standard_headers(NEW), BODY, NEW, now_s=NOW) == Verified(ID, NOW, 0)
    assert verify(standard_headers(PRIVATE), BODY, PUBLIC, now_s=NOW) == Verified(ID, NOW, 0)
    upper = {name.upper(): value for name, value in standard_headers(NEW).items()}
    assert verify(upper, BODY, NEW, now_s=NOW).request_id == ID


def test_the_specifications_own_message_is_verified() -> None:
    given = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    offered = {**headers, "webhook-signature": f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,x {given}"}
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert verify(offered, body, secret, now_s=1614265330).secret_index == 0


@pytest.mark.parametrize("signed", [(NEW, OLD), (OLD, NEW), (PRIVATE, OLD), (OLD, PRIVATE)])
def test_while_two_secrets_overlap_a_receiver_that_holds_either_or_both_is_served(signed: tuple[str, ...]) -> None:
    held = [PUBLIC if each == PRIVATE else each for each in signed]
    headers = standard_headers(*signed)
    assert headers["webhook-signature"].count(" ") == 1
    for number, one in enumerate(held):
        assert verify(headers, BODY, one, now_s=NOW).secret_index == 0
        assert verify(headers, BODY, ["whsec_" + "A" * 32, one], now_s=NOW).secret_index == 1
        assert verify(standard_headers(signed[number]), BODY, held, now_s=NOW).secret_index == number


def test_each_mistake_of_standard_webhooks_is_told_apart() -> None:
    headers = standard_headers(NEW, PRIVATE)
    assert mistake(headers, secret=OLD) is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(headers, secret="a-text-of-the-other-scheme") is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(headers, body=b"{}", secret=[NEW, PUBLIC]) is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake({**headers, "webhook-signature": "v1, v1a, v1a,eA== v1a,!"}, secret=[NEW, PUBLIC]) is (
        Mistake.WRONG_SECRET_OR_ALTERED
    )
    assert mistake({**headers, "webhook-id": ""}, secret=NEW) is Mistake.MALFORMED
    assert mistake({**headers, "webhook-id": "a.b"}, secret=NEW) is Mistake.MALFORMED
    assert mistake({**headers, "webhook-id": "\ud800"}, secret=NEW) is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake(headers, secret=NEW, now=NOW + 301) is Mistake.STALE
    crowd = " ".join(["v1,x"] * 20 + [headers["webhook-signature"]])
    assert mistake({**headers, "webhook-signature": crowd}, secret=NEW) is Mistake.WRONG_SECRET_OR_ALTERED


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    forged = dict(delivery_headers(ID, NOW, BODY, signing_with(PUBLIC), None, "ua"))
    assert mistake(forged, secret=[PUBLIC, SECRET]) is Mistake.WRONG_SECRET_OR_ALTERED
    key = signing.public_key_bytes(PUBLIC)
    assert key is not None
    text = signing.hmac_text(key, signing.standard_message(ID, NOW, BODY))
    headers = {**standard_headers(NEW), "webhook-signature": text}
    assert mistake(headers, secret=PUBLIC) is Mistake.WRONG_SECRET_OR_ALTERED


@pytest.mark.parametrize("held", ["", [], ["", ""]])
def test_a_receiver_without_a_secret_believes_nobody(held: Any) -> None:
    signed_by_anybody = dict(delivery_headers(ID, NOW, BODY, signing_with(""), None, "ua"))
    assert mistake(signed_by_anybody, secret=held) is Mistake.UNVERIFIABLE
    assert mistake(standard_headers(OLD), secret=held) is Mistake.UNVERIFIABLE
    assert mistake(signed_by_anybody, secret=["", OLD]) is Mistake.WRONG_SECRET_OR_ALTERED


def test_the_headers_of_one_scheme_are_not_believed_by_the_rules_of_the_other() -> None:
    ocrolus = dict(delivery_headers(ID, NOW, BODY, signing_with(NEW), None, "ua"))
    renamed = {"webhook-id": ID, "webhook-timestamp": str(NOW), "webhook-signature": ocrolus["Webhook-Signature"]}
    assert mistake(renamed, secret=NEW) is Mistake.WRONG_SECRET_OR_ALTERED
    assert mistake({**ocrolus, "Webhook-Signature": standard_headers(NEW)["webhook-signature"]}, secret=NEW) is (
        Mistake.WRONG_SECRET_OR_ALTERED
    )


def test_without_the_package_cryptography_a_public_key_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    headers = standard_headers(OLD, PRIVATE)
    with pytest.raises(VerificationError, match="needs the package cryptography") as caught:
        verify(headers, BODY, [NEW, PUBLIC], now_s=NOW)
    assert caught.value.mistake is Mistake.UNVERIFIABLE
    assert verify(headers, BODY, [PUBLIC, OLD], now_s=NOW).secret_index == 1
    assert mistake(standard_headers(OLD), secret=PUBLIC) is Mistake.WRONG_SECRET_OR_ALTERED


@pytest.mark.parametrize("held", [SECRET, [OLD, SECRET]])
def test_a_challenge_is_answered_with_the_secret_that_signed_it(held: Any) -> None:
    body = signing.challenge_body("nonce")
    verified = verify(dict(delivery_headers(ID, NOW, body, signing_with(SECRET), None, "ua")), body, held, now_s=NOW)
    answer = challenge_answer(verified, body, held)
    assert answer is not None
    assert signing.is_proof(SECRET, "nonce", answer)


def test_a_challenge_of_a_pair_is_answered_with_the_public_key() -> None:
    body = signing.challenge_body("nonce")
    verified = verify(standard_headers(PRIVATE, body=body), body, [NEW, PUBLIC], now_s=NOW)
    assert signing.is_proof(PUBLIC, "nonce", challenge_answer(verified, body, [NEW, PUBLIC]) or b"")


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"event_name": "webhook.challenge"}',
        json.dumps({"event_name": "webhook.challenge", "challenge": "\ud800"}).encode(),
    ],
)
def test_every_other_request_is_no_challenge(body: bytes) -> None:
    assert challenge_answer(Verified(ID, NOW, 0), body, SECRET) is None


anything = st.one_of(st.text(), st.binary(), st.integers(), st.none())


@given(st.dictionaries(st.sampled_from([*HEADERS, "webhook-signature", b"x"]), anything), st.binary(), st.text())
def test_random_requests_raise_nothing_else(headers: Any, body: bytes, secret: str) -> None:
    with contextlib.suppress(VerificationError):
        verify({**HEADERS, **headers}, body, secret, now_s=NOW)


@given(st.lists(st.tuples(anything, anything)), st.binary())
def test_random_pairs_raise_nothing_else(headers: Any, body: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(headers, body, SECRET, now_s=NOW)


signatures = st.lists(st.one_of(st.text(), st.sampled_from(["v1", "v1a", ",", " ", "eA==", "v1a,eA=="]))).map("".join)


@given(
    st.one_of(anything, signatures), anything, anything, st.binary(), st.lists(st.one_of(st.text(), st.just(PUBLIC)))
)
def test_random_requests_of_standard_webhooks_raise_nothing_else(
    given_signature: Any, request_id: Any, timestamp: Any, body: bytes, secrets: list[str]
) -> None:
    right = {"webhook-id": ID, "webhook-timestamp": str(NOW), "webhook-signature": given_signature}
    with pytest.raises(VerificationError):
        verify(right, body, [*secrets, NEW, PUBLIC], now_s=NOW)
    with pytest.raises(VerificationError):
        verify({**right, "webhook-id": request_id, "webhook-timestamp": timestamp}, body, secrets, now_s=NOW)


@given(st.binary(), st.integers(min_value=0, max_value=3))
def test_only_the_signed_bytes_are_verified_in_either_scheme(body: bytes, number: int) -> None:
    headers = standard_headers((NEW, PRIVATE, OLD)[number % 3], body=body)
    held = [NEW, OLD, PUBLIC]
    assert verify(headers, body, held, now_s=NOW).request_id == ID
    assert mistake(headers, body=body + b"x", secret=held) is Mistake.WRONG_SECRET_OR_ALTERED
