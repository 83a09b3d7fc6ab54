"""Requests byte by byte, as a server hands them to the application: for what a well-behaved client cannot send."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from bookbell.web.app import App
from bookbell.web.http import Message

Headers = Sequence[tuple[str, str | bytes]]
Chunks = Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


async def call(
    app: App,
    method: str,
    target: str,
    headers: Headers = (),
    chunks: Chunks = (b"",),
    *,
    is_cut_off: bool = False,
) -> Answer:
    """One request. target: path and query, ASCII; is_cut_off: the client goes away after the chunks."""
    raw_path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), _bytes(value)) for name, value in headers],
        "server": ("bookbell.test", 80),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    events = _events(iter(chunks), is_cut_off)
    sent: list[Message] = []

    async def receive() -> dict[str, Any]:
        return await anext(events)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], found, b"".join(each.get("body", b"") for each in sent[1:]))


async def _events(chunks: Iterator[bytes], is_cut_off: bool) -> AsyncIterator[dict[str, Any]]:
    for chunk in chunks:
        yield {"type": "http.request", "body": chunk, "more_body": True}
    if not is_cut_off:
        yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield {"type": "http.disconnect"}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
