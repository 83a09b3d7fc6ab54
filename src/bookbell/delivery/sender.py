"""The one place that makes requests to receivers: libcurl, on the event loop of whoever uses it.

libcurl's multi interface is driven through `socket_action`, because its `select` ends at 1,024 descriptors. The loop
is not told of each socket: it watches one descriptor, the system's own watch over all of them, so what is ready is
handled in batches. Easy handles are reused, and with them nothing but what every request sets again. A transfer
that needs a name looked up is taken out of libcurl until the name is found: sender_names.py says why.

The guard sits in the open-socket callback: it sees the address that is about to be connected to, after DNS. libcurl
takes nothing from the environment here, follows no redirect and speaks only HTTP and HTTPS.
"""

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import pycurl

from bookbell.core.attempt import Refused, Report, Request, TimedOut, Timings, Unreachable
from bookbell.delivery.sender_names import Found, Names
from bookbell.delivery.sender_transfer import Setup, Transfer
from bookbell.delivery.sender_watch import IN, OUT, Watch

Reports = list[tuple[str, Report]]
IDLE_HANDLES_MAX = 1_024
IDLE_CONNECTIONS_MAX = 4_096
READY_COUNT_MAX = 64  # sockets handled before the loop's other callbacks get their turn
FORGET_S = 1.0  # libcurl goes through all addresses it knows to forget old ones: so often, not after each request
SWEPT_COUNT_MAX = 1_024  # sockets asked whether something is left over on them, before requests begin
_MASKS = {pycurl.POLL_IN: IN, pycurl.POLL_OUT: OUT, pycurl.POLL_INOUT: IN | OUT}


