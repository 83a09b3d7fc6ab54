"""Every range that is not public is refused by name; the operator's networks are let through."""

from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.errors import InvalidInput
from bookbell.core.guard import GuardRules, demand_target, judge_address, judge_url
from bookbell.core.target import parse

CASES = yaml.safe_load(Path(__file__).with_name("guard_cases.yaml").read_text())
STRICT = GuardRules()
LOOPBACK = GuardRules((ip_network("127.0.0.0/8"), ip_network("::1/128")), is_short_host_allowed=True)


def verdict(address: str) -> str:
    refused = judge_address(address, STRICT)
    return refused.rule if refused else "public"


@pytest.mark.parametrize(("rule", "network", "first", "last", "before", "after"), CASES["ranges"])
def test_a_range_is_refused_from_its_first_address_to_its_last(
    rule: str, network: str, first: str, last: str, before: str | None, after: str | None
) -> None:
    assert [verdict(first), verdict(last)] == [rule, rule], network
    for neighbour in filter(None, (before, after)):
        address, expected = neighbour.split()
        assert verdict(address) == expected


@pytest.mark.parametrize(("address", "expected", "why"), CASES["addresses"])
def test_an_address_has_its_verdict(address: str, expected: str, why: str) -> None:
    assert verdict(address) == expected, why


@pytest.mark.parametrize(("url", "expected"), CASES["urls"], ids=[ascii(url) for url, _ in CASES["urls"]])
def test_a_url_has_its_verdict(url: str, expected: str) -> None:
    if expected == "malformed":
        with pytest.raises(InvalidInput):
            parse(url)
        return
    refused = judge_url(parse(url), STRICT)
    assert (refused.rule if refused else "public") == expected


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]
)
def test_an_allowed_network_is_allowed_however_it_is_reached(address: str) -> None:
    assert judge_address(address, LOOPBACK) is None


def test_an_allowed_network_allows_nothing_else() -> None:
    assert judge_address("10.0.0.1", LOOPBACK) is not None


def test_teredo_is_judged_by_the_address_inside() -> None:
    assert judge_address("2001:0:4136:e378:8000:63bf:80ff:fffe", LOOPBACK) is None  # 127.0.0.1, inverted


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


def test_a_url_is_demanded_readable_and_allowed() -> None:
    rules = GuardRules()
    assert demand_target("https://h.example/x", rules) == parse("https://h.example/x")
    for url, problem in (("ftp://h.example/", "must begin with http"), ("http://127.0.0.1/", "rule loopback")):
        with pytest.raises(InvalidInput, match=problem):
            demand_target(url, rules)
