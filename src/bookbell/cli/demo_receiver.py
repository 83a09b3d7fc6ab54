"""A real receiver for the demo: a process that demands Basic credentials and verifies each signature.

Prints one JSON line for each request. Paths name the keys: a request to /one must carry one's credentials and be
signed with one's secret. Usage: python -m bookbell.cli.demo_receiver PORT, with {"one": [user, password, secret]} on
standard input.
"""

import base64
import json
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bookbell.receiver import VerificationError, verify

Keys = dict[str, tuple[str, str, str]]

_printing = threading.Lock()  # requests are served on threads, and two prints at once would share a line


def serve(port: int, keys: Keys) -> None:
    """Receive until the process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(keys))
    _print({"port": server.server_port})
    server.serve_forever()


def _handler(keys: Keys) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, line = _receive(self.path.strip("/"), dict(self.headers.items()), body, keys)
            _print(line)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """The lines on standard output say it all."""

    return Handler


def _print(line: dict[str, Any]) -> None:
    with _printing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _receive(name: str, headers: dict[str, str], body: bytes, keys: Keys) -> tuple[int, dict[str, Any]]:
    if name not in keys:
        return 404, {"key": name, "problem": "unknown path"}
    user, password, secret = keys[name]
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if headers.get("Authorization") != expected:
        return 401, {"key": name, "problem": "wrong credentials"}
    try:
        verified = verify(headers, body, secret)
    except VerificationError as error:
        return 401, {"key": name, "problem": str(error)}
    # The request id is a UUID of version 7: its first 48 bits are when the delivery was made, in milliseconds.
    made_at = int(verified.request_id.replace("-", "")[:12], 16)
    line = {
        "key": name,
        "request_id": verified.request_id,
        "latency_ms": time.time_ns() // 1_000_000 - made_at,
        "body": json.loads(body),
    }
    return 200, line


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C reaches the whole demo, which says what there is to say
        serve(int(sys.argv[1]), {name: tuple(values) for name, values in json.loads(sys.stdin.readline()).items()})