class Sender:
    """Sends requests and reports each exactly once. Start it, use it and stop it on one event loop."""

    def __init__(
        self,
        judge_address: Callable[[str], Refused | None],
        *,
        deliver: Callable[[Reports], None],
        proxy: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        """deliver is called on the loop, never from `submit`; ca_file: trusted certificates, None means the system."""
        self._deliver = deliver
        self._setup = Setup(judge_address, proxy, ca_file or _system_ca_file())
        self._bundle: _Bundle | None = None
        self._done: Reports = []

    def start(self) -> None:
        """Be ready to send."""
        self._loop = asyncio.get_running_loop()
        self._bundle = _Bundle(self._setup, self._loop, self._turn)

    def submit(self, requests: Sequence[Request]) -> None:
        """Send these. Raises: RuntimeError when the sender is not started."""
        bundle = self._bundle
        if bundle is None:
            raise RuntimeError("The sender does not run.")
        was_empty = not self._done
        bundle.begin(requests, self._done)
        if was_empty and self._done:
            self._loop.call_soon(self._hand_over)

    def stop(self) -> None:
        """Abort what is in flight, and report it as aborted."""
        bundle, self._bundle = self._bundle, None
        if bundle is not None:
            self._abort(bundle, "The service stopped before the receiver answered.")

    def _turn(self, work: Callable[[], None]) -> None:
        """Work, hand over what has ended, and send at once what is submitted in return."""
        if self._bundle is not None:
            self._bundle.open_turn()
            self._guarded(self._bundle, work)
        if self._bundle is not None and self._bundle.close_turn():
            self._guarded(self._bundle, self._bundle.go_ahead)

    def _guarded(self, bundle: "_Bundle", work: Callable[[], None]) -> None:
        """One border: should a bug end a turn, report what was in flight and begin again afresh."""
        try:
            work()
            bundle.collect(self._done)
        except Exception as error:  # noqa: BLE001 - the border of a turn
            self._bundle = _Bundle(self._setup, self._loop, self._turn)
            self._abort(bundle, f"The sender failed: {error!r}.")
        self._hand_over()

    def _abort(self, bundle: "_Bundle", problem: str) -> None:
        self._done += [(key, Report(Unreachable("internal", problem), Timings())) for key in bundle.close()]
        self._hand_over()

    def _hand_over(self) -> None:
        if self._done:
            done, self._done = self._done, []
            self._deliver(done)


class _Bundle:
    """One libcurl multi handle with its transfers, the sockets it wants watched and its timer."""

    def __init__(
        self, setup: Setup, loop: asyncio.AbstractEventLoop, turn: Callable[[Callable[[], None]], None]
    ) -> None:
        self._setup = setup
        self._loop = loop
        self._turn = turn
        self._watch = Watch()
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._expires_at: float | None = None  # when libcurl wants to be called, by the loop's clock
        self._is_turn_open = False
        self._has_begun = False  # within a turn: there is something to send
        self._forget_at = 0.0
        self._active: dict[Any, Transfer] = {}
        self._idle: list[Transfer] = []
        self._names = Names(loop)
        self._nameless: dict[Transfer, asyncio.TimerHandle] = {}
        self._unnamed: Reports = []  # whose names were not found
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE_CONNECTIONS_MAX)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)
        loop.add_reader(self._watch.fileno(), turn, self._act)

    def begin(self, requests: Sequence[Request], done: Reports) -> None:
        """Start these requests; one that cannot be sent as it is, is done at once."""
        now, idle, add_handle = self._loop.time(), self._idle, self._multi.add_handle
        is_forgetting = now >= self._forget_at
        if is_forgetting:
            self._forget_at = now + FORGET_S
        for request in requests:
            transfer = idle.pop() if idle else Transfer(self._setup, self._watch.doubt)
            unsendable = transfer.load(request, is_forgetting=is_forgetting)
            is_forgetting = False
            if unsendable is not None:
                done.append((request.key, Report(unsendable, Timings())))
                transfer.curl.close()
                continue
            self._active[transfer.curl] = transfer
            add_handle(transfer.curl)

    def collect(self, done: Reports) -> None:
        """Take off what has ended."""
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._end(curl, 0, "", done)
            for curl, code, text in failed:
                self._end(curl, code, text, done)
        done += self._unnamed
        self._unnamed.clear()

    def close(self) -> list[str]:
        """Drop everything. Gives the keys of the transfers that were under way."""
        self._loop.remove_reader(self._watch.fileno())
        self._set_timer(None)
        keys = [transfer.key for transfer in [*self._active.values(), *self._nameless]]
        for timer in self._nameless.values():
            timer.cancel()
        for curl in list(self._active):
            self._multi.remove_handle(curl)
        for transfer in [*self._active.values(), *self._nameless]:
            transfer.unload()
            transfer.curl.close()
        for transfer in self._idle:
            transfer.curl.close()
        self._active.clear()
        self._nameless.clear()
        self._multi.close()
        self._watch.close()
        return keys

    def open_turn(self) -> None:
        """From here on to `close_turn`, what libcurl wants done at once is not put off to another turn."""
        self._is_turn_open, self._has_begun = True, False
        self._watch.has_told_all = False

    def close_turn(self) -> bool:
        """Gives whether libcurl is to go ahead."""
        self._is_turn_open = False
        return self._has_begun

    def go_ahead(self) -> None:
        """Let libcurl do what it wanted to be called for: among that, send what was begun."""
        if not self._watch.has_told_all:
            self._watch.sweep(SWEPT_COUNT_MAX)
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self) -> None:
        for descriptor, mask in self._watch.ready(READY_COUNT_MAX):
            bits = (pycurl.CSELECT_OUT if mask & OUT else 0) | (pycurl.CSELECT_IN if mask & ~OUT else 0)
            self._multi.socket_action(descriptor, bits)

    def _expire(self) -> None:
        """The timer has gone off, maybe one that was set for something earlier."""
        self._timer = None
        if self._expires_at is None:
            return
        if self._loop.time() < self._expires_at:
            self._set_timer(self._expires_at)
        else:
            self.go_ahead()

    def _end(self, curl: Any, code: int, text: str, done: Reports) -> None:
        transfer = self._active.pop(curl)
        self._multi.remove_handle(curl)
        if transfer.lacks_address:
            self._ask(transfer)
            return
        self._finish(transfer, transfer.report(code, text), done)

    def _ask(self, transfer: Transfer) -> None:
        """Put it aside until the name is found or its time is over; what comes first counts."""
        asked_at = self._loop.time()

        def go_on(found: Found | None) -> None:
            if self._nameless.get(transfer) is timer:
                self._turn(lambda: self._go_on(transfer, found, int((self._loop.time() - asked_at) * 1000)))

        timer = self._loop.call_later(transfer.lookup_ms_max / 1000, go_on, None)
        self._nameless[transfer] = timer
        self._names.ask(transfer.host, go_on)

    def _go_on(self, transfer: Transfer, found: Found | None, took_ms: int) -> None:
        self._nameless.pop(transfer).cancel()
        if isinstance(found, tuple):
            transfer.reach_at(found, took_ms)
            self._active[transfer.curl] = transfer
            self._multi.add_handle(transfer.curl)
            return
        timings = Timings(dns_us=took_ms * 1000, total_us=took_ms * 1000)
        outcome = TimedOut("dns") if found is None else Unreachable("dns", found)
        self._finish(transfer, Report(outcome, timings), self._unnamed)

    def _finish(self, transfer: Transfer, report: Report, done: Reports) -> None:
        done.append((transfer.key, report))
        transfer.unload()
        if len(self._idle) < IDLE_HANDLES_MAX:
            self._idle.append(transfer)
        else:
            transfer.curl.close()

    def _on_socket(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watch.unwant(descriptor)
        else:
            self._watch.want(descriptor, _MASKS[what])

    def _on_timer(self, timeout_ms: int) -> None:
        if timeout_ms < 0:
            self._expires_at = None
            return
        if timeout_ms == 0 and self._is_turn_open:
            self._has_begun = True
            return
        self._expires_at = self._loop.time() + timeout_ms / 1000
        if self._timer is None or self._timer_at > self._expires_at:  # one that goes off too early does no harm
            self._set_timer(self._expires_at)

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._turn, self._expire)


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
