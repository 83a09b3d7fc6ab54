"""A real proxy for the tests: it forwards plain requests and tunnels CONNECT, to wherever it is told."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """requests: the first line of each request that came. refuses: the status it answers instead of forwarding."""

    def __init__(self, *, refuses: int | None = None) -> None:
        self.requests: list[str] = []
        self._refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            received = b""
            while b"\r\n\r\n" not in received:
                received += client.recv(65536)
            line, _, rest = received.partition(b"\r\n")
            method, where, version = line.decode().split()
            self.requests.append(line.decode())
            if self._refuses is not None:
                client.sendall(f"HTTP/1.1 {self._refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            parts = urlsplit(f"//{where}" if method == "CONNECT" else where)
            host = "127.0.0.1" if str(parts.hostname).endswith(".localhost") else str(parts.hostname)
            with socket.create_connection((host, parts.port or 80)) as receiver:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
                else:
                    receiver.sendall(f"{method} {parts.path} {version}\r\n".encode() + rest)
                with contextlib.suppress(OSError):  # one side has gone
                    _pump(client, receiver)


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Both ways, until one side ends."""
    while True:
        for source in select.select([one, other], [], [])[0]:
            chunk = source.recv(65536)
            if not chunk:
                return
            (other if source is one else one).sendall(chunk)
