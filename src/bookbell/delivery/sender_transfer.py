"""One transfer of the sender: a libcurl easy handle, loaded with a request, read out as a report.

Handles are reused for request after request. Whatever must hold for every request is set once, in `_fixed`.
"""

import os
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

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
from bookbell.delivery.sender_names import needs_lookup
from bookbell.delivery.sender_sessions import Sessions, groups

CONNECTION_AGE_S_MAX = 110  # below the idle limits common among servers and balancers
DNS_CACHE_S = 30
UPLOAD_BYTES = 16 * 1024  # the least; each request in flight has a buffer of that size, of 64 KB if not told otherwise

_TOO_LARGE = 100  # a single header line beyond what libcurl itself takes; pycurl has no name for it
_SUPPRESS_CONNECT_HEADERS = 265  # pycurl has no name for it
_LINE_ENDS = (b"\r\n", b"\n")
_HEAD_END = b"\r\n\r\n"
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


_NO_HEADERS = ("Content-Type:", "Expect:", "Accept:")  # what libcurl would add by itself


class Setup:
    """What all transfers share."""

    def __init__(self, judge_address: Callable[[str], Refused | None], proxy: str | None, ca_file: str | None) -> None:
        self.judge_address = judge_address
        self.proxy = proxy
        self.ca_file = ca_file
        self.groups = groups()
        self.sessions = Sessions()


