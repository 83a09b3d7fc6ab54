"""Errors carry the contract's codes; their docstrings are their messages."""

import pytest

from bookbell.core import errors


@pytest.mark.parametrize(
    ("kind", "status", "code", "message"),
    [
        (errors.InvalidInput, 400, 1806, "One of the input is invalid"),
        (errors.MissingParameter, 400, 1103, "Required parameter not found"),
        (errors.MalformedJson, 400, 1002, "Could not decode JSON string"),
        (errors.BookNotFound, 400, 1401, "Book not found"),
        (errors.NotPermittedBook, 400, 2102, "No permission to access this book"),
        (errors.NotPermittedManager, 400, 1316, "Account does not have required manager permissions"),
        (errors.WebhookInvalid, 400, 1000, "The webhook is not valid"),
        (errors.OrgWebhookNotFound, 400, 1000, "Webhook not found"),
        (errors.NotAuthenticated, 401, 1200, "Authentication failed"),
        (errors.IdempotencyMismatch, 422, 1003, "The Idempotency-Key was used before with another request"),
    ],
)
def test_codes_and_messages(kind: type[errors.BookbellError], status: int, code: int, message: str) -> None:
    error = kind()
    assert (error.status, error.code, error.message, str(error)) == (status, code, message, message)


def test_details_say_more_than_the_fixed_message() -> None:
    error = errors.InvalidInput(details="The URL has no host.")
    assert (error.message, str(error)) == ("One of the input is invalid", "The URL has no host.")
