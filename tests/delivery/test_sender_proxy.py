"""A proxy of the operator's choice is the one that guards; no other proxy is ever used."""

import socket
from pathlib import Path

import pytest

from bookbell.core.attempt import Answered, Unreachable, header_pairs, kind_of
from certified import certified
from posting import NOWHERE, Post, says, to
from proxy import Proxy
from receivers import RawReceiver, Receiver, hang

VARIABLES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def test_a_proxy_forwards_what_the_guard_would_refuse_because_the_proxy_guards() -> None:
    with Receiver() as receiver, Proxy() as proxy:
        post = Post(NOWHERE, proxy=proxy.url)
        report = post.send(to(receiver.url))
        post.sender.stop(30)
        assert report.outcome == Answered(200)
        assert proxy.requests == [f"POST {receiver.url} HTTP/1.1"]
        ((path, headers, body),) = receiver.requests
        assert (path, headers["host"], body) == ("/hook", f"127.0.0.1:{receiver.port}", b'{"a": 1}')


def test_tls_goes_through_a_proxy_in_a_tunnel_and_the_certificate_is_still_the_receivers(tmp_path: Path) -> None:
    with certified(tmp_path) as secure, Proxy() as proxy:
        post = Post(NOWHERE, proxy=proxy.url, ca_file=secure.certificate)
        by_name = post.send(to(f"https://receiver.localhost:{secure.port}/hook"))
        other = post.send(to(f"https://other.localhost:{secure.port}/hook"))
        post.sender.stop(30)
        assert by_name.outcome == Answered(200)
        assert "X-Proxy" not in dict(header_pairs(by_name.head))
        assert kind_of(other.outcome) == "unreachable:tls"
        assert proxy.requests[0] == f"CONNECT receiver.localhost:{secure.port} HTTP/1.1"


def test_names_are_left_to_the_proxy() -> None:
    with Receiver() as proxy:
        post = Post(NOWHERE, proxy=f"http://127.0.0.1:{proxy.port}")
        report = post.send(to("http://no-such-name.invalid/hook"))
        post.sender.stop(30)
        assert report.outcome == Answered(200)
        assert proxy.requests[0][0] == "http://no-such-name.invalid/hook"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_told_from_a_receiver_that_answers(status: int) -> None:
    with Proxy(refuses=status) as proxy:
        post = Post(NOWHERE, proxy=proxy.url)
        plain = post.send(to("http://receiver.example/hook"))
        tunnelled = post.send(to("https://receiver.example/hook"))
        post.sender.stop(30)
        assert plain.outcome == Answered(status), "a forwarded request has one answer, whoever gives it"
        assert tunnelled.outcome == Unreachable("connect", f"CONNECT tunnel failed, response {status}.")


def test_a_proxy_that_hangs_or_is_not_there_has_a_name() -> None:
    with RawReceiver(hang) as hanging, RawReceiver(says(b"what?\r\n\r\n")) as garbled:
        for port, wait_ms, outcome in (
            (hanging.port, 500, "timed_out:tls"),
            (garbled.port, 20_000, "unreachable:protocol"),
        ):
            post = Post(NOWHERE, proxy=f"http://127.0.0.1:{port}")
            assert kind_of(post.send(to("https://receiver.example/", timeout_ms_total=wait_ms)).outcome) == outcome
            post.sender.stop(30)
    with socket.socket() as taken:  # and does not listen, so that nobody else does
        taken.bind(("127.0.0.1", 0))
        post = Post(NOWHERE, proxy=f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert kind_of(post.send(to("https://receiver.example/")).outcome) == "unreachable:connect"
        post.sender.stop(30)


def test_environment_proxies_are_not_used_for_tls_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with certified(tmp_path) as secure, Proxy() as proxy, Proxy() as wanted:
        for name in VARIABLES:
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setenv("no_proxy", "*")
        direct = Post(ca_file=secure.certificate)
        assert direct.send(to(f"https://127.0.0.1:{secure.port}/hook")).outcome == Answered(200)
        assert proxy.requests == []
        through = Post(NOWHERE, proxy=wanted.url, ca_file=secure.certificate)
        assert through.send(to(f"https://127.0.0.1:{secure.port}/hook")).outcome == Answered(200)
        assert (len(wanted.requests), proxy.requests) == (1, [])
        for post in (direct, through):
            post.sender.stop(30)
