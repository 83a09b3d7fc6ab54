"""A real DNS server, a real sender and public addresses of the test's own: what is reached, and what is not.

Every test runs alone in namespaces of its own (namespaces.py), under the guard that allows nothing.
"""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bookbell.core import limits
from bookbell.core.attempt import Answered, Refused, TimedOut, Unreachable, kind_of
from bookbell.core.guard import judge_url
from bookbell.core.target import parse
from dns_server import DnsServer, Zone, address, alias
from namespaces import carry, isolated
from posting import NOWHERE, Post, to

PUBLIC, OTHER, PUBLIC_6 = "93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"
PORT = 8080
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PATIENT = {"timeout_ms_connect": 60_000, "timeout_ms_total": 60_000}
URL = f"http://hooks.example.net:{PORT}/hook"


class Listening:
    """A receiver at one address. It counts connections and answers 200."""

    def __init__(self, at: str) -> None:
        family = socket.AF_INET6 if ":" in at else socket.AF_INET
        self.count = 0
        self._listener = socket.create_server((at, PORT), family=family)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self.count += 1
            with connection:
                connection.recv(65536)
                connection.sendall(OK)


@contextmanager
def world(*answers: str) -> Iterator[tuple[DnsServer, Listening, Listening]]:
    """A name server that gives these addresses for every name, a public receiver and one that must not be reached."""
    for each in (PUBLIC, OTHER, PUBLIC_6):
        carry(each)
    with DnsServer(only(*answers)) as server:
        yield server, Listening(PUBLIC), Listening("127.0.0.1")


def only(*answers: str) -> Zone:
    """These addresses for every name."""
    return lambda name, kind: [address(name, each) for each in answers if (":" in each) == (kind == "AAAA")]


@isolated
def test_a_public_answer_is_reached_under_the_guard_that_allows_nothing() -> None:
    with world(PUBLIC) as (_, public, _inside):
        report = Post(NOWHERE).send(to(URL))
        assert (report.outcome, report.remote_address, public.count) == (Answered(200), PUBLIC, 1)
        assert report.timings.total_us >= report.timings.dns_us > 0


@isolated
def test_a_private_answer_is_refused_at_the_socket() -> None:
    refused = (
        ("127.0.0.1", "loopback"),
        ("10.0.0.1", "private"),
        ("169.254.169.254", "link_local"),
        ("0.0.0.0", "this_network"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "v4_mapped"),
        ("64:ff9b::7f00:1", "nat64"),
        ("fd00:ec2::254", "unique_local"),
        ("fe80::1", "link_local"),
    )
    with world() as (server, _, inside):
        for answer, rule in refused:
            server.zone = only(answer)
            outcome = Post(NOWHERE).send(to(URL)).outcome
            assert isinstance(outcome, Refused), answer
            assert (outcome.rule, inside.count) == (rule, 0)


@isolated
def test_of_a_mixed_answer_only_what_is_public_is_reached_wherever_it_stands() -> None:
    with world("127.0.0.1", "10.0.0.1", PUBLIC, "169.254.169.254") as (_, public, inside):
        reports = [Post(NOWHERE).send(to(URL)) for _ in range(5)]
        assert {(report.outcome, report.remote_address) for report in reports} == {(Answered(200), PUBLIC)}
        assert (public.count, inside.count) == (5, 0)


@isolated
def test_a_private_v6_answer_beside_a_public_v4_one_and_the_other_way_round() -> None:
    with world(PUBLIC, "::1") as (server, _, inside):
        assert Post(NOWHERE).send(to(URL)).remote_address == PUBLIC
        six = Listening(PUBLIC_6)
        server.zone = only("127.0.0.1", PUBLIC_6)
        assert Post(NOWHERE).send(to(URL)).remote_address == PUBLIC_6
        assert (six.count, inside.count) == (1, 0)


@isolated
def test_an_answer_that_changes_after_saving_and_testing_is_judged_when_it_is_sent_to() -> None:
    with world(PUBLIC) as (server, public, inside):
        assert judge_url(parse(URL), NOWHERE) is None
        assert Post(NOWHERE).send(to(URL)).outcome == Answered(200)
        server.zone = only("127.0.0.1")
        assert kind_of(Post(NOWHERE).send(to(URL)).outcome) == "refused:loopback"
        assert (public.count, inside.count) == (1, 0)


@isolated
def test_an_answer_that_changes_with_every_question_gains_nothing() -> None:
    turns = itertools.cycle([PUBLIC, "127.0.0.1"])
    with world() as (server, _, inside):
        server.zone = lambda name, kind: [address(name, next(turns))] if kind == "A" else []
        outcomes = {kind_of(Post(NOWHERE).send(to(URL)).outcome) for _ in range(8)}
        assert outcomes == {"answered", "refused:loopback"}
        assert inside.count == 0


