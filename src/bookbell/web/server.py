"""The server that takes requests and hands them to the application: uvicorn, set up for this service.

uvicorn writes the head of an answer and its body one after the other, and uvloop makes a system call of each write;
here what is written in one turn of the loop leaves by one. And uvicorn waits for the head of a request for ever, and
takes one of any size; here a client has so much time and room for it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bookbell.core import limits
from bookbell.web.app import App


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the service has its own, and its own order of stopping.

    is_up: it listens.
    """

    def __init__(self, app: App, *, shutdown_ms: int) -> None:
        """shutdown_ms: how long requests may take to end once it is told to stop."""
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                log_config=None,  # what it says goes where the log goes
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,  # nothing here asks by what address somebody came
                timeout_graceful_shutdown=max(1, shutdown_ms // 1000),
            )
        )
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does."""
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield


class _Protocol(HttpToolsProtocol):
    """A connection whose writes are joined, and that is closed when the client does not come to the point."""

    _head_timer: asyncio.TimerHandle | None = None
    _loose_bytes = 0  # that have come since the last head and are no body

    def connection_made(self, transport: Any) -> None:
        joining: Any = _Joining(transport)
        super().connection_made(joining)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._loose_bytes += len(data)
        super().data_received(data)
        if self._loose_bytes > limits.REQUEST_HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The head of the request, or what is beside its body, is too large.")
        elif self._head_timer is None and self._is_idle:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._loose_bytes = 0
        self._end_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pieces of a body may be small, and each has a line of its own before it."""
        self._loose_bytes = max(-limits.REQUEST_HEAD_BYTES_MAX, self._loose_bytes - _PER_BODY_BYTE * len(body))
        super().on_body(body)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: Any = self.cycle  # there is none at first
        return cycle is None or bool(cycle.response_complete)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(limits.REQUEST_HEAD_MS_MAX / 1_000, self._give_up)

    def _end_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self._is_idle:
            self.transport.close()


_PER_BODY_BYTE = 9  # with `1`, CR, LF, the byte, CR, LF, and some to spare


class _Joining:
    """A transport that writes at the end of the loop's turn what was written in it; all else is the other's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = getattr(self._transport, name)  # kept: it is not looked for again
        return found

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._let_go)
        self._held.append(data)

    def close(self) -> None:
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():  # else whoever asked has gone away meanwhile
            self._transport.write(b"".join(held))
