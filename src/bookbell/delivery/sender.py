"""The one place that makes requests to receivers: libcurl on a thread of its own.

libcurl's multi interface is driven through `socket_action` and the system's selector, because `select` ends at 1,024
descriptors. Requests come in from any thread in batches, reports go out in batches, one per turn of the loop. Easy
handles are reused, and with them nothing but what every request sets again.

The guard sits in the open-socket callback: it sees the address that is about to be connected to, after DNS. libcurl
takes nothing from the environment here, follows no redirect and speaks only HTTP and HTTPS.
"""

import os
import selectors
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pycurl

from bookbell.core.attempt import Refused, Report, Request, Timings, Unreachable
from bookbell.delivery.sender_transfer import Setup, Transfer

Reports = list[tuple[str, Report]]
IDLE_HANDLES_MAX = 1_024
IDLE_CONNECTIONS_MAX = 2_048
TURN_MS_MAX = 1_000


class Sender:
    """Sends requests and reports each exactly once."""

    def __init__(
        self,
        judge_address: Callable[[str], Refused | None],
        *,
        deliver: Callable[[Reports], None],
        proxy: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        """deliver is called on the sender's thread; ca_file: trusted certificates, None means the system's."""
        self._deliver = deliver
        self._transfer_setup = Setup(judge_address, proxy, ca_file or _system_ca_file())
        self._incoming: deque[Request] = deque()
        self._lock = threading.Lock()
        self._is_open = False
        self._waker, self._wakee = socket.socketpair()
        self._waker.setblocking(False)
        self._wakee.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._is_open = True
        self._thread.start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Send these. From any thread. Raises: RuntimeError when the sender does not run."""
        with self._lock:
            if not self._is_open:
                raise RuntimeError("The sender does not run.")
            self._incoming.extend(requests)
        self._wake()

    def stop(self, timeout_s: float) -> None:
        """Abort what is in flight, report it as aborted, and end the thread."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._wake()
            self._thread.join(timeout_s)

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            pass  # it is full of wake-ups already, or the thread has seen the stop by itself and closed it

    def _run(self) -> None:
        """Run the loop; should a bug end it, report what it held and begin again with a fresh one."""
        while self._is_open:
            loop = _Loop(self._transfer_setup, self._wakee)
            try:
                loop.run(self._take, self._deliver)
            except Exception as error:  # noqa: BLE001 - the border of the thread
                problem = f"The sender failed: {error!r}."
            else:
                problem = "The service stopped before the receiver answered."
            finally:
                aborted = loop.close()
            keys = [*aborted, *(request.key for request in self._left_behind())]
            if keys:
                self._deliver([(key, Report(Unreachable("internal", problem), Timings())) for key in keys])
        self._waker.close()
        self._wakee.close()

    def _left_behind(self) -> list[Request]:
        """What was submitted and will not be sent, because the sender stops."""
        with self._lock:
            left = [] if self._is_open else list(self._incoming)
            if not self._is_open:
                self._incoming.clear()
        return left

    def _take(self) -> list[Request] | None:
        """What was submitted since; None once the sender is to stop."""
        with self._lock:
            if not self._is_open:
                return None
            taken = list(self._incoming)
            self._incoming.clear()
        return taken


class _Loop:
    """One libcurl multi handle and the descriptors it wants watched."""

    def __init__(self, setup: Setup, wakee: socket.socket) -> None:
        self._setup = setup
        self._wakee = wakee
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakee, selectors.EVENT_READ)
        self._timeout_ms = -1
        self._active: dict[Any, Transfer] = {}
        self._idle: list[Transfer] = []
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE_CONNECTIONS_MAX)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)

    def run(self, take: Callable[[], list[Request] | None], deliver: Callable[[Reports], None]) -> None:
        """Turn until `take` gives None."""
        while (requests := take()) is not None:
            done: Reports = []
            for request in requests:
                self._begin(request, done)
            self._turn()
            self._collect(done)
            if done:
                deliver(done)

    def close(self) -> list[str]:
        """Drop everything. Gives the keys of the transfers that were under way."""
        keys = [transfer.key for transfer in self._active.values()]
        for curl in list(self._active):
            self._multi.remove_handle(curl)
        for transfer in [*self._active.values(), *self._idle]:
            transfer.curl.close()
        self._active.clear()
        self._multi.close()
        self._selector.close()
        return keys

    def _begin(self, request: Request, done: Reports) -> None:
        transfer = self._idle.pop() if self._idle else Transfer(self._setup)
        unsendable = _unsendable(request) or transfer.load(request)
        if unsendable is not None:
            self._idle.append(transfer)
            done.append((request.key, Report(unsendable, Timings())))
            return
        self._active[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

    def _turn(self) -> None:
        wait_ms = TURN_MS_MAX if self._timeout_ms < 0 else min(self._timeout_ms, TURN_MS_MAX)
        ready = self._selector.select(wait_ms / 1000)
        has_action = False
        for key, mask in ready:
            if key.fileobj is self._wakee:
                _empty(self._wakee)
                continue
            bits = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, bits)
            has_action = True
        if not has_action or self._timeout_ms == 0:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self, done: Reports) -> None:
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._end(curl, 0, "", done)
            for curl, code, text in failed:
                self._end(curl, code, text, done)

    def _end(self, curl: Any, code: int, text: str, done: Reports) -> None:
        transfer = self._active.pop(curl)
        self._multi.remove_handle(curl)
        done.append((transfer.key, transfer.report(code, text)))
        if len(self._idle) < IDLE_HANDLES_MAX:
            self._idle.append(transfer)
        else:
            curl.close()

    def _on_socket(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        if what == pycurl.POLL_REMOVE:
            try:
                self._selector.unregister(descriptor)
            except KeyError:
                pass
            return
        mask = (selectors.EVENT_READ if what & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if what & pycurl.POLL_OUT else 0
        )
        try:
            self._selector.modify(descriptor, mask)
        except KeyError:
            self._selector.register(descriptor, mask)

    def _on_timer(self, timeout_ms: int) -> None:
        self._timeout_ms = timeout_ms


def _unsendable(request: Request) -> Unreachable | None:
    for name, value in request.headers:
        if any(char in "\r\n\0" for char in name + value):
            return Unreachable("internal", f"The header {name} contains a line break and was not sent.")
    return None


def _empty(wakee: socket.socket) -> None:
    try:
        while len(wakee.recv(4096)) == 4096:
            pass
    except BlockingIOError:
        pass


def _system_ca_file() -> str | None:
    """The system's trusted certificates: the wheel's own OpenSSL looks for them elsewhere."""
    paths = ssl.get_default_verify_paths()
    candidates = (
        paths.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    )
    return next((path for path in candidates if path and os.path.exists(path)), None)  # noqa: PTH110 - a plain test
