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

from bookbell.core import limits
from bookbell.core.attempt import (
    Answered,
    Outcome,
    Oversized,
    Refused,
    Report,
    Request,
    TimedOut,
    Timings,
    Unreachable,
)

Reports = list[tuple[str, Report]]
IDLE_HANDLES_MAX = 1_024
IDLE_CONNECTIONS_MAX = 2_048
CONNECTION_AGE_S_MAX = 110  # below the idle limits common among servers and balancers
DNS_CACHE_S = 30
TURN_MS_MAX = 1_000

_KINDS = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_RESOLVE_PROXY: "dns",
    pycurl.E_COULDNT_CONNECT: "connect",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls",
    pycurl.E_SSL_CERTPROBLEM: "tls",
    pycurl.E_SSL_CIPHER: "tls",
    pycurl.E_SSL_CACERT_BADFILE: "tls",
    pycurl.E_SSL_ISSUER_ERROR: "tls",
    pycurl.E_SEND_ERROR: "send",
    pycurl.E_RECV_ERROR: "reset",
    pycurl.E_GOT_NOTHING: "reset",
    pycurl.E_PARTIAL_FILE: "reset",
    pycurl.E_UNSUPPORTED_PROTOCOL: "protocol",
    pycurl.E_BAD_CONTENT_ENCODING: "protocol",
    8: "protocol",  # weird server reply
}


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
        self._transfer_setup = _Setup(judge_address, proxy, ca_file or _system_ca_file())
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
        except BlockingIOError:
            pass  # it is full of wake-ups already

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

    def __init__(self, setup: "_Setup", wakee: socket.socket) -> None:
        self._setup = setup
        self._wakee = wakee
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakee, selectors.EVENT_READ)
        self._timeout_ms = -1
        self._active: dict[Any, _Transfer] = {}
        self._idle: list[_Transfer] = []
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
        unsendable = _unsendable(request)
        if unsendable is not None:
            done.append((request.key, Report(unsendable, Timings())))
            return
        transfer = self._idle.pop() if self._idle else _Transfer(self._setup)
        transfer.load(request)
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


class _Setup:
    """What all transfers share."""

    def __init__(self, judge_address: Callable[[str], Refused | None], proxy: str | None, ca_file: str | None) -> None:
        self.judge_address = judge_address
        self.proxy = proxy
        self.ca_file = ca_file