@isolated
def test_a_name_that_is_another_name_for_this_machine_is_refused() -> None:
    def leads_to(real: str) -> Zone:
        behind = only(real)
        return lambda name, kind: [alias(name, f"inner.{name}"), *(behind(f"inner.{name}", kind) or ())]

    with world() as (server, _, inside):
        for real, expected in (("127.0.0.1", "refused:loopback"), ("::1", "refused:loopback"), (PUBLIC, "answered")):
            server.zone = leads_to(real)
            assert kind_of(Post(NOWHERE).send(to(URL)).outcome) == expected
        server.zone = lambda asked, _kind: [alias(asked, "localhost")] if asked != "localhost" else []
        assert kind_of(Post(NOWHERE).send(to(URL)).outcome) in {"unreachable:dns", "refused:loopback"}
        assert inside.count == 0


@isolated
def test_a_chain_of_names_without_end_is_a_failed_look_up() -> None:
    with world() as (server, _, _inside):
        server.zone = lambda asked, _kind: [alias(asked, f"x.{asked}"[:200]), alias(f"x.{asked}"[:200], asked)]
        assert kind_of(Post(NOWHERE).send(to(URL)).outcome) == "unreachable:dns"


@isolated
def test_no_answer_and_an_empty_one_are_failed_look_ups() -> None:
    with world() as (server, _, _inside):
        outcome = Post(NOWHERE).send(to(URL)).outcome
        assert isinstance(outcome, Unreachable)
        assert outcome.kind == "dns"
        assert outcome.detail.startswith("Could not resolve hooks.example.net")
        assert server.asked["hooks.example.net"] >= 2


@isolated
def test_of_a_huge_answer_the_first_addresses_are_tried() -> None:
    private = [f"10.{number // 250}.1.{number % 250 + 1}" for number in range(500)]
    with world(*private) as (server, public, _inside):
        report = Post(NOWHERE).send(to(URL))
        assert kind_of(report.outcome) == "refused:private", report
        server.zone = only(PUBLIC, *private)
        outcomes = [Post(NOWHERE).send(to(URL)).outcome for _ in range(3)]
        assert all(kind_of(outcome) in {"answered", "refused:private"} for outcome in outcomes)
        assert public.count <= len(outcomes)


@isolated
def test_a_resolver_that_is_silent_for_some_names_holds_up_no_other() -> None:
    with world() as (server, _, _inside):
        good = only(PUBLIC)
        server.zone = lambda name, kind: None if name.startswith("silent") else good(name, kind)
        post = Post(NOWHERE)
        silent = [to(f"http://silent-{number}.example.net/", f"s{number}", **PATIENT) for number in range(400)]
        same = [to("http://silent.example.net/", f"t{number}", **PATIENT) for number in range(400)]
        post.sender.submit([*silent[:50], *same])
        for number in range(20):
            assert post.send(to(f"http://good-{number}.example.net:{PORT}/")).outcome == Answered(200)
        post.sender.submit(silent[50:])  # more than may be looked up before they are known to be slow
        for number in range(20, 40):
            post.sender.submit(
                [to(f"http://good-{number}.example.net:{PORT}/", f"g{number}", timeout_ms_total=60_000)]
            )
        found = post.collect(20)
        assert {report.outcome for report in found.values()} == {Answered(200)}
        assert set(found) == {f"g{number}" for number in range(20, 40)}, "the silent ones still wait"
        assert threading.active_count() < limits.LOOKUPS_MAX
        post.sender.stop(30)
        assert {kind_of(report.outcome) for report in post.collect(800).values()} == {"unreachable:internal"}


@isolated
def test_a_look_up_that_takes_too_long_is_timed_out_by_name_and_is_not_waited_for() -> None:
    with world() as (server, _, _inside):
        server.zone = lambda _name, _kind: None
        post = Post(NOWHERE)
        report = post.send(to(URL, timeout_ms_total=200))
        assert (report.outcome, report.remote_address) == (TimedOut("dns"), None)
        assert report.timings.dns_us >= 199_000
        connecting = post.send(to(URL, timeout_ms_connect=200))
        assert connecting.outcome == TimedOut("dns")
        assert server.asked["hooks.example.net"] <= 2, "one look-up for both, A and AAAA"
        server.zone = only(PUBLIC)
        assert post.send(to(f"http://other.example.net:{PORT}/")).outcome == Answered(200)
        post.sender.stop(30)


@isolated
def test_what_was_found_is_kept_and_used_for_its_own_name_only() -> None:
    with world(PUBLIC) as (server, public, _inside):
        post = Post(NOWHERE)
        for _ in range(3):
            assert post.send(to(URL)).outcome == Answered(200)
        asked = server.asked["hooks.example.net"]
        assert asked == 2, "A and AAAA, once"
        other = Listening(OTHER)
        server.zone = only(OTHER)
        assert post.send(to(f"http://other.example.net:{PORT}/")).remote_address == OTHER
        assert post.send(to(URL)).remote_address == PUBLIC
        assert (public.count, other.count, server.asked["hooks.example.net"]) == (4, 1, asked)