class Transfer:
    """An easy handle and what its present request has brought so far."""

    def __init__(self, setup: Setup, opening: Callable[[], None]) -> None:
        """opening: called before a descriptor is made that libcurl may ask to have watched."""
        self._setup = setup
        self._opening = opening
        self.key = ""
        self._url = ""
        self._timeouts_ms = (0, 0)
        self._is_forgetting = False
        self._refused: Refused | None = None
        self._reached = False
        self._is_tls = False
        self._cache: Any = None  # of TLS sessions
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._is_cut = False
        self.lacks_address = False
        self._resolve: list[str] = []
        self._lookup_us = 0
        self.curl: Any = pycurl.Curl()
        for option, value in self._fixed():
            self.curl.setopt(option, value)

    def _fixed(self) -> list[tuple[int, Any]]:
        """Options that never change: nothing from the environment, nothing but HTTP, nothing followed."""
        options: list[tuple[int, Any]] = [
            (pycurl.POST, 1),
            (pycurl.USERAGENT, ""),  # only what the request says
            (pycurl.NOSIGNAL, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.PROXY, self._setup.proxy or ""),
            (pycurl.NOPROXY, "" if self._setup.proxy else "*"),
            (_SUPPRESS_CONNECT_HEADERS, 1),  # a proxy's answer is not the receiver's
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.UPLOAD_BUFFERSIZE, UPLOAD_BYTES),
            (pycurl.DNS_CACHE_TIMEOUT, -1),
            (pycurl.MAXAGE_CONN, CONNECTION_AGE_S_MAX),
            (pycurl.RESOLVER_START_FUNCTION, self._before_lookup),
            (pycurl.OPENSOCKETFUNCTION, self._open_socket),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.WRITEFUNCTION, self._on_body),
        ]
        if self._setup.ca_file:
            options.append((pycurl.CAINFO, self._setup.ca_file))
        if self._setup.groups:
            options.append((pycurl.SSL_EC_CURVES, self._setup.groups))
        return options

    def load(self, request: Request, *, is_forgetting: bool) -> Unreachable | None:
        """Make the handle ready for this request. Gives what is wrong when libcurl does not take it.

        is_forgetting: once it is done, addresses that are older than DNS_CACHE_S are forgotten.
        """
        self.key = request.key
        self._refused, self._reached, self._is_cut = None, False, False
        self._head, self._head_bytes, self._body, self._body_bytes = [], 0, [], 0
        self.lacks_address, self._lookup_us = False, 0
        # All lines as one, which libcurl sends as it is: it spends as much on one as on all of them.
        lines = "\r\n".join(request.headers)
        most = len(request.headers)
        if lines.count("\n") >= most or lines.count("\r") >= most or "\0" in lines:
            return Unreachable("internal", "A header of the request contains a line break; it was not sent.")
        curl = self.curl
        try:
            if request.url != self._url:
                curl.setopt(pycurl.URL, request.url)
                self._url, self._is_tls = request.url, request.url.startswith("https:")
            if is_forgetting is not self._is_forgetting:
                curl.setopt(pycurl.DNS_CACHE_TIMEOUT, DNS_CACHE_S if is_forgetting else -1)
                self._is_forgetting = is_forgetting
            if self._resolve:
                self._resolve = []
                curl.unsetopt(pycurl.RESOLVE)  # an empty list changes nothing, and what libcurl could not read stays
            curl.setopt(pycurl.HTTPHEADER, [lines, *_NO_HEADERS])
            curl.setopt(pycurl.POSTFIELDS, request.body)
            self._limit(request.timeout_ms_total, min(request.timeout_ms_connect, request.timeout_ms_total))
        except (pycurl.error, ValueError) as error:  # ValueError: a character that is not ASCII, or NUL
            return Unreachable("internal", f"The request cannot be sent as it is: {error}.")
        if self._is_tls:
            self._remember_in(self._setup.sessions.open(request.url))
        return None

    def _remember_in(self, cache: Any) -> None:
        if cache is not self._cache:
            if self._cache is not None:
                self.curl.unsetopt(pycurl.SHARE)
            self.curl.setopt(pycurl.SHARE, cache)
            self._cache = cache

    def unload(self) -> None:
        """The present request, which was loaded, has ended."""
        if self._is_tls:
            self._setup.sessions.close(self._url)

    def _limit(self, total_ms: int, connect_ms: int) -> None:
        if (total_ms, connect_ms) != self._timeouts_ms:
            self.curl.setopt(pycurl.TIMEOUT_MS, total_ms)
            self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, connect_ms)
            self._timeouts_ms = (total_ms, connect_ms)

    @property
    def host(self) -> str:
        """The host of the present request."""
        return urlsplit(self._url).hostname or ""

    @property
    def lookup_ms_max(self) -> int:
        """How long a look-up may take: connecting must be done within the same time."""
        return self._timeouts_ms[1]

    def reach_at(self, addresses: Sequence[str], lookup_ms: int) -> None:
        """Go on with these addresses of the host, found after so long. libcurl keeps them as if it had found them."""
        parts = urlsplit(self._url)
        port = parts.port or (443 if self._is_tls else 80)
        self.lacks_address, self._lookup_us = False, lookup_ms * 1000
        self._resolve = [f"+{parts.hostname}:{port}:{','.join(addresses)}"]
        self.curl.setopt(pycurl.RESOLVE, self._resolve)
        total_ms, connect_ms = self._timeouts_ms
        self._limit(max(1, total_ms - lookup_ms), max(1, connect_ms - lookup_ms))

    def report(self, code: int, text: str) -> Report:
        """What came of it; code: libcurl's, 0 for a complete answer."""
        head = b"".join(self._head)
        if head.find(_HEAD_END) != len(head) - len(_HEAD_END):
            head, has_trailers = _last_head(self._head)
            self._is_cut |= has_trailers and self._head_bytes > limits.RESPONSE_HEADERS_BYTES_MAX
        outcome = self._answer(head) if code == 0 or self._is_cut else self._failure(code, text, head)
        address = self.curl.getinfo(pycurl.PRIMARY_IP) or None
        return Report(outcome, self._timings(), address, head, b"".join(self._body)[: limits.RESPONSE_KEPT_BYTES_MAX])

    def _answer(self, head: bytes) -> Outcome:
        if _is_garbled(head):
            return _GARBLED
        status_code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        names = head.lower()
        retry_after = _value_of(head, names, b"\nretry-after:") if status_code != HTTPStatus.OK else None
        return _answered(status_code, retry_after, _value_of(head, names, b"\nwebhook-delivery:"))

    def _failure(self, code: int, text: str, head: bytes) -> Outcome:
        if self._head_bytes > limits.RESPONSE_HEADERS_BYTES_MAX or code == _TOO_LARGE:
            return Oversized("headers")
        if _is_garbled(head):
            return _GARBLED
        if self._refused is not None and not self._reached:
            return self._refused
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return TimedOut(self._phase())
        sentence = _readable(text).strip().rstrip(".") or "libcurl gave no reason"
        kind = _KINDS.get(code, "internal")
        return Unreachable(kind, f"{sentence[:300]}.")

    def _timings(self) -> Timings:
        """Phases; libcurl gives each as the time from the start to its end."""
        info = self.curl.getinfo
        total_us = info(pycurl.TOTAL_TIME_T)
        if not self._reached and self._head_bytes:  # a kept connection: nothing came before the first byte
            return Timings(0, 0, 0, info(pycurl.STARTTRANSFER_TIME_T), total_us)
        resolved, connected, secured = (
            info(pycurl.NAMELOOKUP_TIME_T),
            info(pycurl.CONNECT_TIME_T),
            info(pycurl.APPCONNECT_TIME_T),
        )
        began = secured or connected
        return Timings(
            dns_us=resolved + self._lookup_us,
            connect_us=max(0, connected - resolved) if connected else 0,
            tls_us=max(0, secured - connected) if secured else 0,
            first_byte_us=max(0, info(pycurl.STARTTRANSFER_TIME_T) - began) if self._head_bytes else 0,
            total_us=total_us + self._lookup_us,
        )

    def _phase(self) -> str:
        """What was being waited for. A kept connection has no socket opened for it, and no times of its own."""
        if self._head_bytes:
            return "body"
        info = self.curl.getinfo
        if not self._reached:
            return "first_byte" if info(pycurl.PRIMARY_IP) else "dns"
        if not info(pycurl.CONNECT_TIME):
            return "connect"
        return "tls" if self._is_tls and not info(pycurl.APPCONNECT_TIME) else "first_byte"

    def _before_lookup(self) -> int:
        """libcurl is about to ask the resolver, which it must not. 1 ends the transfer."""
        self._opening()
        if self._setup.proxy or self._resolve or not needs_lookup(self.host):
            return 0
        self.lacks_address = True
        return 1

    def _open_socket(self, _purpose: int, address: Any) -> Any:
        host = str(address.addr[0])
        refused = None if self._setup.proxy else self._setup.judge_address(host)
        if refused is not None:
            self._refused = self._refused or refused
            return pycurl.SOCKET_BAD
        self._reached = True
        self._opening()
        return _Handed(socket.socket(address.family, address.socktype, address.protocol).detach())

    def _on_header(self, line: bytes) -> int | None:
        """Of every head there is, also of answers before the one that counts, and trailers."""
        self._head_bytes += len(line)
        if self._head_bytes > limits.RESPONSE_HEADERS_BYTES_MAX:
            return -1
        self._head.append(line)
        return None

    def _on_body(self, chunk: bytes) -> int | None:
        if self._body_bytes < limits.RESPONSE_KEPT_BYTES_MAX:
            self._body.append(chunk)
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


