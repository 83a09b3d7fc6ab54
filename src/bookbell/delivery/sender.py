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
        for request in requests:
            bundle.begin(request, self._done)
        if was_empty and self._done:
            self._loop.call_soon(self._hand_over)

    def stop(self) -> None:
        """Abort what is in flight, and report it as aborted."""
        bundle, self._bundle = self._bundle, None
        if bundle is not None:
            self._abort(bundle, "The service stopped before the receiver answered.")

    def _turn(self, work: Callable[[], None]) -> None:
        """One border: should a bug end a turn, report what was in flight and begin again afresh."""
        bundle = self._bundle
        if bundle is None:
            return
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

    def begin(self, request: Request, done: Reports) -> None:
        """Start this request; one that cannot be sent as it is, is done at once."""
        transfer = self._idle.pop() if self._idle else Transfer(self._setup)
        unsendable = transfer.load(request)
        if unsendable is not None:
            done.append((request.key, Report(unsendable, Timings())))
            transfer.curl.close()
            return
        self._active[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

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
        if self._timer is not None:
            self._timer.cancel()
        keys = [transfer.key for transfer in [*self._active.values(), *self._nameless]]
        for timer in self._nameless.values():
            timer.cancel()
        for curl in list(self._active):
            self._multi.remove_handle(curl)
        for transfer in [*self._active.values(), *self._nameless, *self._idle]:
            transfer.curl.close()
        self._active.clear()
        self._nameless.clear()
        self._multi.close()
        self._watch.close()
        return keys

    def _act(self) -> None:
        for descriptor, mask in self._watch.ready(READY_COUNT_MAX):
            bits = (pycurl.CSELECT_OUT if mask & OUT else 0) | (pycurl.CSELECT_IN if mask & ~OUT else 0)
            self._multi.socket_action(descriptor, bits)

    def _expire(self) -> None:
        self._timer = None
        self._watch.sweep(SWEPT_COUNT_MAX)
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if timeout_ms == 0:
            self._timer = self._loop.call_soon(self._turn, self._expire)
        elif timeout_ms > 0:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._turn, self._expire)


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
