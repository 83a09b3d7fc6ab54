"""The sender on real loopback sockets: what it sends, what it makes of each answer, and what it never does."""

import queue
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from bookbell.core import limits
from bookbell.core.attempt import (
    Answered,
    Oversized,
    Refused,
    Report,
    TimedOut,
    Unreachable,
    header_pairs,
    kind_of,
)
from bookbell.core.guard import GuardRules
from bookbell.delivery import sender_names, sender_transfer
from bookbell.delivery.sender_thread import SenderThread
from certified import Certified, certified
from posting import NOWHERE, OK, WAIT_S, Post, says, to
from receivers import Behaviour, RawReceiver, Receiver, early_answer, endless_body, endless_headers, hang, reset


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.sender.stop(WAIT_S)


def keeps_alive(connection: socket.socket, closing: threading.Event) -> None:
    """Answers every request on the connection."""
    connection.sendall(OK)
    connection.settimeout(0.1)
    head = b""
    while not closing.is_set():
        try:
            chunk = connection.recv(65536)
        except TimeoutError:
            continue
        if not chunk:
            return
        head += chunk
        if head.endswith(b'{"a": 1}'):
            connection.sendall(OK)
            head = b""


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_given_and_with_nothing_added(post: Post) -> None:
    with Receiver() as receiver:
        report = post.send(to(receiver.url + "?b=%20&a=1"))
        assert report.outcome == Answered(200)
        assert report.remote_address == "127.0.0.1"
        ((path, headers, body),) = receiver.requests
        assert (path, body) == ("/hook?b=%20&a=1", b'{"a": 1}')
        assert headers == {
            "host": f"127.0.0.1:{receiver.port}",
            "content-type": "application/json",
            "webhook-request-id": "r",
            "content-length": "8",
        }


def test_the_order_of_headers_makes_no_difference(post: Post) -> None:
    with Receiver() as receiver:
        headers = (("X-A", "1"), ("X-Empty", ""), ("Content-Type", "text/plain"), ("User-Agent", "ua"))
        post.send(replace(to(receiver.url), headers=tuple(f"{name}: {value}" for name, value in headers)))
        (_, found, _) = receiver.requests[0]
        assert list(found.items())[1:-1] == [(name.lower(), value) for name, value in headers]


def test_a_large_body_is_sent_without_waiting_to_be_asked_for_it(post: Post) -> None:
    with Receiver() as receiver:
        body = bytes(range(256)) * 4096
        assert post.send(to(receiver.url, body=body)).outcome == Answered(200)
        assert receiver.requests[0][2] == body
        assert "expect" not in receiver.requests[0][1]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_nothing_is_taken_from_the_environment(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    (tmp_path / ".curlrc").write_text('header = "X-Strange: yes"\n')
    with Receiver() as receiver, RawReceiver(hang) as proxy:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("CURL_HOME", str(tmp_path))
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        post = Post()
        assert post.send(to(receiver.url)).outcome == Answered(200)
        post.sender.stop(WAIT_S)
        assert proxy.connection_count == 0
        assert receiver.requests[0][1].keys() == {"host", "content-type", "webhook-request-id", "content-length"}


def test_a_proxy_that_is_set_is_used_whatever_the_environment_excludes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with Receiver() as proxy:
        post = Post(NOWHERE, proxy=f"http://127.0.0.1:{proxy.port}")
        assert post.send(to("http://receiver.example/hook")).outcome == Answered(200)
        post.sender.stop(WAIT_S)
        assert proxy.requests[0][0] == "http://receiver.example/hook"


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": ("X-A: 1\r\nX-Injected: yes",)},
        {"headers": ("X-A\nX-Injected: 1",)},
        {"headers": ("X-A: 1\0",)},
        {"headers": ("X-A: caf\u00e9",)},
        {"url": "http://127.0.0.1:1/\0"},
        {"url": "http://127.0.0.1:1/caf\u00e9"},
    ],
)
def test_what_cannot_be_sent_is_reported_and_troubles_no_other(post: Post, changes: dict[str, object]) -> None:
    with Receiver() as receiver, RawReceiver(hang) as hanging:
        post.sender.submit([to(hanging.url, "waiting", timeout_ms_total=60_000)])
        report = post.send(replace(to(receiver.url, "bad"), **changes))
        assert kind_of(report.outcome) == "unreachable:internal"
        assert post.send(to(receiver.url, "good")).outcome == Answered(200)
        assert len(receiver.requests) == 1
        assert post.is_quiet()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://127.0.0.1/"]
)
def test_only_http_is_spoken(post: Post, url: str) -> None:
    assert kind_of(post.send(to(url)).outcome) == "unreachable:protocol"


