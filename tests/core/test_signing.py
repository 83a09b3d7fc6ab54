"""Signatures are those of the contract and of Standard Webhooks, and headers carry them."""

import doctest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell import ed25519
from bookbell.core import signing
from bookbell.core.signing import Scheme, Signing
from signed_headers import delivery_headers

BODY = b'{"status":"BOOK_COMPLETE","book_pk":40120077,"book_uuid":"7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11"}'
REQUEST_ID = "01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"
SECRET = "contract-demo-secret-01"

# The vectors of the specification's own libraries: one message, signed with a secret and with a private key.
MESSAGE_ID, MESSAGE_AT_S, MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
HMAC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HMAC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE_KEY = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
ED25519_SIGNATURE = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="


def hmac_signer(secret: str = HMAC_SECRET, expires_at: int | None = None) -> signing.Signer:
    key = signing.hmac_key(secret)
    assert key is not None
    return signing.hmac_signer(key, expires_at)


def test_the_contracts_vector() -> None:
    assert len(BODY) == 96
    assert signing.signature(SECRET, 1750000000, REQUEST_ID, BODY) == (
        "85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f"
    )


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(signing).failed == 0


def test_the_vectors_of_standard_webhooks() -> None:
    message = signing.standard_message(MESSAGE_ID, MESSAGE_AT_S, MESSAGE)
    assert hmac_signer().sign(message) == HMAC_SIGNATURE
    assert signing.ed25519_signer(ed25519.signing_function(PRIVATE_KEY)).sign(message) == ED25519_SIGNATURE


def test_headers_of_a_signed_and_authenticated_attempt() -> None:
    signed = signing.signing_with(SECRET)
    headers = delivery_headers(REQUEST_ID, 1750000000, BODY, signed, "Basic eA==", "ua/1")
    assert headers == (
        ("Content-Type", "application/json"),
        ("User-Agent", "ua/1"),
        ("Webhook-Request-Id", REQUEST_ID),
        ("Webhook-Timestamp", "1750000000"),
        ("Webhook-Signature", "85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f"),
        ("Authorization", "Basic eA=="),
    )


def test_headers_of_standard_webhooks_carry_every_signature_that_has_not_expired() -> None:
    signers = (hmac_signer(), signing.ed25519_signer(ed25519.signing_function(PRIVATE_KEY), MESSAGE_AT_S * 1000 + 1))
    expired = hmac_signer("whsec_" + "A" * 32, MESSAGE_AT_S * 1000)
    signed = Signing(Scheme.STANDARD, (*signers, expired))
    headers = delivery_headers(MESSAGE_ID, MESSAGE_AT_S, MESSAGE, signed, None, "ua/1")
    assert headers == (
        ("Content-Type", "application/json"),
        ("User-Agent", "ua/1"),
        ("webhook-id", MESSAGE_ID),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", f"{HMAC_SIGNATURE} {ED25519_SIGNATURE}"),
    )


def test_without_secret_and_credentials_there_is_no_signature_and_no_authorization() -> None:
    names = [name for name, _ in delivery_headers("id", 1, b"", signing.signing_with(None), None, "ua")]
    assert names == ["Content-Type", "User-Agent", "Webhook-Request-Id", "Webhook-Timestamp"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (HMAC_SECRET, 24),
        ("whsec_" + "A" * 84 + "AA==", 64),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None),
        ("whsec_" + "A" * 28, None),
        ("whsec_" + "A" * 88, None),
        ("whsec_not base64!", None),
        ("whsec_é", None),
        ("", None),
    ],
)
def test_a_secret_of_standard_webhooks_is_recognised_by_its_form(text: str, count: int | None) -> None:
    key = signing.hmac_key(text)
    assert (None if key is None else len(key)) == count


@pytest.mark.parametrize("read", [signing.private_key_bytes, signing.public_key_bytes])
def test_a_key_of_a_pair_is_32_bytes_under_its_own_prefix(read: Any) -> None:
    prefix = "whsk_" if read is signing.private_key_bytes else "whpk_"
    assert len(read(f"{prefix}{'A' * 43}=")) == 32
    assert read(f"{prefix}{'A' * 44}") is None
    assert read(f"whsec_{'A' * 43}=") is None


def test_a_challenge_is_answered_by_who_holds_the_secret_and_by_nobody_else() -> None:
    answer = f'{{"challenge_response": "{signing.challenge_response(SECRET, "nonce")}"}}'.encode()
    assert signing.is_proof(SECRET, "nonce", answer)
    assert not signing.is_proof("another-secret-0001", "nonce", answer)
    assert not signing.is_proof(SECRET, "another nonce", answer)


@pytest.mark.parametrize("answer", [b"", b"ok", b"[]", b"7", b'{"challenge_response": 7}', b"\xff", b"[" * 100_000])
def test_an_answer_that_says_nothing_proves_nothing(answer: bytes) -> None:
    assert not signing.is_proof(SECRET, "nonce", answer)


@given(st.binary())
def test_random_answers_prove_nothing_and_raise_nothing(answer: bytes) -> None:
    assert not signing.is_proof(SECRET, "nonce", answer)
