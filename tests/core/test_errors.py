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
        (errors.TooManyRequests, 429, 1100, "Too many requests. Please slow down."),
        (errors.IdempotencyMismatch, 422, 1003, "The Idempotency-Key was used before with another request"),
    ],
)
def test_codes_and_messages(kind: type[errors.BookbellError], status: int, code: int, message: str) -> None:
    error = kind()
    assert (error.status, error.code, error.message, str(error)) == (status, code, message, message)


def test_details_say_more_than_the_fixed_message() -> None:
    error = errors.InvalidInput(details="The URL has no host.")
    assert (error.message, str(error)) == ("One of the input is invalid", "The URL has no host.")


@pytest.mark.parametrize(
    ("kind", "v1", "v2", "ours"),
    [
        (errors.NotAuthenticated, 400, 401, 401),
        (errors.AccountInactive, 400, 403, 400),
        (errors.BookNotFound, 400, 404, 400),
        (errors.NotPermittedBook, 400, 403, 400),
        (errors.MissingParameter, 400, 422, 400),
        (errors.MalformedJson, 400, 422, 400),
        (errors.PathNotFound, 404, 404, 404),
        (errors.TooLarge, 413, 413, 413),
        (errors.IllegalTransition, 409, 409, 409),
        (errors.InternalError, 500, 500, 500),
    ],
)
def test_the_status_is_that_of_the_api_that_answers(
    kind: type[errors.BookbellError], v1: int, v2: int, ours: int
) -> None:
    paths = ("/v1/book/add", "/v2/document/download", "/platform/v1/work")
    assert tuple(errors.status_of(kind, errors.api_of(path)) for path in paths) == (v1, v2, ours)
    assert errors.status_of(kind(), errors.Api.V1) == v1


def test_always_200_spares_infrastructure_and_the_other_apis() -> None:
    shown = [
        status for status in (200, 400, 404, 405, 413, 429, 500, 503) if errors.is_shown_as_200(errors.Api.V1, status)
    ]
    assert shown == [400, 404, 405]
    assert not errors.is_shown_as_200(errors.Api.V2, 400)
    assert not errors.is_shown_as_200(errors.Api.OURS, 400)


def test_too_many_requests_know_when_one_would_be_taken() -> None:
    assert errors.TooManyRequests(50).wait_ms == 50


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_a_path_belongs_to_its_api_however_many_slashes_it_begins_with(slashes: str) -> None:
    found = [errors.api_of(f"{slashes}{path}") for path in ("v1/books", "v2/document/download", "platform/v1/work")]
    assert found == [errors.Api.V1, errors.Api.V2, errors.Api.OURS]
