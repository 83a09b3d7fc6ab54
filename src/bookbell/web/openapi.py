"""The OpenAPI 3.1 document of everything that is served, made from the descriptions beside the handlers.

Knows the form of the document; what is in it comes from `web/operation.py` and `core/errors.py`.
Source: the OpenAPI Specification 3.1.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bookbell import __version__
from bookbell.core.errors import (
    AccountInactive,
    Api,
    BookbellError,
    InternalError,
    MalformedJson,
    NotAuthenticated,
    PathNotFound,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    api_of,
    status_of,
)
from bookbell.web import openapi_webhooks
from bookbell.web.operation import JSON_BODY, Access, Answer, Field, Operation, Tag
from bookbell.web.routing import Route
from bookbell.web.shape import example_of, text

Json = dict[str, Any]

INTRODUCTION = (
    "Parameters of v1 calls may also stand in the query, whatever the method. With the setting BOOKBELL_ALWAYS_200 "
    "the errors of v1 arrive with HTTP 200 and their status in the body."
)
SECURITY: Mapping[Access, list[dict[str, list[str]]]] = {
    Access.ACCOUNT: [{"bearer": []}, {"basic": []}],
    Access.OPERATOR: [{"operator": []}],
    Access.PIPELINE: [{"pipeline": []}],
    Access.ANYBODY: [],
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From POST /oauth/token."},
    "basic": {"type": "http", "scheme": "basic", "description": "Client id or e-mail address, and secret."},
    "operator": {"type": "http", "scheme": "bearer", "description": "The operator's token."},
    "pipeline": {"type": "http", "scheme": "bearer", "description": "The pipeline's token."},
}
_ACCESS_ERRORS: Mapping[Access, tuple[type[BookbellError], ...]] = {
    Access.ACCOUNT: (NotAuthenticated, AccountInactive, TooManyRequests),
    Access.OPERATOR: (NotAuthenticated,),
    Access.PIPELINE: (NotAuthenticated,),
    Access.ANYBODY: (),
}
_INPUT_ERRORS = (MalformedJson, ValidationFailed, TooLarge, UnsupportedMediaType, RequestTimeout)
_HEADERS = {
    TooManyRequests: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    NotAuthenticated: {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
}
_BODYLESS = {"GET", "DELETE"}


def document(routes: Sequence[Route]) -> Json:
    """The document of these routes, JSON-ready. Pages for people are left out."""
    paths: Json = {}
    found = [(handler, handler.opt["operation"]) for handler in routes]
    described = [(handler, operation) for handler, operation in found if isinstance(operation, Operation)]
    for handler, operation in described:
        for path in sorted(handler.paths):
            shown = _operation(handler, operation, path, handler.method)
            paths.setdefault(_template(path), {})[handler.method.lower()] = shown
    structs = [operation.body for _, operation in described if operation.body is not None]
    return {
        "openapi": "3.1.1",
        "info": {"title": "bookbell", "version": __version__, "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [*({"name": tag.value} for tag in Tag), {"name": openapi_webhooks.TAG}],
        "paths": paths,
        "webhooks": openapi_webhooks.webhooks(),
        "components": {"schemas": _schemas(structs), "securitySchemes": SECURITY_SCHEMES},
    }


def _operation(handler: Route, operation: Operation, path: str, method: str) -> Json:
    fields = _with_path_fields(operation.fields, path)
    api = api_of(path)
    shown: Json = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', _template(path)).rstrip('_')}",
        "tags": [operation.tag.value],
        **_told(handler),
        "security": SECURITY[operation.access],
        "parameters": [_parameter(each, method) for each in fields if _place(each, method) != "body"],
        "responses": _responses(operation, fields, api),
    }
    body = _body(operation, [each for each in fields if _place(each, method) == "body"])
    return {**shown, "requestBody": body} if body else shown


def _told(handler: Route) -> Json:
    """Summary and description: the docstring's first line and the rest."""
    lines = (handler.fn.__doc__ or "").strip().splitlines()
    rest = " ".join(line.strip() for line in lines[1:] if line.strip())
    return {"summary": lines[0].rstrip("."), **({"description": rest} if rest else {})}


def _template(path: str) -> str:
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _with_path_fields(fields: Iterable[Field], path: str) -> list[Field]:
    """The fields, those of the path first; a described one replaces what the path says by itself."""
    known = {each.name: each for each in fields}
    found: list[Field] = []
    for name in re.findall(r"\{(\w+)", path):
        given = known.pop(name, None)
        schema = given.schema if given else text("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3")
        description = given.description if given else f"The {name.replace('_', ' ')}."
        found.append(Field(name=name, schema=schema, description=description, is_required=True, place="path"))
    return [*found, *known.values()]


