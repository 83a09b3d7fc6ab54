"""The reference: the OpenAPI document as JSON, and as a page for people that needs nothing from elsewhere.

The page is made from the document alone, without scripts. Both are made once per process.
"""

import functools
import json
from html import escape
from typing import Any

import msgspec

from bookbell.web import openapi_webhooks, wire
from bookbell.web.http import Response
from bookbell.web.openapi import Json, document
from bookbell.web.operation import Access, Operation, Tag, bare, described, other
from bookbell.web.routing import get
from bookbell.web.shape import anything

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; box-sizing: border-box;
  border-right: 1px solid var(--line); font-size: .85rem; }
nav a { display: block; color: inherit; text-decoration: none; padding: .1rem 0; overflow-wrap: anywhere; }
nav a:hover, nav a:focus { text-decoration: underline; }
main { padding: 1rem 2rem; max-width: 60rem; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1.5rem; }
h2 { margin-top: 3rem; } h3 { margin-bottom: 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .85rem; }
h3 code { font-size: 1rem; overflow-wrap: anywhere; }
pre { background: #8881; padding: .75rem; overflow: auto; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
td { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; vertical-align: top; }
.quiet { color: var(--quiet); } .must::after { content: " *"; color: #c33; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; border: 0; } }
"""
WHO = {"bearer": "account", "operator": "operator", "pipeline": "pipeline"}


@get(
    "/openapi.json",
    opt=described(
        Operation(
            tag=Tag.REFERENCE,
            access=Access.ANYBODY,
            answer=bare(anything({"openapi": "3.1.1"}), "The OpenAPI 3.1 document."),
        )
    ),
)
async def read_document(_request: wire.Wire) -> Response:
    """This description of the API, for programs."""
    return Response(_as_json())


@get(
    "/reference",
    opt=described(
        Operation(tag=Tag.REFERENCE, access=Access.ANYBODY, answer=other("text/html", "The page, in UTF-8."))
    ),
)
async def read_page(_request: wire.Wire) -> Response:
    """This description of the API, for people."""
    headers = {"Content-Security-Policy": POLICY}
    return Response(_as_page(), media_type="text/html", headers=headers)


def page_of(described_api: Json) -> str:
    """The document as an HTML page."""
    by_tag: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in [*described_api["paths"].items(), *described_api["webhooks"].items()]:
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    tags = [tag["name"] for tag in described_api["tags"] if tag["name"] in by_tag]
    schemas = described_api["components"]["schemas"]
    links, chapters = "", ""
    for tag in tags:
        links += f"<strong>{escape(tag)}</strong>" + "".join(_link(*each) for each in by_tag[tag])
        chapters += f"<h2>{escape(tag)}</h2>" + "".join(_article(*each, schemas) for each in by_tag[tag])
    info = described_api["info"]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: API reference</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f'<body><nav aria-label="Calls">{links}</nav><main><h1>{title}</h1><p>{escape(info["description"])}</p>'
        f'<p><a href="openapi.json">openapi.json</a></p>{chapters}</main></body></html>'
    )


@functools.cache
def _document() -> Json:
    from bookbell.web.routes import ROUTES  # noqa: PLC0415 - this module is part of them

    return document(ROUTES)


@functools.cache
def _as_json() -> bytes:
    return msgspec.json.encode(_document())


@functools.cache
def _as_page() -> bytes:
    return page_of(_document()).encode()


def _link(method: str, path: str, operation: Json) -> str:
    return f'<a href="#{escape(operation["operationId"])}"><span class="quiet">{method}</span> {escape(path)}</a>'


def _article(method: str, path: str, operation: Json, schemas: Json) -> str:
    rows = [
        (each["name"], each["in"], each["schema"], each["required"], each["description"])
        for each in operation["parameters"]
    ]
    content = operation.get("requestBody", {}).get("content", {})
    media = next(iter(content.values()), None)
    if media:
        schema = _resolved(media["schema"], schemas)
        schema = schema.get("anyOf", [schema])[-1]
        must = schema.get("required", [])
        for name, part in schema.get("properties", {}).items():
            rows.append((name, "body", part, name in must, part.get("description", "")))
    example = f"<p>{escape(', '.join(content))}</p>{_examples(media)}" if media else ""
    answers = "".join(_answer(status, each) for status, each in operation["responses"].items())
    return (
        f'<article id="{escape(operation["operationId"])}"><h3><code>{method} {escape(path)}</code></h3>'
        f"<p>{_prose(operation['summary'])}. {_prose(operation.get('description', ''))}"
        f' <span class="quiet">{_who(operation)}</span></p>'
        f"<table>{''.join(_row(*row) for row in rows)}</table>{example}{answers}</article>"
    )


def _prose(text: str) -> str:
    """A text of the document as HTML; what stands in backticks there is code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))


def _who(operation: Json) -> str:
    if operation["tags"] == [openapi_webhooks.TAG]:
        return "Sent to your receiver."
    who = [WHO[name] for each in operation["security"] for name in each if name in WHO]
    return f"For {', '.join(who) or 'anybody'}."


def _row(name: str, place: str, schema: Json, is_required: bool, description: str) -> str:
    mark = ' class="must" title="required"' if is_required else ""
    return (
        f"<tr><td><code{mark}>{escape(name)}</code></td><td>{place}</td><td>{escape(_kind(schema))}</td>"
        f"<td>{_prose(description)}</td></tr>"
    )


def _kind(schema: Json) -> str:
    """What a value is, in a few words."""
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format", kind)) if isinstance(kind, str) else " or ".join(kind)


def _resolved(schema: Json, schemas: Json) -> Json:
    found: Json = schemas[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
    return found


def _answer(status: str, answer: Json) -> str:
    shown = ""
    for media, content in answer.get("content", {}).items():
        shown += _examples(content) or f"<p>{escape(media)}</p>"
    head = f"<strong>{status}</strong> {escape(answer['description'])}"
    return f"<details{' open' if status == '200' else ''}><summary>{head}</summary>{shown}</details>"


def _examples(content: Json) -> str:
    examples = [content["example"]] if "example" in content else []
    examples += [each["value"] for each in content.get("examples", {}).values()]
    return "".join(_json(each) for each in examples)


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


routes = [read_document, read_page]
