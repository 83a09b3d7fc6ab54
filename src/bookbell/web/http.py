"""HTTP as the handlers see it: one request and one answer, over ASGI and nothing else.

What a server has parsed is taken as it is; bodies are bounded where they are read (`web/wire.py`). Text is what the
bytes are in latin-1, as ASGI servers and clients have it for headers. Source: the ASGI specification, HTTP 2.3.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from bookbell.core.errors import InvalidRequest
from bookbell.web.context import Context

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

JSON = "application/json"
PIECE_BYTES = 256 * 1024
NO_CONTENT = 204
SAFE_HEADERS = {
    b"cache-control": b"no-store",  # answers hold what only the caller may see
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
}
"""What every answer carries unless its handler says otherwise."""


class Request:
    """One request that is being answered.

    path_params: parts of the path by the names that its route gives them; is_read: the body has come to its end.
    """

    __slots__ = ("_headers", "_receive", "context", "is_read", "path_params", "scope")

    def __init__(self, scope: Scope, receive: Receive, context: Context) -> None:
        self.scope = scope
        self.context = context
        self.path_params: Mapping[str, str] = {}
        self._receive = receive
        self._headers: dict[str, str] | None = None
        self.is_read = False

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """The path, decoded."""
        return str(self.scope["path"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by their names in lower case; of one that was given twice, the first."""
        if self._headers is None:
            raw = reversed(self.scope["headers"])
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        return self._headers

    async def piece(self) -> bytes:
        """The next piece of the body, until is_read. Raises: InvalidRequest when the client has gone away."""
        message = await self._receive()
        if message["type"] == "http.disconnect":  # nobody is left to read the answer
            raise InvalidRequest("The connection ended before the request was complete")
        self.is_read = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. body: its bytes, or the file that holds them."""

    body: bytes | Path
    status_code: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


async def send_response(response: Response, status: int, send: Send) -> None:
    """Send this answer with this status. Raises: OSError when its file cannot be read."""
    if isinstance(response.body, Path):
        await _send_file(response, response.body, status, send)
        return
    await send(_start(status, _headers(response, len(response.body))))
    await send({"type": "http.response.body", "body": response.body})


async def _send_file(response: Response, path: Path, status: int, send: Send) -> None:
    file: BinaryIO = await asyncio.to_thread(path.open, "rb")
    with file:
        await send(_start(status, _headers(response, os.fstat(file.fileno()).st_size)))
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, headers: RawHeaders) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _headers(response: Response, length: int) -> RawHeaders:
    found = [*_of_content(response.media_type), (b"content-length", b"%d" % length)]
    if response.status_code == NO_CONTENT:
        found = [*SAFE_HEADERS.items()]
    if not response.headers:
        return found
    own = {name.lower().encode(): value.encode("latin-1") for name, value in response.headers.items()}
    return [*((name, value) for name, value in found if name not in own), *own.items()]


@lru_cache(64)
def _of_content(media_type: str) -> tuple[tuple[bytes, bytes], ...]:
    is_bare_text = media_type.startswith("text/") and "charset" not in media_type
    shown = f"{media_type}; charset=utf-8" if is_bare_text else media_type
    return (*SAFE_HEADERS.items(), (b"content-type", shown.encode()))
