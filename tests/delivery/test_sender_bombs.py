"""Receivers that answer to do harm: each gets a named outcome, bounded in time and bytes, and harms none beside it."""

import contextlib
import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from bookbell.core import limits
from bookbell.core.attempt import Answered, Report, TimedOut, header_pairs, kind_of
from posting import OK, Post, says, to
from receivers import Behaviour, RawReceiver, Receiver, hang

SENT_BYTES_MAX = 32 * 1024 * 1024  # what fits into the buffers of both sockets, and then some
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ZEROS = bytes(10 * 1024 * 1024)


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.sender.stop(30)


class Pouring:
    """Sends these pieces as long as the other side takes them, and counts what it has sent."""

    def __init__(self, *first: bytes, then: bytes = b"") -> None:
        self.sent_bytes = 0
        self._first, self._then = first, then

    def __call__(self, connection: socket.socket, closing: threading.Event) -> None:
        for piece in chain(self._first, repeat(self._then) if self._then else ()):
            if closing.is_set():
                return
            connection.sendall(piece)
            self.sent_bytes += len(piece)
        closing.wait()


class Dripping:
    """Sends the first bytes at once and the rest byte by byte, for ever."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self._first, self._then = first, then

    def __call__(self, connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(self._first)
        while True:
            for number in range(len(self._then)):
                if closing.wait(0.02):
                    return
                connection.sendall(self._then[number : number + 1])


def beside_a_good_one(post: Post, behaviour: Behaviour, **changes: object) -> Report:
    """The report of a request to this receiver; meanwhile a good receiver gets all that is sent to it."""
    with RawReceiver(behaviour) as bad, Receiver() as good:
        post.sender.submit([to(bad.url, "bad", **changes), *(to(good.url, f"good-{number}") for number in range(20))])
        reports = post.collect(21)
        assert {report.outcome for key, report in reports.items() if key != "bad"} == {Answered(200)}
        assert sorted(good.ids()) == sorted(f"good-{number}" for number in range(20))
    report = reports["bad"]
    assert len(report.head) <= limits.RESPONSE_HEADERS_BYTES_MAX
    assert len(report.body) <= limits.RESPONSE_KEPT_BYTES_MAX
    return report


TRAILER = b"X-T: " + b"x" * 1000 + b"\r\n"
POURED: list[tuple[str, Callable[[], Pouring], str]] = [
    ("headers without end", lambda: Pouring(HEAD, then=b"X-Filler: " + b"x" * 4000 + b"\r\n"), "oversized:headers"),
    ("a header line without end", lambda: Pouring(HEAD + b"X-Filler: ", then=b"x" * 4000), "oversized:headers"),
    ("a status line without end", lambda: Pouring(b"HTTP/1.1 200 ", then=b"O" * 4000), "oversized:headers"),
    ("a header name without end", lambda: Pouring(HEAD, then=b"X" * 4000), "oversized:headers"),
    ("a folded header without end", lambda: Pouring(HEAD + b"X-A: b\r\n", then=b" c\r\n"), "oversized:headers"),
    ("very many headers", lambda: Pouring(HEAD, b"A:1\r\n" * 12_000, b"\r\n"), "oversized:headers"),
    ("informational answers without end", lambda: Pouring(then=b"HTTP/1.1 103 Hints\r\n\r\n"), "oversized:headers"),
    ("a body without end", lambda: Pouring(HEAD + b"\r\n", then=b"x" * 65536), "answered"),
    (
        "a body of an absurd length",
        lambda: Pouring(HEAD + b"Content-Length: 9" + b"0" * 17 + b"\r\n\r\n", then=b"x" * 65536),
        "answered",
    ),
    ("tiny chunks without end", lambda: Pouring(CHUNKED, then=b"1\r\nx\r\n" * 1000), "answered"),
    ("a trailer line without end", lambda: Pouring(CHUNKED + b"0\r\nX-T: ", then=b"x" * 4000), "oversized:headers"),
    ("very many trailers", lambda: Pouring(CHUNKED + b"0\r\n", then=b"X-T: 1\r\n" * 500), "oversized:headers"),
    ("long trailers without end", lambda: Pouring(CHUNKED + b"0\r\n", then=TRAILER), "answered"),
    ("nothing but line ends", lambda: Pouring(then=b"\r\n" * 1000), "unreachable:protocol"),
    ("an old server's answer without headers", lambda: Pouring(then=b"hello " * 1000), "unreachable:protocol"),
]


@pytest.mark.parametrize(("behaviour", "outcome"), [row[1:] for row in POURED], ids=[row[0] for row in POURED])
def test_what_is_poured_out_without_end_is_cut(post: Post, behaviour: Callable[[], Pouring], outcome: str) -> None:
    pouring = behaviour()
    assert kind_of(beside_a_good_one(post, pouring).outcome) == outcome
    assert pouring.sent_bytes < SENT_BYTES_MAX


def test_what_libcurl_reads_without_telling_ends_with_the_deadline(post: Post) -> None:
    pouring = Pouring(CHUNKED + b"1;", then=b"x" * 4000)  # a chunk's extensions
    assert beside_a_good_one(post, pouring, timeout_ms_total=1_500).outcome == TimedOut("body")


DRIPPED: list[tuple[str, Behaviour, str]] = [
    ("nothing", hang, "first_byte"),
    ("the status line", Dripping(b"", b"HTTP/1.1 200 " + b"O" * 1000), "first_byte"),
    ("headers", Dripping(HEAD, b"X-Drip: drip\r\n"), "body"),
    ("informational answers", Dripping(b"", b"HTTP/1.1 103 Hints\r\n\r\n"), "body"),
    ("the body", Dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b"x"), "body"),
    ("chunks", Dripping(CHUNKED, b"1\r\nx\r\n"), "body"),
    ("trailers", Dripping(CHUNKED + b"0\r\n", b"X-T: x\r\n"), "body"),
    ("a shorter body than announced", Pouring(HEAD + b"Content-Length: 9\r\n\r\nshort"), "body"),
]


@pytest.mark.parametrize(("behaviour", "phase"), [row[1:] for row in DRIPPED], ids=[row[0] for row in DRIPPED])
def test_what_drips_is_timed_out_as_a_whole(post: Post, behaviour: Behaviour, phase: str) -> None:
    report = beside_a_good_one(post, behaviour, timeout_ms_total=1_500)
    assert report.outcome == TimedOut(phase)
    assert report.timings.total_us >= 1_490_000


@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress(ZEROS)), ("deflate", zlib.compress(ZEROS)), ("br", b"\xce\xb2\xcf\x81" * 2000)],
)
def test_a_packed_body_is_not_unpacked(post: Post, coding: str, packed: bytes) -> None:
    head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    report = beside_a_good_one(post, says(head + packed))
    assert report.outcome == Answered(200)
    assert report.body == packed[: limits.RESPONSE_KEPT_BYTES_MAX]


def test_a_packed_transfer_is_not_unpacked_either(post: Post) -> None:
    packed = gzip.compress(ZEROS)
    head = HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(packed)
    report = beside_a_good_one(post, says(head + packed + b"\r\n0\r\n\r\n"))
    assert kind_of(report.outcome) in {"answered", "unreachable:protocol"}
    assert ZEROS[:64] not in report.body


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (HEAD + b"Content-Length: -1\r\n\r\n", "unreachable:protocol"),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nok", "unreachable:protocol"),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nok", "answered"),
        (HEAD + b"Content-Length: 5\r\n\r\nok", "unreachable:reset"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", "unreachable:reset"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", "unreachable:reset"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nok", "unreachable:reset"),
        (HEAD + b"\0\r\n\r\n", "unreachable:protocol"),
        (HEAD + b"X\0Y: 1\r\n\r\n", "unreachable:protocol"),
        (HEAD + b"no colon here\r\n\r\n", "unreachable:protocol"),
        (b"HTTP/1.1 000 What\r\n\r\n", "unreachable:protocol"),
        (b"HTTP/1.1 20 What\r\n\r\n", "unreachable:protocol"),
        (b"HTTP/1.1 2000 What\r\n\r\n", "unreachable:protocol"),
        (b"HTTP/2 200\r\n\r\n", "answered"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "unreachable:protocol"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "unreachable:reset"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK, "answered"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", "answered"),
    ],
    ids=ascii,
)
def test_an_answer_that_lies_has_a_name(post: Post, answer: bytes, outcome: str) -> None:
    assert kind_of(beside_a_good_one(post, says(answer)).outcome) == outcome


def test_trailers_are_no_headers(post: Post) -> None:
    answer = (
        b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nTrailer: Retry-After\r\n\r\n"
        b"2\r\nno\r\n0\r\nRetry-After: 9\r\nX-T: 1\r\n\r\n"
    )
    report = beside_a_good_one(post, says(answer))
    assert report.outcome == Answered(503, None)
    assert [name for name, _ in header_pairs(report.head)] == ["Transfer-Encoding", "Trailer"]


SECOND = b"HTTP/1.1 299 Smuggled\r\nContent-Length: 0\r\n\r\n"


def test_a_second_answer_in_the_same_breath_is_not_the_answer_to_the_next_request(post: Post) -> None:
    with RawReceiver(Pouring(OK + SECOND)) as receiver:
        outcomes = [post.send(to(receiver.url, str(number))).outcome for number in range(3)]
        assert outcomes == [Answered(200)] * 3
        assert receiver.connection_count == 3, "a connection with something left over is not used again"


def test_a_second_answer_that_comes_while_nobody_waits_ends_the_connection(post: Post) -> None:
    is_reported, is_ended = threading.Event(), threading.Event()

    def behave(connection: socket.socket, _closing: threading.Event) -> None:
        connection.sendall(OK)
        is_reported.wait(30)
        connection.sendall(SECOND)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        is_ended.set()

    with RawReceiver(behave) as receiver:
        for number in range(3):
            is_reported.clear()
            is_ended.clear()
            assert post.send(to(receiver.url, str(number))).outcome == Answered(200)
            is_reported.set()
            assert is_ended.wait(30), "the sender ends it, without being asked for another request"
        assert receiver.connection_count == 3


def test_an_answer_to_nothing_sent_before_the_request_is_read_is_only_the_senders_own(post: Post) -> None:
    """Whoever answers before the request has come answers only itself: each connection belongs to one receiver."""
    with RawReceiver(Pouring(OK + OK + OK)) as hasty, RawReceiver(says(b"HTTP/1.1 500 No\r\n\r\n")) as other:
        for number in range(3):
            assert post.send(to(hasty.url, f"a{number}")).outcome == Answered(200)
            assert post.send(to(other.url, f"b{number}")).outcome == Answered(500)