# -- the guard --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "receiver.localhost", "2130706433", "0x7f.1", "017700000001"])
def test_the_guard_judges_the_address_that_is_to_be_connected_to(host: str) -> None:
    with Receiver() as receiver:
        post = Post(NOWHERE)
        report = post.send(to(f"http://{host}:{receiver.port}/hook"))
        post.sender.stop(WAIT_S)
        assert isinstance(report.outcome, Refused)
        assert report.outcome.rule == "loopback"
        assert receiver.requests == []


def test_of_a_name_with_two_addresses_the_one_that_is_allowed_is_reached() -> None:
    with Receiver() as receiver:
        post = Post(GuardRules((ip_network("127.0.0.0/8"),)))
        report = post.send(to(f"http://receiver.localhost:{receiver.port}/hook"))
        post.sender.stop(WAIT_S)
        assert (report.outcome, report.remote_address) == (Answered(200), "127.0.0.1")


def test_a_kept_connection_is_not_used_for_another_host() -> None:
    judged: list[str] = []
    reports: queue.Queue[tuple[str, Report]] = queue.Queue()

    def judge(address: str) -> Refused | None:
        judged.append(address)
        return None if len(judged) == 1 else Refused("loopback", "No more.")

    with Receiver() as receiver:
        sender = SenderThread(judge, deliver=lambda found: reports.put(found[0]))
        sender.start()
        outcomes = []
        for host in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
            sender.submit([to(f"http://{host}:{receiver.port}/hook")])
            outcomes.append(kind_of(reports.get(timeout=WAIT_S)[1].outcome))
        sender.stop(WAIT_S)
        assert outcomes == ["answered", "answered", "refused:loopback"]
        assert judged == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(post: Post, status: int) -> None:
    with Receiver() as target, Receiver(status, {"Location": target.url}) as redirecting:
        assert post.send(to(redirecting.url)).outcome == Answered(status)
        assert target.requests == []


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 404, 410, 429, 500, 503, 599, 999])
def test_the_status_is_reported_whatever_it_is(post: Post, status: int) -> None:
    with RawReceiver(says(f"HTTP/1.1 {status} Why\r\nContent-Length: 0\r\n\r\n".encode())) as receiver:
        assert post.send(to(receiver.url)).outcome == Answered(status)


def test_head_and_body_of_the_answer_are_kept(post: Post) -> None:
    answer = b"HTTP/1.1 400 Bad\r\nX-Reason: caf\xe9\r\nrEtry-aFter:  7 \r\nContent-Length: 4\r\n\r\nno: "
    with RawReceiver(says(answer)) as receiver:
        report = post.send(to(receiver.url))
        assert report.outcome == Answered(400, "7")
        assert header_pairs(report.head) == [("X-Reason", "caf\u00e9"), ("rEtry-aFter", "7"), ("Content-Length", "4")]
        assert report.body == b"no: "


def test_informational_answers_come_before_the_one_that_counts(post: Post) -> None:
    answer = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"
        b"HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n"
    )
    with RawReceiver(says(answer)) as receiver:
        report = post.send(to(receiver.url))
        assert report.outcome == Answered(503, "Wed, 21 Oct 2026 07:28:00 GMT")
        assert [name for name, _ in header_pairs(report.head)] == ["Retry-After", "Content-Length"]