class _Transfer:
    """An easy handle and what its present request has brought so far."""

    def __init__(self, setup: _Setup) -> None:
        self._setup = setup
        self.key = ""
        self._refused: Refused | None = None
        self._reached = False
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._body = bytearray()
        self._body_bytes = 0
        self._is_cut = False
        self.curl: Any = pycurl.Curl()
        for option, value in self._fixed():
            self.curl.setopt(option, value)

    def _fixed(self) -> list[tuple[int, Any]]:
        """Options that never change: nothing from the environment, nothing but HTTP, nothing followed."""
        options: list[tuple[int, Any]] = [
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.PROXY, self._setup.proxy or ""),
            (pycurl.NOPROXY, "" if self._setup.proxy else "*"),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.DNS_CACHE_TIMEOUT, DNS_CACHE_S),
            (pycurl.MAXAGE_CONN, CONNECTION_AGE_S_MAX),
            (pycurl.OPENSOCKETFUNCTION, self._open_socket),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.WRITEFUNCTION, self._on_body),
        ]
        if self._setup.ca_file:
            options.append((pycurl.CAINFO, self._setup.ca_file))
        return options

    def load(self, request: Request) -> None:
        """Make the handle ready for this request."""
        self.key = request.key
        self._refused, self._reached, self._is_cut = None, False, False
        self._head, self._head_bytes = [], 0
        self._body, self._body_bytes = bytearray(), 0
        curl = self.curl
        curl.setopt(pycurl.URL, request.url)
        curl.setopt(
            pycurl.HTTPHEADER, [*(f"{name}: {value}" for name, value in request.headers), "Expect:", "Accept:"]
        )
        curl.setopt(pycurl.POSTFIELDS, request.body)
        curl.setopt(pycurl.TIMEOUT_MS, request.timeout_ms_total)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(request.timeout_ms_connect, request.timeout_ms_total))

    def report(self, code: int, text: str) -> Report:
        """What came of it; code: libcurl's, 0 for a complete answer."""
        timings, phase = self._timings()
        return Report(
            self._outcome(code, text, phase),
            timings,
            self.curl.getinfo(pycurl.PRIMARY_IP) or None,
            _pairs(self._head),
            bytes(self._body),
        )

    def _outcome(self, code: int, text: str, phase: str) -> Outcome:
        if code == 0 or self._is_cut:
            return Answered(int(self.curl.getinfo(pycurl.RESPONSE_CODE)), _value_of(self._head, b"retry-after"))
        if self._head_bytes > limits.RESPONSE_HEADERS_BYTES_MAX:
            return Oversized("headers")
        if self._refused is not None and not self._reached:
            return self._refused
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return TimedOut(phase)
        sentence = text.strip().rstrip(".") or "libcurl gave no reason"
        kind = _KINDS.get(code, "internal")
        return Unreachable(kind, f"{sentence[:300]}.")

    def _timings(self) -> tuple[Timings, str]:
        """Phases in microseconds, and the phase that was under way at the end."""
        info = self.curl.getinfo
        resolved, connected = info(pycurl.NAMELOOKUP_TIME), info(pycurl.CONNECT_TIME)
        secured, first = info(pycurl.APPCONNECT_TIME), info(pycurl.STARTTRANSFER_TIME)
        total = info(pycurl.TOTAL_TIME)
        if not connected:
            phase = "connect" if resolved else "dns"
        elif not self.curl.getinfo(pycurl.PRETRANSFER_TIME):
            phase = "tls"
        else:
            phase = "body" if self._head_bytes else "first_byte"
        began = max(connected, secured)
        timings = Timings(
            dns_us=_us(resolved),
            connect_us=_us(connected - resolved) if connected else 0,
            tls_us=_us(secured - connected) if secured else 0,
            first_byte_us=_us(first - began) if self._head_bytes else 0,
            total_us=_us(total),
        )
        return timings, phase

    def _open_socket(self, _purpose: int, address: Any) -> Any:
        host = str(address.addr[0])
        refused = None if self._setup.proxy else self._setup.judge_address(host)
        if refused is not None:
            self._refused = self._refused or refused
            return pycurl.SOCKET_BAD
        self._reached = True
        return _Handed(socket.socket(address.family, address.socktype, address.protocol).detach())

    def _on_header(self, line: bytes) -> int | None:
        self._head_bytes += len(line)
        if self._head_bytes > limits.RESPONSE_HEADERS_BYTES_MAX:
            return -1
        if line.startswith(b"HTTP/"):
            self._head.clear()  # an informational answer came before
        self._head.append(line)
        return None

    def _on_body(self, chunk: bytes) -> int | None:
        room = limits.RESPONSE_KEPT_BYTES_MAX - len(self._body)
        if room > 0:
            self._body += chunk[:room]
        self._body_bytes += len(chunk)
        if self._body_bytes > limits.RESPONSE_BODY_BYTES_MAX:
            self._is_cut = True
            return -1
        return None


class _Handed:
    """A new socket on its way to libcurl, which takes a copy of the descriptor; ours is closed with this object."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


def _unsendable(request: Request) -> Unreachable | None:
    for name, value in request.headers:
        if any(char in "\r\n\0" for char in name + value):
            return Unreachable("internal", f"The header {name} contains a line break and was not sent.")
    return None


def _pairs(head: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    found = []
    for line in head[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found.append((name.strip(), value.strip()))
    return tuple(found)


def _value_of(head: Sequence[bytes], name: bytes) -> str | None:
    for line in head[1:]:
        if line[: len(name) + 1].lower() == name + b":":
            return line[len(name) + 1 :].decode("latin-1").strip()
    return None


def _us(seconds: float) -> int:
    return max(0, round(seconds * 1_000_000))


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
