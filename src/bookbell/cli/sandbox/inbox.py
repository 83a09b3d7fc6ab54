"""The receiving end of commands: a small HTTP server that hands each request to a function and sends what it gives."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from bookbell.config import StartError
from bookbell.core import limits

BODY_BYTES_MAX = 4 * limits.JSON_BODY_BYTES_MAX
IDLE_S = 60


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request. path: with its query; headers: names as they came, in order."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of this name, in any case of letters."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Handle = Callable[[Incoming], Reply | None]
"""Called on a thread of the connection. None closes the connection without an answer."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Inbox:
    """Listens on loopback from the moment it is made. Raises: StartError when the port is taken."""

    def __init__(self, handle: Handle, *, port: int = 0) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _handler(handle))
        except OSError as error:
            raise StartError(f"Cannot listen on 127.0.0.1:{port}: {error.strerror}. Choose another --port.") from error
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Until the process is interrupted."""
        self._thread.join()


def _handler(handle: Handle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_S

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
                self.close_connection = True
                self._send(Reply(413 if length else 411))
                return
            incoming = Incoming(self.path, tuple(self.headers.items()), self.rfile.read(int(length)))
            reply = handle(incoming)
            if reply is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            try:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:  # the sender did not wait for the answer
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """What is worth telling, the function tells."""

    return Handler