def test_a_body_is_kept_up_to_a_bound_and_cut_beyond_another(post: Post) -> None:
    size = limits.RESPONSE_BODY_BYTES_MAX
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    with RawReceiver(says(whole)) as receiver:
        report = post.send(to(receiver.url))
        assert (report.outcome, len(report.body)) == (Answered(200), limits.RESPONSE_KEPT_BYTES_MAX)
    with RawReceiver(endless_body) as receiver:
        report = post.send(to(receiver.url))
        assert (report.outcome, len(report.body)) == (Answered(200), limits.RESPONSE_KEPT_BYTES_MAX)


def one_endless_header(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    while not closing.is_set():
        connection.sendall(b"x" * 4000)


def endless_continues(connection: socket.socket, closing: threading.Event) -> None:
    while not closing.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize("behaviour", [endless_headers, one_endless_header, endless_continues])
def test_headers_without_end_are_cut(post: Post, behaviour: Behaviour) -> None:
    with RawReceiver(behaviour) as receiver:
        assert post.send(to(receiver.url)).outcome == Oversized("headers")


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (reset, "unreachable:reset"),
        (says(), "unreachable:reset"),
        (says(b"HTTP/1.1 200"), "unreachable:reset"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"), "unreachable:reset"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "unreachable:reset"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "unreachable:protocol"),
        (says(b"<html>hello</html>"), "unreachable:protocol"),
        (says(b"HTTP/1.1 OK\r\n\r\n"), "unreachable:protocol"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "unreachable:protocol"),
        (early_answer, "answered"),
    ],
)
def test_a_broken_answer_has_a_name(post: Post, behaviour: Behaviour, outcome: str) -> None:
    with RawReceiver(behaviour) as receiver:
        report = post.send(to(receiver.url))
        assert kind_of(report.outcome) == outcome


