"""Every range that is not public is refused by name; the operator's networks are let through."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.attempt import Refused
from bookbell.core.guard import GuardRules, judge_address, judge_url
from bookbell.core.target import parse

STRICT = GuardRules()
LOOPBACK = GuardRules((ip_network("127.0.0.0/8"), ip_network("::1/128")), is_short_host_allowed=True)


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("0.0.0.0", "this_network"),
        ("0.255.255.255", "this_network"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "shared"),
        ("100.127.255.255", "shared"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link_local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "ietf"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4_relay"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "v4_compatible"),
        ("::ffff:127.0.0.1", "v4_mapped"),
        ("::ffff:8.8.8.8", "v4_mapped"),
        ("64:ff9b::7f00:1", "nat64"),
        ("64:ff9b:1::1", "nat64"),
        ("100::1", "discard"),
        ("2001::1", "teredo"),
        ("2001:db8::1", "documentation"),
        ("2001:2::1", "ietf"),
        ("2002:7f00:1::", "6to4"),
        ("3fff::1", "documentation"),
        ("5f00::1", "segment_routing"),
        ("fc00::1", "unique_local"),
        ("fd00:ec2::254", "unique_local"),
        ("fe80::1", "link_local"),
        ("fec0::1", "site_local"),
        ("ff02::1", "multicast"),
        ("4000::1", "reserved"),
        ("fe80::1%eth0", "zone"),
        ("not an address", "no_address"),
    ],
)
def test_addresses_that_are_not_public_are_refused_by_rule(address: str, rule: str) -> None:
    refused = judge_address(address, STRICT)
    assert isinstance(refused, Refused)
    assert refused.rule == rule
    assert refused.detail


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_public_addresses_pass(address: str) -> None:
    assert judge_address(address, STRICT) is None


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]
)
def test_an_allowed_network_is_allowed_however_it_is_reached(address: str) -> None:
    assert judge_address(address, LOOPBACK) is None


def test_an_allowed_network_allows_nothing_else() -> None:
    assert judge_address("10.0.0.1", LOOPBACK) is not None


def test_teredo_is_judged_by_the_address_inside() -> None:
    assert judge_address("2001:0:4136:e378:8000:63bf:80ff:fffe", LOOPBACK) is None  # 127.0.0.1, inverted


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://127.0.0.1./", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://0x7f000001/", "loopback"),
        ("http://0x7f.1/", "loopback"),
        ("http://0177.0.0.1/", "loopback"),
        ("http://127.1/", "loopback"),
        ("http://10.1/", "private"),
        ("http://0/", "this_network"),
        ("http://0x/", "this_network"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "v4_mapped"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://localhost/", "loopback"),
        ("http://LOCALHOST./", "loopback"),
        ("http://a.localhost/", "loopback"),
        ("http://intranet/", "short_host"),
        ("http://256.1.1.1/", "host_spelling"),
        ("http://1.2.3.4.5/", "host_spelling"),
        ("http://example.08/", "host_spelling"),
        ("http://09.1.1.1/", "host_spelling"),
        ("http://1.2.65536/", "host_spelling"),
        ("http://300.1/", "host_spelling"),
    ],
)
def test_urls_that_name_what_is_not_public_are_refused(url: str, rule: str) -> None:
    refused = judge_url(parse(url), STRICT)
    assert refused is not None
    assert refused.rule == rule


@pytest.mark.parametrize("url", ["http://hooks.example.net/", "https://8.8.8.8/", "http://127.0.0.1.example.net/"])
def test_public_urls_pass(url: str) -> None:
    assert judge_url(parse(url), STRICT) is None


@pytest.mark.parametrize("url", ["http://localhost/", "http://intranet/", "http://127.0.0.1:9/", "http://[::1]/"])
def test_what_the_operator_allows_passes(url: str) -> None:
    assert judge_url(parse(url), LOOPBACK) is None


def test_a_refusal_names_rule_and_remedy() -> None:
    refused = judge_address("10.1.2.3", STRICT)
    assert refused is not None
    assert refused.detail == (
        "10.1.2.3 is a private address (rule private), so no request is sent to it. "
        "The operator can allow its network with BOOKBELL_ALLOW_NETWORKS."
    )


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_private_passes(address: object) -> None:
    is_private = getattr(address, "is_private") or getattr(address, "is_multicast") or getattr(address, "is_reserved")  # noqa: B009
    if is_private and str(address) not in {"192.0.0.9", "192.0.0.10"}:
        assert judge_address(str(address), STRICT) is not None
