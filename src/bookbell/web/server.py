"""The server that takes requests and hands them to the application: uvicorn, set up for this service.

uvicorn writes the head of an answer and its body one after the other, and uvloop makes a system call of each write;
here what is written in one turn of the loop leaves by one.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
    """A connection whose writes are joined."""

    def connection_made(self, transport: Any) -> None:
        joining: Any = _Joining(transport)
        super().connection_made(joining)


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