@pytest.mark.parametrize(
    ("quoted", "shown"), [(b"x\xffy", "x\ufffdy"), (b"x\x1b[31m", "x\ufffd[31m"), ("x\u00e9y".encode(), "x\u00e9y")]
)
def test_what_a_receiver_is_quoted_with_is_text_that_can_be_kept(post: Post, quoted: bytes, shown: str) -> None:
    with RawReceiver(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n" % quoted)) as receiver:
        outcome = post.send(to(receiver.url)).outcome
        assert isinstance(outcome, Unreachable)
        assert shown in outcome.detail
        assert outcome.detail.encode().decode() == outcome.detail


def test_nobody_listening_is_a_failed_connect(post: Post) -> None:
    with socket.socket() as taken:  # and does not listen, so that nobody else does
        taken.bind(("127.0.0.1", 0))
        report = post.send(to(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    assert isinstance(report.outcome, Unreachable)
    assert report.outcome.kind == "connect"
    assert report.outcome.detail.endswith(".")


def test_a_name_that_cannot_exist_is_a_failed_look_up(post: Post) -> None:
    with Receiver() as receiver:
        assert post.send(to(receiver.url)).remote_address == "127.0.0.1"  # the same handle is used again
    report = post.send(to(f"http://{'a' * 64}.invalid/"))
    assert kind_of(report.outcome) == "unreachable:dns"
    assert report.remote_address is None


@pytest.mark.parametrize("address", ["fe80::1%lo", "no address"])
def test_an_address_that_cannot_be_used_spoils_no_later_request(
    post: Post, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd's resolver names the interface with a link-local address; the handle is used again."""
    monkeypatch.setattr(sender_names, "_addresses", lambda _host: (address,))
    with Receiver() as receiver:
        assert not isinstance(post.send(to("http://spoilt.example/")).outcome, Answered)
        assert [post.send(to(receiver.url)).outcome for _ in range(3)] == [Answered(200)] * 3


def test_a_link_local_address_with_its_interface_is_refused(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%lo", 0, 0, 1))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: found)
    monkeypatch.setattr(sender_transfer, "needs_lookup", lambda _host: True)
    assert kind_of(post.send(to("http://spoilt.example/")).outcome) == "refused:link_local"


# -- deadlines --------------------------------------------------------------------------------------------------------


def begin_and_hang(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx")
    closing.wait()


def begin_headers_and_hang(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n")
    closing.wait()


@pytest.mark.parametrize(
    ("behaviour", "phase"), [(hang, "first_byte"), (begin_and_hang, "body"), (begin_headers_and_hang, "body")]
)
def test_the_deadline_names_what_was_waited_for(post: Post, behaviour: Behaviour, phase: str) -> None:
    wait_ms = 300 if behaviour is hang else 1_500  # the answer has to begin within it on a busy machine, too
    with RawReceiver(behaviour) as receiver:
        report = post.send(to(receiver.url, timeout_ms_total=wait_ms))
        assert report.outcome == TimedOut(phase)
        assert report.timings.total_us >= (wait_ms - 10) * 1_000


def test_a_receiver_that_stalls_the_handshake_is_timed_out_in_tls(post: Post) -> None:
    with RawReceiver(hang) as receiver:
        report = post.send(to(f"https://127.0.0.1:{receiver.port}/", timeout_ms_total=300))
        assert report.outcome == TimedOut("tls")
        connecting = post.send(to(f"https://127.0.0.1:{receiver.port}/", timeout_ms_connect=300))
        assert connecting.outcome == TimedOut("tls")


def answers_once(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(OK)
    closing.wait()


def test_a_kept_connection_that_falls_silent_is_timed_out_at_the_first_byte(post: Post) -> None:
    with RawReceiver(answers_once) as receiver:
        assert post.send(to(receiver.url)).outcome == Answered(200)
        assert post.send(to(receiver.url, timeout_ms_total=300)).outcome == TimedOut("first_byte")
        assert receiver.connection_count == 1


def test_the_timings_show_where_the_time_went(post: Post) -> None:
    def slow(connection: socket.socket, closing: threading.Event) -> None:
        closing.wait(0.08)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        closing.wait(0.08)
        connection.sendall(b"ok")

    with RawReceiver(slow) as receiver:
        timings = post.send(to(receiver.url)).timings
        assert timings.first_byte_us >= 75_000
        assert timings.total_us >= timings.first_byte_us + 75_000
        assert timings.tls_us == 0
        parts = (timings.dns_us, timings.connect_us, timings.tls_us, timings.first_byte_us)
        assert all(part >= 0 for part in parts)
        assert sum(parts) <= timings.total_us


# -- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(name="certified")
def _certified(tmp_path: Path) -> Iterator[Certified]:
    with certified(tmp_path) as receiver:
        yield receiver


def test_a_certificate_that_nobody_vouches_for_is_refused(post: Post, certified: Certified) -> None:
    report = post.send(to(f"https://127.0.0.1:{certified.port}/hook"))
    assert kind_of(report.outcome) == "unreachable:tls"
    assert report.body == b""


def test_a_trusted_certificate_is_accepted_for_its_own_names_only(certified: Certified) -> None:
    post = Post(ca_file=certified.certificate)
    by_name = post.send(to(f"https://receiver.localhost:{certified.port}/hook"))
    by_address = post.send(to(f"https://127.0.0.1:{certified.port}/hook"))
    other = post.send(to(f"https://other.localhost:{certified.port}/hook"))
    post.sender.stop(WAIT_S)
    assert (by_name.outcome, by_address.outcome) == (Answered(200), Answered(200))
    assert by_name.timings.tls_us > 0
    assert kind_of(other.outcome) == "unreachable:tls"


def test_connections_made_at_once_resume_sessions(certified: Certified) -> None:
    post = Post(ca_file=certified.certificate)
    certified.receiver.headers = {"Connection": "close"}
    for turn in range(2):
        post.sender.submit([to(f"https://127.0.0.1:{certified.port}/hook", key=f"{turn}-{n}") for n in range(8)])
        assert {report.outcome for report in post.collect(8).values()} == {Answered(200)}
    assert certified.resumed_count == 8
    post.sender.stop(WAIT_S)


def test_the_file_in_ssl_cert_file_is_trusted(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certified.certificate)
    post = Post()
    assert post.send(to(f"https://127.0.0.1:{certified.port}/hook")).outcome == Answered(200)
    post.sender.stop(WAIT_S)


def test_plain_http_at_a_tls_port_and_tls_at_a_plain_port_have_names(post: Post, certified: Certified) -> None:
    with Receiver() as plain:
        assert kind_of(post.send(to(f"https://127.0.0.1:{plain.port}/")).outcome) == "unreachable:tls"
    assert kind_of(post.send(to(f"http://127.0.0.1:{certified.port}/")).outcome) in {
        "unreachable:reset",
        "unreachable:protocol",
    }


# -- many -------------------------------------------------------------------------------------------------------------


def test_connections_are_kept_and_used_again(post: Post) -> None:
    with RawReceiver(keeps_alive) as receiver:
        reports = [post.send(to(receiver.url, str(number))) for number in range(200)]
        assert {report.outcome for report in reports} == {Answered(200)}
        assert receiver.connection_count == 1
        assert reports[-1].timings.connect_us == 0
        assert reports[-1].remote_address == "127.0.0.1"


def test_a_connection_that_the_receiver_closed_is_made_anew(post: Post) -> None:
    with RawReceiver(says(OK)) as receiver:
        assert {post.send(to(receiver.url, str(number))).outcome for number in range(20)} == {Answered(200)}


def test_thousands_of_requests_are_each_reported_once(post: Post) -> None:
    with RawReceiver(keeps_alive) as receiver:
        for wave in range(40):
            keys = [f"{wave}-{number}" for number in range(100)]
            post.sender.submit([to(receiver.url, key) for key in keys])
            reports = post.collect(len(keys))
            assert {report.outcome for report in reports.values()} == {Answered(200)}
        assert receiver.connection_count <= 200
        assert post.is_quiet()


def test_more_than_a_thousand_requests_can_be_in_flight(post: Post, raised_descriptors: int) -> None:
    count = min(1_100, raised_descriptors // 2 - 100)
    assert count > 1_024, "this machine allows too few open files"
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    post.sender.submit([to(url, str(number), timeout_ms_total=60_000) for number in range(count)])
    connections = []
    for _ in range(count):
        connection, _ = listener.accept()
        connections.append(connection)
    assert post.is_quiet()
    for connection in connections:
        connection.recv(65536)
        connection.sendall(OK)
    reports = post.collect(count)
    assert {report.outcome for report in reports.values()} == {Answered(200)}
    for connection in connections:
        connection.close()
    listener.close()


@pytest.fixture
def raised_descriptors() -> Iterator[int]:
    """The limit of open files, as high as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = min(hard, 8_192) if hard != resource.RLIM_INFINITY else 8_192
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))
    yield max(soft, raised)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stopping_reports_what_was_in_flight_and_takes_nothing_more() -> None:
    post = Post()
    with RawReceiver(hang) as receiver:
        post.sender.submit([to(receiver.url, key, timeout_ms_total=60_000) for key in "abc"])
        wait_for(lambda: receiver.connection_count == 3)
        post.sender.stop(WAIT_S)
        reports = post.collect(3)
        assert {kind_of(report.outcome) for report in reports.values()} == {"unreachable:internal"}
        with pytest.raises(RuntimeError, match="does not run"):
            post.sender.submit([to(receiver.url)])
        post.sender.stop(WAIT_S)
        assert post.is_quiet()


def wait_for(is_true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if is_true():
            return
        pause.wait(0.01)
    raise AssertionError("in vain")
