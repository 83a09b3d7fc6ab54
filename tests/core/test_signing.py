"""The signature is the contract's, and headers carry it."""

import doctest

from bookbell.core import signing

BODY = b'{"status":"BOOK_COMPLETE","book_pk":40120077,"book_uuid":"7d0a2b64-1c0f-4a5e-9f0b-6f1f2c9e8a11"}'
REQUEST_ID = "01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"


def test_the_contracts_vector() -> None:
    assert len(BODY) == 96
    assert signing.signature("contract-demo-secret-01", 1750000000, REQUEST_ID, BODY) == (
        "85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f"
    )


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(signing).failed == 0


def test_headers_of_a_signed_and_authenticated_attempt() -> None:
    headers = signing.delivery_headers(REQUEST_ID, 1750000000, BODY, "contract-demo-secret-01", "Basic eA==", "ua/1")
    assert headers == (
        ("Content-Type", "application/json"),
        ("User-Agent", "ua/1"),
        ("Webhook-Request-Id", REQUEST_ID),
        ("Webhook-Timestamp", "1750000000"),
        ("Webhook-Signature", "85a49c2552596db9579e36041103178d6becabbb9fbc27aba0d633308f8eec5f"),
        ("Authorization", "Basic eA=="),
    )


def test_without_secret_and_credentials_there_is_no_signature_and_no_authorization() -> None:
    names = [name for name, _ in signing.delivery_headers("id", 1, b"", None, None, "ua")]
    assert names == ["Content-Type", "User-Agent", "Webhook-Request-Id", "Webhook-Timestamp"]