_answered = lru_cache(64)(Answered)  # most answers are alike
_GARBLED = Unreachable("protocol", "The status of the answer is not three digits.")


def _readable(text: str) -> str:
    """The same without what no database takes: libcurl quotes the receiver, and pycurl makes lone surrogates of bytes
    that are not UTF-8.
    """
    return "".join([character if character.isprintable() else "\ufffd" for character in text])


def _is_garbled(head: bytes) -> bool:
    """libcurl takes 2000 for 200."""
    return head[12:13].isdigit() and head.startswith(b"HTTP/1.")


def _last_head(lines: Sequence[bytes]) -> tuple[bytes, bool]:
    """Of these lines the last head, and whether trailers come after it; informational answers come before it."""
    head: list[bytes] = []
    is_whole = False
    for line in lines:
        if line.startswith(b"HTTP/"):
            head, is_whole = [], False
        elif is_whole:
            return b"".join(head), True
        head.append(line)
        is_whole = line in _LINE_ENDS
    return b"".join(head), False


def _value_of(head: bytes, lowered: bytes, name: bytes) -> str | None:
    """The value of the first header of that name, which begins with the end of the line before."""
    at = lowered.find(name)
    return None if at < 0 else head[at + len(name) :].partition(b"\n")[0].decode("latin-1").strip()
