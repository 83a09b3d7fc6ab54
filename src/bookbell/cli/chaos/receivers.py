"""Receivers of every kind, on loopback. Each keeps which events it has taken and when; healed, it takes all."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_S = 0.2
FLAP_S = 3.0
HANG_S = 30.0

KINDS = ("good", "good_too", "slow", "flapping", "failing", "hanging", "resetting", "dripping")
HEALTHY = ("good", "good_too")


class ChaosReceiver:
    """One receiver. taken: event number to when it was first answered 200; ids: request ids answered 200."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.taken: dict[int, float] = {}
        self.ids: Counter[str] = Counter()
        self.healed = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/{kind}"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.healed.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, request_id: str, body: bytes) -> None:
        """Remember that this was taken."""
        number = int(json.loads(body)["number"])
        with self.lock:
            self.taken.setdefault(number, time.monotonic())
            self.ids[request_id] += 1

    def repeated_count(self) -> int:
        """Requests taken beyond the first of their id."""
        with self.lock:
            return self.ids.total() - len(self.ids)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Whoever broke off had a reason: a killed worker, or this receiver's own reset."""


def _handler_of(receiver: ChaosReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behave = None if receiver.healed.is_set() else _BAD.get(receiver.kind)
            if behave is not None and behave(self, receiver):
                self.close_connection = True
                return
            receiver.take(self.headers["Webhook-Request-Id"], body)
            _answer(self, 200)

        def log_message(self, *_: Any) -> None: ...

    return Handler


def _answer(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _slow(_handler: BaseHTTPRequestHandler, receiver: ChaosReceiver) -> bool:
    receiver.healed.wait(SLOW_S)
    return False


def _flapping(handler: BaseHTTPRequestHandler, _receiver: ChaosReceiver) -> bool:
    is_down = int(time.monotonic() / FLAP_S) % 2 == 1
    if is_down:
        _answer(handler, 503)
    return is_down


def _failing(handler: BaseHTTPRequestHandler, _receiver: ChaosReceiver) -> bool:
    _answer(handler, 500)
    return True


def _hanging(_handler: BaseHTTPRequestHandler, receiver: ChaosReceiver) -> bool:
    receiver.healed.wait(HANG_S)
    return True


def _resetting(handler: BaseHTTPRequestHandler, _receiver: ChaosReceiver) -> bool:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    handler.connection.close()
    return True


def _dripping(handler: BaseHTTPRequestHandler, receiver: ChaosReceiver) -> bool:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not receiver.healed.wait(0.1):
            handler.wfile.write(b"x")
    return True


# Whether it has dealt with the request and does not take it.
_BAD: dict[str, Callable[[BaseHTTPRequestHandler, ChaosReceiver], bool]] = {
    "slow": _slow,
    "flapping": _flapping,
    "failing": _failing,
    "hanging": _hanging,
    "resetting": _resetting,
    "dripping": _dripping,
}
