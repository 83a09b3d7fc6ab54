"""Real receivers on loopback sockets: good ones, and every kind of bad one."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from bookbell.receiver import VerificationError, challenge_answer, verify


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # the default drops connections that come at once, and each waits a second

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Whoever broke off is told by the other side's report."""


class Receiver:
    """A receiver that answers with a status and keeps what it was sent. answer may be changed at any time."""

    def __init__(
        self, status: int = 200, headers: dict[str, str] | None = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        """context: to serve behind TLS; a failed handshake is left to the other side."""
        self.status = status
        self.headers = headers or {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, _headers: dict[str, str], _body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request. headers: by lower-case name."""
        return self.status, b""

    def forget(self) -> None:
        """Forget the requests that have come so far."""
        with self._lock:
            self.requests.clear()

    def ids(self) -> list[str]:
        """The request ids of all requests, in order of arrival, repeats included."""
        with self._lock:
            return [headers.get("webhook-request-id") or headers["webhook-id"] for _, headers, _ in self.requests]

    def bodies(self, start: int = 0) -> list[dict[str, Any]]:
        """The bodies of all requests from that one on, in order of arrival."""
        with self._lock:
            return [json.loads(body) for _, _, body in self.requests[start:]]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._lock:
                    receiver.requests.append((self.path, headers, body))
                status, answer = receiver.respond(headers, body)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **receiver.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None: ...

        return Handler


class Proving(Receiver):
    """A receiver that verifies with its secrets, refuses what does not fit, and answers challenges."""

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self.secrets = list(secrets)
        self.refused: list[str] = []

    def respond(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        held = list(self.secrets)
        try:
            verified = verify(headers, body, held)
        except VerificationError as error:
            self.refused.append(str(error))
            return 401, b""
        return self.status, challenge_answer(verified, body, held) or b""


Behaviour = Callable[[socket.socket, threading.Event], None]


class RawReceiver:
    """A receiver that does to each connection what its behaviour says, after the request's head has come."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.connection_count = 0
        self._behaviour = behaviour
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._closing.set()
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connection_count += 1
            thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                head = b""
                while b"\r\n\r\n" not in head and (chunk := connection.recv(65536)):
                    head += chunk
                self._behaviour(connection, self._closing)
            except OSError:
                pass  # the sender has gone, as it should


def hang(_connection: socket.socket, closing: threading.Event) -> None:
    """Never answers."""
    closing.wait()


def reset(connection: socket.socket, _closing: threading.Event) -> None:
    """Ends the connection with RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def close(_connection: socket.socket, _closing: threading.Event) -> None:
    """Closes without an answer."""


def drip(connection: socket.socket, closing: threading.Event) -> None:
    """Begins an answer and then sends one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not closing.wait(0.1):
        connection.sendall(b"x")


def endless_body(connection: socket.socket, closing: threading.Event) -> None:
    """Answers 200 with a body that does not end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not closing.is_set():
        connection.sendall(b"x" * 65536)


def endless_headers(connection: socket.socket, closing: threading.Event) -> None:
    """Sends headers without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not closing.is_set():
        connection.sendall(b"X-Filler: " + b"x" * 4000 + b"\r\n")


def garbage(connection: socket.socket, _closing: threading.Event) -> None:
    """Answers with what is not HTTP."""
    connection.sendall(b"\x00\x01\x02 what?\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)


def early_answer(connection: socket.socket, _closing: threading.Event) -> None:
    """Answers and closes without reading the body."""
    connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
