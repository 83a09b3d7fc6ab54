"""What leaves a connection: an answer is one write, in order, and whole before the connection is closed."""

import asyncio
from typing import Any

import pytest
from uvicorn.server import ServerState

from bookbell.core import limits
from bookbell.web.http import Message, Receive, Scope, Send
from bookbell.web.server import Server

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n"


class Wire:
    """A connection as the system has it, and what was done to it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        assert not self.is_closing()
        self.done.append(data)

    def close(self) -> None:
        self.done.append("close")

    def is_closing(self) -> bool:
        return "close" in self.done

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def in_pieces(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers with what the path says, piece by piece."""
    pieces = scope["path"].strip("/").split("/")
    length = sum(map(len, pieces))
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]}
    await send(start)
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
        if piece == "wait":
            await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b""})


def connected() -> tuple[Wire, Any]:
    """A connection, and what serves it."""
    application: Any = in_pieces
    config = Server(application, shutdown_ms=1_000).config
    config.load()
    protocol: Any = config.http_protocol_class
    wire, connection = Wire(), protocol(config, ServerState(), {})
    connection.connection_made(wire)
    return wire, connection


def told(*requests: bytes) -> list[bytes | str]:
    """What a connection is told when these come on it."""

    async def story() -> list[bytes | str]:
        wire, connection = connected()
        connection.data_received(b"".join(requests))
        await asyncio.sleep(0.1)
        connection.connection_lost(None)
        return wire.done

    return asyncio.run(story())


@pytest.mark.parametrize("path", [b"/four", b"/fo/ur", b"/f/o/u/r"])
def test_an_answer_is_one_write(path: bytes) -> None:
    assert told(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)[0] == HEAD + b"\r\nfour"


def test_answers_keep_their_order() -> None:
    done = told(b"GET /wait/a HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /four HTTP/1.1\r\nHost: a\r\n\r\n")
    said = b"".join(each for each in done if isinstance(each, bytes))
    assert said == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwaita" + HEAD + b"\r\nfour"
    assert done[0] == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwait"


def test_an_answer_is_whole_before_its_connection_is_closed() -> None:
    done = told(b"GET /four HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert done[:2] == [HEAD + b"connection: close\r\n\r\nfour", "close"]


def test_an_answer_to_who_went_away_meanwhile_is_dropped() -> None:
    complaints: list[object] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        wire, connection = connected()
        connection.data_received(b"GET /four HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
        assert connection.transport._held
        wire.close()  # as the system does it, before anybody is told
        await asyncio.sleep(0.01)
        connection.connection_lost(ConnectionResetError())
        assert wire.done == ["close"]

    asyncio.run(story())
    assert complaints == []


def test_what_is_no_http_is_told_so_and_closed() -> None:
    done = told(b"no http\r\n\r\n")
    assert isinstance(done[0], bytes)
    assert done[0].startswith(b"HTTP/1.1 400 ")
    assert done[1] == "close"


LINES = b"X-A: " + b"y" * 994 + b"\r\n"
CHUNKED = b"POST /four HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"GET /", b"y" * 1_000),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", LINES),
        (b"GET / HTTP/1.1\r\nX-A: ", b"y" * 1_000),
        (CHUNKED + b"0\r\n", LINES),
        (CHUNKED + b"1;", b"y" * 1_000),
    ],
    ids=["path", "headers", "header", "trailers", "chunk"],
)
def test_what_is_no_body_is_bounded(first: bytes, piece: bytes) -> None:
    async def story() -> int:
        wire, connection = connected()
        connection.data_received(first)
        count = 0
        while not wire.is_closing() and count < 200:
            connection.data_received(piece)
            count += 1
        connection.connection_lost(None)
        return count

    assert asyncio.run(story()) in range(60, 70)


@pytest.mark.parametrize("size", [1, 1_000])
def test_a_body_is_not_bounded_by_that_whatever_pieces_it_comes_in(size: int) -> None:
    async def story() -> bool:
        wire, connection = connected()
        connection.data_received(CHUNKED)
        for _ in range(1_000):
            connection.data_received((b"%x\r\n" % size + b"y" * size + b"\r\n") * 100)
        is_closing = wire.is_closing()
        connection.connection_lost(None)
        return is_closing

    assert not asyncio.run(story())


@pytest.mark.parametrize(
    "request_start", [b"", b"GET /four HTTP/1.1\r\nHost: a\r\n", b"GET /four HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_client_that_does_not_come_to_the_point_is_left(
    request_start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_HEAD_MS_MAX", 20)

    async def story() -> bool:
        wire, connection = connected()
        connection.data_received(request_start)
        for _ in range(20):
            await asyncio.sleep(0.01)
            if not wire.is_closing():
                connection.data_received(b"x" if request_start.endswith(b"x") else b"")
        is_closing = wire.is_closing()
        connection.connection_lost(None)
        return is_closing

    assert asyncio.run(story())


def test_a_client_that_waits_for_its_answer_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_HEAD_MS_MAX", 1)
    assert told(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").count("close") == 1, "by the client"
