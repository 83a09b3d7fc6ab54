"""The document is OpenAPI 3.1, its examples are what its shapes say, and it can be read without the network."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.specs.openapi import definitions
from typer.testing import CliRunner

from bookbell.cli.main import app
from bookbell.core import errors
from bookbell.core.catalogue import TYPES
from bookbell.web.openapi import document
from bookbell.web.reference import page_of
from bookbell.web.routes import ROUTES
from bookbell.web.shape import anything, choice, either, example_of, listed, nullable, record, text, whole

DOCUMENT = json.loads(json.dumps(document(ROUTES)))
CALLS = [
    (f"{method.upper()} {path}", call)
    for part in ("paths", "webhooks")
    for path, methods in DOCUMENT[part].items()
    for method, call in methods.items()
]


def examples(call: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every example of a call with its schema."""
    contents = [call.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for answer in call["responses"].values()]
    for content in contents:
        for media in content.values():
            if "example" in media:
                yield media["schema"], media["example"]
            for example in media.get("examples", {}).values():
                yield media["schema"], example["value"]
    for parameter in call["parameters"]:
        for example in parameter["schema"].get("examples", []):
            yield parameter["schema"], example


def inner_examples(schema: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every example that a schema's parts carry."""
    if isinstance(schema, dict):
        if isinstance(schema.get("examples"), list):
            yield from ((schema, example) for example in schema["examples"])
        for part in schema.values():
            yield from inner_examples(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from inner_examples(part)


def test_the_document_is_openapi_3_1() -> None:
    definitions.OPENAPI_31_VALIDATOR.validate(DOCUMENT)


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=[name for name, _ in CALLS])
def test_every_example_is_what_its_shape_says(call: dict[str, Any]) -> None:
    found = [*examples(call), *inner_examples([media for media, _ in examples(call)])]
    assert found
    for schema, example in found:
        whole_schema = {**schema, "components": DOCUMENT["components"]}
        Draft202012Validator(whole_schema, format_checker=FormatChecker()).validate(example)


def test_the_examples_of_what_a_newcomer_copies_do_what_the_call_is_for() -> None:
    shown = {
        path: DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        for path in ("/oauth/token", "/v1/account/settings/update/webhook_endpoint", "/v1/replays")
    }
    wanted = [["grant_type", "client_id", "client_secret"], ["webhook_endpoint", "event"], ["select", "since"]]
    assert [list(example) for example in shown.values()] == wanted
    upload = DOCUMENT["paths"]["/v1/book/upload"]["post"]["requestBody"]["content"]["multipart/form-data"]["example"]
    assert list(upload) == ["pk", "upload"]


def test_every_call_has_an_id_of_its_own_and_a_summary() -> None:
    ids = [call["operationId"] for _, call in CALLS]
    assert len(set(ids)) == len(ids)
    assert all(call["summary"] and not call["summary"].endswith(".") for _, call in CALLS)


def test_every_event_type_is_a_request_to_the_receiver() -> None:
    assert list(DOCUMENT["webhooks"]) == list(TYPES)
    told = DOCUMENT["webhooks"]["book.completed"]["post"]
    assert list(told["requestBody"]["content"]["application/json"]["examples"]) == ["account", "org"]
    headers = {each["name"]: each["required"] for each in told["parameters"]}
    assert headers == {"Webhook-Request-Id": True, "Webhook-Timestamp": True, "Webhook-Signature": False}


def test_errors_carry_code_and_text_of_their_class() -> None:
    answer = DOCUMENT["paths"]["/v1/book/status"]["get"]["responses"]["400"]["content"]["application/json"]
    assert answer["examples"]["BookNotFound"]["value"] == {
        "status": 400,
        "code": 1401,
        "response": None,
        "message": "Book not found",
        "meta": {"status": 400, "msg": "Book not found", "code": 1401},
    }
    assert errors.MissingParameter.code in answer["schema"]["allOf"][1]["properties"]["code"]["enum"]


def test_the_page_shows_every_call_and_asks_nobody_for_anything() -> None:
    page = page_of(DOCUMENT)
    parser = Page()
    parser.feed(page)
    assert parser.ids == {call["operationId"] for _, call in CALLS}
    assert parser.targets == {"openapi.json"} | {f"#{call['operationId']}" for _, call in CALLS}
    assert parser.loaded == set()


def test_what_stands_in_backticks_is_code_on_the_page() -> None:
    page = page_of(DOCUMENT)
    assert "Or in <code>Authorization: Basic</code>." in page
    assert "`" not in page


def test_the_page_is_safe_from_what_the_document_says() -> None:
    hostile = json.loads(json.dumps(DOCUMENT).replace("Loan 2210", "<script>alert(1)</script>"))
    assert "<script" not in page_of(hostile)


def test_the_command_prints_the_document() -> None:
    printed = CliRunner().invoke(app, ["openapi"])
    assert (printed.exit_code, json.loads(printed.output)) == (0, DOCUMENT)


def test_an_example_is_put_together_from_its_parts() -> None:
    shape = record(
        {"pk": whole(7), "xid": nullable(text("L-1")), "docs": listed(choice(["A", "B"], "B"))}, {"x": text("")}
    )
    assert example_of(shape) == {"pk": 7, "xid": "L-1", "docs": ["B"]}
    assert example_of(either(record({"a": {"const": 1}}), text("b"))) == {"a": 1}
    assert example_of(nullable(either(anything({"k": 1}), text("b")))) == {"k": 1}
    with pytest.raises(TypeError, match="no example"):
        example_of({"type": "string"})


class Page(HTMLParser):
    """Collects what a page names: anchors, link targets, and whatever a browser would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.loaded: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "article":
            self.ids.add(named["id"] or "")
        if tag == "a":
            self.targets.add(named["href"] or "")
        if tag in {"script", "link", "img", "iframe"} or "src" in named:
            self.loaded.add(tag)