def _place(field: Field, method: str) -> str:
    return field.place or ("query" if method in _BODYLESS else "body")


def _parameter(field: Field, method: str) -> Json:
    shown: Json = {"name": field.name, "in": _place(field, method), "description": field.description}
    return {**shown, "required": field.is_required, "schema": field.schema}


def _body(operation: Operation, fields: Sequence[Field]) -> Json | None:
    if operation.body is not None:
        schema: Json = {"$ref": f"#/components/schemas/{operation.body.__name__}"}
        return {"required": True, "content": {JSON_BODY[0]: {"schema": schema, "example": operation.example}}}
    if not fields:
        return None
    required = [each.name for each in fields if each.is_required]
    schema = {
        "type": "object",
        "properties": {each.name: {**each.schema, "description": each.description} for each in fields},
        "required": required,
    }
    shown = [each.name for each in fields if each.is_required or each.is_usual] or [fields[0].name]
    example = {name: example_of(schema["properties"][name]) for name in shown}
    return {
        "required": bool(required),
        "content": {media: {"schema": schema, "example": example} for media in operation.media},
    }


def _responses(operation: Operation, fields: Sequence[Field], api: Api) -> Json:
    answers = {200: operation.answer, **operation.others}
    shown = {str(status): _answer(answer) for status, answer in answers.items()}
    by_status: dict[int, list[type[BookbellError]]] = {}
    for error in dict.fromkeys(_errors(operation, fields)):
        by_status.setdefault(status_of(error, api), []).append(error)
    for status, errors in by_status.items():
        mine = _failure(errors, api)
        if status in answers:
            mine = _either(_answer(answers[status]), mine)
        shown[str(status)] = mine
    return dict(sorted(shown.items()))


def _errors(operation: Operation, fields: Sequence[Field]) -> Iterable[type[BookbellError]]:
    if operation.has_envelope:
        yield from _ACCESS_ERRORS[operation.access]
        yield from _INPUT_ERRORS if fields or operation.body else ()
        yield from (PathNotFound,) if any(each.place == "path" for each in fields) else ()
        yield from operation.errors
        yield InternalError
        yield Unavailable


def _answer(answer: Answer) -> Json:
    if answer.schema is None:
        return {"description": answer.description, "content": {answer.media_type: {"schema": {"type": "string"}}}}
    content = {"schema": answer.schema, "example": example_of(answer.schema)}
    return {"description": answer.description, "content": {answer.media_type: content}}


def _failure(errors: Sequence[type[BookbellError]], api: Api) -> Json:
    """The envelope of these errors, which share a status."""
    status = status_of(errors[0], api)
    codes = sorted({error.code for error in errors})
    parts = {"status": {"const": status}, "code": {"enum": codes}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Error"}, {"properties": parts}]}
    examples = {error.__name__: {"value": _error_example(error, status)} for error in errors}
    headers = {name: shown for error in errors for name, shown in _HEADERS.get(error, {}).items()}
    return {
        "description": "; ".join(f"{error.code}: {error().message.rstrip('.')}" for error in errors) + ".",
        "content": {JSON_BODY[0]: {"schema": schema, "examples": examples}},
        **({"headers": headers} if headers else {}),
    }


def _either(one: Json, another: Json) -> Json:
    """Two answers with the same status as one."""
    first, second = one["content"][JSON_BODY[0]], another["content"][JSON_BODY[0]]
    content = {
        "schema": {"anyOf": [first["schema"], second["schema"]]},
        "examples": {"answer": {"value": first["example"]}, **second["examples"]},
    }
    return {
        **another,
        "description": f"{one['description']} {another['description']}",
        "content": {JSON_BODY[0]: content},
    }


def _error_example(error: type[BookbellError], status: int) -> Json:
    message = error().message
    meta = {"status": status, "msg": message, "code": error.code}
    return {"status": status, "code": error.code, "response": None, "message": message, "meta": meta}


def _schemas(structs: Sequence[type[msgspec.Struct]]) -> Json:
    _, found = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    whole_text: Json = {"type": "string"}
    status: Json = {"type": "integer", "minimum": 400, "maximum": 599}
    code: Json = {"type": "integer"}
    meta = {"status": status, "msg": whole_text, "code": code}
    error = {
        "status": status,
        "code": code,
        "response": {"type": "null"},
        "message": whole_text,
        "meta": {"type": "object", "properties": meta, "required": list(meta), "additionalProperties": False},
    }
    described = {**error, "details": {"type": "string", "description": "More than the fixed message says."}}
    found["Error"] = {
        "type": "object",
        "description": "What every error looks like.",
        "properties": described,
        "required": list(error),
        "additionalProperties": False,
    }
    return found
