"""The wire: request parameters however a client sends them, and the envelope of every answer.

A v1 POST may be JSON, urlencoded or multipart (contract 17), and a GET may carry its parameters in a body; all become
one `Params`. Text with NUL or a lone surrogate is refused here, so nothing inside has to think of it.
Source: contract sections 7.1, 10, 12, 17.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from bookbell.core import limits
from bookbell.core.errors import (
    Api,
    BookbellError,
    MalformedJson,
    MissingParameter,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    status_of,
)
from bookbell.core.instants import instant_from
from bookbell.web.http import Request, Response

Wire = Request
"""A request as the handlers take it."""

TRUE_WORDS = {"true", "1", "yes"}
FALSE_WORDS = {"false", "0", "no"}
JSON_TYPES = {"application/json", ""}
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_ENCODED_NAME = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]*)", re.IGNORECASE)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Params:
    """The parameters of one request. Lookups give None when a parameter is absent or null."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str | None:
        """The parameter as text; a number counts as its digits. Raises: ValidationFailed for anything else."""
        value = self.values.get(name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise ValidationFailed(f"{name}: a text is expected")

    def required_text(self, name: str) -> str:
        """Raises: MissingParameter when absent or empty."""
        value = self.text(name)
        if not value:
            raise MissingParameter(f"Required parameter not found: {name}")
        return value

    def uuid(self, name: str) -> str | None:
        """The parameter as an id, however its letters are spelled (RFC 9562, 4). None when empty. Raises: as text."""
        return (self.text(name) or "").lower() or None

    def integer(self, name: str) -> int | None:
        """The parameter as a whole number within 64 bits, given as number or digits. Raises: ValidationFailed."""
        value = self.text(name)
        if value is None or value == "":
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
            raise ValidationFailed(f"{name}: a whole number is expected")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """The parameter as true or false, given as such or as a word. Raises: ValidationFailed."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value[0] if isinstance(value, list) and value else value).lower()
        if word in TRUE_WORDS or word in FALSE_WORDS:
            return word in TRUE_WORDS
        raise ValidationFailed(f"{name}: true or false is expected")

    def instant(self, name: str, now: int) -> int | None:
        """The parameter as milliseconds UTC, given as ISO 8601 or how long before now. Raises: ValidationFailed."""
        value = self.text(name)
        if not value:
            return None
        instant = instant_from(value, now)
        if instant is None:
            raise ValidationFailed(
                f"{name}: an instant like 2026-05-30T16:15:14Z, or how long ago like 36h, is expected"
            )
        return instant

    def texts(self, name: str) -> list[str]:
        """The parameter as a list: an array, a repeated field, or one text with commas. Raises: ValidationFailed."""
        value = self.values.get(name)
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise ValidationFailed(f"{name}: a list of texts is expected")
        found = [part.strip() for item in items for part in item.split(",") if part.strip()]
        if len(found) > limits.LIST_COUNT_MAX:
            raise ValidationFailed(f"{name}: at most {limits.LIST_COUNT_MAX} are expected")
        return found


async def read_params(request: Wire) -> Params:
    """The parameters of the body and of the query (which wins). Raises: the errors of bad input."""
    query = _gathered(_query_items(request))
    body = await read_body(request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return Params(_checked({**_body_values(kind, options, body), **query}))


def form_params(request: Wire, fields: list[tuple[str, str]]) -> Params:
    """The parameters of the query and of a form that was read elsewhere. Raises: ValidationFailed."""
    return Params(_checked(_gathered([*_query_items(request), *fields])))


def checked_text(text: str) -> str:
    """The same text, if it can be stored. Raises: ValidationFailed."""
    _checked(text)
    return text


def path_text(request: Wire, name: str) -> str:
    """A part of the path. Raises: ValidationFailed."""
    return checked_text(str(request.path_params[name]))


def path_uuid(request: Wire, name: str) -> str:
    """A part of the path that is an id, however its letters are spelled. Raises: ValidationFailed."""
    return path_text(request, name).lower()


def page_count(params: Params) -> int:
    """How many rows of a list are asked for. Raises: ValidationFailed."""
    count = params.integer("limit")
    if count is None:
        return limits.PAGE_COUNT_DEFAULT
    if not 1 <= count <= limits.PAGE_COUNT_MAX:
        raise ValidationFailed(f"limit: a number from 1 to {limits.PAGE_COUNT_MAX} is expected")
    return count


async def read_object(request: Wire) -> dict[str, Any]:
    """A JSON body, {} when it is empty. Raises: MalformedJson, ValidationFailed, UnsupportedMediaType."""
    body = await read_body(request)
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind not in JSON_TYPES:
        raise UnsupportedMediaType(f"The content type {kind[:80]} is not supported here; send application/json")
    fields: dict[str, Any] = _checked(json_object(body)) if body.strip() else {}
    return fields


async def read_json(request: Wire, kind: type[msgspec.Struct]) -> Any:
    """The JSON body as a value of this struct. Raises: MalformedJson, ValidationFailed."""
    return converted(await read_body(request), kind)


def converted(body: bytes, kind: type[msgspec.Struct]) -> Any:
    """JSON bytes as a value of this struct. Raises: MalformedJson, ValidationFailed."""
    try:
        return msgspec.convert(_checked(json_object(body)), kind)
    except msgspec.ValidationError as error:
        raise ValidationFailed(f"Request validation failure: {error}") from error


def ok(response: Any, *, status: int = 200) -> Response:
    """The envelope of success."""
    return answer({"status": 200, "message": "OK", "response": response}, status=status)


def failure(error: BookbellError, *, api: Api = Api.OURS, headers: Mapping[str, str] | None = None) -> Response:
    """The envelope of an error in an answer of this API (contract 12)."""
    status = status_of(error, api)
    meta = {"status": status, "msg": error.message, "code": error.code}
    body: dict[str, Any] = {
        "status": status,
        "code": error.code,
        "response": None,
        "message": error.message,
        "meta": meta,
    }
    if error.is_terse:
        del body["response"], body["meta"]
    if error.details is not None:
        body["details"] = error.details
    return answer(body, status=status, headers=headers)


def answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any JSON answer."""
    return Response(msgspec.json.encode(body), status, headers=headers or {})


def instant(at: int) -> str:
    """Milliseconds as the wire shows instants, e.g. `2026-05-30T16:15:14Z`."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_instant(at: int) -> str:
    """Milliseconds with their fraction, for what is ours to shape, e.g. `2026-05-30T16:15:14.123Z`."""
    return f"{instant(at)[:-1]}.{at % 1000:03d}Z"


async def read_body(request: Wire, bytes_max: int = limits.JSON_BODY_BYTES_MAX) -> bytes:
    """The body, bounded. Raises: as read_chunks."""
    return b"".join([piece async for piece in read_chunks(request, bytes_max, limits.BODY_MS_MAX)])


async def read_chunks(request: Wire, bytes_max: int, ms_max: int) -> AsyncIterator[bytes]:
    """The body piece by piece. What says that it is too large is refused before any of it is read.

    Raises: TooLarge; RequestTimeout when it takes longer than ms_max, or BODY_IDLE_MS_MAX between two pieces.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    ambient, read_bytes = request.context.ambient, 0
    end = ambient.monotonic_ms() + ms_max
    while not request.is_read:
        left_ms = min(end - ambient.monotonic_ms(), limits.BODY_IDLE_MS_MAX)
        try:
            async with asyncio.timeout(left_ms / 1000):
                piece = await request.piece()
        except TimeoutError as error:
            raise RequestTimeout from error
        read_bytes += len(piece)
        if read_bytes > bytes_max:
            raise _too_large(bytes_max)
        if piece:  # an empty one would mean the end to who reads forms
            yield piece


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The request body exceeds {bytes_max} bytes")


def _body_values(kind: str, options: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    match kind:
        case "application/json":
            return json_object(body)
        case "multipart/form-data":
            parts = multipart_parts(options.get("boundary", ""), body)
            return _gathered([(part.name, part.text) for part in parts if part.filename is None])
        case "application/x-www-form-urlencoded":
            return _gathered(_urlencoded(body))
        case "":
            return json_object(body) if body.lstrip()[:1] == b"{" else _gathered(_urlencoded(body))
        case _:
            raise UnsupportedMediaType(f"The content type {kind[:80]} is not supported here")


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object's fields. Raises: MalformedJson, ValidationFailed."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson from error
    if not isinstance(value, dict):
        raise ValidationFailed("Request validation failure: a JSON object is expected")
    return value


def _query_items(request: Wire) -> list[tuple[str, str]]:
    return _urlencoded(request.scope["query_string"])


def _urlencoded(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=limits.FORM_PART_COUNT_MAX,
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise ValidationFailed("The form or query is not valid UTF-8 or has too many fields") from error


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part of a multipart form. filename: None where the part is a plain field."""

    name: str
    filename: str | None
    data: bytes

    @property
    def text(self) -> str:
        """Raises: ValidationFailed."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValidationFailed("The multipart form cannot be read") from error


def multipart_parts(boundary: str, body: bytes) -> list[FormPart]:
    """The parts of a form that is in memory, in order. Raises: ValidationFailed."""
    try:
        with PushMultipartParser(boundary, max_segment_count=limits.FORM_PART_COUNT_MAX) as parser:
            return _parts_of([*parser.parse(body), *parser.parse(b"")])
    except (MultipartError, UnicodeDecodeError, ValueError) as error:
        raise ValidationFailed("The multipart form cannot be read") from error


def file_name(head: MultipartSegment) -> str | None:
    """What a part calls its file; None where it is a plain field.

    An encoded name goes before a plain one, as in RFC 6266, section 4.3: .NET sends both, the plain one unreadable.
    """
    plain: str | None = head.filename
    encoded = _ENCODED_NAME.search(_QUOTED.sub("", str(head.header("Content-Disposition", ""))))
    if encoded is None:
        return plain
    try:
        return unquote_to_bytes(encoded[2]).decode(encoded[1])
    except UnicodeDecodeError:
        return plain or ""


def _parts_of(pieces: Sequence[MultipartSegment | bytes | None]) -> list[FormPart]:
    """Each part comes as its head, its data in pieces, and None."""
    found: list[FormPart] = []
    head, data = None, bytearray()
    for piece in pieces:
        if isinstance(piece, MultipartSegment):
            head, data = piece, bytearray()
        elif piece:
            data += piece
        elif head is not None:
            found.append(FormPart(head.name or "", file_name(head), bytes(data)))
    return found


def _gathered(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """One value under its name, several as a list."""
    gathered: dict[str, Any] = {}
    for name, value in items:
        if name not in gathered:
            gathered[name] = value
        elif isinstance(gathered[name], list):
            gathered[name].append(value)
        else:
            gathered[name] = [gathered[name], value]
    return gathered


def _checked(value: Any, depth: int = 0) -> Any:
    """The same value, if all its text can be stored and it is not nested too deep. Raises: ValidationFailed."""
    if depth > limits.JSON_DEPTH_MAX:
        raise ValidationFailed(f"The JSON body is nested more than {limits.JSON_DEPTH_MAX} deep")
    match value:
        case str():
            if _UNSTORABLE.search(value):
                raise ValidationFailed("Text must not contain NUL or unpaired surrogates")
        case list():
            for item in value:
                _checked(item, depth + 1)
        case dict():
            for key, item in value.items():
                _checked(key)
                _checked(item, depth + 1)
    return value
