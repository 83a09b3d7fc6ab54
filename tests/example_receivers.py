"""Receivers as an integrator would write them, a careful one and a sloppy one, on real sockets."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

from bookbell.receiver import VerificationError, verify

SECRET, NEXT_SECRET = "webhook-secret-0001", "webhook-secret-0001-next"
USER, PASSWORD = "hook-user", "hook pass:word"
CREDENTIALS = "hook-user:hook%20pass%3Aword"


class Work(Protocol):
    """What a receiver does with a request; gives the status to answer."""

    def take(self, headers: dict[str, str], body: bytes) -> int: ...


class CarefulWork:
    """Checks credentials, signature and freshness, works once for each request id, ignores what is new to it."""

    def __init__(self) -> None:
        self.work_count: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if headers.get("Authorization") != expected:
            return 401
        try:
            verified = verify(headers, body, [SECRET, NEXT_SECRET])
        except VerificationError:
            return 401
        try:
            json.loads(body)
        except ValueError:
            return 400
        with self._lock:
            if verified.request_id not in self.work_count:
                self.work_count[verified.request_id] = 1
        return 200


class SloppyWork:
    """Trusts everybody, fails at a repeat, at an unknown event, and at a book whose document it has not seen."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._books: set[int] = set()
        self._lock = threading.Lock()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self._lock:
            try:
                event: dict[str, Any] = json.loads(body)
                request_id = headers["Webhook-Request-Id"]
                if request_id in self._seen:
                    return 500
                if event.get("event_name") == "DOC_VERIFIED":
                    self._books.add(event["book_pk"])
                elif event.get("event_name") != "BOOK_VERIFIED" or event["book_pk"] not in self._books:
                    return 500
                self._seen.add(request_id)
            except (ValueError, KeyError):
                return 500
            return 200


class ExampleReceiver:
    """Serves one kind of work. url: with the credentials that the careful one demands."""

    def __init__(self, work: Work) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(work))
        self._server.daemon_threads = True
        self.url = f"http://{CREDENTIALS}@127.0.0.1:{self._server.server_port}/hooks?tenant=7"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(work: Work) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/hooks?tenant=7"
            self.send_response(work.take(dict(self.headers.items()), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    return Handler
